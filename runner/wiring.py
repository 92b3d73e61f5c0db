"""Puts the real parts together. The one place that imports heavy modules late: what a command does not need, it does not load."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from runner.errors import GitError, RepositoryError, UsageError
from runner.operations.site import Site
from runner.operations.trouble import note_trouble
from runner.repo.head import commit_at
from runner.store import catalogs, remote
from runner.store.database import opened

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from runner.operations.compile import Compiler
    from runner.operations.tick import Refresh
    from runner.repo.location import Location


def refresher(site: Site) -> Refresh:
    """Return what brings a store to the commit in force; it asks git itself only where a ref has moved."""

    def refresh(connection: sqlite3.Connection, now: datetime) -> None:
        origin = catalogs.origin(connection)
        stuck = None
        if not _is_current(connection, site, origin):
            stuck = _bring(connection, site, origin, now)
        if origin.fetch_every is not None:
            remote.note_stuck(connection, now, None if stuck is None else stuck.message)
        note_trouble(connection, stuck)

    return refresh


def _bring(connection: sqlite3.Connection, site: Site, origin: catalogs.Origin, now: datetime) -> GitError | None:
    """Bring a store to a commit that is new; return why it stays at the last one, where git cannot read what is new."""
    from runner.operations.refresh import refresh as bring  # noqa: PLC0415

    if origin.commit is None:
        location(site)  # explains whatever git has against this folder
    try:
        bring(connection, site.root, compiler, now)
    except RepositoryError:
        raise
    except GitError as error:
        if origin.commit is None:
            raise
        return error
    return None


def bring_up_to_date(site: Site, now: datetime) -> None:
    """Bring the store to the commit in force. Raises RunnerError."""
    with opened(site.database) as connection:
        refresher(site)(connection, now)


def _is_current(connection: sqlite3.Connection, site: Site, origin: catalogs.Origin) -> bool:
    """Return whether what is in force is the commit that counts, and nothing of it was refused, which may be allowed by now."""
    if origin.head is None or origin.head != commit_at(site.root, "HEAD"):
        return False
    is_at_ref = origin.ref_path == "HEAD" or origin.commit == commit_at(site.root, origin.ref_path)
    return is_at_ref and not catalogs.has_refused(connection)


def worktree_refresher(site: Site) -> Refresh:
    """Return what brings a store to the files of the work tree, committed or not."""

    def refresh(connection: sqlite3.Connection, now: datetime) -> None:
        from runner.operations.worktree import refresh_from_worktree  # noqa: PLC0415

        refresh_from_worktree(connection, site.root, compiler(), now)

    return refresh


def location(site: Site) -> Location:
    """Return where the root lies in its repository. Raises GitError, UsageError."""
    from runner.repo.location import locate  # noqa: PLC0415

    found = locate(site.root)
    if found.is_bare and site.state.startswith(site.root):
        raise UsageError(f"{site.root} is a bare repository, which has no place for state", "give one with --state DIR")
    return found


def uncommitted(site: Site) -> tuple[str, ...]:
    """Return the files of ours that differ from the commit; none where git cannot say, of which the problems tell."""
    from runner.taskfile.findings import shown  # noqa: PLC0415

    try:
        found = location(site)  # first: GitPython cannot even be imported where there is no git
        from runner.repo.checkout import uncommitted as ask  # noqa: PLC0415

        return tuple(shown(path) for path in ask(found))
    except RepositoryError:
        raise
    except GitError:
        return ()


def compiler() -> Compiler:
    """Return what turns bytes into tasks, with YAML and JSON schema behind it."""
    from runner.operations.compile import Compiler  # noqa: PLC0415
    from runner.taskfile import names  # noqa: PLC0415
    from runner.taskfile.compiler import compile_settings, compile_task, place_of, symlink_problem  # noqa: PLC0415
    from runner.taskfile.findings import shown  # noqa: PLC0415
    from runner.taskfile.text import LARGEST_FILE  # noqa: PLC0415

    return Compiler(
        compile_task=compile_task,
        compile_settings=compile_settings,
        check_name=names.check_name,
        check_case=names.check_case,
        symlink_problem=symlink_problem,
        is_task_file=names.is_task_file,
        place_of=place_of,
        shown=shown,
        largest_file=LARGEST_FILE,
    )
