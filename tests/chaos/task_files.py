"""The repository of tasks, and people who change it while the ticks go on."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.chaos.application import Application
from tests.chaos.task_kinds import KINDS, STEADY, GeneratedTask, edit_of
from tests.support import old_stores
from tests.support.project import Project

_FEWEST, _MOST = 6, 14
_SETTINGS = "shutdown_grace: 1s\nmax_parallel: {}\n"
_BREAKS = ("unknown: 1\n", "active: yes\n", "\tx\n", "code: |\n  def (\n")


@dataclass
class TaskFiles:
    """`generated` are the tasks by their ids, without the steady ones, which nobody ever touches."""

    project: Project
    outside: Path
    application: Application
    generated: dict[str, GeneratedTask] = field(default_factory=dict)
    names: int = 0
    kinds: tuple[str, ...] = tuple(KINDS)

    def begin(self) -> None:
        """Commit one task of every kind."""
        for kind, what in STEADY.items():
            self._write(f"steady/{kind}", GeneratedTask(f"steady-{kind}", kind, what.keys))
        for kind in self.kinds:
            self._generate(kind)
        for name in old_stores.FILES:  # of an older store, where the storm begins with one
            (self.project.root / f"tasks/{name}.yaml").unlink(missing_ok=True)
        self._write_settings(4)
        self.project.commit("begin")

    def change(self, dice: random.Random) -> list[str]:
        """Commit one to three changes; return them in words."""
        ways: list[Callable[[random.Random], str]] = [
            *(self._edit_code, self._edit_key, self._edit_key, self._rename, self._add, self._remove),
            *(self._break, self._repair, self._switch, self._settle),
        ]
        said = [way(dice) for way in dice.choices(ways, k=dice.choice((1, 1, 2, 3)))]
        self.project.commit(", ".join(said))
        return said

    def clear(self) -> None:
        """Leave nothing but the steady tasks."""
        for name in list(self.generated):
            self._delete(name)
        self._write_settings(4)
        self.project.commit("clear")

    def any_name(self, dice: random.Random) -> str:
        """Return the id of some task, a steady one now and then."""
        return dice.choice([*self.generated, "steady/latest", "steady/retry"])

    def _edit_code(self, dice: random.Random) -> str:
        return f"edit {self._put(dice, lambda generated: generated)}"

    def _edit_key(self, dice: random.Random) -> str:
        name = self._any(dice)
        key, value = edit_of(self.generated[name], dice)
        self._write_again(name, replace(self.generated[name], keys={**self.generated[name].keys, key: value}))
        return f"set {key} of {name} to {value}"

    def _rename(self, dice: random.Random) -> str:
        old, new = self._any(dice), self._fresh_name(dice)
        (self.project.root / f"tasks/{new}.yaml").parent.mkdir(parents=True, exist_ok=True)
        self.project.git("mv", f"tasks/{old}.yaml", f"tasks/{new}.yaml")
        self.generated[new] = self.generated.pop(old)
        return f"rename {old} to {new}"

    def _add(self, dice: random.Random) -> str:
        if len(self.generated) >= _MOST:
            return self._remove(dice)
        return f"add {self._generate(dice.choice(self.kinds))}"

    def _remove(self, dice: random.Random) -> str:
        if len(self.generated) <= _FEWEST:
            return self._add(dice)
        name = self._any(dice)
        self._delete(name)
        return f"remove {name}"

    def _break(self, dice: random.Random) -> str:
        return f"break {self._put(dice, lambda generated: replace(generated, is_broken=True))}"

    def _repair(self, dice: random.Random) -> str:
        broken = [name for name, generated in self.generated.items() if generated.is_broken]
        if not broken:
            return self._edit_code(dice)
        name = dice.choice(broken)
        self._write_again(name, replace(self.generated[name], is_broken=False))
        return f"repair {name}"

    def _switch(self, dice: random.Random) -> str:
        name = self._any(dice)
        active = not self.generated[name].keys.get("active", True)
        self._write_again(name, replace(self.generated[name], keys={**self.generated[name].keys, "active": active}))
        return f"set active of {name} to {active}"

    def _settle(self, dice: random.Random) -> str:
        places = dice.choice((2, 3, 4, 6, "many"))
        self._write_settings(places)
        return f"set max_parallel to {places}"

    def _write_settings(self, places: object) -> None:
        self.project.write("runner.yaml", _SETTINGS.format(places) + self.application.settings())

    def _put(self, dice: random.Random, change: Callable[[GeneratedTask], GeneratedTask]) -> str:
        name = self._any(dice)
        self._write_again(name, change(self.generated[name]))
        return name

    def _any(self, dice: random.Random) -> str:
        return dice.choice(list(self.generated))

    def _generate(self, kind: str) -> str:
        self.names += 1
        name = f"{kind}-{self.names}"
        self.generated[name] = GeneratedTask(f"k{self.names}", kind, KINDS[kind].keys)
        self._write(name, self.generated[name])
        return name

    def _fresh_name(self, dice: random.Random) -> str:
        self.names += 1
        return f"{dice.choice(('', 'moved/', 'far/away/'))}t{self.names}"

    def _delete(self, name: str) -> None:
        del self.generated[name]
        (self.project.root / f"tasks/{name}.yaml").unlink()

    def _write_again(self, name: str, generated: GeneratedTask) -> None:
        self.generated[name] = replace(generated, version=generated.version + 1)
        self._write(name, self.generated[name])

    def _write(self, name: str, generated: GeneratedTask) -> None:
        path = self.project.task(name, generated.code(self.outside), **generated.keys)
        if generated.is_broken:
            text = path.read_text()
            path.write_text(_BREAKS[generated.version % len(_BREAKS)] + text)
