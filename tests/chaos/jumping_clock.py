"""The clock of the simulation: mostly a minute further, and now and then set by somebody who should not have."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.support.project import MINUTE, NOON

_HOUR, _DAY, _YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)
_TO_1970 = 56 * _YEAR  # where a clock without a battery begins
_JUMPS, _ODDS = (_HOUR, _DAY, _YEAR, _TO_1970), (20, 4, 2, 2)
_JUMP = 0.06
_LONGEST = 5  # rounds that a wrong clock stays wrong


@dataclass
class JumpingClock:
    """`corrections` are jumps to come, by round: a clock that was set wrong is set right again.

    Unless it `may_go_far_back`, it goes back by no more than an hour. Either way tasks go on from the present, and
    slots can be counted again that were counted as missed.
    """

    may_go_far_back: bool
    now: datetime = NOON
    latest: datetime = NOON
    corrections: dict[int, timedelta] = field(default_factory=dict)

    def advance(self, number: int, dice: random.Random) -> timedelta | None:
        """Go on to a round; return by how much the clock jumped, None where it went on as clocks do."""
        jump = self.corrections.pop(number, None)
        if jump is None and not self.corrections and dice.random() < _JUMP:
            jump = self._jump(number, dice)
        # Cron comes a little late. No more than this: a tick stays for retries that come due in its minute.
        second = timedelta(seconds=dice.choice((0, 0, 0, 1, 2)))
        self.now = self.now.replace(second=0) + MINUTE + second + (jump or timedelta(0))
        self.latest = max(self.latest, self.now)
        return jump

    def _jump(self, number: int, dice: random.Random) -> timedelta:
        """Jump.

        Back is for a while: until then nothing new is due. Forth is for good, or for a while, and then for good.
        """
        [size] = dice.choices(_JUMPS, _ODDS)
        if size == _TO_1970 and not self.may_go_far_back:
            size = _YEAR
        way = dice.choice(("back", "forth", "forth and back")) if size == _HOUR or self.may_go_far_back else "forth"
        way = "back" if size == _TO_1970 else way
        right = number + dice.randint(1, _LONGEST)
        if way == "back":
            self.corrections = {right: size}
        elif way == "forth and back":
            self.corrections = {right: -size, right + dice.randint(1, _LONGEST): size}
        return -size if way == "back" else size
