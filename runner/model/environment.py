"""The environment of a task whose code names packages (PEP 723): a context without names, with a Python of its own."""

from __future__ import annotations

from datetime import timedelta

#: How the names of environments begin.
ENVIRONMENT = "packages-"
#: The time in which an environment has to be built.
LONGEST_BUILD = timedelta(minutes=10)


def environment_name(dependencies: tuple[str, ...]) -> str:
    """Return the name of the environment with these packages: it stands where a context would."""
    from hashlib import sha256  # noqa: PLC0415 - only for tasks with packages

    text = "\n".join(sorted(each.strip() for each in dependencies))
    return f"{ENVIRONMENT}{sha256(text.encode()).hexdigest()[:16]}"


def is_environment(context: str) -> bool:
    """Return whether the name of a context is that of an environment."""
    return context.startswith(ENVIRONMENT)


def is_application(context: str) -> bool:
    """Return whether the name of a context is that of an application, which brings names and imports of its own."""
    return bool(context) and not is_environment(context)
