# Uses the environment of the README; another one: make check BIN=path/to/bin
BIN ?= .venv/bin

.PHONY: check test bench fit

check:  ## style, types, import contracts, quick tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 -m "not slow"

test:  ## all tests
	$(BIN)/python -m pytest -n 2

bench:  ## time per patient against SciPy and libRoadRunner, quick
	$(BIN)/python bench/run.py --quick

fit:  ## repeat the shipped fit; the result goes to a folder of its own
	$(BIN)/afterglow calibrate --seed 1 --out fit-again
