"""The application of a context in a storm: what its set-up does next depends on a file, which the storm writes."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

#: The faults of a set-up, and of a host after it. An alarm kills the host alone: children do not inherit it.
_CODE = """\
import os, resource, signal, time

def setup():
    with open({fault!r}) as file:
        fault = file.read()
    if fault == "slow":
        time.sleep(0.5)
    elif fault == "hangs":
        time.sleep(60)
    elif fault == "raises":
        raise RuntimeError("no")
    elif fault == "exits":
        os._exit(9)
    elif fault == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "has no memory":
        _keep_free(0)
        bytearray(100_000_000)
    elif fault == "has little memory later":
        _keep_free(2_000_000)
    elif fault == "dies later":
        signal.setitimer(signal.ITIMER_REAL, 0.2)
    elif fault == "is stopped later":
        if os.fork() == 0:
            os.setsid()
            time.sleep(0.2)
            os.kill(os.getppid(), signal.SIGSTOP)
            time.sleep(1)
            os.kill(os.getppid(), signal.SIGCONT)
            os._exit(0)
    return {{"shop": "the shop"}}

def _keep_free(free):
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + free, used + free))
"""
_FAULTS = (
    "slow",
    "hangs",
    "raises",
    "exits",
    "is killed",
    "has no memory",
    "has little memory later",
    "dies later",
    "is stopped later",
)
#: How often an application without a fault gets one, and one with a fault is repaired.
_BREAKS, _REPAIRS = 0.12, 0.4


@dataclass
class Application:
    """A folder with a module that `runner.yaml` names."""

    folder: Path
    fault: str = ""

    def make(self) -> None:
        """Write the module; nothing is wrong with it."""
        self.folder.mkdir()
        (self.folder / "shop.py").write_text(_CODE.format(fault=str(self._file)))
        self.repair()

    def settings(self) -> str:
        """Return the lines of `runner.yaml`."""
        keys = f"path: {self.folder}, setup: 'shop:setup', timeout: 2s, max_parallel: 3"
        return f"contexts:\n  shop: {{{keys}}}\n"

    def change(self, dice: random.Random) -> str | None:
        """Give it a fault, or repair it; return what was done, None for nothing."""
        if dice.random() >= (_REPAIRS if self.fault else _BREAKS):
            return None
        self._put("" if self.fault else dice.choice(_FAULTS))
        return f"the set-up {self.fault}" if self.fault else "the set-up works again"

    def repair(self) -> None:
        """Have nothing wrong with it."""
        self._put("")

    def _put(self, fault: str) -> None:
        self.fault = fault
        self._file.with_suffix(".new").write_text(fault)
        self._file.with_suffix(".new").replace(self._file)

    @property
    def _file(self) -> Path:
        return self.folder / "fault"
