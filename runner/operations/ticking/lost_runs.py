"""Runs that nobody answers for: their owner is gone, or has stopped doing its work. What is left of them is ended and recorded.

Whether an owner is gone, the lock on its file says. One that holds its lock and still has not ended an attempt long after its time
limit is stopped (SIGSTOP, a frozen container): others end its attempt where they can see it, and leave it alone where they cannot.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime

from runner import clock
from runner.errors import StoreError
from runner.execution.owners import owner
from runner.execution.owners.file_lock import locked
from runner.execution.owners.owner import Notes
from runner.execution.owners.ownership import is_gone, path_of, short
from runner.execution.supervising import live_output
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
    """A run that nobody answers for. `has_begun` says whether its child may have run any of its code."""

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
    """Return the runs whose owner should have ended them long ago, and still lives.

    A clock that was set forward makes no run overdue: it counts only against an owner that is seen to be stopped.
    """
    return [run for run in queue.owned_runs(session) if is_overdue(state, run, now)]


def is_overdue(state: str, run: OwnedRun, now: datetime) -> bool:
    """Return whether the owner of a run should have ended it long ago."""
    if run.overdue_at is None or run.overdue_monotonic is None or processes.was_rebooted(run.owner):
        return False
    if run.overdue_monotonic < clock.monotonic_millis():
        return True
    return run.overdue_at < now and owner.read(state, run.owner).is_stopped()


def end_lost(workspace: Workspace, now: datetime) -> list[int]:
    """End what runs without anybody who answers for it, and record what becomes of it; return the runs that were lost.

    One process at a time does so: who is late would otherwise end what is started again already. Raises StoreError.
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
                remains = [_end(environment, run) for run in find_lost(session, workspace.state)]
                with session.transaction():
                    lost = settle(session, remains, now)
                lost += _end_overdue(session, environment, now)
                _forget(session, environment)
        except OSError as error:
            raise StoreError(
                f"lost runs in {workspace.state} cannot be cleaned up: {error.strerror}",
                "check the permissions of the folder, and the disk",
            ) from error
    return lost


def _end(environment: RunEnvironment, run: OwnedRun) -> LostAttempt:
    """End what a lost run has left, and keep what tells of it."""
    # After a crash of the machine the disk is no witness of what had begun, and nothing of it runs any more.
    was_rebooted = processes.was_rebooted(run.owner)
    notes = owner.read(environment.state, run.owner)
    has_begun = run.is_recorded or notes.may_have_begun(run.run_id, run.attempt) or was_rebooted
    return _tidied(environment, run, notes, has_begun=has_begun, has_processes=not was_rebooted)


def _tidied(
    environment: RunEnvironment, run: OwnedRun, notes: Notes, *, has_begun: bool, has_processes: bool
) -> LostAttempt:
    folders = environment.leftovers(run.run_id)
    if has_processes:
        end_processes(environment, run, folders)
    output = Capture()
    output.feed(live_output.left_over(environment.live_file(run.run_id, run.attempt)))
    for folder, _ in folders:
        remove_folder(folder)
    return LostAttempt(run, notes, has_begun, output)


def end_processes(environment: RunEnvironment, run: OwnedRun, folders: Iterable[tuple[str, int]]) -> None:
    """Kill everything of an attempt that this process can see."""
    mark = environment.mark(run.run_id, run.attempt)
    processes.end_group(mark)
    leaders = [(leader, _made_at(folder)) for folder, leader in folders]
    for leader, since in leaders or [(0, 0.0)]:
        processes.end_marked(mark, leader, since)


def _made_at(folder: str) -> float:
    try:
        return os.stat(folder).st_mtime
    except OSError:
        return float("inf")


