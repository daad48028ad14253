"""Pictures of the validation: published numbers stand where they belong, and the same seed gives the same bytes."""

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from afterglow import data
from afterglow.errors import InputError
from afterglow.interfaces import canvas, validation_figures, validation_marks
from afterglow.study.predictive import Curve, Relapse, Replicated
from afterglow.study.validate import COLUMNS

SVG = "{http://www.w3.org/2000/svg}"
DAILY = data.trial("daly2018")
TRIALS = ["murrough2013_bp", "murrough2013_ajp"]  # replicates and relapse; curves


def line(measure="change", observed=-10.0, predicted=-9.0, role="fit", scale="MADRS", **more):
    given = {"trial": "one", "arm": "a", "visit": "24 h", "scale": scale, "measure": measure, "observed": observed}
    given |= {"observed_se": 2.0, "predicted": predicted, "lo90": predicted - 4, "hi90": predicted + 4, "role": role}
    return given | {"z": 0.5} | more


def table(*lines):
    return pd.DataFrame(list(lines), columns=COLUMNS)


def bands(middle):
    middle = np.asarray(middle, float)
    return {"p05": middle - 4, "p25": middle - 1, "median": middle, "p75": middle + 1, "p95": middle + 4}


def panels(picture):
    """The panels of a page, read back."""
    page = ElementTree.fromstring(validation_figures.page(picture))
    return [one for one in page if one.tag == f"{SVG}svg"]


def values(panel, axis):
    """Function from pixels to values of an axis, from two of its ticks; `axis` is "x" or "y"."""
    other = "y" if axis == "x" else "x"
    numbers = {}
    for text in panel.iter(f"{SVG}text"):
        if re.fullmatch("[−0-9.]+", text.text) and "font-size: 10.5px" in text.get("style"):
            numbers.setdefault(float(text.get(other)), []).append(text)
    ticks = max(numbers.values(), key=len)
    at = np.array([float(text.get(axis)) for text in ticks])
    shown = np.array([float(text.text.replace("−", "-")) for text in ticks])
    slope = (shown[-1] - shown[0]) / (at[-1] - at[0])
    # labels of the y axis stand with the middle of their digits at the place
    shift = canvas.HALF_DIGIT * 10.5 if axis == "y" else 0.0
    return lambda pixel: shown[0] + slope * (pixel + shift - at[0])


def discs(panel):
    return [(float(one.get("cx")), float(one.get("cy"))) for one in panel.iter(f"{SVG}circle")]


# ------------------------------------------------------------------------------------ files


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    given = table(line(), line("response", 40.0, 50.0, "check"), line("difference", -4.0, -3.0, "unused"))
    made = []
    for k in range(2):
        told = []
        files = validation_figures.draw(
            tmp_path_factory.mktemp(f"run{k}") / "new",
            given,
            TRIALS,
            draws=2,
            patients=16,
            seed=3,
            progress=told.append,
        )
        assert told == [0.5, 1.0]
        made.append(files)
    return made


def test_all_pictures_are_made(twice):
    assert [path.name for path in twice[0]] == [
        "observed_predicted.svg",
        "observed_predicted.png",
        "differences.svg",
        "vpc_murrough2013_bp.svg",
        "relapse_murrough2013_bp.svg",
        "trial_murrough2013_ajp.svg",
    ]


