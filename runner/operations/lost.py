"""Runs whose tick is gone: what is left of them is ended, and they are marked lost."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from runner.execution import processes
from runner.execution.workshop import Workshop, remove_folder
from runner.store import claims
from runner.store.claims import Orphan


def find_lost(connection: sqlite3.Connection) -> list[Orphan]:
    """Return the runs that have not ended and whose supervising process is gone."""
    alive: dict[str, bool] = {}
    lost = []
    for orphan in claims.unfinished(connection):
        if orphan.supervisor not in alive:
            alive[orphan.supervisor] = processes.is_alive(orphan.supervisor)
        if not alive[orphan.supervisor]:
            lost.append(orphan)
    return lost


def end_leftovers(workshop: Workshop, lost: list[Orphan]) -> None:
    """Kill what lost runs have left running, and remove their private folders; before anything else of theirs is started."""
    for orphan in lost:
        folders = workshop.leftovers(orphan.run_id)
        if not processes.was_rebooted(orphan.supervisor):
            for leader in [leader for _, leader in folders] or [0]:
                processes.end_marked(workshop.mark(orphan.run_id), leader)
        for folder, _ in folders:
            remove_folder(folder)
    for folder in workshop.abandoned_spares() if lost else ():
        remove_folder(folder)


def mark_lost(connection: sqlite3.Connection, lost: list[Orphan], now: datetime) -> list[int]:
    """Mark lost runs, inside of a transaction; return their ids, without those that another tick has marked meanwhile."""
    return [orphan.run_id for orphan in lost if claims.mark_lost(connection, orphan, _reason(orphan), now)]


def _reason(orphan: Orphan) -> str:
    if processes.was_rebooted(orphan.supervisor):
        return "the machine was started again while it ran"
    pid = orphan.supervisor.split(":", 2)[1]
    return f"the runner that supervised it (pid {pid}) is gone"
