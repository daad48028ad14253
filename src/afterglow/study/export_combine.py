"""A COMBINE archive of courses: the model of each as SBML, and the panels of the shared clock as SED-ML.

One person goes through each course: the typical one, as in `study.sbml_export`. Every panel of the live view is a plot
with a curve a course, and a report with the same numbers.

Sources: Bergmann FT, et al. (2014) BMC Bioinformatics 15:369 (COMBINE archive); The simulation experiment description
markup language (SED-ML): language specification for level 1 version 4 (2021) J Integr Bioinform.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any
from xml.sax.saxutils import escape

from afterglow.clinic.course import Course
from afterglow.compile.sbml import identifier
from afterglow.errors import Fault, InputError, ModelError
from afterglow.study.live_panels import panels_of
from afterglow.study.quantities import QUANTITIES
from afterglow.study.sbml_export import document

SPECIFICATION = "http://identifiers.org/combine.specifications/"
SBML = "http://www.sbml.org/sbml/level3/version2/core"
DC = "http://purl.org/dc/terms/"
CVODE = "KISAO:0000019"
STEP_H = 1.0
STAMP = (2020, 1, 1, 0, 0, 0)  # of every file in the archive, so that the same courses give the same bytes


def archive(
    courses: Sequence[Course], weeks: float, notice: str = "", progress: Callable[[float], None] | None = None
) -> bytes:
    """The archive as the bytes of a .omex file.

    Raises:
        InputError: courses that have one name, decide by scores, or are none.
    """
    _check(courses, weeks)
    names = [identifier(c.name) for c in courses]
    files: dict[str, str] = {}
    for k, (name, course) in enumerate(zip(names, courses, strict=True)):
        files[f"{name}.xml"] = document(course=course, weeks=weeks, notice=notice)
        if progress:
            progress((k + 1) / len(courses))
    files["simulation.sedml"] = sedml(courses, weeks)
    files["metadata.rdf"] = _metadata(courses, notice)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as whole:
        for name, text in {"manifest.xml": _manifest(list(files)), **files}.items():
            whole.writestr(zipfile.ZipInfo(name, STAMP), text.encode(), zipfile.ZIP_DEFLATED)
    return held.getvalue()


def _check(courses: Sequence[Course], weeks: float) -> None:
    faults = [] if courses else [Fault("COURSE", "no course", "name at least one")]
    names = [identifier(c.name) for c in courses]
    for name in sorted({n for n in names if names.count(n) > 1}):
        faults.append(Fault(name, "two courses have this name in SBML", "rename one"))
    if not 0 < weeks < float("inf"):
        faults.append(Fault("--weeks", f"a horizon of {weeks} weeks is empty", "more than 0"))
    else:
        for c in courses:
            if rules := ", ".join(dict.fromkeys(d.rule for d in c.decisions(weeks))):
                remedy = "take a course without checks and maintenance, or fewer weeks"
                faults.append(Fault(c.name, f"decides by scores ({rules}); SBML has dated events only", remedy))
    if faults:
        raise InputError(faults)


def sedml(courses: Sequence[Course], weeks: float) -> str:
    """The SED-ML document: one simulation, a task a course, a plot and a report a panel."""
    try:
        lib: Any = import_module("libsedml")
    except ImportError:
        raise ModelError("SED-ML needs python-libsedml: pip install 'afterglow[export]'") from None
    sheet = lib.SedDocument(1, 4)
    sheet.getNamespaces().add(SBML, "sbml")
    course_time = sheet.createUniformTimeCourse()
    course_time.setId("hours")
    course_time.setInitialTime(0.0)
    course_time.setOutputStartTime(0.0)
    course_time.setOutputEndTime(weeks * 168.0)
    course_time.setNumberOfSteps(max(1, round(weeks * 168.0 / STEP_H)))
    course_time.createAlgorithm().setKisaoID(CVODE)
    for course in courses:
        name = identifier(course.name)
        model = sheet.createModel()
        model.setId(name)
        model.setName(course.name)
        model.setLanguage("urn:sedml:language:sbml.level-3.version-2")
        model.setSource(f"{name}.xml")
        task = sheet.createTask()
        task.setId(f"task__{name}")
        task.setModelReference(name)
        task.setSimulationReference("hours")
        _generator(lib, sheet, f"days__{name}", name, {}, 1 / 24, "days since the start")
    for order, panel in enumerate(panels_of(courses)):
        _panel(lib, sheet, panel, order, courses)
    return str(lib.writeSedMLToString(sheet))


def _panel(lib: Any, sheet: Any, panel: str, order: int, courses: Sequence[Course]) -> None:
    quantity = QUANTITIES[panel]
    plot, report = sheet.createPlot2D(), sheet.createReport()
    plot.setId(f"plot__{panel}")
    plot.setName(f"{quantity.label}, {quantity.unit}")
    report.setId(f"report__{panel}")
    report.setName(f"{quantity.label}, {quantity.unit}")
    for axis, said in ((plot.createXAxis(), "days"), (plot.createYAxis(), quantity.unit)):
        axis.setType(lib.SEDML_AXISTYPE_LINEAR)
        axis.setName(said)
    for k, course in enumerate(courses):
        name = identifier(course.name)
        what = f"{panel}__{name}"
        _generator(lib, sheet, what, name, {identifier(p): p for p in quantity.parts}, quantity.factor, quantity.label)
        curve = plot.createCurve()
        curve.setId(f"curve__{what}")
        curve.setName(course.name)
        curve.setOrder(k)
        curve.setType(lib.SEDML_CURVETYPE_POINTS)
        curve.setXDataReference(f"days__{name}")
        curve.setYDataReference(what)
        for label, source in ((f"{course.name}: days", f"days__{name}"), (course.name, what)):
            data = report.createDataSet()
            data.setId(f"data__{order}__{source}")
            data.setLabel(label)
            data.setDataReference(source)


def _generator(lib: Any, sheet: Any, ident: str, model: str, parts: dict[str, str], factor: float, label: str) -> None:
    """A number over time: the sum of the parts times a factor; time itself without parts."""
    made = sheet.createDataGenerator()
    made.setId(ident)
    made.setName(f"{label}: {model}")
    said = []
    for part in parts or {"time": ""}:
        variable = made.createVariable()
        variable.setId(f"{ident}__{part}")
        variable.setTaskReference(f"task__{model}")
        if parts:
            variable.setTarget(f"/sbml:sbml/sbml:model/sbml:listOfParameters/sbml:parameter[@id='{part}']")
        else:
            variable.setSymbol("urn:sedml:symbol:time")
        said.append(variable.getId())
    made.setMath(lib.parseL3Formula(f"{factor!r} * ({' + '.join(said)})"))


def _manifest(names: Sequence[str]) -> str:
    kinds = {"xml": "sbml.level-3.version-2", "sedml": "sed-ml.level-1.version-4", "rdf": "omex-metadata"}
    rows = [(".", "omex", ""), ("./manifest.xml", "omex-manifest", "")]
    rows += [(f"./{n}", kinds[n.rsplit(".", 1)[1]], ' master="true"' if n.endswith("sedml") else "") for n in names]
    body = "".join(f'  <content location="{a}" format="{SPECIFICATION}{b}"{c}/>\n' for a, b, c in rows)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f'{head}<omexManifest xmlns="{SPECIFICATION}omex-manifest">\n{body}</omexManifest>\n'


def _metadata(courses: Sequence[Course], notice: str) -> str:
    said = escape("Courses of treatment in the typical person: " + ", ".join(c.name for c in courses) + ". " + notice)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dcterms="{DC}">\n'
        '  <rdf:Description rdf:about=".">\n'
        f"    <dcterms:description>{said.strip()}</dcterms:description>\n"
        "    <dcterms:creator>The afterglow developers</dcterms:creator>\n"
        '    <dcterms:license rdf:resource="https://spdx.org/licenses/Apache-2.0"/>\n'
        "  </rdf:Description>\n"
        "</rdf:RDF>\n"
    )
