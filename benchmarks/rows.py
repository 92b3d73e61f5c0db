"""The rows of the two tables, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import Sample

_MIB = 1024
_TIMES = "×"  # noqa: RUF001 - the sign of ratios

HEADING = ("what", "against", "measured", "goal", "")
COMPARED = ("what", "runner", "peer", "ratio time", "ratio CPU", "peak memory runner / peer", "goal")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `goal` is the largest accepted ratio (or MiB); None means that there is no goal."""

    what: str
    against: str
    measured: float
    goal: float | None
    unit: str = _TIMES

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table."""
        shown = f"{self.measured:.2f} {self.unit}"
        goal_cells = (
            ("", "") if self.goal is None else (f"≤ {self.goal:g} {self.unit}", _result(self.measured, self.goal))
        )
        return (self.what, self.against, shown, *goal_cells)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runner and a peer, with samples of the same run. `goal` is the largest accepted ratio of time."""

    what: str
    peer: str
    ours: Sample
    theirs: Sample
    goal: float | None

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table. A ratio below one means that runner takes less."""
        ratio = self.ours.seconds / self.theirs.seconds
        return (
            self.what,
            _duration(self.ours),
            f"{self.peer}: {_duration(self.theirs)}",
            f"{ratio:.2f} {_TIMES}",
            f"{self.ours.cpu / self.theirs.cpu:.2f} {_TIMES}",
            f"{self.ours.peak / _MIB:.1f} / {self.theirs.peak / _MIB:.1f} MiB",
            "" if self.goal is None else f"time ≤ {self.goal:.2g} {_TIMES}: {_result(ratio, self.goal)}",
        )


@dataclass(frozen=True, slots=True)
class Absence:
    """A comparison that this machine cannot make, and why."""

    what: str
    peer: str
    reason: str

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table."""
        reason = self.reason.replace("|", "/")
        return (self.what, "", f"{self.peer}: not measured, {reason}", "", "", "", "")


def in_mebibytes(sample: Sample) -> float:
    """Return the peak memory of a sample in MiB."""
    return sample.peak / _MIB


def line(cells: Sequence[str]) -> str:
    """Return one line of a table."""
    return f"| {' | '.join(cells)} |"


def heading(cells: Sequence[str]) -> str:
    """Return the two lines above the rows of a table."""
    return f"{line(cells)}\n|{'---|' * len(cells)}"


def _result(measured: float, goal: float) -> str:
    return "reached" if measured <= goal else "MISSED"


def _duration(sample: Sample) -> str:
    return f"{sample.seconds:.2f} s" if sample.seconds >= 1 else f"{sample.seconds * 1000:.0f} ms"
