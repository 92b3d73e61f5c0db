"""Run one task now, because a person asks for it. Its schedule does not change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from runner import clock
from runner.errors import RunnerError, UsageError
from runner.execution.hosting.environments import is_built
from runner.execution.owners.owner import Owner
from runner.execution.supervising.events import Printed
from runner.execution.supervising.pool import Pool
from runner.execution.supervising.run_environment import RunEnvironment
from runner.model.attempt_result import AttemptResult
from runner.model.environment import is_application
from runner.model.job import Job
from runner.model.run import RunDetails
from runner.model.statuses import CANCELLED, FORBID, REPLACE, RUNNING
from runner.model.stored import StoredTask
from runner.model.wait import Wait
from runner.operations.acting.cancel import wait_for_end
from runner.operations.lookup import known_task
from runner.operations.ticking.current import bring_up_to_date
from runner.operations.ticking.lost_runs import end_lost
from runner.operations.ticking.progress import Watch
from runner.operations.ticking.supervisor import Supervisor, interrupted
from runner.operations.workspace import Workspace
from runner.store import catalogs, claims, history, queue
from runner.store.claims import RunRequest
from runner.store.database import deciding, reading
from runner.store.endings import AttemptEnd, end_attempt
from runner.store.queue import RunSettings
from runner.store.session import Deciding
from runner.value import Value, replace

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from runner.execution.supervising.executor import Executor


class Observer(Value):
    """Callbacks of the command. `show` receives the output of the task, None where it is not shown.

    `waits` receives what the run has to wait for; `say` receives sentences about owners that do not answer.
    """

    show: Callable[[bytes], None] | None
    say: Callable[[str], None]
    waits: Callable[[Wait], None]


class Claimed(Value):
    """A run that this process owns, with its settings. `in_the_way` maps the runs that it replaces to their owners."""

    job: Job
    run_settings: RunSettings
    in_the_way: dict[int, str]


class HowToRun(Value):
    """What a person asks for: the files of the work tree, or a rehearsal."""

    worktree: bool = False
    rollback: bool = False


_PLAINLY = HowToRun()


def run_now(
    workspace: Workspace, task_id: str, now: datetime, observer: Observer, how: HowToRun = _PLAINLY
) -> RunDetails:
    """Run a task; return the run when it has ended. Raises RunnerError, UsageError."""
    with owned(workspace) as owner:
        return run_claimed(workspace, owner, to_be_run(workspace, task_id, owner.name, now, how), now, observer)


def to_be_run(workspace: Workspace, task_id: str, owner: str, now: datetime, how: HowToRun) -> Claimed:
    """Claim a run of a task, and return it. Raises RunnerError, UsageError."""
    claim_run = _claim_trial if how.worktree else _claim_committed
    return claim_run(workspace, task_id, owner, now, rollback=how.rollback)


def _rehearsed(claimed: Claimed, *, rollback: bool) -> Claimed:
    """Return a claimed run as a rehearsal, if `rollback` asks for one. Raises UsageError where there can be none."""
    if not rollback:
        return claimed
    job = claimed.job
    context = claimed.run_settings.context(job.context)
    if context is None or not context.settings:
        reason = f"its context `{job.context}` is none" if is_application(job.context) else "it has no context"
        raise UsageError(
            f"the task {job.task} cannot be rehearsed: that needs a Django project, and {reason}",
            "run it without --rollback",
        )
    return replace(claimed, job=replace(job, rollback=True))


def _claim_trial(workspace: Workspace, task_id: str, owner: str, now: datetime, *, rollback: bool) -> Claimed:
    from runner.operations.acting.trial import claim_trial, settings_of_trial, trial_of  # noqa: PLC0415 - loads YAML

    trial, settings = trial_of(workspace, task_id, now)
    with deciding(workspace.database) as session, session.transaction():
        claimed = Claimed(claim_trial(session, trial, owner, now), settings_of_trial(session, settings), {})
        return _rehearsed(claimed, rollback=rollback)


def _claim_committed(workspace: Workspace, task_id: str, owner: str, now: datetime, *, rollback: bool) -> Claimed:
    with deciding(workspace.database) as session:
        bring_up_to_date(session, workspace, now)
        end_lost(workspace, now)
        with session.transaction():
            return _rehearsed(_claim(session, workspace.root, task_id, owner, now), rollback=rollback)


@contextmanager
def owned(workspace: Workspace) -> Iterator[Owner]:
    """Yield an owner for runs of this process. Raises StoreError."""
    owner = Owner(workspace.state)
    is_done = False
    try:
        yield owner
        is_done = True
    finally:
        owner.close(keep=not is_done)


def run_claimed(
    workspace: Workspace,
    owner: Owner,
    claimed: Claimed,
    now: datetime,
    observer: Observer,
    watch: Watch | None = None,
) -> RunDetails:
    """Run a claimed run once the runs that it replaces have ended; return it when it has ended.

    `watch` receives its events in place of that of the observer. Raises RunnerError.
    """
    try:
        if claimed.in_the_way:
            observer.waits(_for_replaced(workspace, claimed))
        wait_for_end(workspace, claimed.in_the_way, now, observer.say)
    except KeyboardInterrupt:
        _record_cancelled(workspace, owner, claimed.job)
        raise KeyboardInterrupt(interrupted([claimed.job])) from None
    run_settings = claimed.run_settings
    environment = RunEnvironment(workspace.root, workspace.state, run_settings.store_id)
    watch = watch or watch_of(workspace, observer)
    waits = partial(_wait_for_slot, workspace, claimed.job, observer)
    executor: Executor
    dependencies = claimed.job.dependencies
    if dependencies and not is_built(workspace.state, dependencies):
        observer.say(f"the environment with {', '.join(dependencies)} is built first")
    if claimed.job.context:
        from runner.execution.hosting.host import Hosting  # noqa: PLC0415 - only for tasks with a context
        from runner.operations.ticking.applications import hosts_for  # noqa: PLC0415 - as above

        hosting = Hosting(environment, owner.made, run_settings.secrets_file, observer.show is not None)
        executor = hosts_for(workspace, run_settings, hosting)
    else:
        executor = Pool(environment, owner, run_settings.secrets_file, tells_output=observer.show is not None)
    Supervisor(workspace, run_settings, owner.name, executor, now, waits, watch=watch).run(claimed.job)
    with reading(workspace.database) as session:
        details = history.run_details(session, claimed.job.run_id)
    if details is None:
        raise RunnerError(f"run {claimed.job.run_id} is no longer on record", "was the database replaced meanwhile?")
    return details


def watch_of(workspace: Workspace, observer: Observer) -> Watch | None:
    """Return a watch that passes the output of the task to an observer; None where it shows none."""
    show = observer.show
    if show is None:
        return None
    return Watch(
        workspace.database, lambda news: show(news.data) if isinstance(news, Printed) else None, wants_output=True
    )


def _for_replaced(workspace: Workspace, claimed: Claimed) -> Wait:
    with reading(workspace.database) as session:
        return Wait(tuple(history.runs_by_id(session, claimed.in_the_way)))


def _wait_for_slot(workspace: Workspace, job: Job, observer: Observer) -> None:
    with reading(workspace.database) as session:
        limit = queue.run_settings(session).max_parallel
        running = list(reversed(history.find_runs(session, status=RUNNING)))
    observer.waits(Wait(tuple(run for run in running if run.run_id != job.run_id and run.is_under_way()), limit))


def _record_cancelled(workspace: Workspace, owner: Owner, job: Job) -> None:
    """Record that a run was cancelled by Ctrl-C before it was started."""
    reason = "Ctrl-C before it was started"
    end = AttemptEnd(job.run_id, job.attempt, owner.name, AttemptResult(CANCELLED, None, clock.now(), reason), reason)
    with deciding(workspace.database) as session, session.transaction():
        end_attempt(session, end)


def _claim(session: Deciding, root: str, task_id: str, owner: str, now: datetime) -> Claimed:
    stored = known_task(session, task_id, root)
    if stored.version is None or stored.blob is None:
        what = "was never valid" if stored.blob is not None else "is gone"
        raise UsageError(f"the task {task_id} cannot run: its file {what}", "see `runner status`")
    commit = stored.valid_commit or catalogs.source(session).commit
    return claim(session, stored, RunRequest(stored.key, stored.version, commit), owner, now)


def claim(session: Deciding, stored: StoredTask, request: RunRequest, owner: str, now: datetime) -> Claimed:
    """Claim a run that a person asks for, and return it. Call it inside a transaction. Raises RunnerError."""
    under_way = claims.runs_under_way(session, stored.key, or_tried=True)
    if under_way and stored.policy.concurrency_policy == FORBID:
        raise RunnerError(
            f"the task {stored.id} is running already (run {under_way[-1]})",
            f"wait for it, or end it: `runner cancel {under_way[-1]}`",
        )
    run_id = claims.claim_by_hand(session, request, owner, now)
    in_the_way = _replace(session, stored, under_way, run_id, now)
    return Claimed(queue.taken_job(session, run_id), queue.run_settings(session), in_the_way)


def _replace(
    session: Deciding, stored: StoredTask, under_way: tuple[int, ...], run_id: int, now: datetime
) -> dict[int, str]:
    if stored.policy.concurrency_policy != REPLACE:
        return {}
    asked = {old: queue.ask_to_end(session, old, f"replaced by run {run_id}", now) for old in under_way}
    return {old: owner for old, owner in asked.items() if owner is not None}
