"""docs/tutorial.md: its cells run in order in one empty folder, and what the page says of the results is so."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
CELLS = re.findall(r"^```(shell|python|yaml)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
PROGRAM = Path(sys.executable).parent

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("tutorial")]


class Ran:
    """What the cells left: the folder, the names of the Python cells, what each command printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scope: dict[str, Any] = {"__name__": "tutorial"}
        self.said: dict[str, str] = {}
        for kind, text in CELLS:
            getattr(self, kind)(text)

    def shell(self, text: str) -> None:
        path = f"{PROGRAM}{os.pathsep}{os.environ['PATH']}"
        for line in text.splitlines():
            done = subprocess.run(
                ["bash", "-c", line], capture_output=True, encoding="utf-8", check=False,
                env={**os.environ, "PATH": path, "PYTHONIOENCODING": "utf-8"},
            )  # fmt: skip
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
            self.said[line] = done.stdout

    def python(self, text: str) -> None:
        exec(compile(text, "docs/tutorial.md", "exec"), self.scope)

    def yaml(self, text: str) -> None:
        """The first line names the file."""
        (self.folder / text.splitlines()[0].removeprefix("# ")).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("tutorial")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield Ran(folder)


def test_every_kind_of_cell_is_there(ran: Ran):
    assert [kind for kind, _ in CELLS].count("python") >= 3
    assert {"person.yaml", "trial.yaml", "claim.yaml"} <= {path.name for path in ran.folder.iterdir()}
    commands = {line.split()[1] for line in ran.said}
    assert commands == {"compare", "forecast", "trial", "claims", "systems"}


def test_the_infusion_is_ahead_after_a_day_and_the_tablet_comes_later(ran: Ran):
    weeks = ran.scope["weeks"].set_index(["arm", "time_h"])
    assert weeks.loc[("iv-single", 24), "hi90"] < 0
    assert abs(weeks.loc[("iv-single", 672), "difference"]) < abs(weeks.loc[("iv-single", 24), "difference"]) / 2
    assert weeks.loc[("ssri", 672), "difference"] < weeks.loc[("ssri", 24), "difference"]


def test_the_command_and_python_give_the_same_numbers(ran: Ran):
    ours = ran.scope["result"].tables["contrasts"]
    np.testing.assert_allclose(ours["difference"], ran.scope["contrasts"]["difference"], rtol=1e-9)
    assert (ran.folder / "weeks.png").stat().st_size > 10_000


def test_the_first_result_says_what_is_not_known(ran: Ran):
    said = next(text for line, text in ran.said.items() if line.startswith("afterglow compare"))
    assert "− control" in said
    assert "How much of the effect is the drug itself is not known." in said
    assert (ran.folder / "first" / "report.html").exists()
    assert (ran.folder / "first" / "units.json").exists()


def test_stress_does_the_person_no_good(ran: Ran):
    usual = ran.scope["forecast"].table
    usual = usual[usual["plan"] == "nothing-more"].set_index("time_h")
    harder = ran.scope["harder"].outlook.future.table().set_index("time_h")
    last = harder.index.max()
    assert harder.loc[last, "mean"] > usual.loc[last, "mean"]
    assert (usual["lo90"] < usual["hi90"]).all()


def test_the_trial_has_operating_characteristics(ran: Ran):
    (row,) = pd.read_csv(ran.folder / "trial" / "operating_characteristics.csv").to_dict("records")
    assert 0 <= row["assurance"] <= 1
    assert row["replicates"] == 10
    assert row["estimate"] < 0
    assert np.isfinite(row["bias"])


def test_the_claim_has_a_verdict(ran: Ran):
    assert "Supported" in ran.said["afterglow claims claim.yaml"]
    assert "Findings" not in ran.said["afterglow claims claim.yaml"]
    assert re.search("(Supported|Overstated|Contradicted|Open|Definition)", ran.said["afterglow claims E2"])


def test_the_systems_are_shown(ran: Ran):
    assert "assumed" in ran.said["afterglow systems"]
    assert "d(linked)/dt" in ran.said["afterglow systems network --equations"]


def test_the_files_and_columns_of_the_page_on_r_exist(ran: Ran):
    page = (ROOT / "docs" / "howto" / "r.md").read_text(encoding="utf-8")
    for name in re.findall(r'read\.csv\("results/(.*?)"\)', page):
        assert (ran.folder / "first" / name).exists()
    scores = pd.read_csv(ran.folder / "first" / "scores.csv")
    assert {"scale", "time_h", "value", "arm"} <= set(scores)
    assert (ran.folder / "trial" / "adam").is_dir()
