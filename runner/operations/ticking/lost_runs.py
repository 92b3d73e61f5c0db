"""End and record the runs whose owner is gone or does not do its work.

The lock on its file says whether an owner is gone. An owner that holds its lock, and has not ended an attempt long
after the time limit of the attempt, is stopped (SIGSTOP, a frozen container). A tick ends such an attempt where it can
see the processes, and leaves it alone where it cannot.
"""

from __future__ import annotations

from datetime import datetime

from runner import clock
from runner.errors import StoreError
from runner.execution.owners import owner
from runner.execution.owners.file_lock import locked
from runner.execution.owners.owner import Notes
from runner.execution.owners.ownership import is_gone, path_of, short
from runner.execution.supervising import live_output
from runner.execution.supervising.abandoned import clear_up
from runner.execution.supervising.output import Capture
from runner.execution.supervising.run_environment import RunEnvironment, remove_folder
from runner.execution.system import processes
from runner.model.attempt_result import AttemptResult
from runner.model.statuses import CANCELLED, LOST, TIMED_OUT
from runner.operations.workspace import Workspace
from runner.schedule.duration import format_duration
from runner.store import catalogs, queue
from runner.store.database import deciding
from runner.store.endings import AttemptEnd, end_attempt
from runner.store.queue import OwnedRun
from runner.store.session import Deciding, Reading
from runner.value import Value


class LostAttempt(Value):
    """An attempt that no owner supervises. `has_begun` says whether its child may have run any code of the task."""

    run: OwnedRun
    notes: Notes
    has_begun: bool
    output: Capture


def find_lost(session: Reading, state: str) -> list[OwnedRun]:
    """Return the runs that have not ended and whose owner is gone."""
    runs = queue.owned_runs(session)
    lost = {name for name in {run.owner for run in runs} if is_gone(state, name)}
    return [run for run in runs if run.owner in lost]


def find_overdue(session: Reading, state: str, now: datetime) -> list[OwnedRun]:
    """Return the runs that are overdue: their owner should have ended them, and still lives.

    A clock that was set forward makes no run overdue: the wall clock counts only against an owner that is seen to be
    stopped.
    """
    return [run for run in queue.owned_runs(session) if is_overdue(state, run, now)]


def is_overdue(state: str, run: OwnedRun, now: datetime) -> bool:
    """Return whether a run is overdue: its owner should have ended it by now."""
    if run.overdue_at is None or run.overdue_monotonic is None or processes.was_rebooted(run.owner):
        return False
    if run.overdue_monotonic < clock.monotonic_millis():
        return True
    return run.overdue_at < now and owner.read(state, run.owner).is_stopped()


def end_lost(workspace: Workspace, now: datetime) -> list[int]:
    """End the processes of lost and overdue runs and record their status; return the ids of the runs.

    A lock lets one process at a time do so: a late process would otherwise end an attempt that was started since.
    Raises StoreError.
    """
    with deciding(workspace.database) as session:
        if (
            not find_lost(session, workspace.state)
            and not find_overdue(session, workspace.state, now)
            and not owner.gone(workspace.state)
        ):
            return []
        environment = RunEnvironment(workspace.root, workspace.state, catalogs.source(session).store_id)
        try:
            with locked(f"{workspace.state}/lost.lock"):
                lost_attempts = [_end(environment, run) for run in find_lost(session, workspace.state)]
                with session.transaction():
                    lost = settle(session, lost_attempts, now)
                lost += _end_overdue(session, environment, now)
                _remove_files(session, environment)
        except OSError as error:
            raise StoreError(
                f"lost runs in {workspace.state} cannot be cleaned up: {error.strerror}",
                "check the permissions of the folder, and the disk",
            ) from error
    return lost


def _end(environment: RunEnvironment, run: OwnedRun) -> LostAttempt:
    """End the processes of a lost run, and return the attempt with its output."""
    # After a crash of the machine no process of the run is left, and the disk may lack the record that it had started.
    was_rebooted = processes.was_rebooted(run.owner)
    notes = owner.read(environment.state, run.owner)
    has_begun = run.is_recorded or notes.may_have_begun(run.run_id, run.attempt) or was_rebooted
    return _ended(environment, run, notes, has_begun=has_begun, has_processes=not was_rebooted)


def _ended(
    environment: RunEnvironment, run: OwnedRun, notes: Notes, *, has_begun: bool, has_processes: bool
) -> LostAttempt:
    output = clear_up(environment, run.run_id, run.attempt, has_processes=has_processes)
    return LostAttempt(run, notes, has_begun, output)


