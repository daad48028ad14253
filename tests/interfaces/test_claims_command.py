"""`afterglow claims` as people call it."""

import json
import re
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from afterglow.interfaces import claims_report
from afterglow.interfaces.cli import app
from afterglow.study.claims import answers

KEYS = {"id", "says", "verdict", "records", "model", "sentence"}


@pytest.fixture(scope="module")
def found():
    return answers(["D2", "E2", "M1", "S2"])


def run(*words):
    return CliRunner().invoke(app, ["claims", *words])


class Balanced(HTMLParser):
    """Fails on a tag that is closed out of order."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        del attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_one_claim_is_shown_with_findings_and_scenario(found):
    done = run("E2")
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    for part in ("contradicts:", "doi:10.1001/archpsyc.63.11.1217", "scale: HAM-D17", "course: ssri/control"):
        assert part in text
    assert " ".join(found[1].sentence.split()) in text


def test_many_claims_are_a_table_with_counts():
    done = run("D2", "D3", "D4", "M4")
    assert done.exit_code == 0
    assert "1 supported, 0 overstated, 3 contradicted, 0 open, 0 definition" in done.output


def test_json_has_what_is_promised(tmp_path):
    done = run("E2", "M4", "--json", str(tmp_path / "c.json"))
    assert done.exit_code == 0
    first, second = json.loads((tmp_path / "c.json").read_text("utf-8"))
    assert first.keys() >= KEYS
    assert {"value", "lo90", "hi90", "unit"} == first["model"].keys()
    assert second["model"] is None
    assert all(record["citation"] and record["locator"] for record in first["records"] + second["records"])


def test_the_folder_holds_page_answers_and_manifest(tmp_path):
    out = tmp_path / "out"
    assert run("E2", "--out", str(out)).exit_code == 0
    assert {path.name for path in out.iterdir()} == {"report.html", "claims.json", "manifest.json"}
    assert json.loads((out / "manifest.json").read_text())["command"] == "afterglow claims E2"
    again = run("E2", "--out", str(out))
    assert again.exit_code == 2
    assert run("E2", "--out", str(out), "--force").exit_code == 0


def test_what_is_wrong_is_told_with_the_nearest_name(tmp_path):
    done = run("E22")
    assert done.exit_code == 2
    assert "did you mean 'E2'?" in done.stderr
    assert run("E2", "--json", str(tmp_path / "no" / "c.json")).exit_code == 2


def test_the_page_is_whole_and_asks_nobody(found):
    page = claims_report.build(found, "afterglow claims")
    parser = Balanced()
    parser.feed(page)
    assert not parser.open
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!https?://|#)', page)
    assert not re.search(r"<(img|link|iframe)", page)
    for one in found:
        assert f'id="{one.claim.id}"' in page
    assert page.count("<svg") == len(found)


def test_the_picture_holds_the_interval_and_the_range(found):
    one = found[1]
    panel = claims_report.panel(one)
    assert panel is not None
    assert claims_report.panel(found[0]) is None  # no model value: findings are drawn instead
    assert "contradicts" in claims_report.findings_panel(found[0]).alt
    assert one.expects in panel.alt


@pytest.mark.parametrize(
    ("locator", "address"),
    [
        ("doi:10.1/x", "https://doi.org/10.1/x"),
        ("PMC12", "https://pmc.ncbi.nlm.nih.gov/articles/PMC12/"),
        ("PMID 34", "https://pubmed.ncbi.nlm.nih.gov/34/"),
        ("https://a.org/b", "https://a.org/b"),
    ],
)
def test_a_locator_becomes_an_address(locator, address):
    assert claims_report.link(locator) == address
