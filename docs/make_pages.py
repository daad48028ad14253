"""Write the pages that are made from the program itself: systems, file formats, command line, files of the root.

python docs/make_pages.py        # into docs/generated, which git ignores; docs/conf.py calls it at every build
"""

from __future__ import annotations

import re
import sys
from os.path import relpath
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
OUT = DOCS / "generated"
if str(DOCS) not in sys.path:
    sys.path.insert(0, str(DOCS))

# Files beside the documentation that are pages of it, too.
ADOPTED = {
    "bench/README.md": "generated/performance.md",
    "CONTRIBUTING.md": "generated/contributing.md",
    "CHANGELOG.md": "generated/changelog.md",
}
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")


def relinked(text: str, here: Path, page: Path) -> str:
    """Markdown whose links, written for the file `here`, lead to the same places from `page`.

    Links to files that the documentation has as pages lead to these.
    """

    def change(found: re.Match[str]) -> str:
        target, mark, anchor = found[2].partition("#")
        if not target or "://" in target or target.startswith("mailto:"):
            return found[0]
        place = (here.parent / target).resolve()
        adopted = ADOPTED.get(place.relative_to(ROOT).as_posix()) if place.is_relative_to(ROOT) else None
        if adopted is None and here == page:
            return found[0]
        goal = DOCS / adopted if adopted else place
        return found[1] + relpath(goal, page.parent).replace("\\", "/") + mark + anchor + found[3]

    return _LINK.sub(change, text)


def written(name: str, text: str) -> None:
    """Write a generated file unless it is already so: Sphinx reads again what is newer."""
    path = OUT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = text.rstrip("\n") + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def section(text: str, heading: str) -> str:
    """What stands under a heading of the second level, without it."""
    return re.split(r"^## ", text.split(f"## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def main(*, pictures: bool = True) -> None:
    """Write everything."""
    from _pages import commands, files, systems

    for source, page in ADOPTED.items():
        here = ROOT / source
        text = relinked(here.read_text("utf-8"), here, DOCS / page)
        if len(re.findall(r"^# ", text, re.MULTILINE)) > 1:  # Sphinx wants one title a page
            text = f"# {Path(page).stem.capitalize()}\n\n" + re.sub(r"^#", "##", text, flags=re.MULTILINE)
        written(Path(page).relative_to("generated").as_posix(), text)
    readme = ROOT / "README.md"
    trust = section(readme.read_text("utf-8"), "How far to trust it")
    written("trust.md", "# How far to trust it\n" + relinked(trust, readme, OUT / "trust.md"))
    written("commands.md", commands.page())
    for name, text in files.pages().items():
        written(f"files/{name}.md", text)
    for name, text in systems.pages().items():
        written(f"systems/{name}.md", text)
    if pictures:
        from _pages import pictures as drawn

        drawn.draw(OUT / "systems")


if __name__ == "__main__":
    main()
