"""`afterglow export sbml`: a file is written, and what is wrong is told."""

import pytest
from typer.testing import CliRunner

from afterglow.interfaces.cli import app

libsbml = pytest.importorskip("libsbml")


def export(*words):
    return CliRunner().invoke(app, ["export", "sbml", *map(str, words)])


def test_a_course_becomes_a_file_with_events(tmp_path):
    out = tmp_path / "new" / "whole.xml"
    assert export("--course", "iv-single", "--weeks", 1, "--out", out).exit_code == 0
    model = libsbml.readSBMLFromFile(str(out)).getModel()
    assert model.getNumEvents() == 3  # begin and end of the infusion, end of the session
    assert "Not a medical device" in model.getNotesString()
    assert "iv-single, 1 weeks" in model.getNotesString()


def test_a_file_is_not_replaced_by_accident(tmp_path):
    out = tmp_path / "mood.xml"
    out.write_text("mine")
    refused = export("--system", "mood", "--out", out)
    assert (refused.exit_code, out.read_text()) == (2, "mine")
    assert export("--system", "mood", "--out", out, "--force").exit_code == 0
    assert 'id="mood"' in out.read_text()


def test_decisions_on_scores_cannot_be_said(tmp_path):
    done = export("--course", "iv-boosters", "--out", tmp_path / "a.xml")
    assert done.exit_code == 1
    assert "decides by scores" in done.output
    assert not (tmp_path / "a.xml").exists()


def test_unknown_names_get_a_suggestion(tmp_path):
    done = export("--system", "moods", "--variant", "inertt", "--out", tmp_path / "a.xml")
    assert done.exit_code == 2
    assert "mood" in done.output
    assert "inert" in done.output
