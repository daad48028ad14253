"""What the repository's pages say is so."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from afterglow.systems import catalogue

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md", "bench/README.md"]
)
def test_links_lead_somewhere(page):
    file = ROOT / page
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", file.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (file.parent / link).exists()]
    assert not broken


def test_paths_in_the_tour_exist():
    named = re.findall(
        r"`((?:src|tests|docs|bench|\.ci)/[\w./-]+)`", README + (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    )
    missing = [path for path in named if not (ROOT / path).exists() and "test_network" not in path]
    assert named
    assert not missing


def test_the_two_commands_are_one_line_each():
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    assert len(commands) == 2
    assert "afterglow compare" in commands[0]
    assert "pytest" in commands[1]


def test_the_check_of_the_machine_is_valid_bash():
    done = subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_release_that_copies_without_history_are_taken_for_is_the_cited_one():
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    version = tool["hatch"]["version"]["raw-options"]["fallback_version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_the_numbers_about_numbers_in_the_readme():
    """About right: correct README.md when this fails."""
    said = re.search(
        r"Of\s+about\s+(\d+)\s+numbers\s+about\s+(\d+)\s+are\s+assumed\s+and\s+(\d+)\s+are\s+fitted", README
    )
    assert said
    rows = catalogue.rows()
    counted = [sum(getattr(r, field) for r in rows) for field in ("parameters", "assumed", "fitted")]
    assert [int(n) for n in said.groups()] == pytest.approx(counted, rel=0.1)
