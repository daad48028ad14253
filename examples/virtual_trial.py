"""How large must a trial of one infusion against midazolam be? Assurance at three sizes, from a file in place.

Run: python virtual_trial.py
"""

import pandas as pd

from afterglow.clinic.files import parse
from afterglow.clinic.scenarios import scenarios
from afterglow.study.trial_study import Plan, pieces, result, work

DESIGN = """
trial: how-large
arms:
  - {name: ketamine, course: iv-single, n: [10, 20, 40]}
  - {name: midazolam, control: midazolam, n: 20}
visits: [24 h]
endpoints: [{measure: change, at: 24 h, analysis: ancova}]
"""

# posterior: what is not known is drawn anew each time; mean: central values; masked: nobody can feel what they got
plan = Plan(scenarios(parse(DESIGN, "how-large")), ["posterior", "mean", "masked"], replicates=20, seed=1)
done = [work(task.argument) for task in pieces(plan)]
tables = {name: pd.concat([one[name] for one in done], ignore_index=True) for name in done[0]}
found = result(plan, tables).tables["operating_characteristics"]
shown = ["arms[0].n", "assurance", "power_at_mean", "power_masked", "bias", "coverage95"]
print(found[shown].round(2).to_string(index=False))
