"""The code of a task runs as a real `__main__`."""

from __future__ import annotations

import textwrap
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from runner.model.run import RunDetails
from tests.support.processes import run_each
from tests.support.project import MINUTE, NOON, RUNNER, Project


def _output(details: RunDetails) -> str:
    assert details.run.status == "succeeded", details
    return details.output.decode()


def _code(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def test_functions_see_themselves_and_the_names_of_the_module(project: Project) -> None:
    code = _code("""
        factor = 2
        def factorial(n):
            return n * factorial(n - 1) if n else 1
        def change():
            global factor
            factor = 3
        change()
        print([factorial(n) * factor for n in range(4)], {factor: (lambda: factor)() for _ in "a"})
    """)

    assert _output(project.run_once(code)) == "[3, 3, 6, 18] {3: 3}\n"


def test_dataclasses_resolve_their_annotations_in_the_task(project: Project) -> None:
    code = _code("""
        from __future__ import annotations
        from dataclasses import dataclass, field
        from typing import ClassVar, get_type_hints
        @dataclass(order=True)
        class Point:
            x: int
            near: list[Point] = field(default_factory=list)
            seen: ClassVar[int] = 0
        print(Point(1), get_type_hints(Point)["near"], Point.__module__)
    """)

    assert _output(project.run_once(code)) == "Point(x=1, near=[]) list[__main__.Point] __main__\n"


def test_objects_of_classes_of_the_task_can_be_pickled(project: Project) -> None:
    code = _code("""
        import pickle
        from collections import namedtuple
        from enum import Enum
        Pair = namedtuple("Pair", "a b")
        class Colour(Enum):
            RED = 1
        def double(n):
            return 2 * n
        again = pickle.loads(pickle.dumps([Pair(1, 2), Colour.RED, double]))
        print(again[0], again[1] is Colour.RED, again[2](4))
    """)

    assert _output(project.run_once(code)) == "Pair(a=1, b=2) True 8\n"


def test_a_future_import_may_stand_first(project: Project) -> None:
    code = _code("""
        \"\"\"A docstring may stand before it.\"\"\"
        from __future__ import annotations
        value: this_is_not_evaluated = 1
        print(__annotations__, __doc__)
    """)

    expected = "{'value': 'this_is_not_evaluated'} A docstring may stand before it.\n"
    assert _output(project.run_once(code)) == expected


def test_without_a_future_import_of_its_own_the_code_has_none(project: Project) -> None:
    assert _output(project.run_once("value: 1 + 1 = 0\nprint(__annotations__)")) == "{'value': 2}\n"


def test_the_code_is_main_and_importable_as_main(project: Project) -> None:
    code = _code("""
        import sys
        if __name__ == "__main__":
            import __main__
            print(__main__.__dict__ is globals(), sys.argv)
    """)

    assert _output(project.run_once(code)) == "True ['tasks/once.yaml']\n"


def test_inspect_finds_the_source_of_what_the_task_defines(project: Project) -> None:
    code = "import inspect\ndef one():\n    return 1\nprint(inspect.getsource(one), end='')"

    assert _output(project.run_once(code)) == "def one():\n    return 1\n"


def test_sys_exit_ends_the_run_as_it_ends_a_script(project: Project) -> None:
    expected = {
        "": ("succeeded", 0, ""),
        "None": ("succeeded", 0, ""),
        "0": ("succeeded", 0, ""),
        "False": ("succeeded", 0, ""),
        "3": ("failed", 3, ""),
        "True": ("failed", 1, ""),
        "-1": ("failed", -1, ""),
        "256 + 7": ("failed", 263, ""),
        "'no space left'": ("failed", 1, "no space left\n"),
        "('a', 1)": ("failed", 1, "('a', 1)\n"),
    }
    ended = run_each(project, [f"import sys\nsys.exit({argument})\nprint('not reached')" for argument in expected])

    for (argument, wanted), details in zip(expected.items(), ended, strict=True):
        run = details.run
        assert (run.status, run.exit_code, details.output.decode()) == wanted, argument
        if details.output:  # words that say why stand in the reason: tests/acceptance/test_exit_words.py
            assert run.reason == details.output.decode().strip(), argument
        else:
            assert (run.error, run.reason) == (None, f"exit code {run.exit_code}" if run.exit_code else "due"), argument


def test_sys_exit_with_a_huge_number_is_a_failure_as_it_is_for_a_script(project: Project) -> None:
    assert project.run_once("import sys\nsys.exit(2 ** 70)").run.exit_code == 255


def test_sys_exit_with_a_message_and_a_closed_stderr_is_exit_code_1(project: Project) -> None:
    assert project.run_once("import sys\nsys.stderr.close()\nsys.exit('message')").run.exit_code == 1


def test_exit_and_quit_are_there_as_in_a_script(project: Project) -> None:
    assert project.run_once("exit(4)").run.exit_code == 4


def test_nothing_but_the_promised_names_is_in_scope(project: Project) -> None:
    names = _output(project.run_once("print(*(name for name in sorted(globals()) if name[:2] != '__'))")).split()

    assert names == ["datetime", "task", "timedelta", "timezone"]


def test_a_task_that_logs_finds_a_logger_of_its_own_name(project: Project) -> None:
    code = "logger.debug('quiet')\nlogger.info('hello')\nlogger.warning('%s', logger.name)"

    project.task("once", code)
    project.commit()
    project.runner("tick")  # not in the process of pytest, which listens to logging itself

    assert _output(project.show(1)) == "INFO: hello\nWARNING: once\n"


def test_the_datetime_module_and_timedelta_are_in_scope(project: Project) -> None:
    code = "print(datetime.datetime(2026, 1, 31) + timedelta(days=1), datetime.date, datetime.UTC)"

    assert _output(project.run_once(code)) == "2026-02-01 00:00:00 <class 'datetime.date'> UTC\n"


def test_timezone_now_is_aware_and_shows_the_wall_clock_of_the_task(project: Project) -> None:
    code = _code("""
        now = timezone.now()
        print(now.isoformat(), now.tzinfo)
        print(timezone.localtime(datetime.datetime(2026, 6, 10, 20, tzinfo=timezone.utc)))
        print(timezone.localdate(datetime.datetime(2026, 6, 10, 20, tzinfo=timezone.utc)))
    """)
    lines = _output(project.run_once(code, timezone="Asia/Tokyo")).splitlines()

    now = datetime.fromisoformat(lines[0].split()[0])
    assert NOON <= now <= NOON + MINUTE  # the time of the rehearsal goes on
    assert (now.utcoffset(), lines[0].split()[1]) == (timedelta(hours=9), "Asia/Tokyo")
    assert lines[1:] == ["2026-06-11 05:00:00+09:00", "2026-06-11"]


def test_task_tells_what_is_run_and_for_which_slot(project: Project) -> None:
    details = project.run_once("print(task.id, task.run_id, task.scheduled_for, task.attempt)")

    slot = NOON.replace(microsecond=0)
    assert _output(details) == f"once {details.run.run_id} {slot} 1\n"


def test_task_has_no_slot_in_a_run_by_hand(project: Project) -> None:
    project.task("once", "print(task.scheduled_for, task.attempt)")
    project.commit()

    assert project.runner("run", "once").stdout == "None 1\n"


def test_builtins_is_the_module_as_in_any_script(project: Project) -> None:
    assert _output(project.run_once("print(__builtins__.__name__)")) == "builtins\n"


def test_a_forked_pool_works_on_functions_of_the_task(project: Project) -> None:
    code = _code("""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        def square(n):
            return n * n
        if __name__ == "__main__":
            context = multiprocessing.get_context("fork")
            with context.Pool(2) as pool:
                print(pool.map(square, range(4)))
            with ProcessPoolExecutor(2, mp_context=context) as executor:
                print(list(executor.map(square, range(4))))
    """)

    assert _output(project.run_once(code)) == "[0, 1, 4, 9]\n[0, 1, 4, 9]\n"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_process_started_afresh_runs_functions_of_the_library(project: Project, method: str) -> None:
    code = _code(f"""
        import multiprocessing, os
        if __name__ == "__main__":
            process = multiprocessing.get_context("{method}").Process(target=os.getpid)
            process.start()
            process.join()
            print(process.exitcode)
    """)

    assert _output(project.run_once(code)) == "0\n"


def test_a_forked_child_that_runs_off_the_end_does_not_become_a_second_tick(project: Project) -> None:
    code = _code("""
        import os
        child = os.fork()
        print("child" if child == 0 else "parent" if os.waitpid(child, 0)[1] == 0 else "trouble")
    """)

    assert _output(project.run_once(code)) == "child\nparent\n"
    assert len(project.runs()) == 1


def test_the_exception_of_a_forked_child_is_not_that_of_the_run(project: Project) -> None:
    code = "import os\nif os.fork() == 0:\n    raise ValueError('in the child')\nos.wait()"

    details = project.run_once(code)

    assert (details.run.status, details.run.reason, details.run.error) == ("succeeded", "due", None)


def test_the_exception_of_the_run_is_kept_where_a_forked_child_has_failed_too(project: Project) -> None:
    code = "import os\nif os.fork() == 0:\n    raise ValueError('in the child')\nos.wait()\nraise KeyError('mine')"

    error = project.run_once(code).run.error

    assert error is not None
    assert error.type == "KeyError"


def test_the_run_waits_for_threads_that_are_not_daemons(project: Project) -> None:
    code = _code("""
        import threading, time
        def late():
            threading.main_thread()
            time.sleep(0.2)
            print("late")
        threading.Thread(target=late).start()
        print("end of the code")
    """)

    assert _output(project.run_once(code)) == "end of the code\nlate\n"


def test_the_run_does_not_wait_for_daemon_threads(project: Project) -> None:
    code = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\nprint('end')"

    assert _output(project.run_once(code, timeout="30s")) == "end\n"


def test_the_results_of_an_executor_that_nobody_shuts_down_are_waited_for(project: Project) -> None:
    code = "import time\nfrom concurrent.futures import ThreadPoolExecutor\nexecutor = ThreadPoolExecutor(1)\n"
    code += "executor.submit(lambda: (time.sleep(0.1), print('done')))"

    assert _output(project.run_once(code)) == "done\n"


def test_asyncio_runs_in_a_task(project: Project) -> None:
    code = _code("""
        import asyncio, sys
        async def ask():
            process = await asyncio.create_subprocess_exec("echo", "asked", stdout=asyncio.subprocess.PIPE)
            return (await process.communicate())[0].decode()
        print(asyncio.run(ask()), end="")
    """)

    assert _output(project.run_once(code)) == "asked\n"


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "1 / 0"])
def test_exit_handlers_run_whatever_ends_the_code(project: Project, ending: str) -> None:
    code = f"import atexit, sys\natexit.register(print, 'first')\natexit.register(print, 'second')\n{ending}"

    assert project.run_once(code).output.endswith(b"second\nfirst\n")


