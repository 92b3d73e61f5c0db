"""Make the files that a run sees: one folder for each commit, shared by its runs.

The folder is made when the first run of the commit starts.
"""

from __future__ import annotations

import os
from contextlib import suppress

from runner.execution.supervising.removal import remove_folder
from runner.model.job import Job
from runner.model.statuses import WORKTREE
from runner.operations.workspace import Workspace
from runner.value import replace

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from runner.repo.files import CommittedFile

#: A run whose code contains this name also gets the file of its task.
_FILE_NAME = "__file__"


class Files:
    """The checkouts of commits, below `state/files/`.

    Each is a link to a folder in `trees/`. Commits with the same files share such a folder.
    """

    def __init__(self, workspace: Workspace, folders: tuple[str, ...], accepted: str | None, fresh: str) -> None:
        """Take the paths that runs see of their commits, and `fresh`: where this process makes a checkout.

        `accepted` is the commit whose files were accepted last, None where signatures are not required, empty where no
        commit was accepted.
        """
        self._workspace = workspace
        self._folders = folders
        self._accepted = accepted
        self._fresh = fresh
        self._checkouts = f"{workspace.state}/files"

    def with_files(self, job: Job) -> Job:
        """Return a job with the folder of its files.

        A run of the work tree sees the work tree; its data folder is not the one that runs of a commit have. Raises
        GitError where git cannot read the files, OSError where they cannot be written.
        """
        if job.commit == WORKTREE:
            return replace(job, root=self._workspace.root, data=f"{job.task.replace('/', '+')}~worktree")
        if not job.commit:  # recorded by an older version
            return replace(job, root=self._workspace.root)
        commit = self._commit_of(job)
        names_itself = _FILE_NAME in job.code
        checkout = f"{self._checkouts}/{commit or 'none'}{f'.{job.blob}' if names_itself else ''}"
        if not os.path.isdir(checkout):
            self._make(checkout, commit, job, names_itself=names_itself)
        return replace(job, root=checkout)

    def _commit_of(self, job: Job) -> str:
        """Return the commit whose files a job sees: its own, unless its files were refused or never checked."""
        is_known = self._accepted is None or os.path.isdir(f"{self._checkouts}/{job.commit}")
        return job.commit if is_known else str(self._accepted)

    def _make(self, checkout: str, commit: str, job: Job, *, names_itself: bool) -> None:
        from runner.repo.files import CommittedFile, committed_files  # noqa: PLC0415 - once for a commit
        from runner.repo.modes import FILE  # noqa: PLC0415

        files = committed_files(self._workspace.root, commit, self._folders) if commit else []
        if names_itself:
            files.append(CommittedFile(job.path, FILE, job.blob))
        os.makedirs(f"{self._checkouts}/trees", exist_ok=True)
        tree = self._tree(files)
        if os.path.islink(checkout) and not os.path.isdir(checkout):
            os.unlink(checkout)  # the folder that it links to was removed
        with suppress(FileExistsError):  # another tick has made it meanwhile
            os.symlink(f"trees/{tree}", checkout)

    def _tree(self, files: list[CommittedFile]) -> str:
        """Return the name of the folder that has these files; make the folder where it does not exist."""
        from hashlib import sha256  # noqa: PLC0415 - once for a commit

        from runner.repo.files import READ_ONLY, write_files  # noqa: PLC0415

        listed = "\0".join(f"{file.mode} {file.blob} {file.path}" for file in sorted(files, key=lambda file: file.path))
        name = sha256(listed.encode("utf-8", "surrogateescape")).hexdigest()[:20]
        tree = f"{self._checkouts}/trees/{name}"
        if os.path.isdir(tree):
            return name
        os.makedirs(self._fresh)
        try:
            write_files(self._workspace.root, files, self._fresh)
            os.rename(self._fresh, tree)
            os.chmod(tree, READ_ONLY)
        except OSError:
            if not os.path.isdir(tree):  # else another tick has made it meanwhile
                raise
        finally:
            remove_folder(self._fresh)
        return name
