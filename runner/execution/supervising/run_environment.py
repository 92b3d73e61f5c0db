"""Where children work: their private folders, their marks and their environment."""

from __future__ import annotations

import os

from runner.execution.owners.ownership import short
from runner.execution.supervising.removal import remove_folder
from runner.model.job import Job
from runner.value import Value

__all__ = ["INHERITED", "RunEnvironment", "make_folder", "remove_folder"]  # who makes such folders removes them, too

#: All that a child inherits; the rest of the environment of cron or of a shell stays outside.
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
_PARTS = 3  # of a folder's name: run, attempt, pid
_PATH = "/usr/local/bin:/usr/bin:/bin"  # where programs are if the caller names no folder


class RunEnvironment(Value):
    """`root` holds tasks/, `state` the database; `store_id` tells this store's processes from another's."""

    root: str
    state: str
    store_id: str

    def environment(self, outside: dict[str, str]) -> dict[str, str]:
        """Return what the environments of all children begin with."""
        inherited = {name: outside[name] for name in INHERITED if name in outside}
        inherited["PATH"] = _absolute(outside.get("PATH", ""))
        # Those of one run stand here, too: to change a variable in a child is cheaper than to add one.
        own = ("RUNNER_ROOT", "RUNNER_DATA", "RUNNER_RUN_ID", "RUNNER_TASK", "RUNNER_MARK")
        return {**inherited, "RUNNER_REPO": self.root, **dict.fromkeys(own, "")}

    def own_environment(self, job: Job, secrets: dict[str, str]) -> dict[str, str]:
        """Return what a child's environment has of its own."""
        own = {**job.environment(), **secrets}
        if "PYTHONPATH" in own:
            own["PYTHONPATH"] = ":".join(os.path.join(job.root, path) for path in own["PYTHONPATH"].split(":") if path)
        return {
            **own,
            "RUNNER_ROOT": job.root,
            "RUNNER_DATA": self.data(job),
            "RUNNER_RUN_ID": str(job.run_id),
            "RUNNER_TASK": job.task,
            "RUNNER_MARK": self.mark(job.run_id, job.attempt),
        }

    def mark(self, run_id: int, attempt: int) -> str:
        """Return the mark of an attempt's processes; as a process name it has at most 15 bytes (prctl(2), PR_SET_NAME)."""
        return f"r{self.store_id}.{run_id % 10**6}.{attempt % 10}"

    def folder(self, run_id: int, attempt: int, pid: int) -> str:
        """Return the private folder of a child; its name says whose it was should nobody be left to ask."""
        return f"{self.state}/work/{run_id}-{attempt}-{pid}"

    def data(self, job: Job) -> str:
        """Return the folder in which a task keeps what lasts from run to run."""
        return f"{self.state}/data/{job.data}"

    def live_file(self, run_id: int, attempt: int) -> str:
        """Return the file that has the output of an attempt while it is under way."""
        return f"{self.state}/live/{run_id}-{attempt}"

    def live_attempts(self) -> set[tuple[int, int]]:
        """Return of which attempts there is such a file: runs, with the numbers of their attempts."""
        try:
            names = os.listdir(f"{self.state}/live")
        except OSError:
            return set()
        pairs = (name.partition(".")[0].partition("-") for name in names)
        return {(int(run_id), int(number)) for run_id, _, number in pairs if run_id.isdigit() and number.isdigit()}

    def spare_folder(self, owner: str, pid: int) -> str:
        """Return the name under which the folder of a child that has ended waits for another one of the same owner."""
        return f"{self.state}/work/spare-{short(owner)}-{pid}"

    def spares(self) -> list[tuple[str, str]]:
        """Return the folders that wait for a child, with the short name of the owner that keeps each."""
        return [(path, parts[1]) for path, parts in self._folders() if parts[0] == "spare"]

    def unfinished_checkout(self, owner: str) -> str:
        """Return the name under which an owner makes a checkout of a commit, which has another one once it is complete."""
        return f"{self.state}/files/unfinished-{short(owner)}"

    def unfinished_checkouts(self) -> list[tuple[str, str]]:
        """Return the checkouts that are being made, or were when their owner ended, with the short name of the owner of each."""
        try:
            names = os.listdir(f"{self.state}/files")
        except FileNotFoundError:
            return []
        found = ((name, name.partition("-")) for name in names)
        return [(f"{self.state}/files/{name}", owner) for name, (kind, _, owner) in found if kind == "unfinished"]

    def leftovers(self, run_id: int) -> list[tuple[str, int]]:
        """Return the private folders that a run has left behind, with the pid of the child that made each."""
        return [
            (path, int(parts[2]))
            for path, parts in self._folders()
            if all(part.isascii() and part.isdigit() for part in parts) and int(parts[0]) == run_id
        ]

    def attempt_folders(self) -> list[tuple[str, int, int]]:
        """Return the private folders that there are, with the run and the number of the attempt that made each."""
        return [
            (path, int(parts[0]), int(parts[1]))
            for path, parts in self._folders()
            if all(part.isascii() and part.isdigit() for part in parts)
        ]

    def _folders(self) -> list[tuple[str, list[str]]]:
        """Return what lies among the private folders and has a name in three parts, with these."""
        try:
            names = os.listdir(f"{self.state}/work")
        except FileNotFoundError:
            return []
        found = ((f"{self.state}/work/{name}", name.split("-")) for name in names)
        return [(path, parts) for path, parts in found if len(parts) == _PARTS]


def make_folder(path: str) -> None:
    """Make a folder in the state folder, but never that: where a task has removed it, a new one would look like a new store."""
    try:
        os.mkdir(path)
    except FileExistsError:
        pass


def _absolute(path: str) -> str:
    """Return the folders of a PATH, without what is no absolute path: `$HOME/bin:$PATH`, which cron leaves as it stands.

    What is relative, or empty, would be looked for in the private folder of the task, which is empty.
    """
    return ":".join(folder for folder in path.split(":") if folder.startswith("/")) or _PATH
