# `make` alone lists what there is to do. Needs git, make, and Python 3.11 or newer with venv.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTHONS := $(PYTHON) python3.13 python3.12 python3.11 python3
SWEEP := activation=sigmoid,tanh,relu optimizer.learning_rate=0.01,0.03,0.1,0.3 seed=0,1,2
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal
SLOW := fault or browser or database or reference or docs or soak

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast soak ruff lint format install bench clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1|\2/' \
	| while IFS='|' read -r target what; do printf '%-16s %s\n' "$$target" "$$what"; done

demo: $(VENV)/installed  ## install if necessary, then train and record a sweep of 36 runs
	@echo "36 runs: harness -m $(SWEEP)"
	@$(BIN)/harness -m $(SWEEP)
	@echo
	@echo "To see its curves in the MLflow UI: $(BIN)/harness ui"

# Tests see what users see: Python writes bytecode where this variable is empty.
test test-fast soak: export PYTHONDONTWRITEBYTECODE :=
test: ruff  ## format, lint and type checks, and all tests except soaks, as in CI
	@$(PYTEST) $(PYTEST_ARGS)

test-fast: ruff  ## the quick tests, for every change: no databases, browsers, faults or docs
	@$(PYTEST) -m "not ($(SLOW))" $(PYTEST_ARGS)

soak: $(VENV)/installed-dev  ## the long tests: hundreds of kills, and one at every durable write
	@$(PYTEST) -m soak $(PYTEST_ARGS)

lint: ruff  ## check format, lint and types by ruff and mypy
	@$(BIN)/mypy

ruff: $(VENV)/installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

format: $(VENV)/installed-dev  ## format the code, and fix what ruff can fix
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

install: $(VENV)/installed-dev  ## make .venv with the tools for development

bench: $(VENV)/installed-bench  ## measure against peers: benchmarks/RESULTS.md (BENCH_ARGS=sweeps: one part)
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

clean:  ## remove .venv, caches and builds, but no runs
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An installation is good until pyproject.toml changes: the code itself is used where it is.
$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo "installing harness and what it needs into $(VENV) (a minute or two, the first time)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/python
	@echo "installing harness and the tools for development into $(VENV)"
	@$(PIP) --editable '.[dev]'
	@touch $(VENV)/installed $@

$(VENV)/installed-bench: pyproject.toml | $(BIN)/python
	@echo "installing harness and the peers it is measured against into $(VENV) (this is much)"
	@$(PIP) --editable '.[bench]'
	@touch $(VENV)/installed $@

$(BIN)/python:
	@for python in $(PYTHONS); do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then \
	    echo "making $(VENV) with $$($$python --version)"; \
	    $$python -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }; \
	    exit 0; \
	  fi; \
	done; \
	echo "Python 3.11 or newer with venv is needed (on Debian: apt install python3-venv);" >&2; \
	echo "if it has a name of its own: make PYTHON=/path/to/python $(MAKECMDGOALS)" >&2; \
	exit 1
