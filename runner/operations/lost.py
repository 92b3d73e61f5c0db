"""Runs whose tick is gone: what is left of them is ended, and they are lost, tried again, or left to others."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from runner.errors import StoreError
from runner.execution import begun, live, processes
from runner.execution.alone import alone
from runner.execution.output import Capture
from runner.execution.workshop import Workshop, remove_folder
from runner.model.ending import Ending
from runner.model.words import CANCELLED, LOST
from runner.operations.site import Site
from runner.store import catalogs, claims
from runner.store.claims import Orphan
from runner.store.database import transaction
from runner.store.endings import record_end
from runner.store.queue import give_back


@dataclass(frozen=True, slots=True)
class Remains:
    """A run whose tick is gone. `has_begun` says whether its child may have run any of its code."""

    orphan: Orphan
    has_begun: bool
    output: Capture


def find_lost(connection: sqlite3.Connection) -> list[Orphan]:
    """Return the runs that have not ended and whose supervising process is gone."""
    alive: dict[str, bool] = {}
    lost = []
    for orphan in claims.in_hands(connection):
        if orphan.supervisor not in alive:
            alive[orphan.supervisor] = processes.is_alive(orphan.supervisor)
        if not alive[orphan.supervisor]:
            lost.append(orphan)
    return lost


def end_lost(connection: sqlite3.Connection, site: Site, now: datetime) -> list[int]:
    """End what runs without anybody who answers for it, and record what becomes of it; return the runs that were lost.

    One process at a time does so: who is late would otherwise end what is started again already. Raises StoreError.
    """
    if not find_lost(connection) and all(map(processes.is_alive, begun.supervisors(site.state))):
        return []
    workshop = Workshop(site.root, site.state, catalogs.origin(connection).store_id)
    try:
        with alone(f"{site.state}/lost.lock"):
            remains = [_end(workshop, orphan) for orphan in find_lost(connection)]
            with transaction(connection):
                lost = settle(connection, remains, now)
            _forget(connection, workshop)
    except OSError as error:
        raise StoreError(
            f"the folder {site.state} cannot be written: {error.strerror}", "check it, and the disk"
        ) from error
    return lost


def _end(workshop: Workshop, orphan: Orphan) -> Remains:
    folders = workshop.leftovers(orphan.run_id)
    mark = workshop.mark(orphan.run_id, orphan.attempt)
    was_rebooted = processes.was_rebooted(orphan.supervisor)
    if not was_rebooted:
        processes.end_group(mark)
        if not folders:
            processes.end_marked(mark, 0, 0)
        for folder, leader in folders:
            processes.end_marked(mark, leader, _made_at(folder))
    # After a crash of the machine the disk is no witness of what had begun.
    noted = (orphan.run_id, orphan.attempt) in begun.read(begun.path_of(workshop.state, orphan.supervisor))
    has_begun = orphan.is_recorded or noted or was_rebooted
    output = Capture()
    output.feed(live.left_over(workshop.live_file(orphan.run_id, orphan.attempt)))
    for folder, _ in folders:
        remove_folder(folder)
    return Remains(orphan, has_begun, output)


def _made_at(folder: str) -> float:
    try:
        return os.stat(folder).st_mtime
    except OSError:
        return float("inf")


def settle(connection: sqlite3.Connection, remains: list[Remains], now: datetime) -> list[int]:
    """Record what becomes of lost runs, inside of a transaction; return those that were lost, without what others have settled.

    A run that never began waits for somebody else; of the others an attempt is lost, and their retry policy applies.
    """
    lost = []
    for remain in remains:
        orphan = remain.orphan
        if not claims.is_still_in_hands(connection, orphan):
            continue
        if remain.has_begun:
            _lose(connection, remain, now)
            lost.append(orphan.run_id)
        elif orphan.is_by_hand and orphan.cancel_reason is None:  # whoever wanted it then may not want it now
            ending = Ending(LOST, None, now)
            record_end(connection, orphan.run_id, orphan.attempt, ending, f"{_reason(orphan)}; it had not begun", None)
            lost.append(orphan.run_id)
        else:
            give_back(connection, [orphan.run_id], now)
    return lost


def _forget(connection: sqlite3.Connection, workshop: Workshop) -> None:
    """Remove the files of what is on record by now; of others that are gone, too."""
    # One that has ended meanwhile, and whose runs nobody has settled, still needs its notes.
    answering = {orphan.supervisor for orphan in claims.in_hands(connection)}
    for supervisor in begun.supervisors(workshop.state):
        if supervisor not in answering and not processes.is_alive(supervisor):
            begun.remove(begun.path_of(workshop.state, supervisor))
    for folder, keeper in workshop.spares():
        if processes.has_ended(keeper):
            remove_folder(folder)
    for run_id, attempt in workshop.live_attempts():
        if not claims.is_under_way(connection, run_id, attempt):
            live.remove(workshop.live_file(run_id, attempt))


def _lose(connection: sqlite3.Connection, remains: Remains, now: datetime) -> None:
    orphan = remains.orphan
    status, reason = (LOST, _reason(orphan)) if orphan.cancel_reason is None else (CANCELLED, orphan.cancel_reason)
    ending = Ending(
        status,
        orphan.started_at or now,
        now,
        reason,
        output=remains.output.kept(),
        output_dropped_bytes=remains.output.dropped,
    )
    retry_at = None if orphan.cancel_reason is not None else orphan.retry.next_at(orphan.attempt, now)
    has_more = orphan.attempt > 1 or retry_at is not None
    said = f"attempt {orphan.attempt} of {orphan.retry.attempts}: {reason}" if has_more else reason
    record_end(connection, orphan.run_id, orphan.attempt, ending, said, retry_at)


def _reason(orphan: Orphan) -> str:
    if processes.was_rebooted(orphan.supervisor):
        return "the machine was started again while it ran"
    pid = orphan.supervisor.split(":", 2)[1]
    return f"the runner that supervised it (pid {pid}) is gone"
