"""Build a Task or Settings from a document without findings."""

from __future__ import annotations

from typing import Any

from runner.model.environment import environment_name
from runner.model.limits import Limits, parse_size
from runner.model.permissions import ALL, Permissions
from runner.model.retry import Retry
from runner.model.settings import Settings
from runner.model.task import Policy, ScheduleSpec, Task, id_of
from runner.schedule.duration import parse_duration
from runner.schedule.parse import normal_unit
from runner.taskfile.contexts import build_contexts, context_of
from runner.taskfile.document import Document
from runner.taskfile.draft import Draft
from runner.taskfile.permissions import added, build_permissions
from runner.taskfile.rules.python_syntax import first_line
from runner.taskfile.script_metadata import read_metadata
from runner.value import replace

#: How many attempts a run has where `retry` does not say.
_ATTEMPTS = 3


def build_task(draft: Draft) -> Task:
    """Return the task of a draft without findings."""
    settings, dependencies = draft.settings, read_metadata(draft.get("code")).dependencies
    return Task(
        id=id_of(draft.path),
        schedule=_schedule(draft),
        active=draft.get("active"),
        code=draft.get("code"),
        code_line=first_line(draft),
        timeout=parse_duration(draft.get("timeout")) if draft.has("timeout") else settings.timeout,
        kill_grace=parse_duration(draft.get("kill_grace")) if draft.has("kill_grace") else settings.kill_grace,
        description=draft.get("description") or "",
        owner=draft.get("owner") or settings.owner,
        tags=tuple(draft.get("tags")) if draft.has("tags") else settings.tags,
        policy=_policy(draft),
        retry=_retry(draft.get("retry"), settings.retry) if draft.has("retry") else settings.retry,
        limits=_limits(draft.get("limits") or {}, settings.limits),
        env=tuple((draft.get("env") or {}).items()),
        secrets=tuple(draft.get("secrets") or ()),
        context=environment_name(dependencies) if dependencies else context_of(draft),
        rollback=bool(draft.get("rollback")),
        permissions=_permissions(draft),
        run_as=draft.get("run_as") or settings.run_as,
        dependencies=dependencies,
    )


def _permissions(draft: Draft) -> Permissions:
    """Return the permissions of a task: those of all tasks, its own, and those of its context."""
    settings, name = draft.settings, context_of(draft)
    own = added(settings.permissions, build_permissions(draft.get("permissions")))
    context = next((context for context in settings.contexts if context.name == name), None)
    if context is not None:
        own = added(own, context.permissions)
    return replace(own, sandbox=settings.sandbox)


def _policy(draft: Draft) -> Policy:
    default = Policy()
    deadline, jitter = draft.get("starting_deadline"), draft.get("jitter")
    return Policy(
        concurrency_policy=draft.get("concurrency_policy") or default.concurrency_policy,
        catchup=draft.get("catchup") or default.catchup,
        starting_deadline=None if deadline is None else parse_duration(deadline),
        jitter=default.jitter if jitter is None else parse_duration(jitter),
    )


def _retry(value: dict[str, Any], default: Retry) -> Retry:
    """Return the retry policy of the mapping `retry`. A key that it does not have is as in `default`.

    The mapping asks for retries, whatever keys it has: `attempts` is taken from `default` only where that has retries.
    """
    return Retry(
        attempts=int(value.get("attempts", default.attempts if default.attempts > 1 else _ATTEMPTS)),
        delay=parse_duration(value["delay"]) if "delay" in value else default.delay,
        backoff=float(value.get("backoff", default.backoff)),
        max_delay=parse_duration(value["max_delay"]) if "max_delay" in value else default.max_delay,
    )


def _limits(value: dict[str, Any], default: Limits) -> Limits:
    """Return the limits of the mapping `limits`. A key that it does not have is as in `default`."""
    return Limits(
        memory=parse_size(value["memory"]) if "memory" in value else default.memory,
        cpu=parse_duration(value["cpu"]) if "cpu" in value else default.cpu,
        processes=value.get("processes", default.processes),
        open_files=value.get("open_files", default.open_files),
        file_size=parse_size(value["file_size"]) if "file_size" in value else default.file_size,
    )


def _schedule(draft: Draft) -> ScheduleSpec:
    unit = draft.get("unit")
    cron = draft.get("cron")
    return ScheduleSpec(
        timezone=draft.get("timezone") or draft.settings.timezone,
        frequency=draft.get("frequency"),
        unit=None if unit is None else normal_unit(unit),
        cron=None if cron is None else " ".join(cron.split()),
        rrule=draft.get("rrule"),
        start=draft.get("start"),
        end=draft.get("end"),
    )


def build_settings(document: Document) -> Settings:
    """Return the settings of a document without findings."""
    value = document.value
    defaults, git = value.get("defaults", {}), value.get("git", {})
    default = Settings()
    grace = value.get("shutdown_grace")
    return Settings(
        timezone=value.get("timezone", default.timezone),
        ref=git.get("ref", default.ref),
        fetch=parse_duration(git["fetch"]) if "fetch" in git else default.fetch,
        require_signed=git.get("require_signed", default.require_signed),
        allowed_signers=git.get("allowed_signers", default.allowed_signers),
        max_parallel=int(value.get("max_parallel", default.max_parallel)),
        timeout=parse_duration(defaults["timeout"]) if "timeout" in defaults else default.timeout,
        kill_grace=parse_duration(defaults["kill_grace"]) if "kill_grace" in defaults else default.kill_grace,
        owner=defaults.get("owner", default.owner),
        tags=tuple(defaults.get("tags", default.tags)),
        shutdown_grace=default.shutdown_grace if grace is None else parse_duration(grace),
        secrets_file=value.get("secrets_file", default.secrets_file),
        files=tuple(value.get("files", default.files)),
        retry=_retry(defaults["retry"], default.retry) if "retry" in defaults else default.retry,
        limits=_limits(defaults.get("limits", {}), default.limits),
        contexts=build_contexts(value.get("contexts", {})),
        context=defaults.get("context", default.context),
        permissions=build_permissions(value.get("permissions", {}).get("default")),
        most_permissions=build_permissions(value.get("permissions", {}).get("most", ALL)),
        sandbox=value.get("sandbox", default.sandbox),
        run_as=defaults.get("run_as", default.run_as),
        require_run_as=value.get("require_run_as", default.require_run_as),
    )
