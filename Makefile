# Every target sets up what it needs: a virtual environment in .venv with serbench (editable) and
# its development tools. Nothing outside of this folder is installed or changed.
#
#   make test PYTHON=python3.12           another Python, 3.11.4 or newer
#   make test VENV=/elsewhere/venv        another virtual environment
#   make test VENV=$VIRTUAL_ENV READY=    one that is set up already: install nothing
#   make test-lowest UV_FLAGS="--torch-backend cpu"    without CUDA (7.5 GB with it, on Linux)

PYTHON = python3
VENV = .venv
READY = $(VENV)/.serbench-ready
DOCS_READY = $(READY:ready=docs-ready)
BIN = $(VENV)/bin
RESULTS = benchmarks/results
GOLDEN = build/golden
DEMO = build/demo
LOWEST = build/lowest
UV_FLAGS =
MKDOCS = NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

# One thread in each process: several processes with several threads each are slower on few cores.
ONE_THREAD = OMP_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help demo test test-lowest golden lint bench docs docs-serve gallery tutorial

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s  %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## Score one method on a synthetic corpus properly and with a leak, and compare the scores
	@rm -rf $(DEMO)
	$(BIN)/serbench run akd --dataset demo --profile demo --out $(DEMO)/proper
	$(BIN)/serbench run akd --dataset demo --profile demo --protocol leaky-random --out $(DEMO)/leaky
	$(BIN)/serbench inflation $(DEMO)/proper/* $(DEMO)/leaky/*

test: $(READY) ## Run the tests; with real data where SERBENCH_TEST_SHARED names its folder
	$(ONE_THREAD) $(BIN)/python -m pytest -n auto --dist worksteal -p no:benchmark

test-lowest: ## Run the fast tests with the lowest versions that pyproject.toml allows, in build/lowest
	@rm -rf $(LOWEST)
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/bin/python -m uv pip install --python $(LOWEST)/bin/python $(UV_FLAGS) \
		--resolution lowest-direct --editable ./runtime --editable ".[dev]"
	$(ONE_THREAD) $(LOWEST)/bin/python -m pytest -n auto --dist worksteal -p no:benchmark -m "not slow and not real"

golden: $(READY) ## Compare a run on the demo corpus, made from scratch, with tests/golden/demo.toml
	@rm -rf $(GOLDEN)
	SERBENCH_CACHE=$(GOLDEN)/cache $(BIN)/serbench run akd vanilla-kd --dataset demo \
		--profile demo --set training.precision=fp32 --set training.epochs=6 \
		--out $(GOLDEN)/runs
	SERBENCH_CACHE=$(GOLDEN)/cache $(BIN)/serbench regress --runs $(GOLDEN)/runs \
		--golden tests/golden/demo.toml --junit $(GOLDEN)/junit.xml --markdown $(GOLDEN)/summary.md

lint: $(READY) ## Check style, formatting, types, the direction of imports and the wording of texts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python docs/prose.py

bench: $(READY) ## Measure the parts that a run spends its time in
	@mkdir -p $(RESULTS)
	$(ONE_THREAD) $(BIN)/python -m pytest benchmarks -p no:xdist \
		--benchmark-json=$(RESULTS)/$(shell date -u +%Y%m%dT%H%M%SZ).json

docs: $(DOCS_READY) ## Build the documentation as a site, in build/site; every warning is an error
	$(BIN)/python docs/check.py
	@if $(BIN)/python docs/tools/pictures.py --possible; then $(MAKE) gallery; \
		else echo "The gallery stays as it is: it needs Chromium."; fi
	$(MKDOCS) build --strict --quiet
	@echo "The site: build/site/index.html"

gallery: $(DOCS_READY) ## Make the runs and pictures that the documentation shows, in build/docs-runs
	$(ONE_THREAD) $(BIN)/python docs/tools/real_runs.py
	$(BIN)/python docs/tools/pictures.py

tutorial: $(READY) ## Run the tutorial, and write what it prints and how long it takes into its page
	$(BIN)/python docs/tools/tutorial.py

docs-serve: $(DOCS_READY) ## Show the documentation at http://127.0.0.1:8000, and again after each change
	$(MKDOCS) serve

$(VENV)/.serbench-ready: pyproject.toml runtime/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4))' || \
		{ echo "serbench needs Python 3.11.4 or newer: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing serbench and its tools into $(VENV); the first time takes some minutes."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--editable ./runtime --editable ".[dev]"
	@touch $@

$(VENV)/.serbench-docs-ready: $(VENV)/.serbench-ready
	@echo "Installing what the documentation is built with into $(VENV)."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	@touch $@
