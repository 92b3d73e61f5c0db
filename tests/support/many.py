"""Run several commands with the start-up time of one: a process loads the modules once, and forks for each command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from tests.support.project import Project

_PROGRAM = """\
import contextlib, gc, io, json, os, sys
import rich.table, runner.cli.ticking, runner.report.tables
from runner.cli.app import run
from runner.cli.main import main
with contextlib.redirect_stdout(io.StringIO()):
    run(["--version"])  # typer and pydantic load most of their modules for the first option
gc.freeze()
said = []
for now, words in json.loads(sys.argv[1]):
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        os.dup2(write, 1)
        os.dup2(write, 2)
        os.closerange(3, write + 1)
        os.environ["RUNNER_NOW"] = now
        sys.argv = ["runner", *words]
        try:
            main()
        except SystemExit as error:
            sys.stdout.flush()
            os._exit(error.code)  # the clean-up of the interpreter would take as long as the command
    os.close(write)
    with open(read, "rb") as output:
        text = output.read().decode("latin-1")
    said.append((os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text))
json.dump(said, sys.stdout)
"""


class Said(NamedTuple):
    """The exit code of a command, and its output to both streams."""

    code: int
    output: bytes


def run_many(project: Project, commands: Iterable[tuple[datetime, tuple[str, ...]]]) -> list[Said]:
    """Run commands one after another, each at its time, by the `main` of the installed command; return the results."""
    words = json.dumps([(now.isoformat(), words) for now, words in commands])
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, words],
        cwd=project.root,
        env=project.environment(),
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    return [Said(code, text.encode("latin-1")) for code, text in json.loads(done.stdout)]
