"""Fit a model of one's own to concentrations: made here with known numbers and noise, and found again.

Run: python fit_own_data.py
"""

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from afterglow import streams
from afterglow.event_run import EventModel
from afterglow.library.textbook import OneCompartment

TRUTH = {"CL": 4.0, "VC": 35.0, "KA": 1.1}
NOISE = 0.1  # SD of the logarithm

model = EventModel(OneCompartment)
people, times = range(1, 13), (0.5, 1, 2, 4, 8, 12, 24)
doses = [{"ID": i, "TIME": 0, "EVID": 1, "AMT": 100, "CMT": "depot"} for i in people]
looks = [{"ID": i, "TIME": t, "EVID": 0} for i in people for t in times]
table = pd.DataFrame(doses + looks).sort_values(["ID", "TIME", "EVID"], ascending=[True, True, False])
seen = (table["EVID"] == 0).to_numpy()


def predicted(values: dict[str, float]) -> np.ndarray:
    """Concentrations at the looks, mg/L."""
    return model.run(table, values).frame.loc[seen, "CP"].to_numpy(float)


noise = streams.generator(1, "fit-own-data").normal(0, NOISE, seen.sum())
table["DV"] = np.nan
table.loc[seen, "DV"] = predicted(TRUTH) * np.exp(noise)  # read your own table here instead
observed = table.loc[seen, "DV"].to_numpy(float)


def misses(logs: np.ndarray) -> np.ndarray:
    """Differences of logarithms at these parameters, which are logarithms too and so stay above zero."""
    return np.log(predicted(dict(zip(TRUTH, np.exp(logs), strict=True)))) - np.log(observed)


fit = least_squares(misses, np.log([1.0, 20.0, 1.0]))
found = dict(zip(TRUTH, np.exp(fit.x), strict=True))
errors = np.sqrt(np.diag(np.linalg.inv(fit.jac.T @ fit.jac)) * 2 * fit.cost / (len(observed) - len(TRUTH)))
for name, error in zip(TRUTH, errors, strict=True):
    print(f"{name}: true {TRUTH[name]:g}, found {found[name]:.2f}, relative standard error {100 * error:.0f} %")
