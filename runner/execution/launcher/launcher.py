"""The two processes of a tick: the *decider* decides and records; the *launcher* forks and supervises children.

The launcher imports little, so that a fork is quick, and has no database open. Both processes import their modules at
the same time. Two pipes between them carry plain values. If the decider dies, the launcher ends the children that it
has started. If the launcher dies, the kernel kills its children, and the decider records what it knows and ends.
"""

from __future__ import annotations

import os

# The module `signal` adds enums around these, which take time to load: that can wait until the decider is forked.
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
    """Fork the decider, work as its launcher until it ends, and return its exit code: negative if a signal killed it.

    `decider` is called in the new process with its ends of the two pipes, and returns the exit code. `made` is the
    result of `become_owner`.
    """
    # If the caller ignores SIGCHLD, the kernel reaps children, and their exit status is lost (wait(2)).
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
        # Imported after the fork, so that both processes import their modules at the same time.
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
            # A decider that has failed may not have recorded every begun attempt: the next tick reads the owner file.
            owner.close(keep=code < 0 or (code > 0 and owner.is_at_work))
        set_handler(SIGCHLD, old)
    return code


def _serve(owner: Owner, orders: Receiver, events: Sender) -> None:
    # Imported after the fork, as above.
    from runner.execution.launcher.server import Server  # noqa: PLC0415

    while not orders.is_closed:
        messages = orders.receive()
        if messages:  # the first one has the arguments of `serve`; orders may have come with it
            (_, *values), *others = messages
            owner.is_at_work = True
            Server(owner, orders, events).serve(others, *values)
            return
