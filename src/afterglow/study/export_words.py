"""What stands in the README files of exported folders: what a format says, and what it does not."""

PETAB = """\
# The central part of the calibration, as PEtab

PEtab version 1: `problem.yaml` names all files. {rows} of the fitted rows in {arms} arms. Time is in hours.

What it says:

- A condition is an arm of a trial: its doses and signals, and the typical person of its population (means of weight,
  age, baseline score and failed trials; carrier status and CRP at their more frequent value).
- `change` and `score` are the MADRS of that person, against the published mean. `noiseParameters` are the standard
  error (larger where the calibration gives a row less weight) and the change of the row per unit of the trial's
  effects, which `tau_e` multiplies.
- `z_u` and `z_v` are what a trial has of its own, in units of `tau_u` and `tau_v`, on relief without and by the drug.
- Priors are the calibration's: of logarithms for typical values, half-normal for the spreads between trials. They are
  cut off at the bounds; where the calibration declares no bound, it is set six prior SDs away.
- Nominal values are posterior means (of logarithms for typical values), trial effects 0.
- Every event of every arm stands in `model.xml` and adds a parameter `size__*`, which is 0 unless a condition sets it.

What it does not say:

- Spread between people. A row is a mean over people, and the mean of a curved model is not the typical person's value:
  the objective here is close to the calibration's, not the same. The spreads themselves (`omega.*`) and the
  fluctuation of scores (`measurement.*`) are not in it.
- Rows that are no mean of one arm at one time: response, remission, SDs, differences and ratios of arms, relapse, and
  means over people chosen by their scores.
- Correlated errors of rows: in the calibration trial effects are integrated out to first order, here they are
  parameters and enter in full.
- The emulator, its error, and the limited pull of single rows in the least-squares fit.

Densities of priors are on the scale of each parameter (`parameterScaleNormal`). Programs that give them per unit of
the parameter itself differ by the sum of its logarithms.
"""

NONMEM = """\
# Simulated concentrations for NONMEM

`{data}` holds virtual people; nobody in it exists (SIM = 1). The control stream next to it was generated from the
equations and **was never run by NONMEM**. Drugs of the course that are not in it: {left_out}.

| column | unit | meaning |
|---|---|---|
| ID | | person, from 1 |
| TIME | h | since the start of day 1 |
| AMT | mg | what the route receives, of this enantiomer, before availability |
| RATE | mg/h | of an infusion; -2: duration from $PK; 0: at once |
| EVID | | 1 dose, 0 observation |
| CMT | | compartment, as in $MODEL |
| DV | ng/mL | total concentration in venous plasma, without residual error |
| MDV | | 1 where DV is missing |
| RTE | | route: 1 iv, 2 im, 3 sc, 4 first nasal device of a session, 5 a later one, 6 atomiser, 7 sublingual, 8 oral |
| WT, AGE | kg, year | covariates |
| SEXF | | 1 female |
| SIM | | 1: simulated |

At one time observations stand before doses. One dose is a record for each compartment that it enters; F and D of $PK
say how much arrives and how long it takes. THETAs without spread between people are fixed. Residual error is assumed.
Parameters of routes that the course does not use are in the control stream, but the data cannot inform them.
"""
