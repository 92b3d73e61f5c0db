"""The commands of the peers. Each function prepares the state of a peer and returns the command to measure."""

from __future__ import annotations

from pathlib import Path

from benchmarks.bench import HERE
from benchmarks.measure import Command, run
from benchmarks.peer_environment import PeerEnvironment
from benchmarks.repositories import FREE

_MANAGE = HERE / "django_peer" / "manage.py"
_APSCHEDULER = HERE / "apscheduler_peer"


def django(folder: Path, peers: PeerEnvironment, tasks: int, due: int, code: str = "x = 1") -> Command:
    """Return the management command for a table with `tasks` tasks, of which `due` are due at each run."""
    state = folder / f"django-{tasks}-{due}"
    state.mkdir()
    environment = {"PEER_DATABASE": str(state / "tasks.db")}
    run(peers.command(["python", _MANAGE, "fill_tasks", str(tasks), str(due), code], folder, **environment))
    command = peers.command(["python", _MANAGE, "run_scheduled_tasks"], folder, **environment)
    return command.restoring(state) if due else command


def django_spawns(folder: Path, peers: PeerEnvironment, code: str) -> Command:
    """Return a command that runs a line of code in a hundred interpreters, each of which sets Django up."""
    program = f"import django\ndjango.setup()\nfrom scheduled.models import Task\n{code}"
    words: list[str | Path] = ["python", HERE / "bare_spawns.py", "100", peers.programs / "python", "-c", program]
    return peers.command(words, _MANAGE.parent, **_variables(folder, peers, "spawns"))


def django_forks(folder: Path, peers: PeerEnvironment, code: str) -> Command:
    """Return a command that runs a line of code in a hundred children of one process, which sets Django up."""
    words: list[str | Path] = ["python", HERE / "bare_django_forks.py", "100", code]
    return peers.command(words, _MANAGE.parent, **_variables(folder, peers, "forks"))


def _variables(folder: Path, peers: PeerEnvironment, name: str) -> dict[str, str]:
    """Return the environment of the Django project with a database of its own, in which a hundred tasks stand."""
    environment = {"PEER_DATABASE": str(folder / f"django-{name}.db")}
    run(peers.command(["python", _MANAGE, "fill_tasks", "100", "0", ""], folder, **environment))
    return {**environment, "DJANGO_SETTINGS_MODULE": "settings"}


def django_context(folder: Path, peers: PeerEnvironment) -> str:
    """Return a `runner.yaml` that brings the tasks of the same project into scope, with a database of its own."""
    variables = folder / "django-context.env"
    variables.write_text(f"PEER_DATABASE={_variables(folder, peers, 'context')['PEER_DATABASE']}\n")
    return (
        f"{FREE}defaults: {{context: django}}\ncontexts:\n  django:\n"
        f"    path: {_MANAGE.parent}\n    python: {peers.programs / 'python'}\n    settings: settings\n"
        f"    env_file: {variables}\n    names: {{Task: scheduled.models.Task}}\n"
    )


def apscheduler(folder: Path, peers: PeerEnvironment, jobs: int, due: int) -> Command:
    """Return a start of the scheduler with a store of `jobs` jobs, of which `due` are due at each run."""
    state = folder / f"apscheduler-{jobs}-{due}"
    state.mkdir()
    database = state / "jobs.db"
    run(peers.command(["python", _APSCHEDULER / "fill.py", database, str(jobs), str(due)], folder))
    command = peers.command(["python", _APSCHEDULER / "process_once.py", database], folder)
    return command.restoring(state) if due else command


def in_one_file(folder: Path, peers: PeerEnvironment, program: str, jobs: int) -> Command:
    """Return a command with which yacron or cronstable loads `jobs` jobs from one file."""
    return _loading(folder, peers, program, ["".join(map(_job, range(jobs)))])


def in_a_file_each(folder: Path, peers: PeerEnvironment, program: str, jobs: int) -> Command:
    """Return a command with which yacron or cronstable loads `jobs` jobs from one file each."""
    return _loading(folder, peers, program, list(map(_job, range(jobs))))


def _loading(folder: Path, peers: PeerEnvironment, program: str, files: list[str]) -> Command:
    state = folder / program
    state.mkdir()
    for number, jobs in enumerate(files):
        (state / f"jobs-{number}.yaml").write_text(f"jobs:\n{jobs}")
    return peers.command([program, "--config", state, "--validate-config", "--log-level", "WARNING"], folder)


def _job(number: int) -> str:
    return (
        f"  - name: group-{number % 20}/task-{number}\n    command: python3 -I -S -c 'x = 1'\n"
        f'    schedule: "{number % 60} {number % 24} * * {number % 7}"\n    timezone: Europe/Berlin\n'
    )
