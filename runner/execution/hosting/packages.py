"""The packages of a task as a context without names, whose host builds their environment first."""

from __future__ import annotations

import os
import sys

import runner
from runner.build_environment import VARIABLES
from runner.execution.hosting.environments import VERSION, folder_of
from runner.execution.hosting.host import HostedContext
from runner.model.context import Context
from runner.model.environment import LONGEST_BUILD

_BUILDER = os.path.join(os.path.dirname(os.path.abspath(runner.__file__)), "build_environment.py")


def environment_of(state: str, name: str, dependencies: tuple[str, ...]) -> HostedContext:
    """Return the environment with these packages, as a context without names. Its host builds it, if it is missing."""
    folder = folder_of(state, name)
    python = f"{folder}/bin/python"
    path = f"{folder}/lib/python{VERSION}/site-packages"
    builder = (sys.executable, "-I", _BUILDER, folder, str(len(dependencies)), *dependencies)
    context = Context(name, path, python=python, timeout=LONGEST_BUILD)
    return HostedContext(
        context, name=f"the environment with {', '.join(dependencies)}", builder=builder, variables=VARIABLES
    )
