# `make` without a target lists the targets.
SHELL := /bin/sh
# The newest supported Python that is installed and can make a virtual environment (Debian: python3-venv).
PYTHON ?= $(shell for python in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; \
	done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
export PIP_CONSTRAINT := constraints.txt

.PHONY: help setup remake tick dry-run validate test check format bench chaos example cron-show cron-install clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A virtual environment works only in the folder where it was made, and only while its Python is installed. The stamp
# .runtime holds the path of that folder. If the folder was moved or the Python is gone, the environment is made again.
REMAKE := $(shell test "$$(cat $(VENV)/.runtime 2>/dev/null)" = "$$(pwd -P)" && $(BIN)/python -ISc '' 2>/dev/null || echo remake)

remake:
	@rm -rf $(VENV)

# Python 3.11 reads a .pth file as ASCII under LC_ALL=C. A relative path works also where the path of the checkout has
# other letters.
EDITABLE := install --no-build-isolation --editable
RELATIVE := for file in $(VENV)/lib/python*/site-packages/_runner.pth; do echo ../../../.. > "$$file"; done

# The stamp .runtime is for what runner needs to run, the stamp .dev for what tests and checks need in addition.
$(VENV)/.runtime: pyproject.toml constraints.txt $(REMAKE)
	@echo "setting up $(VENV) …"
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: runner needs Python 3.11 or later, with its module venv" >&2; \
		echo "hint: install one (on Debian also python3-venv), or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade pip hatchling
	@$(PIP) $(EDITABLE) . && $(RELATIVE)
	@$(BIN)/python -m compileall -q runner
	@pwd -P > $@

$(VENV)/.dev: $(VENV)/.runtime
	@echo "setting up the tools for tests and checks …"
	@$(PIP) $(EDITABLE) '.[dev]' && $(RELATIVE)
	@touch $@

# The tests of contexts run applications in environments of their own, as users have them.
$(VENV)/for-%: tests/environments/%.txt $(VENV)/.runtime
	@$(BIN)/python -m venv $@
	@$@/bin/python -m pip --quiet --quiet --disable-pip-version-check install --requirement $<
	@touch $@

APPLICATIONS := $(VENV)/for-django-5.2 $(VENV)/for-django-newest $(VENV)/for-others

setup: $(VENV)/.dev ## install everything into .venv (the other targets do this when needed)

tick: $(VENV)/.runtime ## run the tasks that are due, and report the runs
	@$(BIN)/runner tick

dry-run: $(VENV)/.runtime ## check every task, show what would run and what a change does; writes nothing (for CI)
	@$(BIN)/runner validate
	@$(BIN)/runner tick --dry-run
	@! git rev-parse --quiet --verify origin/main >/dev/null 2>&1 || $(BIN)/runner plan origin/main

# The application has an environment of its own, as each application does.
EXAMPLE := examples/ticketing
EXAMPLE_PYTHON := $(EXAMPLE)/app/.venv/bin/python

$(EXAMPLE)/app/.venv/.installed: $(EXAMPLE)/app/requirements.txt $(VENV)/.runtime
	@echo "setting up the application of $(EXAMPLE) …"
	@$(BIN)/python -m venv $(EXAMPLE)/app/.venv
	@$(EXAMPLE_PYTHON) -m pip --quiet --quiet --disable-pip-version-check install --requirement $<
	@touch $@

example: $(EXAMPLE)/app/.venv/.installed ## set up the Django project of examples/ticketing, and run its tasks that are due
	@test -e $(EXAMPLE)/app/.env || cp $(EXAMPLE)/app/.env.example $(EXAMPLE)/app/.env
	@$(EXAMPLE_PYTHON) $(EXAMPLE)/app/manage.py migrate --verbosity 0
	@$(EXAMPLE_PYTHON) $(EXAMPLE)/app/manage.py load_sample
	$(BIN)/runner --repo $(EXAMPLE) tick
	$(BIN)/runner --repo $(EXAMPLE) show reports/daily-users

validate: $(VENV)/.runtime ## check every task file of the work tree
	@$(BIN)/runner validate

# `make check` after `make test`, as in CI, does not run the tests again if no file has changed since.
FILES = $$(git ls-files --cached --others --exclude-standard -z | xargs -0 cksum 2>/dev/null | cksum)

test: $(VENV)/.dev $(APPLICATIONS) ## run the tests; with TESTS=tests/unit, some of them
	@rm -f $(VENV)/.tested
	@$(BIN)/python -m pytest -n 4 --dist worksteal $(TESTS)
	@test -n "$(TESTS)" || echo "$(FILES)" > $(VENV)/.tested

check: $(VENV)/.dev ## check everything: lint, types, layers, tests, docs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy .ci/plan_comment.py
	@$(BIN)/lint-imports --no-cache
	@if [ "$(FILES)" = "$$(cat $(VENV)/.tested 2>/dev/null)" ]; then \
		echo "tests: make test has passed on these files"; else $(MAKE) --no-print-directory test; fi

format: $(VENV)/.dev ## format the code, and fix what the linter can fix
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## measure the figures of docs/benchmarks.md, beside lower bounds and alternatives
	@$(BIN)/python -m compileall -q runner benchmarks
	@$(BIN)/python -m benchmarks

chaos: $(VENV)/.dev ## run a thousand rounds of kills, wrong clocks, full disks and commits; CHAOS_SEED repeats one
	@$(BIN)/python -m tests.chaos

cron-show: ## print the crontab line for this folder
	@python3 -c "$$CRON"

cron-install: ## add that line to your crontab, once; all other lines stay
	@$(BIN)/runner --version >/dev/null 2>&1 || { \
		echo "error: $(BIN)/runner cannot be run: cron would only fail" >&2; echo "hint: make setup" >&2; exit 1; }
	@$(BIN)/python -c "$$CRON" install

# The path is quoted for the shell. Each % in it is escaped for cron, which reads % as the end of a line (crontab(5)).
define CRON
import os, subprocess, sys

def fail(message, hint):
    sys.exit("error: " + message + chr(10) + "hint: " + hint)

def line_for_this_folder():
    """Return the line from the crontab.txt in this folder, or else from the one beside the Makefile, with the path."""
    beside = os.path.join(os.path.dirname(os.environ["CRON_MAKEFILE"].strip()), "crontab.txt")
    path = b"'" + os.getcwdb().replace(b"'", b"'\\''").replace(b"%", b"\\%") + b"'"
    with open("crontab.txt" if os.path.exists("crontab.txt") else beside, "rb") as file:
        [line] = [line for line in file.read().splitlines() if not line.startswith(b"#")]
    return line.replace(b"'/path/to/repository'", path) + b"\n"

def read_crontab():
    """Return the crontab of this user. Exit where it cannot be read, because writing it then would lose lines."""
    try:
        done = subprocess.run(["crontab", "-l"], env={**os.environ, "LC_ALL": "C"}, capture_output=True)
    except FileNotFoundError:
        fail("there is no crontab command here", "install cron, or have a timer do this every minute: make cron-show")
    error = os.fsdecode(done.stderr).strip()
    if done.returncode and not ("no crontab for" in error or error.endswith("No such file or directory")):
        fail("crontab -l: " + error, "nothing was changed")
    return b"" if done.returncode else done.stdout

def install(line):
    """Add the line to the crontab, unless a line with the same command is there, at any times."""
    table, command = read_crontab(), line[line.index(b"cd "):line.index(b" >")]
    if any(command in old for old in table.splitlines() if not old.lstrip().startswith(b"#")):
        print("your crontab has this line already")
        return
    before = table if table.endswith(b"\n") or not table else table + b"\n"
    if subprocess.run(["crontab", "-"], input=before + line).returncode:
        fail("crontab refuses the line", "nothing was changed")
    print("your crontab has this line now: " + os.fsdecode(line), end="")

if sys.argv[1:] == ["install"]:
    install(line_for_this_folder())
else:
    sys.stdout.buffer.write(line_for_this_folder())
endef
export CRON
export CRON_MAKEFILE := $(MAKEFILE_LIST)

clean: ## remove .venv
	@rm -rf $(VENV)