def test_an_exit_handler_that_raises_keeps_no_other_from_running(project: Project) -> None:
    code = "import atexit, sys\natexit.register(print, 'still run')\natexit.register(sys.exit, 4)"

    details = project.run_once(code)

    assert details.run.status == "succeeded"
    assert details.output.endswith(b"still run\n")


def test_exit_handlers_of_modules_that_the_tick_has_loaded_run_too(project: Project) -> None:
    code = _code("""
        import logging.handlers, sys, weakref
        class Thing: pass
        thing = Thing()
        weakref.finalize(thing, print, "finalized")
        logging.getLogger().addHandler(logging.handlers.MemoryHandler(100, target=logging.StreamHandler(sys.stdout)))
        logging.warning("flushed")
    """)
    project.task("once", code)
    project.commit()
    project.runner("tick")

    assert sorted(_output(project.show(1)).split()) == ["finalized", "flushed"]


def test_what_was_written_to_a_file_is_there_though_nobody_closed_it(project: Project, tmp_path: Path) -> None:
    report = tmp_path / "report.csv"

    project.run_once(f"import csv\nout = open({str(report)!r}, 'w')\ncsv.writer(out).writerow(['a', 1])")

    assert report.read_text() == "a,1\n"


def test_a_stream_that_the_task_has_opened_on_its_output_is_flushed(project: Project) -> None:
    assert _output(project.run_once("import os\nout = os.fdopen(os.dup(1), 'w')\nout.write('kept')")) == "kept"


