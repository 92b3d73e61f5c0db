"""Show what permissions a task needs, and ask about whole folders."""

from __future__ import annotations

import sys

import typer

from runner.operations.reviewing.proposal import Proposal
from runner.report.permissions_text import proposal_lines


def show_proposal(proposal: Proposal) -> None:
    """Print a proposal. On a terminal, a person is asked about each folder of many programs."""
    for key, path in proposal.questions if sys.stdin.isatty() and sys.stdout.isatty() else ():
        if typer.confirm(f"The task {_VERBS[key]} in {path}, a folder of many programs. Grant all of it?", err=True):
            proposal = proposal.accepting(key, path)
    for line in proposal_lines(proposal):
        print(line)


_VERBS = {"read": "reads", "write": "writes"}
