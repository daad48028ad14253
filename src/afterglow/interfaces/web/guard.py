"""Who may ask, how much, and what stands above every answer.

The page is for the people at one machine. Against other pages in the same browser: the name in `Host` must be ours
(DNS rebinding), what changes something must come from our own page (`Origin`), and nothing may frame or embed us.
Against mistakes and greed: bodies are bounded while they are read, and each client has a bucket of requests that fills
again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import math
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from afterglow.errors import Fault

BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0  # in which a body must have come
DEPTH = 24  # of nested lists and objects in a body
COOKIE = "afterglow-token"
NO_TOKEN = "/healthz"  # says only that the server is there

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Refused(Exception):
    """A request that is not served: status, faults, further headers."""

    def __init__(self, status: int, faults: Fault | Iterable[Fault], **headers: str) -> None:
        self.status = status
        self.faults = [faults] if isinstance(faults, Fault) else list(faults)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__("\n".join(map(str, self.faults)))

    def response(self) -> Response:
        """As every fault is told."""
        return JSONResponse({"faults": told(self.faults)}, self.status, self.headers)


def told(faults: Iterable[Fault]) -> list[dict[str, str]]:
    """Faults as the page gets them."""
    return [{"where": one.place, "problem": one.problem, "remedy": one.remedy} for one in faults]


# ------------------------------------------------------------------------------------------------ how much


@dataclass
class Bucket:
    """Tokens that come back with time: `most` at once, `rate` a second."""

    most: float
    rate: float
    left: float = field(init=False)
    seen: float = -math.inf

    def __post_init__(self) -> None:
        self.left = self.most

    def take(self, now: float) -> float:
        """Take one at this time (s); returns 0, or the seconds until there is one again."""
        self.left = min(self.most, self.left + (now - self.seen) * self.rate)
        self.seen = now
        if self.left < 1.0:
            return (1.0 - self.left) / self.rate
        self.left -= 1.0
        return 0.0


@dataclass
class Rates:
    """One bucket a client and kind of request; those that were not used longest are forgotten."""

    kinds: dict[str, tuple[float, float]]
    clients: int = 2000
    buckets: OrderedDict[tuple[str, str], Bucket] = field(default_factory=OrderedDict)

    def take(self, client: str, kind: str) -> None:
        """Count a request, or refuse it."""
        bucket = self.buckets.setdefault((client, kind), Bucket(*self.kinds[kind]))
        self.buckets.move_to_end((client, kind))
        while len(self.buckets) > self.clients:
            self.buckets.popitem(last=False)
        if wait := bucket.take(time.monotonic()):
            raise too_many("more requests than this server takes", wait)


def too_many(problem: str, wait_s: float) -> Refused:
    """429, with the time after which to ask again."""
    seconds = max(1, math.ceil(wait_s))
    return Refused(429, Fault("request", problem, f"ask again in {seconds} s"), Retry_After=str(seconds))


# ------------------------------------------------------------------------------------------------ bodies


async def read_json(request: Request) -> bytes:
    """The body of a request, checked as JSON and written in one way (keys sorted), so that equal ones are equal bytes.

    Raises:
        Refused: 415 not JSON by its type, 413 too large, 400 not readable.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise Refused(415, Fault("Content-Type", "the body is not JSON", "send application/json"))
    text = await _read(request)
    try:
        data = json.loads(text, parse_constant=_no_constant)
        if not _shallow(data):
            raise RecursionError
        return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise Refused(400, Fault("body", f"more than {DEPTH} levels of nesting", "send a flatter body")) from None
    except ValueError as error:  # also of text that is not Unicode, and of numbers beyond all measure
        raise Refused(400, Fault("body", f"cannot be read as JSON: {error}"[:200], "send valid JSON")) from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


def _shallow(data: Any) -> bool:
    level = [data]
    for _ in range(DEPTH):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return True
    return False


async def _read(request: Request) -> bytes:
    """The body, given up as soon as it is too large or too slow."""
    large = Refused(413, Fault("body", "too large", f"at most {BODY_BYTES} bytes"), Connection="close")
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length[:12]) > BODY_BYTES:
        raise large
    text = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                text += part
                if len(text) > BODY_BYTES:
                    raise large
    except TimeoutError:
        slow = Fault("body", f"did not come within {BODY_SECONDS:g} s", "send it again")
        raise Refused(408, slow, Connection="close") from None
    except ClientDisconnect:
        raise Refused(400, Fault("body", "the client went away")) from None
    return bytes(text)


# ------------------------------------------------------------------------------------------------ who


@dataclass(frozen=True)
class Door:
    """Who is let in.

    Attributes:
        hosts: names by which we may be called, without port; empty where any name may be used (only with a token).
        token: what everybody must show, if any.
    """

    hosts: frozenset[str]
    token: str | None = None

    def check(self, method: str, headers: Headers, path: str) -> None:
        """Refuse strangers."""
        host = headers.get("host", "")
        if self.hosts and _name(host) not in self.hosts:
            known = ", ".join(sorted(self.hosts))
            raise Refused(400, Fault("Host", f"this server is not called '{host[:60]}'", f"use one of: {known}"))
        if method not in ("GET", "HEAD", "OPTIONS"):
            origin = headers.get("origin")
            foreign = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
            if foreign or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                raise Refused(403, Fault("Origin", "another site may not ask this", "use the page of this server"))
        if self.token is not None and path != NO_TOKEN and not self._known(headers):
            remedy = "open the address with ?token=..., or send `Authorization: Bearer ...`"
            raise Refused(401, Fault("token", "this server asks for its token", remedy), WWW_Authenticate="Bearer")

    def _known(self, headers: Headers) -> bool:
        kind, _, shown = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.opens(shown.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self.cookie().encode())

    def opens(self, shown: str) -> bool:
        """Whether this is the token."""
        return self.token is not None and hmac.compare_digest(shown.encode(), self.token.encode())

    def cookie(self) -> str:
        """What the cookie holds: not the token itself."""
        return hashlib.sha256(b"afterglow cookie " + (self.token or "").encode()).hexdigest()


def _name(host: str) -> str:
    """The name in a `Host` header, without port."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


class Guard:
    """Middleware around everything: the door, the rate of all requests, and the headers of every answer."""

    def __init__(self, app: ASGIApp, door: Door, rates: Rates) -> None:
        self.app, self.door, self.rates = app, door, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request of HTTP; other protocols are not served."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        dressed = _dressed(send)
        try:
            self.rates.take(client(scope), "all")
            response = self._first_visit(scope)
            if response is None:
                self.door.check(scope["method"], Headers(scope=scope), scope["path"])
        except Refused as refused:
            response = refused.response()
        await (response or self.app)(scope, receive, dressed)

    def _first_visit(self, scope: Scope) -> Response | None:
        """Whoever brings the token in the address gets a cookie, and the address without it."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        shown = next((value for name, value in query if name == "token"), None)
        if shown is None or scope["method"] != "GET" or not self.door.opens(shown):
            return None
        rest = urlencode([pair for pair in query if pair[0] != "token"])
        # One slash: two would send the browser to another host.
        place = "/" + scope["path"].lstrip("/\\") + (f"?{rest}" if rest else "")
        response = RedirectResponse(place, 303)
        response.set_cookie(COOKIE, self.door.cookie(), httponly=True, samesite="strict", path="/")
        return response


def client(scope: Scope) -> str:
    """Who asks, as far as one can tell: the address."""
    return scope["client"][0] if scope.get("client") else ""


def _dressed(send: Send) -> Send:
    """Sends with our headers."""

    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return dressed
