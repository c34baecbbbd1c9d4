# Two commands are enough: `make lab` opens the workbench, `make test` runs every check.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NODE_MODULES := widgets/node_modules
TYPESCRIPT := $(NODE_MODULES)/.package-lock.json

# For instance LAB_FLAGS="--no-browser --port 8899". Containers often run as root, which Jupyter
# takes only when told.
LAB_FLAGS ?=
ALLOW_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# The browser tests drive the system's Chromium; playwright must never fetch one of its own.
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1

.PHONY: help lab test lint bench clean

help:
	@echo "make lab    open JupyterLab on the workbench notebook"
	@echo "make test   run every check: lint, types, floors, unit, notebook and browser tests"
	@echo "make lint   the static checks alone"
	@echo "make bench  published figures beside ours, and how quick rounds and workbench are"
	@echo "make clean  remove everything that these commands made"

lab: $(INSTALLED)
	JUPYTER_CONFIG_PATH=$(CURDIR)/fedbench/cli/jupyter \
	$(BIN)/jupyter lab $(ALLOW_ROOT) --LabApp.default_url=/lab/tree/notebooks/workbench.ipynb $(LAB_FLAGS)

# pytest comes last: its closing line is the verdict of the whole run.
test: lint
	$(BIN)/python -m pytest

lint: $(INSTALLED) $(TYPESCRIPT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/node $(NODE_MODULES)/typescript/bin/tsc --project widgets

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks.reference
	$(BIN)/python -m benchmarks.ui
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.data
	$(BIN)/python -m benchmarks.frontier
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.growth

clean:
	rm -rf $(VENV) $(NODE_MODULES) build dist .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'
	touch $@

$(TYPESCRIPT): widgets/package.json widgets/package-lock.json | $(INSTALLED)
	$(BIN)/npm ci --prefix widgets --ignore-scripts --no-audit --no-fund
	touch $@
