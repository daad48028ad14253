"""The house: public names, who may import whom, and no room too large to read."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import afterglow

ROOT = Path(__file__).parents[1]
SOURCE = Path(afterglow.__file__).parent
FILES = sorted(p for p in SOURCE.rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 450, 80


def name(path):
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("module", ["afterglow", "afterglow.lang"])
def test_every_public_name_is_listed_and_every_listed_name_is_there(module):
    loaded = importlib.import_module(module)
    listed = loaded.__all__
    assert len(listed) == len(set(listed))
    for public in listed:
        assert getattr(loaded, public) is not None
    tree = ast.parse(Path(loaded.__file__).read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("afterglow")
        for alias in node.names
    }
    assert imported <= set(listed), "imported for the public, but not listed in __all__"


def test_imports_go_one_way():
    """The contracts in pyproject.toml."""
    from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == EXIT_STATUS_SUCCESS


@pytest.mark.parametrize("package", ["lang", "compile", "engine"])
def test_the_machinery_loads_no_biology(package):
    modules = [f"afterglow.{package}.{p.stem}" for p in (SOURCE / package).glob("[a-z]*.py")]
    script = (
        f"import sys, {', '.join(modules)}\n"
        "rooms = ('systems', 'clinic', 'study', 'interfaces', 'simulate', 'data')\n"
        "wrong = [m for m in sys.modules if m.startswith('afterglow.') and m.split('.')[1] in rooms]\n"
        "sys.exit(' '.join(wrong) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_file_or_function_is_too_long_to_read(path):
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    assert lines <= LONGEST_FILE, f"{name(path)} has {lines} lines: split it by meaning"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{name(path)}: {node.name} has {length} lines: split it by meaning"


def test_every_module_says_what_it_is():
    silent = [name(p) for p in FILES if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))]
    assert not silent


def test_chance_has_one_source():
    """No other file asks for random numbers."""
    words = ("import random", "np.random.default_rng", "np.random.rand", "random.seed", "RandomState")
    found = [
        f"{name(p)}: {word}" for p in FILES if name(p) != "streams.py" for word in words if word in p.read_text("utf-8")
    ]
    assert not found
