"""What each peer is asked to do: its state is made ready here, and the command that is measured comes back."""

from __future__ import annotations

from pathlib import Path

from benchmarks.bench import HERE
from benchmarks.measure import Command, run
from benchmarks.peer_environment import PeerEnvironment

_MANAGE = HERE / "django_peer" / "manage.py"
_APSCHEDULER = HERE / "apscheduler_peer"


def django(folder: Path, peers: PeerEnvironment, tasks: int, due: int) -> Command:
    """Return the management command over a table with so many tasks, of which so many are due every time."""
    place = folder / f"django-{tasks}-{due}"
    place.mkdir()
    environment = {"PEER_DATABASE": str(place / "tasks.db")}
    run(peers.command(["python", _MANAGE, "fill_tasks", str(tasks), str(due)], folder, **environment))
    command = peers.command(["python", _MANAGE, "run_scheduled_tasks"], folder, **environment)
    return command.restoring(place) if due else command


def apscheduler(folder: Path, peers: PeerEnvironment, jobs: int, due: int) -> Command:
    """Return a start of the scheduler over a store with so many jobs, of which so many are due every time."""
    place = folder / f"apscheduler-{jobs}-{due}"
    place.mkdir()
    database = place / "jobs.db"
    run(peers.command(["python", _APSCHEDULER / "fill.py", database, str(jobs), str(due)], folder))
    command = peers.command(["python", _APSCHEDULER / "process_once.py", database], folder)
    return command.restoring(place) if due else command


def in_one_file(folder: Path, peers: PeerEnvironment, program: str, jobs: int) -> Command:
    """Return the loading of so many jobs from one file, by yacron or cronstable."""
    return _loading(folder, peers, program, ["".join(map(_job, range(jobs)))])


def in_a_file_each(folder: Path, peers: PeerEnvironment, program: str, jobs: int) -> Command:
    """Return the loading of so many jobs from as many files, by yacron or cronstable."""
    return _loading(folder, peers, program, list(map(_job, range(jobs))))


def _loading(folder: Path, peers: PeerEnvironment, program: str, files: list[str]) -> Command:
    place = folder / program
    place.mkdir()
    for number, jobs in enumerate(files):
        (place / f"jobs-{number}.yaml").write_text(f"jobs:\n{jobs}")
    return peers.command([program, "--config", place, "--validate-config", "--log-level", "WARNING"], folder)


def _job(number: int) -> str:
    return (
        f"  - name: group-{number % 20}/task-{number}\n    command: python3 -I -S -c 'x = 1'\n"
        f'    schedule: "{number % 60} {number % 24} * * {number % 7}"\n    timezone: Europe/Berlin\n'
    )
