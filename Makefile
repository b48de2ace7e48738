# Two commands do everything: `make train` and `make test`. Both make .venv at first and are quick afterwards.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
export PYODIDE
SOURCES := pyproject.toml README.md $(shell find npnet ptref -name '*.py')

.PHONY: help train test parity lint format nightly faults fuzz audit test-lowest benchmarks docs notebooks clean

help:  ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

train: $(VENV)/.core  ## train a small convolutional network on real handwritten digits
	$(BIN)/npnet train

test: $(VENV)/.wheel  ## run all tests against the built wheel
	NPNET_TEST_INSTALLED=1 $(BIN)/pytest -n auto

parity: $(VENV)/.wheel  ## compare every operation, layer and model with PyTorch
	$(BIN)/npnet parity

lint: $(VENV)/.dev  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

nightly: $(VENV)/.wheel  ## run the property tests with 10 000 examples each
	NPNET_PROFILE=nightly $(BIN)/pytest -n auto tests/ptref

faults: $(VENV)/.dev  ## kill, starve and damage training runs, and count what is lost
	$(BIN)/python -m tests.faults

fuzz: $(VENV)/.dev  ## feed every reader and the command line with damaged input
	$(BIN)/python -m tests.fuzz

audit: $(VENV)/.dev  ## look for published weaknesses in what is installed
	$(BIN)/pip install --quiet pip-audit
	$(BIN)/pip-audit --local

test-lowest:  ## run the engine's tests with the oldest libraries allowed
	$(PYTHON) -m venv .venv-lowest
	$(PYTHON) -c "import re, tomllib; d = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
	    print(*(re.sub('>=([0-9.]+)', r'==\1', r) for r in d['dependencies']), sep='\n')" > .venv-lowest/constraints.txt
	.venv-lowest/bin/pip install --quiet . beartype hypothesis jaxtyping pytest pytest-randomly pytest-xdist \
	    --constraint .venv-lowest/constraints.txt
	NPNET_TEST_INSTALLED=1 .venv-lowest/bin/pytest -n auto tests/npnet

benchmarks: $(VENV)/.wheel  ## time npnet against PyTorch on this machine
	$(BIN)/python -m benchmarks all

docs: $(VENV)/.docs  ## build the site in docs/_build/html; PYODIDE=FOLDER serves that Python instead of its CDN's
	$(BIN)/sphinx-build -b html -W --keep-going -q docs docs/_build/html

notebooks: $(VENV)/.docs  ## make notebooks of the pages that have examples, in docs/_build/notebooks
	PYTHONPATH=docs $(BIN)/python -m site_extension.notebooks docs docs/_build/notebooks

clean:  ## remove what was made
	rm -rf .venv .venv-lowest build dist docs/_build runs .hypothesis .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The package is installed as a user would have it, not linked to this folder.
$(VENV)/.core: $(SOURCES) | $(VENV)/bin/python
	$(BIN)/pip install --quiet .
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet '.[dev]'
	touch $@

$(VENV)/.docs: $(SOURCES) | $(VENV)/bin/python
	$(BIN)/pip install --quiet '.[docs]'
	touch $@

$(VENV)/.wheel: $(SOURCES) $(VENV)/.dev
	rm -rf dist
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .
	$(BIN)/pip install --quiet --no-deps --force-reinstall dist/npnet_backprop-*.whl
	touch $@ $(VENV)/.core
