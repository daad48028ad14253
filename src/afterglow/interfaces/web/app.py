"""The routes: what can be asked, who computes it, and how an answer is kept for whoever asks the same again."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp

from afterglow.errors import Fault
from afterglow.interfaces.web import models
from afterglow.interfaces.web.files import Files, accepts_gzip
from afterglow.interfaces.web.guard import Door, Guard, Rates, Refused, client, read_json, too_many
from afterglow.interfaces.web.jobs import Jobs, stopped
from afterglow.interfaces.web.pool import Answer, Busy, Pool, Stopped

STATIC = Path(__file__).parent / "static"
JSON = "application/json"
QUICK_S, LONG_S = 20.0, 120.0  # longest time for an answer, and for a job
QUICK_WAIT, LONG_WAIT = 8, 8  # how many may wait
QUICK_NICE, LONG_NICE = 5, 10  # this process, which answers at once, goes before those that compute
KEPT_BYTES = 32 * 1024 * 1024  # of answers
CLAIMS_S = 600.0  # longest time for all claims: the first time, the model is asked
CLAIMS_WAIT_S = 2.0  # before it is told how far they are
FEW = 104  # people of the first, quick curves; as in js/runner.js
# Requests of one client at once, and a second: dragging asks for about ten curves a second.
RATES = {"all": (600.0, 100.0), "run": (60.0, 20.0), "other": (60.0, 10.0), "job": (20.0, 0.5)}


@dataclass(frozen=True)
class Settings:
    """What a server is started with."""

    door: Door
    workers: int = 2
    rates: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(RATES))
    quick_s: float = QUICK_S
    long_s: float = LONG_S


class Kept:
    """Answers by what was asked; those that were not asked for longest go first."""

    def __init__(self, most: int = KEPT_BYTES) -> None:
        self.most, self.size = most, 0
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()

    def get(self, key: bytes) -> Answer | None:
        """The answer, if it is kept."""
        found = self._answers.get(key)
        if found is not None:
            self._answers.move_to_end(key)
        return found

    def put(self, key: bytes, answer: Answer) -> None:
        """Keep an answer."""
        if key in self._answers:
            return
        self._answers[key] = answer
        self.size += _size(answer)
        while self.size > self.most:
            self.size -= _size(self._answers.popitem(last=False)[1])


def _size(answer: Answer) -> int:
    return len(answer.body) + len(answer.packed or b"")


class Server:
    """What the routes share: the pools, the jobs, the answers."""

    def __init__(self, settings: Settings) -> None:
        self.quick = Pool(settings.workers, settings.quick_s, QUICK_WAIT, nice=QUICK_NICE)
        self.long = Pool(1, settings.long_s, LONG_WAIT, nice=LONG_NICE, stops=True)
        self.jobs = Jobs(self.long, LONG_WAIT)
        self.rates = Rates(settings.rates)
        self.kept = Kept()
        self._claims: asyncio.Task[Answer] | None = None
        self._claims_share = 0.0
        self._first: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def life(self, _: FastAPI) -> AsyncIterator[None]:
        """Start everything, answer the first questions of the page before they are asked, and end everything."""
        self.quick.start()
        self.long.start()
        self.jobs.start()
        self._first = asyncio.create_task(self._ahead())
        yield
        for task in (self._first, self._claims):
            if task is not None:
                task.cancel()
        await self.jobs.close()
        self.quick.close()
        self.long.close()

    async def _ahead(self) -> None:
        """What every page asks at its start."""
        with contextlib.suppress(Busy, Stopped):
            about = await self.compute("about", b"")
            if about.status == HTTPStatus.OK:
                scenario = json.loads(about.body)["default"]
                for people, coarse in ((FEW, True), (1000, False)):
                    asked = {"scenario": scenario, "people": people, "coarse": coarse}
                    await self.compute("run", canonical(asked))

    async def compute(self, kind: str, body: bytes) -> Answer:
        """An answer of the quick pool, or one that is kept."""
        key = hashlib.sha256(kind.encode() + b"\n" + body).digest()
        answer = self.kept.get(key)
        if answer is None:
            answer = await self.quick.ask(kind, body)
            if answer.status == HTTPStatus.OK:
                self.kept.put(key, answer)
        return answer

    async def answer(self, request: Request, kind: str, body: bytes) -> Response:
        """The response to a question."""
        return sent(await self.found(request, kind, body), request)

    async def found(self, request: Request, kind: str, body: bytes) -> Answer:
        """The answer to a question; it is not begun for a client that has gone."""
        asked = asyncio.create_task(self.compute(kind, body))
        gone = asyncio.create_task(_gone(request))
        await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not asked.done():
            asked.cancel()
            raise Refused(499, Fault("request", "the client went away"))  # nobody reads it
        try:
            return asked.result()
        except Busy:
            raise too_many("too much is waiting", 1.0) from None
        except Stopped as error:
            raise Refused(503, stopped(error, self.quick), Retry_After="1") from None

    async def claims(self) -> Answer | None:
        """The claims, or None while they are being answered."""
        if self._claims is None or (self._claims.done() and _failed(self._claims)):
            self._claims = asyncio.create_task(self._ask_claims())
        await asyncio.wait({self._claims}, timeout=CLAIMS_WAIT_S)
        return self._claims.result() if self._claims.done() else None

    @property
    def claims_share(self) -> float:
        """How much of the work on the claims is done."""
        return self._claims_share

    async def _ask_claims(self) -> Answer:
        """In a process of their own, which ends with it: jobs of people do not wait for them."""
        pool = Pool(1, CLAIMS_S, 1, nice=LONG_NICE, stops=True)
        pool.start()
        try:
            return await pool.ask("claims", b"", self._heard)
        finally:
            pool.close()

    def _heard(self, _: str, share: float) -> None:
        self._claims_share = share

    async def body(self, request: Request, rate: str) -> bytes:
        """The body of a request, counted."""
        self.rates.take(client(request.scope), rate)
        return await read_json(request)


def sent(answer: Answer, request: Request) -> Response:
    """An answer as it goes out, compressed where the client takes that."""
    if answer.packed is None:
        return Response(answer.body, answer.status, media_type=JSON)
    headers = {"Vary": "Accept-Encoding"}
    if accepts_gzip(request.headers):
        headers["Content-Encoding"] = "gzip"
        return Response(answer.packed, answer.status, headers, JSON)
    return Response(answer.body, answer.status, headers, JSON)


def _failed(task: asyncio.Task[Answer]) -> bool:
    return task.cancelled() or task.exception() is not None or task.result().status != HTTPStatus.OK


def canonical(data: Any) -> bytes:
    """JSON as `read_json` writes it."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


