"""The matched control of a course: the same visits, sessions and background, with the studied ingredient taken out.

* infusions and injections become saline (or midazolam, with `control: midazolam` in the file),
* nasal sprays become placebo spray, tablets placebo tablets,
* sessions of psychotherapy fall away,
* background drugs stay, unless they are all that is studied (neither doses nor therapy): placebo tablets then.

`studied:` in the file says otherwise which parts are taken out. Checks that only change a dose are dropped, checks that
stop the course and maintenance stay. A control never is open label: what people expect of an open treatment belongs
to that treatment.
A course with nothing active, or with `control: none`, has no control.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from afterglow.clinic.drugs import DRUGS, INJECTED, NASAL
from afterglow.clinic.quantity import Amount

if TYPE_CHECKING:
    from afterglow.clinic.course import Course
    from afterglow.clinic.dosing import Background, Dose

# Usual doses of the active placebo: 0.045 mg/kg over 40 min (Fava 2018, doi:10.1038/s41380-018-0256-5), 0.025 mg/kg
# subcutaneously (Loo 2023, doi:10.1192/bjp.2023.79); intramuscular as subcutaneous (assumed).
MIDAZOLAM = {"iv": Amount(0.045, True), "sc": Amount(0.025, True), "im": Amount(0.025, True)}


def matched_control(course: Course) -> Course | None:
    """The matched control of a course, or None where there is nothing to take out."""
    if course.control_kind == "none":
        return None
    studied = course.studied
    if studied is None:
        studied = ("doses", "therapy") if course.doses or course.therapy else ("background",)
    doses = tuple(map(_control_dose(course), course.doses)) if "doses" in studied else course.doses
    background = tuple(map(_control_background, course.background)) if "background" in studied else course.background
    therapy = () if "therapy" in studied else course.therapy
    if (doses, background, therapy) == (course.doses, course.background, course.therapy):
        return None
    checks, maintenance = course.checks, course.maintenance
    if doses != course.doses:
        checks = tuple(check for check in checks if check.then.stop)
        maintenance = tuple(rule.model_copy(update={"dose": None}) for rule in maintenance)
    changes = {
        "course": f"{course.course}/control",
        "title": f"{course.title or course.course} (matched control)",
        "doses": doses,
        "background": background,
        "therapy": therapy,
        "checks": checks,
        "maintenance": maintenance,
        "blinding": "double-blind" if course.blinding == "open" else course.blinding,
        "control_kind": "none",
    }
    return course.model_copy(update=changes)


def _control_dose(course: Course):
    def changed(dose: Dose) -> Dose:
        if DRUGS[dose.drug].kind == "inert":
            return dose
        if dose.route in INJECTED and course.control_kind == "midazolam":
            return dose.model_copy(update={"drug": "midazolam", "dose": MIDAZOLAM[dose.route]})
        drug = "saline" if dose.route in INJECTED else "placebo-spray" if dose.route in NASAL else "placebo-pill"
        return dose.model_copy(update={"drug": drug, "dose": None})

    return changed


def _control_background(drug: Background) -> Background:
    if DRUGS[drug.drug].kind == "inert":
        return drug
    return drug.model_copy(update={"drug": "placebo-pill", "dose": None, "route": "oral"})