def test_the_same_seed_gives_the_same_bytes(twice):
    for one, other in zip(*twice, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_files_are_whole_pages_with_colours_of_their_own(twice):
    for path in twice[0]:
        if path.suffix == ".png":
            assert path.read_bytes().startswith(b"\x89PNG")
            continue
        text = path.read_text("utf-8")
        page = ElementTree.fromstring(text)
        assert "var(" not in text
        assert not re.search(r"nan|inf\b", re.sub("<text.*?</text>", "", text).replace("infusion", ""))
        assert page.get("width") == page.get("viewBox").split()[2]
        assert all(one.get("aria-label") for one in page if one.tag == f"{SVG}svg")


def test_an_unknown_trial_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        validation_figures.draw(tmp_path, table(), ["nowhere"], draws=2)


# ------------------------------------------------------------------------------------ the table


def test_every_line_has_its_mark_where_it_was_observed_and_predicted():
    lines = [line(observed=-12.0, predicted=-9.5), line(observed=-6.5, predicted=-7.0), line(observed=-3.0)]
    (panel,) = panels(validation_marks.observed_predicted(table(*lines)))
    legend, *marks = discs(panel)
    assert len(marks) == len(lines)
    assert legend[0] == 8
    across, up = values(panel, "x"), values(panel, "y")
    for (x, y), one in zip(marks, lines, strict=True):
        assert across(x) == pytest.approx(one["observed"], abs=0.05)
        assert up(y) == pytest.approx(one["predicted"], abs=0.05)


def test_roles_differ_in_shape_and_colour():
    seen = []
    for role in validation_marks.ROLE:
        sheet = canvas.Sheet()
        validation_marks.role_mark(sheet, np.array([10.0, 10.0]), role)
        (mark,) = sheet.marks
        corners = 0 if isinstance(mark, canvas.Dot) else len(mark.paths[0])
        seen.append((corners, mark.colour))
    assert len({shape for shape, _ in seen}) == len({colour for _, colour in seen}) == 3


def test_who_is_inside_is_counted_by_role():
    lines = [line(), line(observed=-20.0), line(role="check", observed=-30.0)]
    picture = validation_marks.observed_predicted(table(*lines))
    assert "fitted: 1 of 2 inside the interval; kept for checking: 0 of 1" in picture.panels[0].alt


def test_blood_pressure_and_lines_without_prediction_are_no_points():
    nothing = [line(scale="systolic mmHg"), line(predicted=np.nan)]
    assert validation_marks.observed_predicted(table(*nothing)) is None
    assert validation_marks.differences(table(line())) is None


def test_the_forest_names_every_difference_with_its_numbers():
    lines = [line("difference", -4.0, -3.0), line("difference", 1.5, -2.0), line("smd", -0.49, -0.6)]
    points, sds = validation_marks.differences(table(*lines)).panels
    assert "one a 24 h: −4.0, predicted −3.0; one a 24 h: +1.5, predicted −2.0" in points.alt
    assert "−0.49, predicted −0.60" in sds.alt


# ------------------------------------------------------------------------------------ trials


def rows(measure, arm):
    return tuple(r for r in DAILY.answered() if (r.measure, r.arm) == (measure, arm) and r.time_h)


def test_published_points_stand_at_their_values_over_time():
    published = rows("change", "esk84")
    time = np.linspace(0, published[-1].time_h, 30)
    curve = Curve(published, time, bands(-10 * np.ones(30)), None)
    (panel,) = panels(validation_figures.over_time(DAILY, [curve]))
    up = values(panel, "y")
    assert [up(y) for _, y in discs(panel)] == pytest.approx([row.value for row in published], abs=0.05)


def test_the_first_day_has_more_room_where_something_was_seen_in_it():
    even, broken = (validation_figures.Clock(672.0, early=early) for early in (False, True))
    assert float(even.at(336.0)) == 0.5
    assert float(broken.at(24.0)) == validation_figures.FIRST_DAY
    for clock in (even, broken):
        places = clock.at(np.linspace(0, 672, 100))
        assert (np.diff(places) > 0).all()
        assert places[[0, -1]] == pytest.approx([0, 1])
    assert not validation_figures.Clock(24.0, early=True).broken


def test_what_was_fitted_is_filled():
    roles = {(r.trial, r.row): r.role for r in data.fit_rows()}
    published = rows("change", "placebo") + rows("change", "second_esk84")
    fitted = [roles.get((DAILY.id, row.key)) == "fit" for row in published]
    assert {True, False} == set(fitted)
    for row, filled in zip(published, fitted, strict=True):
        curve = Curve((row,), np.array([0.0, row.time_h]), bands([0.0, -9.0]), None)
        (panel,) = panels(validation_figures.over_time(DAILY, [curve]))
        (disc,) = panel.iter(f"{SVG}circle")
        assert (f"fill: {canvas.INK}" in disc.get("style")) == filled


def test_replicates_show_the_published_number_and_hide_what_was_not_published():
    spread = {"p05": 9.0, "p25": 10.0, "median": 11.0, "p75": 12.0, "p95": 13.0}
    lines = [Replicated("a", 20, 24.0, "sd", spread, 10.4, 0.5), Replicated("a", 20, 48.0, "sd", spread, None, None)]
    (panel,) = panels(validation_figures.replicated(DAILY, lines))
    ((_, y),) = discs(panel)
    assert values(panel, "y")(y) == pytest.approx(10.4, abs=0.02)


def test_relapse_is_drawn_as_the_share_still_well():
    record = data.trial("murrough2013_bp")
    published = tuple(r for r in record.answered() if r.measure.startswith("relapse"))
    days = np.arange(0.0, 84.1, 3.5)
    share = np.linspace(100, 20, len(days))
    one = Relapse("ket6", 17, days, bands(share), np.array([share - 9, share + 9]), published)
    (panel,) = panels(validation_figures.relapse(record, [one], []))
    ((x, y),) = discs(panel)
    assert values(panel, "y")(y) == pytest.approx(50, abs=0.3)
    assert values(panel, "x")(x) == pytest.approx((696 - 264) / 24, abs=0.2)
    assert "20 % still well after 84 days" in panel.get("aria-label")


def test_nothing_to_draw_is_no_picture():
    assert validation_figures.over_time(DAILY, []) is None
    assert validation_figures.replicated(DAILY, []) is None
    assert validation_figures.relapse(DAILY, [], []) is None
