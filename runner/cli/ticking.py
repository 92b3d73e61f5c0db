"""Run a tick that has something to do, for cron's plain `runner tick` and for `runner tick` with options.

This process becomes the launcher, which forks the children of tasks. Another process decides, records and reports
(`execution/launcher/launcher.py`).
"""

from __future__ import annotations

import os
import sys

from runner.cli import streams
from runner.errors import RunnerError
from runner.execution.launcher.launcher import with_decider
from runner.execution.owners.ownership import become_owner
from runner.operations.workspace import Workspace

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.execution.hosting.hosts import Hosts
    from runner.execution.launcher.messages import Receiver, Sender
    from runner.execution.supervising.executor import Executor
    from runner.execution.supervising.run_environment import RunEnvironment
    from runner.operations.ticking.progress import Watch
    from runner.operations.ticking.tick import Request, TickReport
    from runner.store.queue import RunSettings

    Show = Callable[[TickReport], None]


def run_tick(
    workspace: Workspace, request: Request | None = None, show: Show | None = None, watch: Watch | None = None
) -> int:
    """Run what is due, show the report, by default as text, and return the exit code. Raises RunnerError.

    `watch` receives the events of runs as they happen.
    """
    if not os.path.isdir(workspace.state):
        from runner.cli.state_folder import prepare_state  # noqa: PLC0415 - once in the life of a state folder

        prepare_state(workspace)
    made = become_owner(workspace.state)
    sys.stdout.flush()
    launcher = os.getpid()
    code = with_decider(
        workspace.state,
        made,
        lambda events, orders: _run_decider(workspace, made, launcher, events, orders, request, show, watch),
    )
    if code < 0:
        raise RunnerError(
            f"the process that decides what is due was killed by signal {-code}", "the next tick continues the work"
        )
    return code


def _run_decider(
    workspace: Workspace,
    made: tuple[str, int],
    launcher: int,
    events: Receiver,
    orders: Sender,
    request: Request | None,
    show: Show | None,
    watch: Watch | None,
) -> int:
    """Run the decider of a tick, explain every error, and return the exit code."""
    try:
        from runner import clock  # noqa: PLC0415
        from runner.execution.hosting.on_demand import HostsOnDemand  # noqa: PLC0415
        from runner.execution.launcher.client import LauncherClient  # noqa: PLC0415
        from runner.operations.ticking.tick import Request, TickProcesses, tick  # noqa: PLC0415

        tells_output = watch is not None and watch.wants_output

        def executor(environment: RunEnvironment, run_settings: RunSettings) -> Executor:
            secrets_file = run_settings.secrets_file
            launcher = LauncherClient(events, orders, environment, secrets_file, tells_output=tells_output)
            return HostsOnDemand(launcher, lambda inner: _hosts(environment, run_settings, inner))

        def _hosts(environment: RunEnvironment, run_settings: RunSettings, inner: LauncherClient) -> Hosts:
            from runner.execution.hosting.host import Hosting  # noqa: PLC0415 - only for tasks with a context
            from runner.operations.ticking.applications import hosts_for  # noqa: PLC0415 - as above

            hosting = Hosting(environment, made, run_settings.secrets_file, tells_output)
            return hosts_for(workspace, run_settings, hosting, inner)

        processes = TickProcesses(
            made[0],
            executor,
            lambda: _check_parent(launcher),
            _load_report,
            watch,
        )
        report = tick(workspace, clock.now(), processes, request or Request())
        (show or _show)(report)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error is explained where it is met
        from runner.cli.failure import explain  # noqa: PLC0415 - most ticks meet no error

        return streams.finish(explain(error))
    return streams.finish(0)


def _load_report() -> None:
    """Load the modules for the report while the first children run."""
    import runner.report.tick_text  # noqa: PLC0415
    import runner.store.history  # noqa: F401, PLC0415


def _check_parent(launcher: int) -> None:
    if os.getppid() != launcher:
        raise RunnerError("the process that starts tasks was killed", "the next tick continues the work")


def _show(report: TickReport) -> None:
    from runner import clock  # noqa: PLC0415
    from runner.cli.screen import in_width, terminal_width  # noqa: PLC0415 - loaded once nothing is forked any more
    from runner.report.tick_text import tick_lines  # noqa: PLC0415

    for line in tick_lines(report, clock.now(), terminal_width()):
        print(in_width(line))
