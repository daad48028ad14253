"""Sphinx: builds the documentation without network, from the pages here and those that make_pages.py writes.

sphinx-build -W --keep-going docs build/docs        # or `make docs`
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

project = "afterglow"
html_title = "afterglow"
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_copyright = False
default_role = "code"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_*", "*.py"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_use_ivar = True


def colon(_app: Any, what: str, _name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
    """Napoleon takes what stands before the first colon of a property's docstring for its type: write a dash."""
    if what == "property" and lines:
        lines[0] = lines[0].replace(": ", " – ", 1)


def setup(app: Any) -> None:
    """Write the generated pages before Sphinx looks for files; lead links to files of the root to their pages."""
    import make_pages

    def link(_: Any, page: str, source: list[str]) -> None:
        here = Path(app.srcdir) / f"{page}.md"
        source[0] = make_pages.relinked(source[0], here, here)

    app.connect("builder-inited", lambda _: make_pages.main())
    app.connect("source-read", link)
    app.connect("autodoc-process-docstring", colon, priority=400)
