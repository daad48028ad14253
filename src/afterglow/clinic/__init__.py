"""The clinic: who is treated, with what, how it is rated and what counts as well.

    files.py       a YAML file into a checked model; every fault at once, with its line
    quantity.py    "0.5 mg/kg", "40 min", "20 %", "1 per 7 d" into numbers of the project's units (mg, mg/kg, h)
    source.py      where a number of the clinic comes from
    drugs.py       the drugs and routes that courses may use
    limits.py      studied ranges (warnings) and safety bounds (errors) of doses
    dosing.py      one line of doses or background drugs of a course
    condition.py   the small language of `if` and `when`
    decision.py    checks and maintenance: decisions taken on measured scores
    regimen.py     a course unfolded: intakes and piecewise constant signals
    ledger.py      what each patient has had and will have, while decisions change it
    course.py      the course file
    control.py     the matched control of a course
    visits.py      when people are rated, and the clock of trajectories
    population.py  the joint distribution of patients
    person.py      one person, without identity
    scale.py       rating scales: conversion and measurement
    outcome.py     response, remission, relapse
    screening.py   contraindications, cautions, monitoring

It knows no numerics of the engine and imports neither it nor the systems. Nothing is imported here.
"""