def settle(session: Deciding, remains: list[LostAttempt], now: datetime) -> list[int]:
    """Record what becomes of lost runs, inside of a transaction; return those that were lost, without what others have settled.

    A run that never began waits for somebody else; of the others an attempt is lost, and their retry policy applies.
    """
    lost = []
    for remain in remains:
        run = remain.run
        if remain.has_begun:
            reason = _reason(run.owner, remain.notes)
            status, said = (LOST, reason) if run.cancel_reason is None else (CANCELLED, run.cancel_reason)
            if end_from_outside(session, remain, status, said, now):
                lost.append(run.run_id)
        elif run.is_by_hand and run.cancel_reason is None:  # whoever wanted it then may not want it now
            reason = f"{_reason(run.owner, remain.notes)}; the run had not started"
            if end_attempt(
                session, AttemptEnd(run.run_id, run.attempt, run.owner, AttemptResult(LOST, None, now), reason)
            ):
                lost.append(run.run_id)
        else:
            queue.release(session, run.owner, [(run.run_id, run.attempt)], now)
    return lost


def end_from_outside(session: Deciding, remains: LostAttempt, status: str, reason: str, now: datetime) -> bool:
    """Record how an attempt ended that another process has ended; its retry policy applies. Return whether it was to be ended."""
    run = remains.run
    ending = AttemptResult(
        status,
        run.started_at or now,
        now,
        reason,
        output=remains.output.kept(),
        output_dropped_bytes=remains.output.dropped,
    )
    retry_at = None if run.cancel_reason is not None else run.retry.next_at(run.attempt, now)
    has_more = run.attempt > 1 or retry_at is not None
    said = f"attempt {run.attempt} of {run.retry.attempts}: {reason}" if has_more else reason
    return end_attempt(session, AttemptEnd(run.run_id, run.attempt, run.owner, ending, said, retry_at))


def _end_overdue(session: Deciding, environment: RunEnvironment, now: datetime) -> list[int]:
    """End attempts that their owners should have ended long ago, where this process can see them; return their runs."""
    ended = []
    for run in find_overdue(session, environment.state, now):
        if not owner.read(environment.state, run.owner).is_visible():
            continue  # what cannot be seen from here is left alone, and `status` says so
        reason = f"timed out after {format_duration(run.timeout)}; {_who(run.owner)} does not answer"
        if end_in_place(session, environment, run, (TIMED_OUT, reason), now):
            ended.append(run.run_id)
    return ended


def end_in_place(
    session: Deciding, environment: RunEnvironment, run: OwnedRun, how: tuple[str, str], now: datetime
) -> bool:
    """End an attempt in the place of an owner that does not answer, with its status and reason; return whether it was to be ended.

    One that has not begun waits for somebody else.
    """
    remains = _take_over(environment, run)
    with session.transaction():
        is_begun = remains.has_begun
        is_ended = end_from_outside(session, remains, *how, now) if is_begun else bool(settle(session, [remains], now))
        is_idle = all(other.owner != run.owner for other in queue.owned_runs(session))
    if is_idle and remains.notes.is_stopped():
        remains.notes.kill()  # it has nothing left to supervise, and holds slots that others wait for
    return is_ended


def _take_over(environment: RunEnvironment, run: OwnedRun) -> LostAttempt:
    """Keep an owner from beginning an attempt, and end everything of it that has begun already."""
    has_taken = owner.give_up(environment.state, run.owner, run.run_id, run.attempt)
    notes = owner.read(environment.state, run.owner)
    has_begun = run.is_recorded or not has_taken or notes.may_have_begun(run.run_id, run.attempt)
    return _tidied(environment, run, notes, has_begun=has_begun, has_processes=True)


def _forget(session: Reading, environment: RunEnvironment) -> None:
    """Remove the files of what is on record by now; of others that are gone, too."""
    # One that has ended meanwhile, and whose runs nobody has settled, still needs its notes.
    answering = {run.owner for run in queue.owned_runs(session)}
    for name in owner.gone(environment.state):
        if name not in answering:
            owner.remove(path_of(environment.state, name))
    # Asked in this order: who keeps a folder has its file already.
    spares = [*environment.spares(), *environment.unfinished_checkouts()]
    owners = {short(name) for name in owner.known(environment.state)}
    for folder, keeper in spares:
        if keeper not in owners:
            remove_folder(folder)
    # Of an attempt that was ended in the place of its owner: that may have been killed before it could put its folder away.
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
