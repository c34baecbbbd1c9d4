# Two commands are enough: `make lab` opens the workbench, `make test` runs every check.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --constraint constraints.txt
LAB := $(VENV)/.lab
INSTALLED := $(VENV)/.installed
NODE_MODULES := widgets/node_modules
TYPESCRIPT := $(NODE_MODULES)/.package-lock.json

# For instance LAB_FLAGS="--no-browser --port 8899". Containers often run as root, which Jupyter
# takes only when told.
LAB_FLAGS ?=
ALLOW_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# The browser tests drive the system's Chromium; playwright must never fetch one of its own.
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1

.PHONY: help lab test check lint bench dist clean

help:
	@echo "make lab    open JupyterLab on the workbench notebook"
	@echo "make test   run every check: lint, types, floors, unit, notebook and browser tests"
	@echo "make check  the static checks and the unit tests: for between two edits"
	@echo "make lint   the static checks alone"
	@echo "make bench  published figures beside ours, and how quick rounds and workbench are"
	@echo "make dist   build the wheel and the source archive, and try the wheel in an empty environment"
	@echo "make clean  remove everything that these commands made"

lab: $(LAB)
	JUPYTER_CONFIG_PATH=$(CURDIR)/fedbench/cli/jupyter \
	$(BIN)/jupyter lab $(ALLOW_ROOT) --LabApp.default_url=/lab/tree/notebooks/workbench.ipynb $(LAB_FLAGS)

# One process per core, but no more than have been tried beside one JupyterLab. Their threads share
# the cores: those that wait must not spin.
PYTEST := OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4

# pytest comes last: its closing line is the verdict of the whole run.
test: lint
	$(PYTEST)

check: lint
	$(PYTEST) tests -m "unit and not slow"

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

dist: $(INSTALLED)
	PYTHON=$(BIN)/python bash .ci/dist

clean:
	rm -rf $(VENV) $(NODE_MODULES) build dist .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# What the workbench and the notebooks need; the checks need more, and bring this with them.
$(LAB): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) --editable '.[lab,excel,pictures]'
	@echo "Installed in $(VENV): $$(du -sh $(VENV) | cut -f1) on disk"
	touch $@

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) --editable '.[dev]'
	touch $(LAB) $@

$(TYPESCRIPT): widgets/package.json widgets/package-lock.json | $(INSTALLED)
	$(BIN)/npm ci --prefix widgets --ignore-scripts --no-audit --no-fund
	touch $@