def test_an_excepthook_of_the_task_is_called_as_error_trackers_expect(project: Project) -> None:
    code = "import sys\nsys.excepthook = lambda kind, error, trace: print('told:', error)\nraise ValueError('x')"

    assert b"told: x\n" in project.run_once(code).output


@pytest.mark.parametrize(
    "stream",
    [
        "import io, sys\nsys.stderr = io.BytesIO()",
        "import sys\nclass S:\n    def write(self, text): raise RuntimeError('no')\nsys.stderr = S()",
    ],
)
def test_a_stderr_of_the_task_that_fails_does_not_hide_the_error(project: Project, stream: str) -> None:
    error = project.run_once(f"{stream}\nraise ValueError('real')").run.error

    assert error is not None
    assert (error.type, error.message) == ("ValueError", "real")


def test_a_stdout_of_the_task_that_cannot_be_flushed_does_not_undo_the_run(project: Project) -> None:
    code = "import sys\nclass S:\n    def write(self, text): pass\n    def flush(self): raise RuntimeError\nsys.stdout = S()"

    assert project.run_once(code).run.status == "succeeded"


def test_a_task_may_become_another_program(project: Project) -> None:
    details = project.run_once("import os\nos.execvp('sh', ['sh', '-c', 'echo from sh; exit 3'])")

    assert (details.output, details.run.exit_code) == (b"from sh\n", 3)


def test_a_task_may_run_another_task_by_hand(project: Project) -> None:
    project.task("other", "print('inner')", cron="0 0 1 1 *")
    words = [RUNNER, "--state", str(project.state), "--repo"]
    code = f"import os, subprocess\nsubprocess.run([*{words}, os.environ['RUNNER_REPO'], 'run', 'other'])"

    details = project.run_once(code)

    assert details.output.startswith(b"inner\n")
    assert [run.status for run in project.runs("other")] == ["succeeded"]
