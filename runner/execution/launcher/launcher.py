"""Two processes for one tick: the *decider* decides, records and reports; the *launcher* forks children and supervises them.

The launcher loads little, so that it forks quickly, and no database is ever open where a child is forked; both load at once. They
are joined by two pipes that carry plain values. If the decider dies, the launcher ends the children that it has started. If the
launcher dies, the kernel kills its children, and the decider records what it knows and ends.
"""

from __future__ import annotations

import os

# What `signal` does around it, for names of signals, is loaded while the decider loads.
from _signal import SIG_DFL, SIGCHLD  # type: ignore[import-not-found]
from _signal import signal as set_handler

from runner.execution.launcher.messages import Receiver, Sender

TYPE_CHECKING = (
    False  # the name is enough for type checkers; `typing` itself stays off the path of the process that forks
)
if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.execution.owners.owner import Owner

    Decider = Callable[[Receiver, Sender], int]


def with_decider(state: str, made: tuple[str, int], decider: Decider) -> int:
    """Fork the decider, be its launcher until it ends, and return its exit code: negative where a signal ended it.

    `decider` is given the two ends of its pipes, and returns its exit code. `made` is what `become_owner` has returned.
    """
    # Where the caller ignores it, the kernel would reap the child before anybody can ask how it ended.
    old = set_handler(SIGCHLD, SIG_DFL)
    orders, orders_end = os.pipe()
    events, events_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            os.close(orders)
            os.close(events_end)
            code = decider(Receiver(events), Sender(orders_end))
        finally:
            os._exit(code)
    os.close(orders_end)
    os.close(events)
    owner, code = None, -1
    try:
        # Loaded while the decider loads what it decides with.
        from runner.execution.owners.owner import Owner  # noqa: PLC0415

        owner = Owner(state, made)
        owner.add(pid)
        _serve(owner, Receiver(orders), Sender(events_end))
    finally:
        os.close(orders)
        os.close(events_end)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if owner is not None:
            # One that has failed may not have recorded all that has begun: the next tick reads it there.
            owner.close(keep=code < 0 or (code > 0 and owner.is_at_work))
        set_handler(SIGCHLD, old)
    return code


def _serve(owner: Owner, orders: Receiver, events: Sender) -> None:
    # Loaded while the decider loads what it decides with.
    from runner.execution.launcher.server import Server  # noqa: PLC0415

    while not orders.is_closed:
        messages = orders.receive()
        if messages:  # the first one opens; others may have come with it
            (_, *values), *others = messages
            owner.is_at_work = True
            Server(owner, orders, events).serve(others, *values)
            return
