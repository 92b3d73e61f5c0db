"""A private folder is removed whatever the task has left in it; what cannot be removed never costs a record."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.execution.supervising.run_environment import remove_folder
from tests.support.namespace import needs_namespace, with_mounts
from tests.support.project import MINUTE, NOON, RUNNER, Project


def _deep(folder: Path, depth: int, name: str = "d") -> None:
    """Make folders inside of each other, deeper than any path is long."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=here))
        os.close(here)
        here = below
    os.close(here)


def _wide(folder: Path) -> None:
    for number in range(300):
        (folder / f"{number}" / "below").mkdir(parents=True)
        (folder / f"{number}" / "file").touch()


def _closed(folder: Path) -> None:
    inner = folder / "a" / "b" / "c"
    inner.mkdir(parents=True)
    (inner / "file").touch(mode=0)
    for path in (inner, inner.parent, inner.parent.parent):
        path.chmod(0)


def _odd_names(folder: Path) -> None:
    for name in (b"\xff\xfe", b"-rf", b"a\nb", b" ", b"...", "é".encode(), b"x" * 255):
        below = os.fsencode(folder) + b"/" + name
        os.mkdir(below)
        os.close(os.open(below + b"/" + name, os.O_WRONLY | os.O_CREAT))


def _all_kinds(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    (folder / "loop").symlink_to("loop")
    (folder / "gone").symlink_to("/nowhere")
    (folder / "up").symlink_to("..")
    (folder / "own").touch()
    os.link(folder / "own", folder / "hard")


@pytest.mark.parametrize(
    "fill",
    [
        pytest.param(lambda folder: _deep(folder, 3_000), id="deeper than the limit of recursion"),
        pytest.param(lambda folder: _deep(folder, 200, "n" * 250), id="longer than a path may be"),
        pytest.param(_wide, id="wide"),
        pytest.param(_closed, id="closed to its owner"),
        pytest.param(_odd_names, id="odd names"),
        pytest.param(_all_kinds, id="fifos and links"),
        pytest.param(lambda folder: folder.chmod(0), id="empty and closed"),
    ],
)
@pytest.mark.parametrize("is_root", [True, False])
def test_a_folder_is_removed_whatever_is_in_it(tmp_path: Path, fill: Callable[[Path], None], *, is_root: bool) -> None:
    def make_and_remove() -> None:
        folder = Path("folder")  # the folders above are not for everybody
        folder.mkdir()
        fill(folder)
        remove_folder("folder")

    assert _in_a_child(make_and_remove, tmp_path, is_root=is_root) == 0
    assert not os.path.lexists(tmp_path / "folder")


def _in_a_child(work: Callable[[], None], here: Path, *, is_root: bool) -> int:
    """Do work in a folder, as root or as somebody without privileges; return the exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.chdir(here)
            if os.geteuid() == 0 and not is_root:
                os.chown(here, 65534, 65534)
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("where", ["folder", "folder/below", "folder/a/b"])
def test_what_a_link_leads_to_is_not_touched(tmp_path: Path, where: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    (outside / "kept").touch(mode=0o400) if os.geteuid() == 0 else None
    link = tmp_path / where
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    before = outside.stat().st_mode, os.listdir(outside)

    remove_folder(str(tmp_path / "folder"))

    assert (outside.stat().st_mode, os.listdir(outside)) == before
    assert not os.path.lexists(tmp_path / "folder")


@pytest.mark.parametrize("path", ["gone", "gone/below", "file/below", "n" * 300, "n/" * 3_000 + "n"])
def test_what_cannot_be_found_is_no_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()

    remove_folder(str(tmp_path / path))


#: Each makes tidying up fail in its own way; none of them needs a helper program, a path or the caller's goodwill.
_LITERAL_PATHS = ["$HOME/bin:$PATH", "", ":", "~/bin", "/nowhere", ".:bin"]


@pytest.mark.parametrize("path", _LITERAL_PATHS)
def test_runs_are_on_record_and_their_folders_gone_whatever_path_the_caller_has(project: Project, path: str) -> None:
    code = "import os\nos.makedirs('a/b')\nopen('a/b/file', 'w').close()\nprint('done')"
    project.task("once", code)
    project.commit()
    assert project.runner("tick", now=NOON).returncode == 0  # takes the tasks over, for which git has to be found
    done = project.runner("tick", now=NOON + MINUTE, env={"PATH": path})

    assert (done.returncode, done.stderr) == (0, "")
    assert [(run.status, run.exit_code) for run in project.runs()] == [("succeeded", 0)] * 2
    assert list((project.state / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("$HOME/bin:$PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("", "/usr/local/bin:/usr/bin:/bin"),
        ("$HOME/bin:/usr/bin:/bin", "/usr/bin:/bin"),
        ("/opt/x/bin:~/bin::/usr/bin:/bin:.", "/opt/x/bin:/usr/bin:/bin"),
        ("/usr/bin:/bin", "/usr/bin:/bin"),
    ],
)
def test_a_task_finds_programs_by_what_is_absolute_in_path_or_else_by_the_default(
    project: Project, given: str, seen: str
) -> None:
    project.task("once", "import os, subprocess\nprint(os.environ['PATH'])\nsubprocess.run(['ls'], check=True)")
    project.commit()
    project.runner("tick", now=NOON)
    project.runner("tick", now=NOON + MINUTE, env={"PATH": given})

    last = project.show(2)
    assert (last.run.status, last.output.decode()) == ("succeeded", f"{seen}\n")


_MOUNTS = ["mount -t tmpfs tmpfs .", "mkdir a && mount -t tmpfs tmpfs a", "mkdir -p a/b && mount --bind {kept} a/b"]


@needs_namespace
@pytest.mark.parametrize("mount", _MOUNTS)
def test_a_mount_in_the_folder_costs_no_record_and_loses_no_file(project: Project, tmp_path: Path, mount: str) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    project.task("once", f"import subprocess\nsubprocess.run({mount.format(kept=kept)!r}, shell=True, check=True)")
    project.commit()
    done = subprocess.run(
        with_mounts("mount --make-rprivate /", RUNNER, "tick"),
        cwd=project.root,
        env=project.environment(NOON),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert [run.status for run in project.runs()] == ["succeeded"]
    assert (kept / "file").exists()


@needs_namespace
def test_a_folder_on_a_read_only_disk_is_left_without_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "disk" / "folder"
    disk = tmp_path / "disk"
    disk.mkdir()
    mounts = f"mount -t tmpfs tmpfs {disk}\nmkdir -p {folder}/a/b\nmount -o remount,ro {disk}"
    code = "import os\nfrom runner.execution.supervising.run_environment import remove_folder\n"
    code += f"remove_folder({str(folder)!r})\nprint(os.listdir({str(folder)!r}))"
    python = str(Path(RUNNER).parent / "python")
    done = subprocess.run(with_mounts(mounts, python, "-c", code), check=False, capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "['a']\n", "")


def test_a_folder_that_somebody_may_not_remove_is_left_without_an_error(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give a folder to somebody else")
    (tmp_path / "folder" / "a").mkdir(parents=True)
    tmp_path.chmod(0o755)

    def remove() -> None:
        os.setgid(65534)
        os.setuid(65534)
        remove_folder("folder")

    assert _in_a_child(remove, tmp_path, is_root=True) == 0
    assert (tmp_path / "folder" / "a").exists()


def test_no_descriptor_stays_open_after_a_removal(tmp_path: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    (tmp_path / "folder").mkdir()
    _deep(tmp_path / "folder", 50)
    remove_folder(str(tmp_path / "folder"))

    assert len(os.listdir("/dev/fd")) == before
