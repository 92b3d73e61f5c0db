"""The private folder, the mark and the environment variables of each child."""

from __future__ import annotations

import os

from runner.execution.owners.ownership import short
from runner.execution.supervising.removal import remove_folder
from runner.model.job import Job
from runner.value import Value

# Modules that make such folders remove them, too: one import gives both.
__all__ = ["INHERITED", "RunEnvironment", "make_folder", "remove_folder"]

#: The variables that a child inherits from cron or from a shell. It gets no others of them.
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
_PARTS = 3  # of a folder's name: run, attempt, pid
_PATH = "/usr/local/bin:/usr/bin:/bin"  # where the caller's PATH has no absolute folder


class RunEnvironment(Value):
    """The folder `root` has tasks/ in it, the folder `state` the database. `store_id` is part of each mark."""

    root: str
    state: str
    store_id: str

    def environment(self, outside: dict[str, str]) -> dict[str, str]:
        """Return the environment variables that all children have; those that differ from run to run are empty."""
        inherited = {name: outside[name] for name in INHERITED if name in outside}
        inherited["PATH"] = _absolute(outside.get("PATH", ""))
        # A child changes these variables. To change one is cheaper than to add one.
        own = ("RUNNER_ROOT", "RUNNER_DATA", "RUNNER_RUN_ID", "RUNNER_TASK", "RUNNER_MARK")
        return {**inherited, "RUNNER_REPO": self.root, **dict.fromkeys(own, "")}

    def own_environment(self, job: Job, secrets: dict[str, str]) -> dict[str, str]:
        """Return the environment variables of one attempt, with its secrets."""
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
        """Return the mark of an attempt's processes: 15 bytes at most, as a process name (prctl(2), PR_SET_NAME)."""
        return f"r{self.store_id}.{run_id % 10**6}.{attempt % 10}"

    def folder(self, run_id: int, attempt: int, pid: int) -> str:
        """Return the private folder of a child. Its name has the run, so that a later tick can find and remove it."""
        return f"{self.state}/work/{run_id}-{attempt}-{pid}"

    def data(self, job: Job) -> str:
        """Return the folder in which a task keeps what lasts from run to run."""
        return f"{self.state}/data/{job.data}"

    def live_file(self, run_id: int, attempt: int) -> str:
        """Return the file that has the output of an attempt while it runs."""
        return f"{self.state}/live/{run_id}-{attempt}"

    def live_attempts(self) -> set[tuple[int, int]]:
        """Return the attempts that have a live file, each as the number of its run and its own number."""
        try:
            names = os.listdir(f"{self.state}/live")
        except OSError:
            return set()
        pairs = (name.partition(".")[0].partition("-") for name in names)
        return {(int(run_id), int(number)) for run_id, _, number in pairs if run_id.isdigit() and number.isdigit()}

    def spare_folder(self, owner: str, pid: int) -> str:
        """Return the name of an empty folder that an owner keeps for its next child; the child `pid` had it before."""
        return f"{self.state}/work/spare-{short(owner)}-{pid}"

    def spares(self) -> list[tuple[str, str]]:
        """Return the spare folders, each with the short name of its owner."""
        return [(path, parts[1]) for path, parts in self._folders() if parts[0] == "spare"]

    def unfinished_checkout(self, owner: str) -> str:
        """Return the folder in which an owner makes a checkout of a commit. A complete checkout is renamed."""
        return f"{self.state}/files/unfinished-{short(owner)}"

    def unfinished_checkouts(self) -> list[tuple[str, str]]:
        """Return the checkouts that are not complete, each with the short name of its owner, which may have ended."""
        try:
            names = os.listdir(f"{self.state}/files")
        except FileNotFoundError:
            return []
        found = ((name, name.partition("-")) for name in names)
        return [(f"{self.state}/files/{name}", owner) for name, (kind, _, owner) in found if kind == "unfinished"]

    def leftovers(self, run_id: int) -> list[tuple[str, int]]:
        """Return the private folders of a run that still exist, each with the pid of the child that made it."""
        return [
            (path, int(parts[2]))
            for path, parts in self._folders()
            if all(part.isascii() and part.isdigit() for part in parts) and int(parts[0]) == run_id
        ]

    def attempt_folders(self) -> list[tuple[str, int, int]]:
        """Return all private folders, each with the numbers of its run and of its attempt."""
        return [
            (path, int(parts[0]), int(parts[1]))
            for path, parts in self._folders()
            if all(part.isascii() and part.isdigit() for part in parts)
        ]

    def _folders(self) -> list[tuple[str, list[str]]]:
        """Return the private and the spare folders, each with the three parts of its name."""
        try:
            names = os.listdir(f"{self.state}/work")
        except FileNotFoundError:
            return []
        found = ((f"{self.state}/work/{name}", name.split("-")) for name in names)
        return [(path, parts) for path, parts in found if len(parts) == _PARTS]


def make_folder(path: str) -> None:
    """Make a folder, unless it exists, but never its parent.

    If a task has removed the state folder, a new one would look like a new store. Raises FileNotFoundError then.
    """
    try:
        os.mkdir(path)
    except FileExistsError:
        pass


def _absolute(path: str) -> str:
    """Return the absolute folders of a PATH, or _PATH if it has none.

    A relative or empty folder would mean the private folder of the task, which is empty. cron leaves one where its
    PATH says `$HOME/bin:$PATH`, because it replaces no variables (crontab(5)).
    """
    return ":".join(folder for folder in path.split(":") if folder.startswith("/")) or _PATH
