"""Three courses in the same virtual people: what is left after the control is taken off, a day and eight weeks on.

Run: python compare_courses.py
"""

import afterglow

result = afterglow.compare(["iv-induction", "nasal-esketamine", "ssri"], patients=100, weeks=8, seed=1)
contrasts = result.tables["contrasts"]
chosen = contrasts.loc[contrasts["time_h"].isin([24, 8 * 168]), ["arm", "visit", "difference", "lo90", "hi90"]]
print(chosen.round(1).to_string(index=False))
result.save("compared", force=True)
print("compared/report.html")
