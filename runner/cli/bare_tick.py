"""A tick with something to do, past typer: what cron runs."""

from __future__ import annotations

from runner import clock, wiring
from runner.cli.state_folder import prepare_state
from runner.operations.site import Site
from runner.operations.tick import tick
from runner.report import tick_text

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Iterator


def tick_lines(root: str, state: str) -> Iterator[str]:
    """Run what is due; yield the lines that say what was done. Raises RunnerError."""
    site = Site(root, state)
    prepare_state(site)
    report = tick(site, wiring.refresher(site), clock.now())
    return tick_text.tick_lines(report, clock.now())
