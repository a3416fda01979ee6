# Bare `make` lists the verbs: every target with a ## comment.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/python -u -m pip install --disable-pip-version-check --progress-bar off

help: ## list the verbs
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r verb says; do printf '  make %-11s %s\n' "$$verb" "$$says"; done

demo: $(READY) ## a year of flights through the whole loop; ARGS="--to 2013-03-31" for less
	@$(BIN)/driftwheel demo $(ARGS)

test: $(READY) ## run the tests; ARGS="tests/unit -k drift" for some of them
	@$(BIN)/python -m pytest $(ARGS)

faults: $(READY) ## kill, freeze and poison a real stack and judge what became of every record; ARGS="--only kill"
	@$(BIN)/python -m tests.faults $(ARGS)

check: $(READY) ## lint, types, import rules, generated files up to date
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m contracts --check

bench: $(READY) ## measure speed beside its ceilings and its peers; ARGS="stream --rounds 3"
	@$(BIN)/python -m tests.benchmarks $(ARGS)

bench-drift: $(READY) ## count false alarms and delays of drift detection beside the usual rules; ARGS=--quick
	@$(BIN)/python -m tests.benchmarks.drift $(ARGS)

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

# Shows in one line how far pip is; on a terminal only.
SHOW := if [ -t 2 ]; then n=0; while read -r word _; do \
  case $$word in Collecting|Requirement) n=$$((n + 1)); printf '\r  %d packages found' $$n >&2;; \
    Installing) printf '\r  installing them ...   ' >&2;; esac; done; echo >&2; else cat > /dev/null; fi

# Made from the lock alone, so that every machine gets the same versions.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Driftwheel needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." >&2; \
	  echo "  What to do: install one, then: make PYTHON=python3.11 ..." >&2; exit 1; }
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "This Python cannot make environments (its venv or ensurepip is missing)." >&2; \
	  echo "  What to do: install them (Debian, Ubuntu: apt-get install python3-venv), then run make again." >&2; exit 1; }
	@echo "Making .venv from requirements.lock; once, a minute or two" >&2
	@{ $(PIP) --require-hashes -r requirements.lock && $(PIP) --no-deps --no-build-isolation -e .; } | { $(SHOW); } || { \
	  echo "The packages could not be installed, see above." >&2; \
	  echo "  What to do: connect to the network, or name a mirror in PIP_INDEX_URL, then run make again." >&2; exit 1; }
	@touch $@

.PHONY: help demo test faults check bench bench-drift contracts up down doctor lock clean
