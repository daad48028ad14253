"""The documentation: every public name is documented, generated pages hold what they should, links lead somewhere.

`make docs` builds it with warnings as errors; these tests need no Sphinx.
"""

import inspect
import re
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import afterglow
from afterglow.clinic.files import model_from_text, parse
from afterglow.clinic.json_schema import SCHEMAS, write_schema
from afterglow.clinic.person import Person
from afterglow.clinic.scenarios import scenarios
from afterglow.study.contrary import items
from afterglow.systems.whole import whole

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "generated" not in p.relative_to(DOCS).parts)
PUBLIC = [name for name in afterglow.__all__ if not name.startswith("_")]


Modules = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def made():
    """The modules in docs that make pages, by name: "make_pages", "_pages.systems" and so on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        yield import_module


# ------------------------------------------------------------------------------------------------ Python


def documented() -> dict[str, object]:
    """What docs/api.md documents, by full name."""
    found, home = {}, ""
    for kind, name in re.findall(r"^\.\. (\w+(?::\w+)?):: (\S+)$", (DOCS / "api.md").read_text("utf-8"), re.MULTILINE):
        if kind == "currentmodule":
            home = name
        elif kind.startswith("auto"):
            found[f"{home}.{name}"] = getattr(import_module(home), name)
    return found


def test_the_reference_has_every_public_name():
    assert {f"afterglow.{name}" for name in PUBLIC} <= set(documented())
    assert "afterglow.__version__" in (DOCS / "api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(documented()))
def test_what_the_reference_names_is_documented(name: str):
    thing = documented()[name]
    assert inspect.getdoc(thing)
    if inspect.isclass(thing):
        own = {key: value for key, value in vars(thing).items() if not key.startswith("_") and callable(value)}
        assert [key for key, value in own.items() if inspect.isfunction(value) and not value.__doc__] == []


# ------------------------------------------------------------------------------------------------ generated pages


def test_every_system_has_a_page_with_all_its_numbers_and_wires(made: Modules):
    pages = made("_pages.systems").pages()
    for stem, parts in made("_pages.systems").by_file().items():
        for part in parts:
            shown = pages[stem]
            assert [key for key in part.params if f"| `{key}` |" not in shown] == []
            assert [key for key in part.system.outputs if key not in shown] == []
    wires = "".join(pages.values())
    assert [wire for wire in whole().wires if f"`{wire.target}`" not in wires] == []


def test_every_piece_of_contrary_evidence_stands_with_a_system(made: Modules):
    against, stems = made("_pages.systems").AGAINST, set(made("_pages.systems").by_file())
    assert set(against) == {item.id for item in items()}
    assert {stem for some in against.values() for stem in some} <= stems
    headings = re.findall(r"^## (.*)$", (DOCS / "contrary_evidence.md").read_text("utf-8"), re.MULTILINE)
    assert {item.title for item in items()} <= set(headings)


def test_equations_come_without_the_table_that_follows(made: Modules):
    page = made("_pages.systems").pages()["network"]
    equations = page.split("## Equations")[1].split("## Numbers")[0]
    assert "d(linked)/dt" in equations
    assert "hill(x, k, n)" in equations
    assert "What is known" not in equations
    assert r"\begin{align*}" in equations


def test_every_kind_of_file_has_a_page(made: Modules):
    pages = made("_pages.files").pages()
    assert set(pages) == {"index"} | {path.name.split(".")[0] for path in (DOCS / "schema").glob("*.json")}
    for name in ("doses", "checks", "maintenance"):
        assert f"| `{name}` | list of [" in pages["course"]
    assert "| `age` | number at least 18, at most 100 |" in pages["person"]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_schemas_in_the_docs_are_those_of_the_program(name: str, tmp_path: Path):
    path = write_schema(name, tmp_path)
    assert path.read_text(encoding="utf-8") == (DOCS / "schema" / path.name).read_text(encoding="utf-8")


def test_the_reference_of_commands_has_all_of_them(made: Modules):
    page = made("_pages.commands").page()
    commands = re.findall(r"`afterglow (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert commands
    assert [name for name in commands if f"## {name}\n" not in page] == []


def test_generated_pages_have_one_title_each(made: Modules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(made("make_pages"), "OUT", tmp_path)
    made("make_pages").main(pictures=False)
    pages = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.md")}
    assert set(pages) == {"performance.md", "contributing.md", "changelog.md", "trust.md", "commands.md"}
    for text in pages.values():
        outside = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        assert len(re.findall(r"^# ", outside, re.MULTILINE)) == 1
    assert "## Speed" in pages["performance.md"]
    assert "What it is not" not in pages["trust.md"]


def test_cells_of_tables_are_not_markup(made: Modules):
    assert made("_pages.markdown").cell("a_b | *c*\n<d>") == r"a\_b \| \*c\* \<d\>"


# ------------------------------------------------------------------------------------------------ links


def test_links_are_led_to_the_pages_of_the_documentation(made: Modules):
    bench, page = ROOT / "bench" / "README.md", DOCS / "generated" / "performance.md"
    assert made("make_pages").relinked("[a](../docs/gpu.md#how)", bench, page) == "[a](../gpu.md#how)"
    assert made("make_pages").relinked("![b](results.png)", bench, page) == "![b](../../bench/results.png)"
    assert made("make_pages").relinked("[c](https://a.org)", bench, page) == "[c](https://a.org)"
    here = DOCS / "validation" / "README.md"
    assert made("make_pages").relinked("[d](../../CHANGELOG.md)", here, here) == "[d](../generated/changelog.md)"
    assert made("make_pages").relinked("[e](validation.csv)", here, here) == "[e](validation.csv)"


@pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(DOCS)) for p in PAGES])
def test_links_lead_somewhere(page: Path, made: Modules):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    broken = []
    for link in (one for one in links if "://" not in one):
        place = (page.parent / link).resolve()
        generated = DOCS / "generated"
        there = _generated(place.relative_to(generated), made) if place.is_relative_to(generated) else place.exists()
        if not there:
            broken.append(link)
    assert broken == []


def _generated(path: Path, made: Modules) -> bool:
    kind = {"systems": "systems", "files": "files"}.get(path.parts[0])
    if kind:
        return path.stem in made(f"_pages.{kind}").pages()
    return path.as_posix() in {
        "trust.md",
        "commands.md",
        *(one.split("/")[-1] for one in made("make_pages").ADOPTED.values()),
    }


# ------------------------------------------------------------------------------------------------ how-to pages


def cells(page: str, kind: str) -> list[str]:
    text = (DOCS / "howto" / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", ["course", "person"])
def test_python_on_the_how_to_pages_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    for file in (ROOT / "examples").glob("*.[yc][as][mv]*"):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    for code in cells(page, "python"):
        exec(compile(code, f"docs/howto/{page}.md", "exec"), {"__name__": page})
    said = capsys.readouterr().out
    assert ("ketamine" in said and "day" in said) if page == "course" else (tmp_path / "later.yaml").exists()


def test_files_on_the_how_to_pages_are_read():
    (least,) = cells("person", "yaml")
    assert model_from_text(Person, least, "person.yaml").person == "A"
    (design,) = cells("trial", "yaml")
    assert len(scenarios(parse(design, "trial.yaml"))) == 1


@pytest.mark.parametrize("page", sorted(p.stem for p in (DOCS / "howto").glob("*.md")))
def test_commands_on_the_how_to_pages_exist(page: str, made: Modules):
    """Commands and their options, also those in the text."""
    known = made("_pages.commands").page()
    text = (DOCS / "howto" / f"{page}.md").read_text(encoding="utf-8")
    lines = re.findall(r"afterglow (\w+)((?: [^`\n]+)?)", text)
    helps = dict(re.findall(r"^## (\w+)\n\n```text\n(.*?)^```$", known, re.DOTALL | re.MULTILINE))
    for command, rest in lines:
        if command in ("is", "import"):
            continue
        assert command in helps
        assert [option for option in re.findall(r"--[a-z]+", rest) if option not in helps[command]] == []
