"""A static copy of the page: its files, its numbers, and what a browser makes of it."""

import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from afterglow.clinic.course import shipped_courses
from afterglow.interfaces.cli import app
from afterglow.interfaces.web import models, precomputed, work
from afterglow.interfaces.web.export import STATIC_POLICY, export, rounded
from afterglow.study import live
from afterglow.study.live_facts import default
from afterglow.study.live_scenario import scenario_from_data

PEOPLE = 16
CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
CLAIM = {
    "id": "A1", "says": "Ketamine is a drug.", "group": "Drug", "verdict": "definition", "sentence": "It is.",
    "records": [], "model": None,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_claim() -> Iterator[None]:
    """All claims take long, and are not what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(work.LONG, "claims", lambda _body, _tell: [CLAIM])
        yield


def small():
    """Two doses of six infusions, with nothing and with an SSRI beside them."""
    found = precomputed.scenarios(doses=(0.25, 0.5), counts=(6,))
    return [one for one in found if one.count and one.scenario["versus"] in (None, "ssri")]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    out = tmp_path_factory.mktemp("host") / "under" / "demo"
    export(out, chosen=small(), people=PEOPLE)
    return out


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def entries(copy):
    return read(copy / "data" / "index.json")["scenarios"]


def bands(run):
    """Every line that is drawn, by what it is."""
    parts = {"panels": run["panels"], "rated": {"madrs": run["rated"]}}
    if run["versus"] is not None:
        parts |= {"versus": run["versus"]["panels"], "difference": run["versus"]["difference"]}
    for part, panels in parts.items():
        for name, band in panels.items():
            yield from (((part, name, key), line) for key, line in band.items() if line is not None)


# ------------------------------------------------------------------------------------------------ what is chosen


def test_a_copy_has_every_shipped_course_and_the_first_screen():
    found = precomputed.scenarios()
    assert {one.preset for one in found} == set(shipped_courses())
    assert found[0].preset == default()["course"]["course"]
    assert sum(one.scenario == default() for one in found) == 1
    surface = Counter((one.dose, one.count) for one in found if one.count and one.scenario["versus"] is None)
    assert surface == Counter((dose, count) for dose in precomputed.DOSES for count in precomputed.COUNTS)


def test_every_scenario_can_be_asked_and_has_a_name_of_its_own():
    found = precomputed.scenarios()
    assert len({one.key for one in found}) == len(found)
    asked = [scenario_from_data(one.scenario) for one in found]
    assert len({one.sha256 for one in asked}) == len(found)
    for one, scenario in zip(found, asked, strict=True):
        if one.count is not None:
            assert len(scenario.course.sessions(8)) == one.count


def test_what_stands_alone_comes_before_what_has_something_beside_it():
    alone = set()
    for one in precomputed.scenarios():
        course = json.dumps(one.scenario["course"])
        if one.scenario["versus"] is None:
            alone.add(course)
        assert course in alone


# ------------------------------------------------------------------------------------------------ files


def test_the_files_have_the_forms_that_the_page_reads(copy):
    found = entries(copy)
    assert [one["key"] for one in found] == [one.key for one in small()]
    for one in found:
        assert set(one) == {"key", "scenario", "file", "preset", "dose", "count"}
        answer = read(copy / "data" / one["file"])
        models.Run.model_validate(answer["run"])
        models.Why.model_validate(answer["why"])
        models.Code.model_validate(answer["code"])
    about = models.About.model_validate(read(copy / "data" / "about.json"))
    assert any(about.default == one["scenario"] for one in found)
    assert about.comparators == ["ssri"]
    assert {one["course"] for one in about.presets} == {"iv-induction", "ssri"}
    systems = [models.System.model_validate(one) for one in read(copy / "data" / "systems" / "index.json")]
    for one in systems:
        models.SystemDetail.model_validate(read(copy / "data" / "systems" / f"{one.name}.json"))
    assert read(copy / "data" / "claims.json") == [CLAIM]


def test_the_answers_are_those_of_the_python_api(copy):
    for one in entries(copy):
        found = read(copy / "data" / one["file"])["run"]
        same = live.run(scenario_from_data(one["scenario"]), people=PEOPLE).plain()
        assert found["time_h"] == pytest.approx(same["time_h"], abs=1e-4)
        lines, expected = dict(bands(found)), dict(bands(same))
        assert set(lines) == set(expected)
        for key, line in expected.items():
            assert lines[key] == pytest.approx(line, abs=1e-3 * max(map(abs, line))), key
        for told, number in zip(found["numbers"], same["numbers"], strict=True):
            assert told["value"] == pytest.approx(number["value"], rel=1e-3, nan_ok=True)
        assert found["scenario_sha256"] == same["scenario_sha256"]
        assert found["doses"][0]["mg_mean"] == pytest.approx(same["doses"][0]["mg_mean"], rel=1e-3)


def test_numbers_are_shorter_but_not_times_and_words():
    answer = {"time_h": [0.0, 0.0833333333, 1344.0], "line": [0.0, 12.34567, 0.0012345, None], "present": [0, 1]}
    answer |= {"one": 1234.567, "none": None, "zero": 0.0, "word": "1.23456", "rows": [{"value": 0.0123456}]}
    assert rounded(answer) == {
        "time_h": [0, 0.0833, 1344], "line": [0, 12.35, 0, None], "present": [0, 1], "one": 1235, "none": None,
        "zero": 0, "word": "1.23456", "rows": [{"value": 0.01235}],
    }  # fmt: skip
    assert "." not in json.dumps(rounded([1.0, 2.0]))


def test_the_page_says_what_it_is_and_may_ask_only_its_own_host(copy):
    page = (copy / "index.html").read_text(encoding="utf-8")
    assert '<meta name="afterglow-mode" content="static">' in page
    assert page.index(STATIC_POLICY) < page.index("<link")
    assert "default-src 'none'" in STATIC_POLICY
    assert "unsafe" not in STATIC_POLICY
    assert not (copy / "static" / "docs").exists()
    assert '="/' not in page


def test_two_copies_are_the_same_bytes(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for out in (first, second):
        export(out, chosen=small()[:1], people=8)
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    manifest = read(first / "manifest.json")
    assert manifest["settings"]["seed"] == 1
    assert set(manifest["files"]) == {name.as_posix() for name in names} - {"manifest.json"}


def test_a_copy_that_is_stopped_leaves_nothing(tmp_path):
    def stop(what: str, share: float) -> None:
        assert 0 <= share <= 1
        if what.startswith("scenario 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(tmp_path / "deep" / "demo", chosen=small()[:2], people=8, tell=stop)
    assert not list(tmp_path.iterdir())


def test_a_taken_folder_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    for words in ((), ("--force",)):
        result = CliRunner().invoke(app, ["serve", "--export", str(tmp_path), *words])
        assert result.exit_code == 2
        assert "--export" in result.output
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_force_alone_is_refused():
    result = CliRunner().invoke(app, ["serve", "--force"])
    assert result.exit_code == 2
    assert "--export" in result.output


# ------------------------------------------------------------------------------------------------ in a browser


class Quiet(SimpleHTTPRequestHandler):
    """A plain file host."""

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="NOT TESTED: a static copy in a browser")
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"NOT TESTED: a static copy in a browser, as there is no {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


class Visit:
    """A page that was opened, and all that it asked for and complained of."""

    def __init__(self, page, address):
        self.page, self.asked, self.complaints = page, [], []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("response", lambda answer: answer.ok or self.complaints.append(f"{answer.status} {answer.url}"))
        page.goto(address)
        self.one("panel").first.wait_for()
        self.rest()

    def one(self, testid):
        return self.page.get_by_test_id(testid)

    def rest(self):
        self.page.wait_for_selector('[data-testid="status"][data-busy="false"]')

    def told(self, words):
        self.page.wait_for_function(
            "words => document.querySelector('[data-testid=numbers]').innerText !== words", arg=words
        )
        return self.one("numbers").inner_text()


@pytest.fixture
def visit(browser):
    opened, served = [], []

    def go(copy, **options):
        host = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(copy.parent.parent)))
        served.append(host)
        threading.Thread(target=host.serve_forever, daemon=True).start()
        opened.append(browser.new_context(**options))
        return Visit(opened[-1].new_page(), f"http://127.0.0.1:{host.server_port}/{copy.parent.name}/{copy.name}/")

    yield go
    for context in opened:
        context.close()
    for host in served:
        host.shutdown()
        host.server_close()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_a_copy_works_from_a_file_host_under_a_path(copy, visit, size):
    seen = visit(copy, viewport={"width": size[0], "height": size[1]})
    address = seen.page.url.partition("#")[0]
    assert "precomputed" in seen.one("demo").inner_text()
    assert seen.one("panel").first.locator("canvas").count() > 0
    six = seen.one("numbers").inner_text()
    seen.one("dose-slider").fill("0")
    less = seen.told(six)
    seen.one("dose-slider").fill("1")
    assert seen.told(less) == six
    seen.one("versus").select_option("ssri")
    seen.page.locator('[data-testid="panel"][data-name="difference"]').wait_for()
    seen.rest()
    assert "nearest" not in seen.one("status").inner_text()
    seen.one("why").click()
    seen.page.locator("svg.why").wait_for()
    seen.one("chain-part").first.click()
    seen.page.locator(".system .equations").wait_for()
    seen.page.keyboard.press("Escape")
    seen.one("code").click()
    seen.one("code-tab").first.wait_for()
    seen.page.keyboard.press("Escape")
    seen.one("tab-claims").click()
    seen.one("claim-card").wait_for()
    assert seen.complaints == []
    assert all(asked.startswith((address, "data:", "blob:")) for asked in seen.asked)
    assert not any("/api/" in asked for asked in seen.asked)


@pytest.mark.slow
def test_the_story_of_a_copy_shows_no_other_scenario_than_the_one_it_tells(tmp_path, visit, monkeypatch):
    monkeypatch.setitem(work.SHORT, "why", lambda _body: None)  # takes long, and the story does not ask
    told = [one for one in precomputed.scenarios(doses=(0.5,), counts=(6,)) if one.scenario["weeks"] != 8]
    first = [one for one in small() if one.scenario == default()]
    export(tmp_path / "under" / "demo", chosen=[*first, *told], people=8)
    seen = visit(tmp_path / "under" / "demo", viewport={"width": 1440, "height": 900})
    seen.one("story").click()
    for step in range(6):
        tries = seen.one("story-try")
        for number in range(tries.count()):
            tries.nth(number).click()
            seen.rest()
            seen.one("story-answer").locator("dd, li, p").first.wait_for()
            words = seen.one("story-answer").inner_text()
            assert "earest" not in words, (step, tries.nth(number).inner_text())
            assert "earest" not in seen.one("status").inner_text(), (step, tries.nth(number).inner_text())
        seen.one("story-next").click()
    assert seen.complaints == []
