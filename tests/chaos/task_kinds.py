"""The kinds of tasks that live through the storm.

Each execution leaves one line with a witness outside of the state.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import zones

#: One write for a line: whatever happens to the writer, the line is there or it is not.
_WITNESS = """\
import fcntl, os, time
said = os.open({witness!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
slot = int(task.scheduled_for.timestamp()) if task.scheduled_for else "-"
os.write(said, f"{key} {{slot}} {{task.attempt}} {{task.run_id}}\\n".encode())
"""
#: Held by all that a run leaves behind, too: the next one finds out.
_ALONE = """\
alone = os.open({lock!r}, os.O_RDWR | os.O_CREAT, 0o600)
os.set_inheritable(alone, True)
try:
    fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    os.write(said, f"overlap {key} {{task.run_id}}\\n".encode())
"""
_FAIL_AT_FIRST = "time.sleep(0.02)\nraise SystemExit(task.attempt < 3)"
_LITTER = """\
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
os.posix_spawn({tail!r}, ["tail", "-f", {witness!r}], {{}})
os.posix_spawn("/bin/sleep", ["sleep", "60"], os.environ)
open("left", "w").write("x" * 5000)
time.sleep(0.2)
"""
_STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)"
_LOUD = "import sys\nfor line in range(600):\n    print('x' * 499)\n    print('y', file=sys.stderr)"


@dataclass(frozen=True)
class TaskKind:
    """What a task does after it was witnessed, and the keys of its file."""

    code: str = "print('done')"
    keys: Mapping[str, object] = field(default_factory=dict)


KINDS = {
    "quick": TaskKind(),
    "slow": TaskKind("time.sleep(0.3)", {"frequency": 2, "unit": "minutes", "timeout": "20s", "kill_grace": "1s"}),
    "allowed": TaskKind("time.sleep(0.4)", {"concurrency_policy": "allow", "frequency": 2, "unit": "minutes"}),
    "replaced": TaskKind("time.sleep(0.5)", {"concurrency_policy": "replace", "timeout": "20s", "kill_grace": "1s"}),
    "zoned": TaskKind(keys={"cron": "7,23,41 * * * *", "timezone": zones.NAME}),
    "all": TaskKind("time.sleep(0.005)", {"catchup": "all", "starting_deadline": "20m"}),
    "failing": TaskKind("raise SystemExit(7)", {"retry": {"attempts": 2, "delay": "0s"}}),
    "recovering": TaskKind(
        _FAIL_AT_FIRST, {"retry": {"attempts": 3, "delay": "1s", "backoff": 1}, "frequency": 5, "unit": "minutes"}
    ),
    "retried-later": TaskKind("raise OSError('no')", {"retry": {"attempts": 3, "delay": "2m"}, "cron": "*/4 * * * *"}),
    "litter": TaskKind(_LITTER),
    "stubborn": TaskKind(_STUBBORN, {"timeout": "1s", "kill_grace": "1s", "cron": "8,25,41,59 * * * *"}),
    "loud": TaskKind(_LOUD, {"frequency": 6, "unit": "minutes"}),
    "held": TaskKind("time.sleep(0.1)", {"permissions": {"write": ["/"]}, "frequency": 2, "unit": "minutes"}),
    "hosted": TaskKind("print(shop)", {"context": "shop"}),
    "hosted-held": TaskKind(
        "print(shop)", {"context": "shop", "permissions": {"write": ["/"]}, "frequency": 2, "unit": "minutes"}
    ),
    "hosted-slow": TaskKind(
        "assert shop\ntime.sleep(0.4)", {"context": "shop", "frequency": 2, "unit": "minutes", "kill_grace": "1s"}
    ),
    "hosted-litter": TaskKind(_LITTER, {"context": "shop", "frequency": 3, "unit": "minutes"}),
}
#: What is left behind by a tick that was killed can only be ended from where it is seen: where ticks of several
#: containers take turns, another one may have said first that the run is lost, and nothing is left to be known by.
SEEN_EVERYWHERE = tuple(kind for kind in KINDS if "litter" not in kind)
#: Never edited, due every minute: every one of their slots is counted in the end.
STEADY = {
    "latest": TaskKind(),
    "allow": TaskKind("time.sleep(0.05)", {"concurrency_policy": "allow"}),
    "replace": TaskKind("time.sleep(0.1)", {"concurrency_policy": "replace", "kill_grace": "1s"}),
    "all": TaskKind(keys={"catchup": "all"}),
    "none": TaskKind(keys={"catchup": "none"}),
    "retry": TaskKind(_FAIL_AT_FIRST, {"retry": {"attempts": 3, "delay": "0s"}}),
    "hosted": TaskKind("print(shop)", {"context": "shop", "retry": {"attempts": 3, "delay": "0s"}}),
}

#: What an edit may set a key to; None takes it away. Catching up slowly would take hours of the simulation.
_EDITS: dict[str, tuple[object, ...]] = {
    "retry": (None, {"attempts": 2, "delay": "0s"}, {"attempts": 2, "delay": "1s"}, {"attempts": 2, "delay": "3m"}),
    "concurrency_policy": (None, "forbid", "allow", "replace"),
    "catchup": (None, "none", "latest", "all"),
    "jitter": (None, "2s", "3s"),
    "timezone": (None, "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", zones.NAME),
    "starting_deadline": (None, "10m", "2h"),
    "frequency": (1, 2, 5),
}
_MAY_CATCH_UP_ALL = {"quick", "all", "failing"}


@dataclass(frozen=True)
class GeneratedTask:
    """One task file. `key` stays its own through renames and edits; `version` makes its content another one."""

    key: str
    kind: str
    keys: Mapping[str, object]
    version: int = 0
    is_broken: bool = False

    def code(self, outside: Path) -> str:
        """Return the whole code, which leaves its traces in a folder outside of the state."""
        names = {"witness": str(outside / "witness"), "key": self.key, "lock": str(outside / f"lock-{self.key}")}
        parts = [_WITNESS.format(**names)]
        if self.keys.get("concurrency_policy") != "allow":
            parts.append(_ALONE.format(**names))
        own = (KINDS | STEADY)[self.kind] if not self.key.startswith("steady") else STEADY[self.kind]
        parts.append(own.code.format(tail="/usr/bin/tail", **names) if own.code == _LITTER else own.code)
        return "\n".join((*parts, f"# version {self.version}"))


def edit_of(generated: GeneratedTask, dice: random.Random) -> tuple[str, object]:
    """Choose a key of a task and its new value."""
    name = dice.choice([name for name in _EDITS if name != "frequency" or "cron" not in generated.keys])
    values = [it for it in _EDITS[name] if it != "all" or generated.kind in _MAY_CATCH_UP_ALL]
    return name, dice.choice(values)
