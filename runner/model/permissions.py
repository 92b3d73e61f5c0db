"""What the code of a task may touch."""

from __future__ import annotations

from runner.model.safe_modules import STARTING, is_safe
from runner.value import Value

#: Hold what the kernel can; run nothing where it cannot hold all; hold nothing.
BEST_EFFORT, REQUIRED, OFF = "best-effort", "required", "off"


class Permissions(Value):
    """The permissions of one task. A task that is not held may touch all that the user of the tick may.

    - `imports`: modules beyond the safe standard library.
    - `has_network`: whether all of the network is granted; otherwise TCP connections to `ports` are.
    - `read` and `write`: paths, absolute or relative to the task root, beyond what every task has. What may be written
      may be read, too.
    - `can_start`: whether programs may be started.
    - `sandbox`: how they are held on this machine, as `runner.yaml` says for all tasks: one of the constants above.
    """

    is_held: bool = False
    imports: tuple[str, ...] = ()
    has_network: bool = False
    ports: tuple[int, ...] = ()
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    can_start: bool = False
    sandbox: str = BEST_EFFORT

    def may_connect(self, port: int) -> bool:
        """Return whether a TCP connection to a port is granted."""
        return self.has_network or port in self.ports

    def in_words(self) -> tuple[str, ...]:
        """Return each permission as in a task file, such as `write: /srv/reports`; none where nothing is granted."""
        if not self.is_held:
            return ("everything",)
        words = [f"imports: {name}" for name in self.imports]
        words += ["network: true"] if self.has_network else [f"network: {port}" for port in self.ports]
        words += [f"read: {path}" for path in self.read] + [f"write: {path}" for path in self.write]
        return (*words, *(["subprocess: true"] if self.can_start else []))

    def line_for_import(self, name: str) -> str | None:
        """Return the line that grants the import of a dotted name, as `permissions: KEY: [VALUE]`; None if it is."""
        top = name.partition(".")[0]
        if is_safe(top) or any(name == module or name.startswith(f"{module}.") for module in self.imports):
            return None
        if top in STARTING:
            return None if self.can_start else "permissions: subprocess: true"
        return f"permissions: imports: [{top}]"


def is_within(path: str, folder: str) -> bool:
    """Return whether a path is a folder, or is below it. They are compared as text; a slash at the end is ignored."""
    plain, bare = path.rstrip("/"), folder.rstrip("/")
    return plain == bare or plain.startswith(f"{bare}/")


#: What a task has that is granted nothing, and one that is granted everything.
NOTHING, EVERYTHING = Permissions(is_held=True), Permissions()
#: The word for everything in `permissions.default` of `runner.yaml`.
ALL = "all"
