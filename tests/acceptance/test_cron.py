"""Debian's cron daemon, with the line of crontab.txt, on a repository in a temporary folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.namespace import with_mounts
from tests.support.project import Project
from tests.support.waiting import wait_until

_REPOSITORY = Path(__file__).parents[2]
#: Two minutes begin within two minutes; the rest is for a busy machine.
_PATIENCE = 200.0

pytestmark = [
    pytest.mark.cron,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        os.geteuid() != 0 or (not os.environ.get("CI") and shutil.which("cron") is None),
        reason="needs root and Debian's cron: apt-get install cron",
    ),
]


def _crontab(project: Project) -> str:
    """Return crontab.txt as a person puts it in, for a checkout whose .venv is the one of these tests."""
    made = subprocess.run(
        ["make", "--silent", "-f", str(_REPOSITORY / "Makefile"), "cron-show"],
        cwd=project.root,
        check=True,
        capture_output=True,
        text=True,
    )
    assert made.stdout == f"* * * * * cd '{project.root}' && .venv/bin/runner tick >/dev/null\n"
    return made.stdout


@pytest.fixture
def cron(project: Project, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A cron daemon that sees no other crontab than ours, and that nobody else sees."""
    shutil.copy(_REPOSITORY / "crontab.txt", project.root)
    (project.root / ".venv").symlink_to(Path(sys.prefix))
    table = tmp_path / "crontab"
    table.write_text(_crontab(project))
    mounts = f"""
        mkdir -p /var/spool/cron/crontabs /etc/cron.d
        mount -t tmpfs -o mode=1730 tmpfs /var/spool/cron/crontabs
        mount -t tmpfs tmpfs /etc/cron.d
        mount -t tmpfs tmpfs /run
        mount --bind /dev/null /etc/crontab
        install -m 600 {table} /var/spool/cron/crontabs/root
    """
    command = with_mounts(mounts, "env", "-i", "PATH=/usr/bin:/bin", "/usr/sbin/cron", "-f", "-n", "-L", "0")
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as daemon:
        yield daemon
        daemon.terminate()


def test_cron_ticks_every_minute_and_each_slot_is_on_record_once(
    project: Project, request: pytest.FixtureRequest
) -> None:
    project.task("often", "import os, sys\nprint(sorted(os.environ), sys.stdin.isatty(), os.environ['PATH'])")
    project.write(".gitignore", "state/\n.venv\n")
    project.commit()
    project = Project(project.root, project.root / "state")  # where cron's environment leads

    daemon: subprocess.Popen[bytes] = request.getfixturevalue("cron")
    wait_until(lambda: daemon.poll() is not None or _ended(project) >= 2, "two runs by cron", _PATIENCE)

    assert daemon.poll() is None
    first, second, *_ = project.runs()
    assert (first.status, second.status) == ("succeeded", "succeeded")
    assert first.scheduled_for is not None
    assert second.scheduled_for is not None
    assert (second.scheduled_for - first.scheduled_for).total_seconds() == 60
    assert (first.missed, second.missed, second.trigger) == (0, 0, "schedule")
    # Cron's environment is poor; what a task sees of it is poorer.
    assert project.show(first.run_id).output.decode().endswith("False /usr/bin:/bin\n")
    with project.database() as database:
        assert database.execute("SELECT count(*) = count(DISTINCT scheduled_for) FROM runs").fetchone() == (1,)


def _ended(project: Project) -> int:
    if not (project.state / "runner.db").exists():
        return 0
    return sum(run.finished_at is not None for run in project.runs())
