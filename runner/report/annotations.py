"""Problems as GitHub's workflow commands: CI shows them on the lines of the pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.model.problem import Problem


def workflow_commands(problems: Iterable[Problem], prefix: str = "") -> Iterator[str]:
    """Yield one workflow command for each problem; `prefix` leads from the top of the repository to the root.

    Source: GitHub Actions, "Workflow commands", `::error file={name},line={line},col={col},title={title}::{message}`.
    """
    for problem in problems:
        place = f"file={_value(prefix + problem.file)},line={problem.line},col={problem.column}"
        message = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
        yield f"::{problem.severity} {place},title={_value(problem.code)}::{_text(message)}"


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _value(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")
