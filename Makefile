# One set of verbs for people and for CI. Each works from a fresh clone: the first one makes .venv and says so.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Usable cores where the system tells them (in a container there can be fewer than the machine has).
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())')
# Test processes share the cores: more than one thread in each only makes them wait for one another.
export OMP_NUM_THREADS ?= 1

.PHONY: help setup quickstart test test-all browser-test lint type format bench wheel clean
.DEFAULT_GOAL := help

help: ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## make .venv with everything in it

$(READY): pyproject.toml constraints.txt hatch_build.py rl_acts/_kernels.c
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "rl_acts needs Python 3.11 or newer, found " + sys.version.split()[0] + ": set PYTHON=/path/to/python3.11")'
	@echo "==> making $(VENV) with $$($(PYTHON) --version) (once; repeated when what it is made from changes)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[sb3,study,dev]'
	@touch $(READY)
	@echo "==> $(VENV) is ready"

quickstart: $(READY) ## train five arms on two MuJoCo tasks (two to three minutes on two cores) and draw the page
	$(BIN)/python -m experiments run experiments/studies/quickstart.yaml --out runs/quickstart
	$(BIN)/python -m experiments report runs/quickstart

test: $(READY) ## the tests, in parallel
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m 'not exhaustive'

test-all: $(READY) ## the tests with the exhaustive ones (every activation compiled): many minutes
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

browser-test: $(READY) ## install Chromium (Debian's package) if there is none, and look at the page with it
	@command -v chromium || command -v chromium-browser || command -v google-chrome || { \
	  echo "==> installing chromium from the system's packages"; \
	  as_root=$$([ $$(id -u) -eq 0 ] || echo sudo); \
	  $$as_root apt-get update -qq && $$as_root apt-get install -y -qq --no-install-recommends chromium; }
	$(BIN)/python -m pytest -m browser tests/experiments/report

lint: $(READY) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(READY) ## mypy --strict over the packages and the tests
	$(BIN)/mypy

format: $(READY) ## rewrite the files as ruff formats them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## cost of every activation relative to ReLU, measured in turns
	$(BIN)/python -m experiments bench activations

wheel: $(READY) ## build the wheel and look inside
	rm -rf dist
	$(BIN)/python -m build --wheel --outdir dist .
	$(BIN)/python -m zipfile --list dist/*.whl

clean: ## remove .venv, caches and built files (runs/ and results/ stay)
	rm -rf rl_acts/libkernels.* $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
