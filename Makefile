# The door. `make` alone says what there is.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
export PIP_CONSTRAINT := constraints.txt

.PHONY: help setup tick dry-run validate test check format bench chaos cron-show clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Two stamps: what running needs, and what working on runner itself needs on top.
$(VENV)/.runtime: pyproject.toml constraints.txt
	@echo "setting up $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: runner needs Python 3.11 or later; say make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade pip hatchling
	@$(PIP) install --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q runner
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@echo "setting up the tools for tests and checks …"
	@$(PIP) install --no-build-isolation --editable '.[dev]'
	@touch $@

setup: $(VENV)/.dev ## install everything into .venv (the other targets do it by themselves)

tick: $(VENV)/.runtime ## run what is due, and say what ran
	@$(BIN)/runner tick

dry-run: $(VENV)/.runtime ## check every task, say what would run, and what a change means; writes nothing (for CI)
	@$(BIN)/runner validate
	@$(BIN)/runner tick --dry-run
	@! git rev-parse --quiet --verify origin/main >/dev/null 2>&1 || $(BIN)/runner plan origin/main

validate: $(VENV)/.runtime ## check every task file of the work tree
	@$(BIN)/runner validate

# `make check` right after `make test`, as in CI, has nothing to learn from the same tests on the very same files.
FILES = $$(git ls-files --cached --others --exclude-standard -z | xargs -0 cksum 2>/dev/null | cksum)

test: $(VENV)/.dev ## the tests
	@rm -f $(VENV)/.tested
	@$(BIN)/python -m pytest -n 4 --dist worksteal
	@echo "$(FILES)" > $(VENV)/.tested

check: $(VENV)/.dev ## lint, types, layers, tests, docs: the one door
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy .ci/plan_comment.py
	@$(BIN)/lint-imports --no-cache
	@if [ "$(FILES)" = "$$(cat $(VENV)/.tested 2>/dev/null)" ]; then echo "tests: make test has passed on these very files"; else $(MAKE) --no-print-directory test; fi

format: $(VENV)/.dev ## put the code into its one form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## the figures of DESIGN §10, as ratios beside their floors and beside what people would use instead
	@$(BIN)/python -m compileall -q runner benchmarks
	@$(BIN)/python -m benchmarks

chaos: $(VENV)/.dev ## a thousand rounds of kills, wrong clocks, full disks and commits; CHAOS_SEED repeats one
	@$(BIN)/python -m tests.chaos

cron-show: ## the line for cron, with this checkout's path in place
	@$(PYTHON) -c "$$CRON_LINE"

# To the shell a path is quoted; to cron, which reads % as the end of a line (crontab(5)), each one is escaped.
define CRON_LINE
import os, pathlib
path = "'" + os.getcwd().replace("'", "'\\''") + "'"
for line in pathlib.Path("crontab.txt").read_text().splitlines():
    if not line.startswith("#"):
        print(line.replace("'/path/to/repository'", path.replace("%", "\\%")))
endef
export CRON_LINE

clean: ## remove what set-up made
	@rm -rf $(VENV)
