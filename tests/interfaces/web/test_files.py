"""Files of the page and compressed answers."""

import re
from pathlib import Path

import pytest

from afterglow.interfaces.web.app import STATIC

PLAIN = {"Accept-Encoding": "identity"}
IMPORT = re.compile(r"""^(?:import|export)\b[^;]*?\bfrom '(\.[^']+)'""", re.MULTILINE)


@pytest.mark.parametrize(
    "path", ["/", "/static/js/main.js", "/static/icon.svg", "/docs", "/docs/assets/swagger-ui.css"]
)
def test_files_are_sent_once_compressed_or_not(client, path):
    first, plain = client.get(path), client.get(path, headers=PLAIN)
    assert first.content == plain.content != b""
    assert "content-encoding" not in plain.headers
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    other = client.get(path, headers={"If-None-Match": '"other"'})
    assert other.content == first.content


@pytest.mark.parametrize(
    "path", ["/static/", "/static/js", "/static/nosuch.js", "/static/..%2fapp.py", "/static/a%00b"]
)
def test_what_is_no_file_is_not_there(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["faults"]


def test_answers_are_the_same_compressed_and_plain(client, scenario):
    body = {"scenario": scenario, "people": 8, "coarse": True}
    packed, plain = (client.post("/api/run", json=body, headers=more) for more in ({}, PLAIN))
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()


def modules(path: Path, found: dict[Path, None]) -> dict[Path, None]:
    """A module and all that it imports at its start."""
    if path not in found:
        found[path] = None
        for name in IMPORT.findall(path.read_text(encoding="utf-8")):
            modules((path.parent / name).resolve(), found)
    return found


def test_the_first_screen_asks_for_all_its_modules_at_once():
    """Else a browser meets them one after the other, each in the text of the one before."""
    found: dict[Path, None] = {}
    for first in ("main.js", "views/explore.js"):
        modules(STATIC / "js" / first, found)
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    listed = re.findall(r'rel="modulepreload" href="static/([^"]+)"', page)
    expected = {path.relative_to(STATIC).as_posix() for path in found} - {"js/main.js"}
    assert set(listed) == expected
    assert len(listed) == len(expected) > 20
