"""Problems in the formats of GitHub and GitLab, which show them on the lines of a pull or merge request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256

from runner.model.problem import ERROR, Problem


def workflow_commands(problems: Iterable[Problem], prefix: str = "") -> Iterator[str]:
    """Yield one workflow command for each problem. `prefix` is the path from the top of the repository to the root.

    Source: GitHub Actions, "Workflow commands", `::error file={name},line={line},col={col},title={title}::{message}`.
    """
    for problem in problems:
        position = f"file={_value(prefix + problem.file)},line={problem.line},col={problem.column}"
        message = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
        yield f"::{problem.severity} {position},title={_value(problem.code)}::{_text(message)}"


def code_quality(problems: Iterable[Problem], prefix: str = "") -> list[dict[str, object]]:
    """Return the problems as a code quality report. `prefix` is the path from the top of the repository to the root.

    A fingerprint does not depend on the line, so that it stays the same when lines are added above the problem.
    Source: GitLab, "Code Quality", "Code Quality report format".
    """
    return [
        {
            "description": f"{problem.message} ({problem.hint})" if problem.hint else problem.message,
            "check_name": problem.code,
            "fingerprint": sha256(f"{problem.file}\0{problem.code}\0{problem.message}".encode()).hexdigest(),
            "severity": "major" if problem.severity == ERROR else "minor",
            "location": {"path": prefix + problem.file, "lines": {"begin": problem.line}},
        }
        for problem in problems
    ]


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _value(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")
