"""From an accepted document to a frozen Task or Settings."""

from __future__ import annotations

from runner.model.settings import Settings
from runner.model.task import ScheduleSpec, Task, id_of
from runner.schedule.duration import parse_duration
from runner.schedule.parse import normal_unit
from runner.taskfile.document import Document
from runner.taskfile.draft import Draft
from runner.taskfile.rules.python_syntax import first_line


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
    defaults = value.get("defaults", {})
    plain = Settings()
    return Settings(
        timezone=value.get("timezone", plain.timezone),
        ref=value.get("ref", plain.ref),
        max_parallel=int(value.get("max_parallel", plain.max_parallel)),
        timeout=parse_duration(defaults["timeout"]) if "timeout" in defaults else plain.timeout,
        kill_grace=parse_duration(defaults["kill_grace"]) if "kill_grace" in defaults else plain.kill_grace,
        owner=defaults.get("owner", plain.owner),
        tags=tuple(defaults.get("tags", plain.tags)),
    )
