"""Rows of the table, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import Sample

_MIB = 1024
_TIMES = "×"  # noqa: RUF001 - the sign of ratios

HEADING = ("what", "against", "measured", "goal", "")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `goal` is the largest ratio (or MiB) that DESIGN §10 allows."""

    what: str
    against: str
    measured: float
    goal: float
    unit: str = _TIMES

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table."""
        shown = f"{self.measured:.2f} {self.unit}"
        return (self.what, self.against, shown, f"≤ {self.goal:g} {self.unit}", _verdict(self.measured, self.goal))


def in_mebibytes(sample: Sample) -> float:
    """Return the peak memory of a sample in MiB."""
    return sample.peak / _MIB


def line(cells: Sequence[str]) -> str:
    """Return one line of a table."""
    return f"| {' | '.join(cells)} |"


def heading(cells: Sequence[str]) -> str:
    """Return the two lines above the rows of a table."""
    return f"{line(cells)}\n|{'---|' * len(cells)}"


def _verdict(measured: float, goal: float) -> str:
    return "reached" if measured <= goal else "MISSED"
