"""Find the root, which holds `tasks/`, and its state folder. Every tick loads this module."""

import os

#: Where the state is, if not in `state/` below the root.
STATE = "RUNNER_STATE"


def find_root(repo: str | None) -> str:
    """Return the absolute root: the given folder, or the nearest one from here up that holds tasks/ or runner.yaml.

    The search ends at the top of the git repository. Where it finds nothing, the root is the current folder. Raises
    UsageError.
    """
    if repo is not None:
        if not os.path.isdir(repo):
            raise _usage_error(f"there is no folder {repo}", "give the folder that holds tasks/ with --repo")
        return _absolute(repo)
    here = folder = _absolute(".")
    while True:
        if os.path.isdir(folder + "/tasks") or os.path.isfile(folder + "/runner.yaml"):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder or os.path.lexists(folder + "/.git"):
            return here
        folder = parent


def state_of(root: str, state: str | None) -> str:
    """Return the absolute state folder: the given one, or that of RUNNER_STATE, or `state/` below the root."""
    chosen = state or os.environ.get(STATE)
    return _absolute(chosen) if chosen else root + "/state"


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        raise _usage_error("the current folder no longer exists", "change into the folder that holds tasks/") from None


def _usage_error(message: str, hint: str) -> Exception:
    from runner.errors import UsageError  # noqa: PLC0415 - an idle tick meets no error

    return UsageError(message, hint)
