"""The examples that the repository shows are read and run."""

from pathlib import Path

from afterglow.clinic.course import load_course
from afterglow.clinic.person import load_person
from afterglow.simulate import simulate_course

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_the_example_person_goes_through_the_example_course():
    person = load_person(EXAMPLES / "person.yaml")
    people = person.table(1, 0, range(16))
    run = simulate_course(load_course(EXAMPLES / "course.yaml"), patients=16, weeks=6, population=people)
    assert (run.status == 0).all()
    assert len(run.doses) >= 8 * 16
    assert run.population["AGE"].eq(44).all()
