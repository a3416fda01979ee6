# Bare `make` lists the verbs: every target with a ## comment.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

help: ## list the verbs
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r verb says; do printf '  make %-10s %s\n' "$$verb" "$$says"; done

demo: $(READY) ## a year of flights through the whole loop; ARGS="--to 2013-03-31" for less
	@$(BIN)/driftwheel demo $(ARGS)

test: $(READY) ## run the tests; ARGS="tests/unit -k drift" for some of them
	@$(BIN)/python -m pytest $(ARGS)

check: $(READY) ## lint, types, import rules, generated files up to date
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m contracts --check

contracts: $(READY) ## write the files that are generated from contracts/
	@$(BIN)/python -m contracts

up: $(READY) ## start the stack here and keep it running until Ctrl-C; ARGS=--detach
	@$(BIN)/python -m deploy.local up $(ARGS)

down: $(READY) ## stop a stack that was started with --detach
	@$(BIN)/python -m deploy.local down $(ARGS)

doctor: $(READY) ## examine this machine: what is missing, and what to do
	@$(BIN)/python -m deploy.local doctor $(ARGS)

lock: ## write requirements.lock anew from pyproject.toml (needs uv)
	@uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock

clean: ## delete the environment, caches, and the stack's data
	@if [ -x $(BIN)/python ] && [ -d .driftwheel ]; then $(BIN)/python -m deploy.local reset; fi
	@rm -rf .venv .driftwheel .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made from the lock alone, so that every machine gets the same files.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Driftwheel needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true). What to do: install it, then: make PYTHON=python3.11" >&2; exit 1; }
	@echo "Making .venv from requirements.lock (once; about 250 MB, a minute or two)"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv || \
	  { rm -rf .venv; echo "Python has no venv module here. What to do: install it (Debian, Ubuntu: apt-get install python3-venv) and run make again." >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . || \
	  { echo "The packages could not be installed (see above). What to do: connect to the network or set PIP_INDEX_URL to a mirror you can reach, and run make again." >&2; exit 1; }
	@touch $@

.PHONY: help demo test check contracts up down doctor lock clean
