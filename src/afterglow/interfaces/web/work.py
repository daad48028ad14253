"""What the processes of the page do: JSON in, status and JSON out. Imported, and warmed, before they are forked."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from afterglow.clinic.person import person_from_data
from afterglow.compile.vector import LANES
from afterglow.errors import AfterglowError, Fault, InputError
from afterglow.interfaces import words
from afterglow.interfaces.output import model_hash, package_version
from afterglow.interfaces.web import bodies, claims, code, studies, systems
from afterglow.interfaces.web.guard import BODY_BYTES, told
from afterglow.study import live
from afterglow.study.live_bands import plain
from afterglow.study.live_facts import default, facts
from afterglow.study.live_why import why

Tell = Callable[[str, float], None]


def answer(kind: str, body: bytes, tell: Tell) -> tuple[int, bytes]:
    """Do one piece of work: status and JSON.

    Args:
        kind: of `SHORT` or `LONG`.
        body: JSON of the request, or the name that is asked for.
        tell: gets the progress of jobs.
    """
    try:
        return 200, encode(SHORT[kind](body) if kind in SHORT else LONG[kind](body, tell))
    except NotThere as error:
        return 404, _faults(error.faults)
    except InputError as error:
        return 422, _faults(error.faults)
    except AfterglowError as error:
        return 422, _faults([Fault("body", f"cannot be simulated: {error}"[:500], "choose usual values")])
    except ImportError as error:
        return 503, _faults([Fault("server", f"not installed: {error.name}", 'pip install "afterglow[web,trial]"')])
    except Exception as error:  # this process goes on
        traceback.print_exc()
        problem = f"an error of this program ({type(error).__name__})"
        return 500, _faults([Fault("server", problem, "please report it, with what was asked")])


class NotThere(InputError):
    """Nothing has this name."""


def encode(value: Any) -> bytes:
    """JSON of dataclasses, arrays and plain data; what is not finite becomes null."""
    return json.dumps(plain(value), separators=(",", ":"), allow_nan=False, default=lambda one: one.item()).encode()


def _faults(found: list[Fault]) -> bytes:
    return encode({"faults": told(found)})


def warm() -> None:
    """Compile what the first question needs, so that processes forked from this one have it."""
    _about(b"")
    asked = {"scenario": default(), "people": LANES}
    for coarse in (False, True):
        encode(_run(json.dumps(asked | {"coarse": coarse}).encode()))


# ------------------------------------------------------------------------------------------------ short answers


@cache
def _about(_: bytes) -> dict[str, Any]:
    found = facts()
    bounds = {
        "body_bytes": BODY_BYTES,
        "doses": bodies.MOST_LINES["doses"],
        "courses": bodies.MOST_COURSES,
        "replicates": bodies.MOST_REPLICATES,
        "arms": bodies.MOST_ARMS,
        "patients": bodies.MOST_PATIENTS,
    }
    return {
        "version": package_version(),
        "model_sha256": model_hash("study"),
        "notice": words.NOTICE,
        "drug_share": _drug_share(),
        "bands": words.NOT_A_PERSON,
        **found,
        "limits": found["limits"] | bounds,
    }


def _drug_share() -> str:
    """What is known of the drug's own share, with the place on the page where the rival is chosen."""
    sentence, rival, _ = words.drug_share().rpartition("`--variant inert`")
    assert rival
    return f"{words.DRUG_SHARE_SHORT} {sentence}To see the same course under that rival, choose the mechanism 'inert'."


def _run(body: bytes) -> Any:
    asked = bodies.read("run", body)
    return live.run(asked.scenario, asked.people, asked.coarse)


def _why(body: bytes) -> Any:
    return why(bodies.read("why", body).scenario)


def _code(body: bytes) -> dict[str, Any]:
    return code.code(bodies.read("code", body), json.loads(body))


def _check(body: bytes) -> dict[str, Any]:
    """Whether a job can be begun: the kind stands before the first line break."""
    kind, _, rest = body.partition(b"\n")
    asked = bodies.read(kind.decode(), rest)
    person = getattr(asked, "person", None)
    if person is not None:
        person_from_data(person)
    if kind == b"trial":
        bodies.trial_scenario(asked.trial)
    return {}


def _schemas(_: bytes) -> dict[str, Any]:
    """JSON Schemas of everything that can be asked, for OpenAPI."""
    models: list[tuple[type[BaseModel], Literal["validation"]]] = [
        (one, "validation") for one in bodies.BODIES.values()
    ]
    return models_json_schema(models, ref_template="#/components/schemas/{model}")[1]["$defs"]


def _systems(_: bytes) -> list[dict[str, Any]]:
    return systems.systems()


def _system(body: bytes) -> dict[str, Any]:
    try:
        return systems.system(body.decode())
    except InputError as error:
        raise NotThere(error.faults) from None


SHORT: dict[str, Callable[[bytes], Any]] = {
    "about": _about,
    "schemas": _schemas,
    "systems": _systems,
    "system": _system,
    "run": _run,
    "why": _why,
    "code": _code,
    "check": _check,
}
LONG: dict[str, Callable[[bytes, Tell], Any]] = {
    "forecast": lambda body, tell: studies.forecast(bodies.read("forecast", body), tell),
    "plan": lambda body, tell: studies.plan(bodies.read("plan", body), tell),
    "trial": lambda body, tell: studies.trial(bodies.read("trial", body), tell),
    "claims": lambda _, tell: claims.claims(tell),
}
