"""Where a site lies in its repository, and which of its files are edited and not committed."""

from __future__ import annotations

from runner.errors import GitError, RepositoryError, UsageError
from runner.operations.workspace import Workspace
from runner.repo.location import Location, locate
from runner.taskfile.findings import shown


def location(workspace: Workspace) -> Location:
    """Return where the root lies in its repository. Raises GitError, UsageError where git has none for it."""
    found = locate(workspace.root)
    if found.is_bare and workspace.state.startswith(workspace.root):
        raise UsageError(
            f"{workspace.root} is a bare repository, which has no place for state", "give one with --state DIR"
        )
    return found


def uncommitted(workspace: Workspace) -> tuple[str, ...]:
    """Return the files of ours that differ from the commit; none where git cannot say, of which the problems tell.

    Raises RepositoryError where there is no repository to ask.
    """
    try:
        found = location(workspace)  # first: GitPython cannot even be imported where there is no git
        from runner.repo.checkout import uncommitted as ask  # noqa: PLC0415 - GitPython takes 100 ms to load

        return tuple(shown(path) for path in ask(found))
    except RepositoryError:
        raise
    except GitError:
        return ()
