"""A static copy of the page: its files, and beside them the answers that a server would give.

    index.html, static/     the page, told that it has no server
    data/about.json, data/systems/, data/claims.json
    data/index.json         the precomputed scenarios
    data/scenarios/KEY.json {"run", "why", "code"} of one
    manifest.json

The forms are those that `static/js/api.js` reads. All addresses are relative, so that a copy works under any path.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from afterglow.errors import AfterglowError, Fault, InputError
from afterglow.interfaces import output
from afterglow.interfaces.web import precomputed, work
from afterglow.interfaces.web.app import STATIC
from afterglow.interfaces.web.guard import POLICY
from afterglow.interfaces.web.precomputed import Precomputed

Tell = Callable[[str, float], None]

COMMAND = "afterglow serve --export DIR"
PEOPLE = 1000
DIGITS, TIME_PLACES = 4, 4
LIVE = '<meta name="afterglow-mode" content="live">'
# A file host sends no headers. Browsers heed `frame-ancestors` in a header only, and complain of it elsewhere.
STATIC_POLICY = "; ".join(part for part in POLICY.split("; ") if not part.startswith("frame-ancestors"))
STATIC_MODE = (
    f'<meta http-equiv="Content-Security-Policy" content="{STATIC_POLICY}">\n'
    '<meta name="afterglow-mode" content="static">'
)
CLAIMS_SHARE = 0.1  # of the time, about


def export(
    out: Path,
    *,
    force: bool = False,
    chosen: Sequence[Precomputed] | None = None,
    people: int = PEOPLE,
    tell: Tell | None = None,
) -> int:
    """Write a copy into a new folder; nothing is left behind when that is stopped.

    Args:
        out: the folder.
        force: replace an earlier copy.
        chosen: what to compute; by default `precomputed.scenarios()`.
        people: virtual people behind each answer.
        tell: gets what is being done, and the share that is done.

    Returns:
        Bytes of all files.
    """
    chosen = precomputed.scenarios() if chosen is None else chosen
    tell = tell or _silent
    try:
        with output.new_folder(out, force=force) as folder:
            _page(folder)
            _facts(folder / "data", chosen, tell)
            _scenarios(folder / "data", chosen, people, tell)
            settings = {"people": people, "seed": chosen[0].scenario["seed"], "scenarios": len(chosen)}
            output.write_manifest(folder, COMMAND, settings, [])
            return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except InputError as error:
        raise InputError([_ours(fault) for fault in error.faults]) from None


def _silent(what: str, share: float) -> None:
    pass


def _ours(fault: Fault) -> Fault:
    """A fault of a result folder under the name of our option."""
    return Fault(fault.place.replace("--out", "--export"), fault.problem, fault.remedy.replace("--out", "--export"))


def _page(folder: Path) -> None:
    shutil.copytree(STATIC, folder / "static", ignore=shutil.ignore_patterns("docs"), copy_function=shutil.copyfile)
    text = (folder / "static" / "index.html").read_text(encoding="utf-8")
    (folder / "static" / "index.html").unlink()
    assert text.count(LIVE) == 1
    (folder / "index.html").write_text(text.replace(LIVE, STATIC_MODE), encoding="utf-8")


def _facts(data: Path, chosen: Sequence[Precomputed], tell: Tell) -> None:
    """What does not depend on a scenario."""
    (data / "systems").mkdir(parents=True)
    tell("facts and claims", 0.0)
    about = _answer("about")
    presets, beside = {one.preset for one in chosen}, {one.scenario["versus"] for one in chosen}
    about["presets"] = [course for course in about["presets"] if course["course"] in presets | beside]
    about["comparators"] = [name for name in about["comparators"] if name in beside]
    _write(data / "about.json", about)
    systems = _answer("systems")
    _write(data / "systems" / "index.json", systems)
    for one in systems:
        _write(data / "systems" / f"{one['name']}.json", _answer("system", one["name"].encode()))
    _write(data / "claims.json", _answer("claims", tell=lambda what, share: tell(what, CLAIMS_SHARE * share)))


def _scenarios(data: Path, chosen: Sequence[Precomputed], people: int, tell: Tell) -> None:
    (data / "scenarios").mkdir()
    index = []
    reasons: dict[bytes, Any] = {}  # the band of a scenario is as wide whatever lies beside it
    for number, one in enumerate(chosen):
        name = f"scenario {number + 1} of {len(chosen)}"
        tell(name, CLAIMS_SHARE + (1 - CLAIMS_SHARE) * number / len(chosen))
        alone = _sent({"scenario": one.scenario | {"versus": None}})
        if alone not in reasons:
            reasons[alone] = rounded(_answer("why", alone))
        run = _answer("run", _sent({"scenario": one.scenario, "people": people, "coarse": False}))
        run["milliseconds"] = 0.0  # of another machine
        code = _answer("code", _sent({"scenario": one.scenario, "view": "explore"}))
        file = f"scenarios/{one.key}.json"
        _write(data / file, {"run": rounded(run), "why": reasons[alone], "code": code})
        places = {"preset": one.preset, "dose": one.dose, "count": one.count}
        index.append({"key": one.key, "scenario": one.scenario, "file": file, **places})
    _write(data / "index.json", {"scenarios": index})


def _sent(asked: dict[str, Any]) -> bytes:
    return json.dumps(asked).encode()


def _answer(kind: str, body: bytes = b"", tell: Tell = _silent) -> Any:
    """What the server would answer."""
    status, answer = work.answer(kind, body, tell)
    found = json.loads(answer)
    if status != 200:
        raise AfterglowError(f"{kind}: " + "; ".join(f"{one['problem']} ({one['remedy']})" for one in found["faults"]))
    return found


def rounded(value: Any, key: str = "") -> Any:
    """An answer with shorter numbers: `DIGITS` digits, in a line those of its largest number; times to 0.0001 h."""
    if isinstance(value, dict):
        return {name: rounded(one, name) for name, one in value.items()}
    if isinstance(value, list):
        floats = [abs(one) for one in value if isinstance(one, float)]
        if not floats:
            return [rounded(one) for one in value]
        places = TIME_PLACES if key == "time_h" else _places(max(floats))
        return [_short(one, places) if isinstance(one, float) else one for one in value]
    return _short(value, _places(abs(value))) if isinstance(value, float) else value


def _places(largest: float) -> int:
    return DIGITS - 1 - math.floor(math.log10(largest)) if largest else 0


def _short(value: float, places: int) -> float:
    """Whole numbers without their `.0`."""
    found = round(value, places)
    return int(found) if found.is_integer() else found


def _write(path: Path, contents: Any) -> None:
    """JSON for programs, on one line."""
    text = json.dumps(contents, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
