"""`afterglow trial`: pieces of work done anywhere, kept as they come, put together into one result folder.

report.html               the page
arms, contrasts, operating_characteristics, flow, guesses, power_curve   over replicates
patients, scores          one trial in full
adam/NAME_SIMULATED.csv   the same trial under the names of CDISC's ADaM
estimates/                every replicate's estimates, Parquet in parts
trial.yaml                the design as it was run
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afterglow.errors import Fault, InputError
from afterglow.interfaces import output, unfinished
from afterglow.interfaces.parts import Parts
from afterglow.interfaces.words import DRUG_SHARE_SHORT
from afterglow.study import sample_size, trial_study
from afterglow.study.trial_study import Plan
from afterglow.study.trial_tables import TABLES
from afterglow.study.work import Task, each

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.clinic.scenarios import Scenario
    from afterglow.study.trial_result import TrialResult

Progress = Callable[[str, float], None]
ADAM = "AD"  # how ADaM-named tables begin
MANY = 400  # pieces from which the time that a run takes is estimated before it begins
PEOPLE = ("patients", "scores")
RATIOS = {"cox": "hazard ratio", "logistic": "odds ratio"}  # analyses whose estimate is a logarithm


@dataclass(frozen=True)
class How:
    """Where and how a plan is run."""

    out: Path
    force: bool = False
    resume: bool = False
    workers: int = 1
    cluster: str | None = None
    yes: bool = False
    assurance: float | None = None


def plan(
    scenarios: Sequence[Scenario],
    replicates: int,
    seed: int,
    variant: str | None,
    *,
    null: bool = False,
    bracket: bool = False,
    people: bool = False,
) -> Plan:
    """What is run: the usual worlds, and those asked for."""
    worlds = [*trial_study.USUAL, *(["null"] if null else []), *(["inert", "inert-masked"] if bracket else [])]
    return Plan(scenarios, worlds, replicates, seed, variant, people)


def run(asked: Plan, how: How, command: str, tell: Progress | None = None) -> TrialResult:
    """Check, simulate what is missing, put the result folder together."""
    settings = _settings(asked)
    faults = unfinished.faults(how.out, settings, force=how.force, resume=how.resume)
    if how.workers < 1:
        faults.append(Fault("--workers", f"{how.workers} workers", "at least 1"))
    if how.assurance is not None:
        faults += sample_size.faults(asked, how.assurance)
    if faults:
        raise InputError(faults)
    _tell(tell, "checking the design", 0.0)
    trial_study.check(asked)
    tasks = list(trial_study.pieces(asked))
    if len(tasks) > MANY and not how.yes:
        _affordable(asked, how)
    work = unfinished.begin(how.out, settings, resume=how.resume)
    parts = Parts(work / "parts")
    _do(tasks, parts, how, tell)
    keys = [task.key for task in tasks]
    _tell(tell, "putting the tables together", 1.0)
    found = {name: parts.read(name, keys) for name in TABLES}
    result = trial_study.result(asked, found, trial_study.warnings(asked))
    if how.assurance is not None:
        result = sample_size.added(asked, result, how.assurance, tell)
    _write(work / "result", asked, result, parts, keys, command, settings)
    output.replace_folder(work / "result", how.out)
    shutil.rmtree(work)
    return result


def _settings(asked: Plan) -> dict[str, Any]:
    """What decides the bytes of a run."""
    texts = "\n".join(one.trial.model_dump_json() for one in asked.scenarios)
    return {
        "trial": asked.scenarios[0].trial.name,
        "design": output.sha256(texts.encode()),
        "scenarios": len(asked.scenarios),
        "worlds": list(asked.worlds),
        "replicates": asked.replicates,
        "seed": asked.seed,
        "variant": asked.variant,
        "people": asked.people,
        "model_sha256": output.model_hash("study"),
    }


def _affordable(asked: Plan, how: How) -> None:
    """Refuse a run of many hours that was not asked for by name."""
    hours = trial_study.hours(asked) / max(how.workers, 1)
    if how.cluster is None and hours > trial_study.SLOW_H:
        count = f"{len(asked.scenarios)} scenarios, {asked.replicates} replicates, {len(asked.worlds)} worlds"
        problem = f"this would run for about {hours:.0f} hours with {how.workers} workers ({count})"
        raise InputError(Fault("--yes", problem, "add --yes to run it, or ask for fewer scenarios or replicates"))


def _do(tasks: Sequence[Task], parts: Parts, how: How, tell: Progress | None) -> None:
    done = parts.done()
    missing = [task for task in tasks if task.key not in done]
    if done:
        _tell(tell, f"resumed, {len(tasks) - len(missing)} of {len(tasks)} pieces were done", 0.0)
    finished = len(tasks) - len(missing)
    for task, tables in each(trial_study.work, missing, workers=how.workers, cluster=how.cluster):
        parts.keep(task.key, tables)
        finished += 1
        _tell(tell, f"piece {finished} of {len(tasks)}", finished / len(tasks))


def _tell(tell: Progress | None, what: str, share: float) -> None:
    if tell is not None:
        tell(what, share)


# ------------------------------------------------------------------------------------------------ the folder


def _write(
    folder: Path,
    asked: Plan,
    result: TrialResult,
    parts: Parts,
    keys: Sequence[str],
    command: str,
    settings: Mapping[str, Any],
) -> None:
    from afterglow.interfaces import drawing, trial_report

    shutil.rmtree(folder, ignore_errors=True)  # a stop may have come while it was written
    folder.mkdir()
    plain = {name: table for name, table in result.tables.items() if not name.startswith(ADAM) and name != "estimates"}
    output.write_tables(folder, plain)
    _write_adam(folder / "adam", result.tables)
    parts.write_partitioned("estimates", keys, folder)
    if asked.people:
        first = [key for key in keys if f"-{asked.worlds[0]}-" in key]
        for name in PEOPLE:
            parts.write_partitioned(name, first, folder / "all")
    output.write_units(folder, result.tables, ("replicates",))
    output.write_yaml(folder / "trial.yaml", design(asked.scenarios[0]))
    (folder / "figures").mkdir()
    for picture in trial_report.pictures(result):
        (folder / "figures" / f"{picture.name}.png").write_bytes(drawing.png(picture))
    (folder / "report.html").write_text(trial_report.build(result, command), encoding="utf-8")
    output.write_manifest(folder, command, settings, result.warnings, drug_share=DRUG_SHARE_SHORT)


def _write_adam(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    folder.mkdir()
    named = {f"{name.lower()}_SIMULATED": table for name, table in tables.items() if name.startswith(ADAM)}
    output.write_tables(folder, named)


def design(scenario: Scenario) -> Any:
    """The design as plain data: the file as it was written, with the values of this scenario."""
    from afterglow.clinic.scenarios import filled

    return filled(scenario)


# ------------------------------------------------------------------------------------------------ the screen


def summary(result: TrialResult) -> pd.DataFrame:
    """The short table for the screen: each contrast with its power, assurance, and what masking leaves."""
    import pandas as pd

    table = result.tables["operating_characteristics"]
    ends: Any = result.tables["contrasts"]
    ends = ends[ends["world"] == result.worlds[0]].reset_index(drop=True)
    rows = []
    for one, end in zip(table.to_dict("records"), ends.to_dict("records"), strict=True):
        row = {"scenario": int(one["scenario"])} if len(result.scenarios) > 1 else {}
        row |= {"endpoint": f"{one['measure']} {one['visit']}", "analysis": one["analysis"], "arm": one["arm"]}
        row["estimate (90 % of trials)"] = _estimate(one["analysis"], [one["estimate"], end["lo90"], end["hi90"]])
        for name, title in (
            ("assurance", "assurance"),
            ("power_at_mean", "power at mean"),
            ("power_masked", "if masked"),
            ("power_inert", "if inert"),
            ("type_1_error", "type-I error"),
        ):
            if name in table:
                row[title] = _percent(one[name])
        row["bias"] = f"{one['bias']:.2g} ± {one['bias_se']:.1g}" if one["bias"] == one["bias"] else ""
        row["coverage"] = _percent(one["coverage95"]) if "coverage95" in table else ""
        rows.append(row)
    return pd.DataFrame(rows)


def _estimate(analysis: str, ends: Sequence[float]) -> str:
    """Value and range as people read them: ratios, not their logarithms."""
    ratio = RATIOS.get(analysis)
    if ends[0] != ends[0]:
        return ""
    value, low, high = (math.exp(end) for end in ends) if ratio else ends
    return f"{ratio + ' ' if ratio else ''}{value:.3g} ({low:.3g} to {high:.3g})"


def _percent(value: Any) -> str:
    return "" if value != value else f"{100 * float(value):.3g} %"


def show(result: TrialResult) -> None:
    """Print the short table, the size that was looked for, warnings and the notice."""
    from afterglow.interfaces import terminal

    trial = result.scenarios[0].trial
    sizes = " + ".join(map(str, trial.sizes))
    title = f"{trial.title or trial.name}: {sizes} patients, {result.replicates} replicates, seed {result.seed}"
    terminal.show_table(summary(result), title)
    if "sample_size" in result.tables:
        terminal.show_table(result.tables["sample_size"], "Assurance of other sizes")
    terminal.show_notice(result.warnings)


def catalogue() -> pd.DataFrame:
    """The shipped trials."""
    import pandas as pd

    from afterglow.clinic.scenarios import load_scenarios
    from afterglow.clinic.trial import shipped_trials

    found = [load_scenarios(name)[0].trial for name in shipped_trials()]
    rows = [{"trial": one.name, "arms": len(one.arms), "n": sum(one.sizes), "what it is": one.title} for one in found]
    return pd.DataFrame(rows)


def text(name_or_path: str) -> str:
    """The text of a trial file, once it has been read without a fault."""
    from afterglow.clinic.files import read_text, shipped_text
    from afterglow.clinic.scenarios import load_scenarios
    from afterglow.clinic.trial import shipped_trials

    load_scenarios(name_or_path)
    if name_or_path in shipped_trials():
        return shipped_text(f"designs/{name_or_path}.yaml")
    return read_text(name_or_path)