def settle(session: Deciding, attempts: list[LostAttempt], now: datetime) -> list[int]:
    """Record lost attempts; return the ids of runs that are lost, without those that another process has recorded.

    An attempt that had begun is lost, and the retry policy of its run applies. A run that had not started goes back
    into the queue, or is lost where a person asked for it. Call it inside a transaction.
    """
    lost = []
    for attempt in attempts:
        run = attempt.run
        if attempt.has_begun:
            reason = _reason(run.owner, attempt.notes)
            how = (LOST, reason) if run.cancel_reason is None else (CANCELLED, run.cancel_reason)
            if end_from_outside(session, attempt, *how, now):
                lost.append(run.run_id)
        elif run.is_by_hand and run.cancel_reason is None:  # the person who asked for it then may not want it now
            reason = f"{_reason(run.owner, attempt.notes)}; the run had not started"
            if end_attempt(
                session, AttemptEnd(run.run_id, run.attempt, run.owner, AttemptResult(LOST, None, now), reason)
            ):
                lost.append(run.run_id)
        else:
            queue.release(session, run.owner, [(run.run_id, run.attempt)], now)
    return lost


def end_from_outside(session: Deciding, attempt: LostAttempt, status: str, reason: str, now: datetime) -> bool:
    """Record the end of an attempt that is not ended by its owner; the retry policy of its run applies.

    Return False where the attempt had ended already.
    """
    run = attempt.run
    result = AttemptResult(
        status,
        run.started_at or now,
        now,
        reason,
        output=attempt.output.kept(),
        output_dropped_bytes=attempt.output.dropped,
    )
    retry_at = None if run.cancel_reason is not None else run.retry.next_at(run.attempt, now)
    is_one_of_several = run.attempt > 1 or retry_at is not None
    full_reason = f"attempt {run.attempt} of {run.retry.attempts}: {reason}" if is_one_of_several else reason
    return end_attempt(session, AttemptEnd(run.run_id, run.attempt, run.owner, result, full_reason, retry_at))


def _end_overdue(session: Deciding, environment: RunEnvironment, now: datetime) -> list[int]:
    """End overdue attempts whose processes can be seen from here; return the ids of their runs."""
    ended = []
    for run in find_overdue(session, environment.state, now):
        if not owner.read(environment.state, run.owner).is_visible():
            continue  # an attempt whose processes cannot be seen is left alone, and `status` says so
        reason = f"timed out after {format_duration(run.timeout)}; {_who(run.owner)} does not answer"
        if end_in_place(session, environment, run, (TIMED_OUT, reason), now):
            ended.append(run.run_id)
    return ended


def end_in_place(
    session: Deciding, environment: RunEnvironment, run: OwnedRun, how: tuple[str, str], now: datetime
) -> bool:
    """End an attempt whose owner does not answer, with the status and reason in `how`.

    An attempt that had not begun is handled as in `settle`. Return whether the end was recorded: False where the
    attempt had ended already or goes back into the queue.
    """
    attempt = _take_from_owner(environment, run)
    with session.transaction():
        is_begun = attempt.has_begun
        is_ended = end_from_outside(session, attempt, *how, now) if is_begun else bool(settle(session, [attempt], now))
        is_idle = all(other.owner != run.owner for other in queue.owned_runs(session))
    if is_idle and attempt.notes.is_stopped():
        # This owner has no run left to supervise, and holds concurrency slots that other ticks wait for.
        attempt.notes.kill()
    return is_ended


def _take_from_owner(environment: RunEnvironment, run: OwnedRun) -> LostAttempt:
    """Prevent an owner from beginning an attempt, end the processes of the attempt, and return the attempt."""
    is_prevented = owner.give_up(environment.state, run.owner, run.run_id, run.attempt)
    notes = owner.read(environment.state, run.owner)
    has_begun = run.is_recorded or not is_prevented or notes.may_have_begun(run.run_id, run.attempt)
    return _ended(environment, run, notes, has_begun=has_begun, has_processes=True)


def _remove_files(session: Reading, environment: RunEnvironment) -> None:
    """Remove the files and folders of owners that are gone and of attempts whose end is on record."""
    # The file of an owner that has gone meanwhile is still needed, until its runs are recorded as lost.
    still_owning = {run.owner for run in queue.owned_runs(session)}
    for name in owner.gone(environment.state):
        if name not in still_owning:
            owner.remove(path_of(environment.state, name))
    # Folders are listed before owners: the owner of a folder has its file before it makes the folder.
    spares = [*environment.spares(), *environment.unfinished_checkouts()]
    owners = {short(name) for name in owner.known(environment.state)}
    for folder, keeper in spares:
        if keeper not in owners:
            remove_folder(folder)
    # An owner whose attempt was ended by another process may have been killed before it removed the folder.
    for folder, run_id, attempt in environment.attempt_folders():
        if not queue.is_under_way(session, run_id, attempt):
            remove_folder(folder)
    for run_id, attempt in environment.live_attempts():
        if not queue.is_under_way(session, run_id, attempt):
            live_output.remove(environment.live_file(run_id, attempt))


def _reason(owner_name: str, notes: Notes) -> str:
    if processes.was_rebooted(owner_name):
        return "the machine was rebooted while it ran"
    where = "" if notes.is_visible() or not notes.process else " in another container"
    return f"the runner that supervised it (pid {processes.pid_of(owner_name)}{where}) is gone"


def _who(owner_name: str) -> str:
    return f"the runner that supervises it (pid {processes.pid_of(owner_name)})"
