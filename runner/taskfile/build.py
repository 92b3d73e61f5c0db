"""From an accepted document to a frozen Task or Settings."""

from __future__ import annotations

from typing import Any

from runner.model.limits import Limits, parse_size
from runner.model.retry import Retry
from runner.model.settings import Settings
from runner.model.task import Policy, ScheduleSpec, Task, id_of
from runner.schedule.duration import parse_duration
from runner.schedule.parse import normal_unit
from runner.taskfile.document import Document
from runner.taskfile.draft import Draft
from runner.taskfile.rules.python_syntax import first_line

#: How often a run is tried in all where `retry` does not say.
_ATTEMPTS = 3


def build_task(draft: Draft) -> Task:
    """Return the task of a draft without findings."""
    settings = draft.settings
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
    )


def _policy(draft: Draft) -> Policy:
    plain = Policy()
    deadline, jitter = draft.get("starting_deadline"), draft.get("jitter")
    return Policy(
        concurrency_policy=draft.get("concurrency_policy") or plain.concurrency_policy,
        catchup=draft.get("catchup") or plain.catchup,
        starting_deadline=None if deadline is None else parse_duration(deadline),
        jitter=plain.jitter if jitter is None else parse_duration(jitter),
    )


def _retry(value: dict[str, Any], below: Retry) -> Retry:
    """Return the retries that a mapping asks for; what it leaves out is as in the settings below, where those ask for any."""
    return Retry(
        attempts=int(value.get("attempts", below.attempts if below.attempts > 1 else _ATTEMPTS)),
        delay=parse_duration(value["delay"]) if "delay" in value else below.delay,
        backoff=float(value.get("backoff", below.backoff)),
        max_delay=parse_duration(value["max_delay"]) if "max_delay" in value else below.max_delay,
    )


def _limits(value: dict[str, Any], below: Limits) -> Limits:
    """Return the limits of a mapping; each that it leaves out is as in the settings below."""
    return Limits(
        memory=parse_size(value["memory"]) if "memory" in value else below.memory,
        cpu=parse_duration(value["cpu"]) if "cpu" in value else below.cpu,
        processes=value.get("processes", below.processes),
        open_files=value.get("open_files", below.open_files),
        file_size=parse_size(value["file_size"]) if "file_size" in value else below.file_size,
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
    defaults, followed = value.get("defaults", {}), value.get("git", {})
    plain = Settings()
    return Settings(
        timezone=value.get("timezone", plain.timezone),
        ref=followed.get("ref", plain.ref),
        fetch=parse_duration(followed["fetch"]) if "fetch" in followed else plain.fetch,
        require_signed=followed.get("require_signed", plain.require_signed),
        allowed_signers=followed.get("allowed_signers", plain.allowed_signers),
        max_parallel=int(value.get("max_parallel", plain.max_parallel)),
        timeout=parse_duration(defaults["timeout"]) if "timeout" in defaults else plain.timeout,
        kill_grace=parse_duration(defaults["kill_grace"]) if "kill_grace" in defaults else plain.kill_grace,
        owner=defaults.get("owner", plain.owner),
        tags=tuple(defaults.get("tags", plain.tags)),
        shutdown_grace=parse_duration(value["shutdown_grace"]) if "shutdown_grace" in value else plain.shutdown_grace,
        secrets_file=value.get("secrets_file", plain.secrets_file),
        files=tuple(value.get("files", plain.files)),
        retry=_retry(defaults["retry"], plain.retry) if "retry" in defaults else plain.retry,
        limits=_limits(defaults.get("limits", {}), plain.limits),
    )
