"""What a tick has decided, as ids of runs: small enough to be told from one process to another."""

from __future__ import annotations


class Decided:
    """`claimed` are to be run, `skipped` are not, `lost` were in the hands of somebody who is gone."""

    __slots__ = ("claimed", "lost", "skipped")

    def __init__(self) -> None:
        self.claimed: list[int] = []
        self.skipped: list[int] = []
        self.lost: list[int] = []

    def encode(self) -> str:
        """Return the ids as three lines."""
        return "\n".join(" ".join(map(str, ids)) for ids in (self.claimed, self.skipped, self.lost))

    @classmethod
    def decode(cls, text: str) -> Decided:
        """Return what `encode` has made a text of."""
        made = cls()
        made.claimed, made.skipped, made.lost = ([int(word) for word in line.split()] for line in text.split("\n"))
        return made