async def _gone(request: Request) -> None:
    """Returns when the client has gone; its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


# ------------------------------------------------------------------------------------------------ the app


def create(settings: Settings) -> ASGIApp:
    """The whole application."""
    server = Server(settings)
    app = FastAPI(
        title="afterglow",
        description="From a dose of ketamine to a mood score: what the page asks. A research and planning model, not "
        "a medical device.",
        lifespan=server.life,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _failure)
    _questions(app, server)
    _systems(app, server)
    _jobs(app, server)
    _pages(app, server)
    return Guard(app, settings.door, server.rates)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return error.response()


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase.lower()
    refused = Refused(error.status_code, Fault(f"{request.method} {request.url.path[:200]}", phrase, "see /docs"))
    refused.headers.update(error.headers or {})
    return refused.response()


async def _failure(_: Request, error: Exception) -> Response:
    problem = f"an error of this program ({type(error).__name__})"
    return Refused(500, Fault("server", problem, "please report it, with what was asked")).response()


Responses = dict[int | str, dict[str, Any]]


def _may(*statuses: int) -> Responses:
    """Refusals of a route, for OpenAPI."""
    always = (400, 401, 405, 429)
    return {status: {"model": models.Faults} for status in sorted({*always, *statuses})}


ASKED = (403, 408, 413, 415, 422, 500, 503)  # refusals of what has a body


def _body(name: str) -> dict[str, Any]:
    """A request body by the name of its model in `bodies`."""
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


def _questions(app: FastAPI, server: Server) -> None:
    @app.get("/healthz", response_model=models.Health, responses=_may())
    async def healthz() -> Any:
        """Whether the server is there."""
        return {"status": "ok"}

    @app.get("/api/about", response_model=models.About, responses=_may(500, 503))
    async def about(request: Request) -> Response:
        """What the page needs to begin: drugs, doses with their sources, courses, panels, the default scenario."""
        return await server.answer(request, "about", b"")

    @app.post("/api/run", response_model=models.Run, responses=_may(*ASKED), openapi_extra=_body("RunBody"))
    async def run(request: Request) -> Response:
        """Curves with bands, numbers and warnings of a scenario."""
        return await server.answer(request, "run", await server.body(request, "run"))

    @app.post("/api/why", response_model=models.Why, responses=_may(*ASKED), openapi_extra=_body("WhyBody"))
    async def why(request: Request) -> Response:
        """How wide the band would be from one source of uncertainty alone."""
        return await server.answer(request, "why", await server.body(request, "other"))

    @app.post("/api/code", response_model=models.Code, responses=_may(*ASKED), openapi_extra=_body("CodeBody"))
    async def code(request: Request) -> Response:
        """Python and command lines that do what is on the screen."""
        return await server.answer(request, "code", await server.body(request, "other"))

    not_yet: Responses = {202: {"model": models.Working}}

    @app.get("/api/claims", response_model=list[models.Claim], responses=_may(503) | not_yet)
    async def claims(request: Request) -> Response:
        """Statements on ketamine and depression with their verdicts. 202 while the model is asked, the first time."""
        try:
            found = await server.claims()
        except (Busy, Stopped) as error:
            raise Refused(503, stopped(error, server.long), Retry_After="5") from None
        if found is None:
            return JSONResponse({"share": server.claims_share}, 202, {"Retry-After": "2"})
        if found.status != HTTPStatus.OK:
            return Response(found.body, 503, {"Retry-After": "30"}, JSON)
        return sent(found, request)


def _systems(app: FastAPI, server: Server) -> None:
    @app.get("/api/systems", response_model=list[models.System], responses=_may(500, 503))
    async def systems(request: Request) -> Response:
        """The systems of the model."""
        return await server.answer(request, "systems", b"")

    @app.get("/api/systems/{name}", response_model=models.SystemDetail, responses=_may(404, 500, 503))
    async def system(request: Request, name: str) -> Response:
        """One system: equations, parameters with their sources, wires."""
        return await server.answer(request, "system", name.encode("utf-8", "replace")[:200])


def _jobs(app: FastAPI, server: Server) -> None:
    async def begin(request: Request, kind: str) -> Response:
        body = await server.body(request, "job")
        checked = await server.answer(request, "check", kind.encode() + b"\n" + body)
        if checked.status_code != HTTPStatus.OK:
            return checked
        try:
            job = server.jobs.begin(kind, body)
        except Busy:
            raise too_many("too many jobs are waiting", 10.0) from None
        return Response(json.dumps({"id": job.id}), 202, media_type=JSON)

    def route(kind: str, words: str) -> Callable[[Request], Awaitable[Response]]:
        async def start(request: Request) -> Response:
            return await begin(request, kind)

        start.__name__, start.__doc__ = kind, words
        return start

    for kind, words in (
        ("forecast", "Forecast one person from the scores written down."),
        ("plan", "Compare rules for further doses, for a person or for a population."),
        ("trial", "Repeat a virtual trial: its power, and what unblinding does."),
    ):
        app.post(
            f"/api/jobs/{kind}",
            status_code=202,
            response_model=models.Begun,
            responses=_may(*ASKED),
            openapi_extra=_body(f"{kind.capitalize()}Body"),
        )(route(kind, words))

    @app.get(
        "/api/jobs/{id}/events",
        response_class=StreamingResponse,
        responses=_may(404) | {200: {"content": {"text/event-stream": {}}, "description": "progress, then the end"}},
    )
    async def events(id: str) -> Response:
        """Progress and result of a job, as server-sent events: progress, then done, failed or cancelled."""
        job = server.jobs.get(id)
        if job is None:
            raise HTTPException(404)
        return StreamingResponse(job.events(), media_type="text/event-stream")

    @app.delete("/api/jobs/{id}", status_code=204, response_class=Response, responses=_may(403, 404))
    async def cancel(id: str) -> Response:
        """Cancel a job, or forget its result."""
        job = server.jobs.get(id)
        if job is None:
            raise HTTPException(404)
        server.jobs.cancel(job)
        return Response(status_code=204)


def _pages(app: FastAPI, server: Server) -> None:
    page_files = Files(STATIC)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> Response:
        """The description of all this; the bodies come from the processes that check them."""
        schemas = await server.found(request, "schemas", b"")
        document = app.openapi()
        known = document.setdefault("components", {}).setdefault("schemas", {})
        known.update(json.loads(schemas.body))
        return Response(json.dumps(document), media_type=JSON)

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request) -> Response:
        """The page."""
        return page_files.response("index.html", request.headers)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        """The description, to be read and tried."""
        return page_files.response("docs/index.html", request.headers)

    app.mount("/docs/assets", Files(_swagger()))
    app.mount("/static", page_files)


def _swagger() -> Path:
    from swagger_ui_bundle import swagger_ui_path

    return Path(swagger_ui_path)
