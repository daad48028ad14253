"""Files of the page, kept in memory as they are sent: nothing of them waits for a disk, a thread or a compressor."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

LEAST_BYTES = 1024  # that are worth compressing
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}


def accepts_gzip(headers: Headers) -> bool:
    """Whether a client takes compressed answers."""
    return "gzip" in headers.get("accept-encoding", "")


@dataclass(frozen=True)
class Kept:
    """A file as it is sent; `changed` is the time of the file it was read from, ns."""

    changed: int
    plain: bytes
    packed: bytes | None
    tag: str
    kind: str


class Files:
    """An application of the files under one folder. Browsers ask again each time: mostly nothing has changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._kept: dict[Path, Kept] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request of HTTP."""
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405)
        below = scope["path"].removeprefix(scope.get("root_path", ""))
        await self.response(below.lstrip("/"), Headers(scope=scope))(scope, receive, send)

    def response(self, name: str, headers: Headers) -> Response:
        """A file by its path under the folder."""
        found = self._read(name)
        more = {"ETag": found.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if headers.get("if-none-match") == found.tag:
            return Response(status_code=304, headers=more)
        if found.packed is not None and accepts_gzip(headers):
            return Response(found.packed, media_type=found.kind, headers=more | {"Content-Encoding": "gzip"})
        return Response(found.plain, media_type=found.kind, headers=more)

    def _read(self, name: str) -> Kept:
        try:
            path = (self.folder / name).resolve()
            if not path.is_relative_to(self.folder) or not path.is_file():
                raise HTTPException(404)
            changed = path.stat().st_mtime_ns
            found = self._kept.get(path)
            if found is None or found.changed != changed:
                found = self._kept[path] = _kept(path, changed)
        except (OSError, ValueError):  # names that no file can have
            raise HTTPException(404) from None
        return found


def _kept(path: Path, changed: int) -> Kept:
    plain = path.read_bytes()
    packed = gzip.compress(plain, 6, mtime=0) if len(plain) >= LEAST_BYTES else None
    # Not from the tables of the system: some say text/plain of a script, which browsers refuse as a module.
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Kept(changed, plain, packed, f'"{hashlib.sha256(plain).hexdigest()[:32]}"', kind)
