"""Rehearse the tasks that a change adds or alters: run them with next to nothing granted, before the merge.

A rehearsal may read the files of its commit, and import what its task declares. With a context, it has the permissions
that the base of the change grants to this context, and is rolled back. It is no run: nothing of it is on record.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import timedelta

from runner.errors import RunnerError
from runner.execution.hosting.host import Hosting
from runner.execution.owners.owner import Owner
from runner.execution.supervising.events import Ended, Refused
from runner.execution.supervising.pool import Pool
from runner.execution.supervising.run_environment import RunEnvironment
from runner.execution.supervising.signals import REASONS
from runner.model.attempt_result import DENIED, AttemptResult
from runner.model.change import ACTIVATED, ADDED, CHANGED, NOT_REHEARSED, REPAIRED, Plan, Rehearsal
from runner.model.job import Job
from runner.model.permissions import NOTHING, REQUIRED, Permissions
from runner.model.retry import ONCE
from runner.model.statuses import FAILED, WORKTREE
from runner.model.task import Task
from runner.operations.reviewing.sides import Candidate, Sides
from runner.operations.ticking.applications import hosts_for
from runner.operations.ticking.run_files import Files
from runner.operations.ticking.task_filter import SandboxMissingError, with_filter
from runner.operations.workspace import Workspace
from runner.store.queue import RunSettings, job_of
from runner.taskfile.permissions import added, grants
from runner.value import replace

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from runner.execution.supervising.executor import Executor

#: The kinds of change after which a task is rehearsed.
_REHEARSED = frozenset({ADDED, CHANGED, ACTIVATED, REPAIRED})
#: A rehearsal has this time, or the timeout of its task if that is shorter.
_LONGEST = timedelta(seconds=10)
_GRACE = timedelta(seconds=1)
#: How much of the output is shown.
_MOST_OUTPUT = 4_000
#: The name of a store in the marks of processes, where there is none.
_NO_STORE = "plan"


class _NotRehearsedError(Exception):
    """A task is not rehearsed. The message says why."""


def with_rehearsals(workspace: Workspace, plan: Plan, sides: Sides) -> Plan:
    """Return a plan with what the rehearsals of its tasks have shown. Raises RunnerError, KeyboardInterrupt."""
    wanted = {change.id for change in plan.tasks if not _REHEARSED.isdisjoint(change.kinds)}
    chosen = [candidate for candidate in sides.tasks if candidate.task.id in wanted]
    with tempfile.TemporaryDirectory(prefix="runner-rehearsal-", ignore_cleanup_errors=True) as folder:
        state = os.path.realpath(folder)
        for name in ("work", "data", "live", "files", "filters", "owners"):
            os.mkdir(f"{state}/{name}")
        found = _rehearse(Workspace(workspace.root, state), plan.head.commit or WORKTREE, chosen, sides)
        shutil.rmtree(f"{state}/files", ignore_errors=True)
    return replace(plan, tasks=tuple(replace(change, rehearsal=found.get(change.id)) for change in plan.tasks))


def _rehearse(workspace: Workspace, commit: str, candidates: Sequence[Candidate], sides: Sides) -> dict[str, Rehearsal]:
    """Return the rehearsals by the ids of their tasks."""
    files = Files(workspace, sides.head.files, None, f"{workspace.state}/files/unfinished")
    jobs: list[Job] = []
    found: dict[str, Rehearsal] = {}
    for number, candidate in enumerate(candidates, 1):
        try:
            job = files.with_files(_job(candidate, number, commit, sides))
            jobs.append(with_filter(job, workspace.root, workspace.state))
        except _NotRehearsedError as error:
            found[candidate.task.id] = Rehearsal(NOT_REHEARSED, str(error))
        except SandboxMissingError as error:
            found[candidate.task.id] = Rehearsal(NOT_REHEARSED, f"this machine does not hold {error.missing}")
    results = _run(workspace, jobs, sides)
    tasks = {candidate.task.id: candidate.task for candidate in candidates}
    return found | {task: _rehearsal(result, tasks[task]) for task, result in results.items()}


def _job(candidate: Candidate, number: int, commit: str, sides: Sides) -> Job:
    task = candidate.task
    if task.dependencies:
        raise _NotRehearsedError("its packages are installed when they are needed, after the merge")
    granted = replace(NOTHING, sandbox=REQUIRED, imports=task.permissions.imports)
    if task.context:
        granted = replace(added(granted, _of_context(task.context, sides)), sandbox=REQUIRED)
    job = job_of(task, number, 1, None, retry=ONCE)
    return replace(
        job,
        permissions=granted,
        rollback=bool(task.context),
        timeout=min(task.timeout, _LONGEST),
        kill_grace=_GRACE,
        secrets=(),
        run_as="",
        commit=commit,
        blob=candidate.blob,
        data=str(number),
    )


def _of_context(name: str, sides: Sides) -> Permissions:
    """Return the permissions of a context on the base of the change, which is reviewed already."""
    contexts = {context.name: context for context in sides.base.contexts}
    if name not in contexts:
        raise _NotRehearsedError(f"the context `{name}` is not on the base of the change")
    if not contexts[name].settings:
        raise _NotRehearsedError(f"the context `{name}` is no Django project, which could be rolled back")
    return contexts[name].permissions


def _run(workspace: Workspace, jobs: Iterable[Job], sides: Sides) -> dict[str, AttemptResult]:
    """Run all jobs; return how they ended, by the ids of their tasks.

    Contexts are those of the base: what sets an application up is not held, and the change may name another program.
    """
    settings = sides.head
    plain, hosted = [job for job in jobs if not job.context], [job for job in jobs if job.context]
    environment = RunEnvironment(workspace.root, workspace.state, _NO_STORE)
    owner = Owner(workspace.state)
    try:
        found = _executed(Pool(environment, owner), plain, settings.max_parallel) if plain else {}
        if hosted:
            run_settings = RunSettings(_NO_STORE, 1, _GRACE, None, settings.files, None, sides.base.contexts)
            hosts = hosts_for(workspace, run_settings, Hosting(environment, owner.made))
            found |= _executed(hosts, hosted, settings.max_parallel)
    finally:
        owner.close()
    return found


def _executed(executor: Executor, jobs: Sequence[Job], at_once: int) -> dict[str, AttemptResult]:
    found: dict[str, AttemptResult] = {}
    waiting: deque[Job] = deque(jobs)
    under_way: set[int] = set()
    with executor:
        while (waiting or under_way) and executor.signals.stopped_by is None and not executor.is_lost:
            while waiting and len(under_way) < at_once:
                job = waiting.popleft()
                under_way.add(job.run_id)
                executor.start(job)
            for event in executor.wait(1.0):
                if isinstance(event, Refused):
                    raise RunnerError(f"a rehearsal could not be started: {event.why}")
                if isinstance(event, Ended):
                    under_way.discard(event.job.run_id)
                    found[event.job.task] = event.result
    if executor.signals.stopped_by == signal.SIGINT:
        raise KeyboardInterrupt
    if executor.signals.stopped_by is not None:
        raise RunnerError(REASONS[executor.signals.stopped_by])
    return found


def _rehearsal(result: AttemptResult, task: Task) -> Rehearsal:
    output = result.output.decode("utf-8", "replace")
    needs, is_granted = "", False
    if result.status == FAILED and result.error is not None and result.error.type == DENIED:
        needs = result.error.message.partition("`")[2].partition("`")[0]
        is_granted = grants(task.permissions, needs)
    return Rehearsal(
        status=result.status,
        reason=result.reason or "",
        output=output if len(output) <= _MOST_OUTPUT else f"{output[:_MOST_OUTPUT]}…",
        needs=needs,
        is_granted=is_granted,
        changes=result.rehearsal,
    )
