# Uses the environment of the README; another one: make check BIN=path/to/bin
BIN ?= .venv/bin

.PHONY: check test docs package bench fit validation recovery rivals contrary trials forecasts

check:  ## style, types, import contracts, quick tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 -m "not slow"

test:  ## all tests
	$(BIN)/python -m pytest -n 2

docs:  ## this documentation as a site in build/docs; warnings are errors
	$(BIN)/sphinx-build -W --keep-going -q docs build/docs

package:  ## wheel and sdist, and the wheel in an empty environment: main job and quick tests
	$(BIN)/pip install --quiet build
	rm -rf dist build/empty && $(BIN)/python -m build
	python3 -m venv build/empty && build/empty/bin/pip install --quiet dist/*.whl
	cd build && empty/bin/afterglow compare --patients 200 --out first --force && empty/bin/afterglow doctor
	build/empty/bin/pip install --quiet "$$(ls dist/*.whl)[test]"
	build/empty/bin/python -m pytest -n 2 -m "not slow"

bench:  ## time per patient against SciPy and libRoadRunner, quick
	$(BIN)/python bench/run.py --quick

fit:  ## repeat the shipped calibration; the result goes to a folder of its own
	$(BIN)/afterglow calibrate --seed 1 --out fit-again

validation:  ## remake docs/validation: published against predicted, seen and unseen, with pictures
	$(BIN)/python bench/validation.py

recovery:  ## known parameters from made-up trials
	$(BIN)/python bench/recovery.py --sets 24 --patients 160 --steps 1500

rivals:  ## rival mechanisms refitted and scored
	$(BIN)/python bench/rivals.py --work afterglow-rivals --rounds 2 --design 224 --draws 40 --steps 900 --inert src/afterglow/data/fit

contrary:  ## what speaks against the simple story, against the shipped model
	$(BIN)/python -m afterglow.study.contrary > docs/contrary_evidence.md

trials:  ## studies of the trial simulator: type-I error, unblinding, withdrawal
	$(BIN)/python bench/trial_null.py --replicates 2000 --seed 1
	$(BIN)/python bench/unblinding.py
	$(BIN)/python bench/withdrawal.py

forecasts:  ## is the forecast of a person true, and do triggered boosters save doses
	$(BIN)/python bench/forecast_truth.py --people 2000 --seed 7
	$(BIN)/python bench/boosters.py --people 1024 --seed 1
