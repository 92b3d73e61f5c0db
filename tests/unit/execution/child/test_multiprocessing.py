"""`multiprocessing` works in a task as in a script, whatever starts its processes."""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.model.run import RunDetails
from tests.support.project import Project

_METHODS = ["fork", "spawn", "forkserver"]
_DEFINITIONS = """\
import multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

@dataclass
class Pair:
    a: int
    b: int

def square(n):
    return n * n

def pair(n):
    return Pair(n, n + 1)

def scope(_=None):
    logger.setLevel("ERROR")
    return (task.id, task.run_id, str(task.scheduled_for), timezone.now().tzname(), timedelta(1).days, datetime.date.__name__)

def tell(queue, n):
    queue.put(n * 2)

def fail(n):
    raise ValueError(n)  # the line that is named

def nested(n):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(square, [n])
"""
_USES = {
    "Pool.map": """
        with multiprocessing.Pool(2) as pool:
            print(pool.map(square, range(4)))
        """,
    "ProcessPoolExecutor": """
        with ProcessPoolExecutor(2) as executor:
            print(list(executor.map(square, range(4))))
        """,
    "Process": """
        queue = multiprocessing.Queue()
        processes = [multiprocessing.Process(target=tell, args=(queue, n)) for n in (1, 2)]
        for process in processes:
            process.start()
        told = sorted(queue.get() for _ in processes)
        for process in processes:
            process.join()
        print(told, [process.exitcode for process in processes])
        """,
    "classes of the task": """
        with multiprocessing.Pool(1) as pool:
            print(pool.map(pair, [1]), isinstance(pool.map(pair, [1])[0], Pair))
        """,
    "what is in scope": """
        with multiprocessing.Pool(1) as pool:
            print(pool.map(scope, [0])[0] == scope())
        """,
    "Manager": """
        with multiprocessing.Manager() as manager:
            shared = manager.dict(a=1)
            print(shared["a"])
        """,
    "nested": """
        with ProcessPoolExecutor(1) as executor:
            print(executor.submit(nested, 3).result())
        """,
}
_SAID = {
    "Pool.map": "[0, 1, 4, 9]",
    "ProcessPoolExecutor": "[0, 1, 4, 9]",
    "Process": "[2, 4] [0, 0]",
    "classes of the task": "[Pair(a=1, b=2)] True",
    "what is in scope": "True",
    "Manager": "1",
    "nested": "[9]",
}
_GUARD = 'if __name__ == "__main__":\n'


def _code(method: str, use: str, *, is_guarded: bool) -> str:
    body = f"multiprocessing.set_start_method({method!r})\n" + textwrap.dedent(use).strip("\n")
    return _DEFINITIONS + (_GUARD + textwrap.indent(body, "    ") if is_guarded else body)


def _run(project: Project, code: str) -> RunDetails:
    """Run code with the real command: what a fresh interpreter sees is not what pytest has loaded."""
    project.task("once", code, timeout="20s", kill_grace="0s", timezone="Asia/Tokyo")
    project.commit()
    assert project.runner("tick").returncode == 0
    return project.show(1)


@pytest.mark.parametrize("is_guarded", [True, False], ids=["with a guard", "without one"])
@pytest.mark.parametrize("method", _METHODS)
@pytest.mark.parametrize("use", _USES)
def test_each_use_works_with_each_start_method(project: Project, method: str, use: str, *, is_guarded: bool) -> None:
    details = _run(project, _code(method, _USES[use], is_guarded=is_guarded))

    assert (details.run.status, details.output.decode()) == ("succeeded", f"{_SAID[use]}\n")


@pytest.mark.parametrize("method", _METHODS)
def test_an_exception_in_a_process_names_the_line_of_the_task_file(project: Project, method: str) -> None:
    details = _run(
        project, _code(method, "with multiprocessing.Pool(1) as pool:\n    pool.map(fail, [7])", is_guarded=True)
    )

    line = next(
        n
        for n, text in enumerate((project.root / "tasks/once.yaml").read_text().splitlines(), 1)
        if "the line that is" in text
    )
    where = f'File "tasks/once.yaml", line {line}, in fail\n    raise ValueError(n)  # the line that is named\n'
    assert details.run.reason == "ValueError: 7"
    assert where in str(details.traceback)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for temporary files with a short path: the server of forks listens on a socket in it (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="mp-") as folder:
        yield Path(folder)


@pytest.mark.parametrize("ending", ["", "os._exit(3)", "1 / 0"])
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_nothing_is_left_running_or_lying_about(project: Project, short: Path, method: str, ending: str) -> None:
    use = f"""
        pool = multiprocessing.Pool(2)
        lock = multiprocessing.Lock()
        pool.map(square, range(4))
        {ending}
        """
    project.task("once", _code(method, use, is_guarded=True), timeout="20s")
    project.commit()
    project.runner("tick", env={"TMPDIR": str(short)})

    mark = f"TMPDIR={short}".encode()
    assert [path for path in Path("/proc").glob("[0-9]*/environ") if mark in _read(path)] == []
    assert list((project.state / "work").iterdir()) == []
    assert project.runs()[0].status == ("failed" if ending else "succeeded")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_the_main_module_of_a_task_has_no_more_than_that_of_a_script(project: Project) -> None:
    code = "import __main__\nprint(__spec__.name, __spec__.parent == '', __package__, __main__.__file__ == __file__)"

    assert project.run_once(code).output == b"__main__ True None True\n"


def test_a_relative_import_in_a_task_finds_nothing_of_runner(project: Project) -> None:
    run = project.run_once("from . import pool").run

    assert str(run.reason).startswith("ImportError")
