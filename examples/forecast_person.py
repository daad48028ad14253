"""One person: what further scores to expect, and what another infusion or a stressful fortnight would change.

Run: python forecast_person.py
"""

from pathlib import Path

import afterglow

person = afterglow.load_person(Path(__file__).with_name("person.yaml"))
result = afterglow.forecast(person, weeks=6, seed=1)
change = result.what_if("nothing-more").dose("ketamine", "iv", "0.5 mg/kg", "40 min", day=40).stress(14, day=50)
changed = change.outlook.future.table()
print(result.summary[["plan", "days_in_remission", "mean_at_end", "lo90_at_end", "hi90_at_end"]].round(1).to_string())
print(changed.tail(3).round(1).to_string())
print("\n".join(result.warnings))
