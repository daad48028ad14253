"""COMBINE archives: SED-ML without faults, and every name in it stands in the SBML files."""

import io
import re
import zipfile
from xml.etree import ElementTree

import pytest

from afterglow.clinic.course import load_course
from afterglow.errors import InputError
from afterglow.study.export_combine import SPECIFICATION, archive
from afterglow.study.live_panels import panels_of

libsedml = pytest.importorskip("libsedml")
libsbml = pytest.importorskip("libsbml")


@pytest.fixture(scope="module")
def courses():
    return [load_course(name) for name in ("iv-single", "ssri")]


@pytest.fixture(scope="module")
def files(courses):
    with zipfile.ZipFile(io.BytesIO(archive(courses, 2.0, "A notice & more."))) as whole:
        assert whole.testzip() is None
        return {name: whole.read(name).decode() for name in whole.namelist()}


def test_the_manifest_lists_every_file_once(files):
    rows = ElementTree.fromstring(files["manifest.xml"])
    listed = [one.attrib["location"] for one in rows]
    assert sorted(listed) == sorted([".", *(f"./{name}" for name in files)])
    assert [one.attrib["location"] for one in rows if one.attrib.get("master") == "true"] == ["./simulation.sedml"]
    assert all(one.attrib["format"].startswith(SPECIFICATION) for one in rows)


def test_libsedml_finds_no_fault(files):
    document = libsedml.readSedMLFromString(files["simulation.sedml"])
    told = [document.getError(k).getMessage() for k in range(document.getNumErrors())]
    assert told == []
    assert (document.getLevel(), document.getVersion()) == (1, 4)


def test_every_panel_is_a_plot_with_a_curve_a_course(files, courses):
    document = libsedml.readSedMLFromString(files["simulation.sedml"])
    outputs = [document.getOutput(k) for k in range(document.getNumOutputs())]
    plots = {o.getId(): o for o in outputs if o.isSedPlot2D()}
    assert set(plots) == {f"plot__{name}" for name in panels_of(courses)}
    assert {p.getNumCurves() for p in plots.values()} == {len(courses)}
    assert len(outputs) == 2 * len(plots)


def test_every_target_is_a_parameter_of_its_model(files):
    for name in ("iv__single", "ssri"):
        document = libsbml.readSBMLFromString(files[f"{name}.xml"])
        model = document.getModel()
        for ident in set(re.findall(r"sbml:parameter\[@id=(?:'|&apos;|&quot;)(\w+)", files["simulation.sedml"])):
            assert model.getParameter(ident) is not None, ident
        assert model.getNumEvents() > 0


def test_the_same_courses_give_the_same_bytes(courses):
    assert archive(courses[:1], 1.0) == archive(courses[:1], 1.0)


def test_faults_of_all_courses_are_told_together():
    course = load_course("iv-boosters")
    with pytest.raises(InputError) as told:
        archive([course, course], 30.0)
    assert len(told.value.faults) == 3
