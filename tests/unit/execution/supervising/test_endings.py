"""A run ends as its author, or who has interrupted it, meant: whatever number, and at whatever moment."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.execution.child.end_message import LARGEST_CODE, LEAST_CODE, EndMessage, decode, kept_by_kernel
from runner.model.attempt_result import RunError
from tests.support.processes import run_each
from tests.support.project import Project

#: What is given to sys.exit(), and the exit code on record.
_CODES: dict[str, int] = {
    "256": 256,
    "512": 512,
    "-256": -256,
    "2**16": 65536,
    "2**40": 2**40,
    "-(2**63)": -(2**63),
    "2**63 - 256": 2**63 - 256,
    "257": 257,
    "-1": -1,
    "os.system('exit 1')": 256,
    "os.system('exit 3')": 768,
    "os.system('kill -9 $$')": 9,
    "os.waitstatus_to_exitcode(os.system('exit 3'))": 3,
    "os.waitstatus_to_exitcode(os.system('kill -9 $$'))": -9,
    "subprocess.call(['sh', '-c', 'kill -15 $$'])": -15,
    "True": 1,
    "False": 0,
    "Number(256)": 256,
    "Number(0)": 0,
    "Code.ALL": 256,
    "Code.NONE": 0,
}
_TYPES = """\
import enum, os, subprocess, sys
class Number(int):
    def __and__(self, other): return 0
    def __int__(self): return 0
    def __index__(self): return 0
    def __bool__(self): return False
class Code(enum.IntEnum):
    ALL = 256
    NONE = 0
class Like:
    def __init__(self, value): self.value = value
    def __index__(self): return self.value
    __int__ = __index__
    def __str__(self): raise ValueError("no text")
class Stop(SystemExit):
    code = 256
class Broken(SystemExit):
    @property
    def code(self): raise ValueError("no code")
class Silent(SystemExit):
    def __init__(self, *ignored): pass
"""


def test_the_exit_code_on_record_is_the_one_that_the_author_gave(project: Project) -> None:
    ended = run_each(project, [f"{_TYPES}sys.exit({given})" for given in _CODES])

    for (given_code, code), details in zip(_CODES.items(), ended, strict=True):
        run = details.run
        expected = ("succeeded", 0, "due") if code == 0 else ("failed", code, f"exit code {code}")
        assert (run.status, run.exit_code, run.reason) == expected, given_code
        assert (run.error, details.traceback) == (None, None), given_code


#: Whatever is no whole number is printed, and is exit code 1: `sys.exit` in the library reference.
_NO_NUMBERS = ["0.0", "1.5", "'text'", "''", "[]", "Like(0)", "Like(256)", "b''", "(1,)", "object"]
_RAISED = ["Stop()", "Stop(0)", "Broken()", "Silent()", "Silent(3)", "SystemExit", "SystemExit()", "SystemExit(0, 1)"]
_OUTSIDE = ["2**63", "2**64", "2**70", "-(2**63) - 1", "10**5000"]


def test_what_is_no_number_of_64_bits_ends_a_run_as_it_ends_a_script(project: Project) -> None:
    endings = [f"sys.exit({code})" for code in (*_NO_NUMBERS, *_OUTSIDE)]
    endings += [f"raise {error}" for error in _RAISED if not error.startswith("Stop")]
    ended = run_each(project, [_TYPES + ending for ending in endings])

    for ending, details in zip(endings, ended, strict=True):
        script = subprocess.run([sys.executable, "-c", _TYPES + ending], check=False, capture_output=True)
        assert details.run.exit_code == script.returncode, ending
        assert details.run.status == ("failed" if script.returncode else "succeeded"), ending


@pytest.mark.parametrize("error", ["Stop()", "Stop(0)", "SystemExit(2**40)", "SystemExit(-512)"])
def test_a_code_whose_low_bits_are_zero_is_a_failure_whoever_raises_it(project: Project, error: str) -> None:
    run = project.run_once(f"{_TYPES}raise {error}").run

    assert (run.status, run.exit_code) != ("succeeded", 0)
    assert run.reason == f"exit code {run.exit_code}"
    assert run.exit_code in {256, 2**40, -512}


def test_a_process_that_the_task_has_forked_and_exits_with_256_does_not_look_successful(project: Project) -> None:
    code = "import os, sys\nif os.fork() == 0:\n    sys.exit(256)\nprint(os.waitstatus_to_exitcode(os.wait()[1]))"
    details = project.run_once(code)

    assert (details.run.status, details.run.exit_code, details.output) == ("succeeded", 0, b"1\n")


def test_what_a_task_writes_into_the_report_does_not_make_its_exit_code_another(project: Project) -> None:
    code = """
        import os, sys
        for number in range(3, 50):
            try:
                os.write(number, b"\\0\\0\\0\\0\\0begun\\x00{told}\\0")
            except OSError:
                pass
        os._exit({real})
    """
    pairs = [(0, 256), (3, 256), (0, 3), (7, 0)]
    ended = run_each(project, [textwrap.dedent(code).strip().format(real=real, told=told) for real, told in pairs])

    assert [details.run.exit_code for details in ended] == [real for real, _ in pairs]


@given(code=st.integers())
@example(code=-256)
@example(code=LARGEST_CODE + 1)
@example(code=LEAST_CODE - 1)
def test_only_zero_is_kept_as_success(code: int) -> None:
    assert 0 <= kept_by_kernel(code) <= 255
    assert (kept_by_kernel(code) == 0) == (code == 0)
    if code & 0xFF and LEAST_CODE <= code <= LARGEST_CODE:
        assert kept_by_kernel(code) == code & 0xFF


@given(
    report=st.builds(
        EndMessage,
        st.none() | st.builds(RunError, st.text("abc", min_size=1), st.text("xyz\n"), st.none(), st.none()),
        st.text("tracebk\n "),
        st.sampled_from(["", "memory"]),
        has_begun=st.booleans(),
        exit_code=st.none() | st.integers(LEAST_CODE, LARGEST_CODE),
    )
)
def test_a_report_comes_through_as_it_was_told(report: EndMessage) -> None:
    assert decode(report.encode()) == report


_JOIN = """\
import os, signal, sys, threading, time
main = threading.get_ident()
def late():
    threading.main_thread().join()  # returns when the interpreter begins to wait for threads
    signal.pthread_kill(main, {signal})
    time.sleep({rest})
{handler}
threading.Thread(target=late).start()
"""
_EXIT_HANDLER = """\
import atexit, os, signal, sys
def late():
    os.kill(os.getpid(), {signal})
    print("not reached")
{handler}
atexit.register(print, "the other handler")
atexit.register(late)
"""
_AS_FILES_ARE_CLOSED = """\
import os, signal, sys
class Late:
    def __del__(self, os=os, signal=signal):
        os.kill(os.getpid(), {signal})
{handler}
late = Late()
"""
_MOMENTS = {"threads are joined": _JOIN, "exit handlers run": _EXIT_HANDLER}
_RAISES = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))"


@pytest.mark.parametrize("moment", _MOMENTS)
def test_an_interrupt_at_the_end_of_the_code_is_recorded_as_one(project: Project, moment: str) -> None:
    code = _MOMENTS[moment].format(signal="signal.SIGINT", handler="", rest=0)
    details = project.run_once(code, timeout="30s")

    assert (details.run.status, details.run.exit_code) == ("failed", 1)
    assert details.run.reason == "KeyboardInterrupt"
    assert details.run.error is not None
    assert b"not reached" not in details.output
    assert b"runner" not in (details.traceback or "").encode()


@pytest.mark.parametrize("code", [*_MOMENTS.values(), _AS_FILES_ARE_CLOSED])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGUSR1"])
def test_a_signal_that_kills_at_the_end_of_the_code_is_named(project: Project, code: str, name: str) -> None:
    run = project.run_once(code.format(signal=f"signal.{name}", handler="", rest=5), timeout="30s").run

    assert str(run.reason).endswith(f"({name})")
    assert run.status == "failed"


def test_an_exit_code_that_a_handler_of_signals_gives_while_threads_are_joined_counts(project: Project) -> None:
    code = _JOIN.format(signal="signal.SIGTERM", handler=_RAISES, rest=0)
    run = project.run_once(code, timeout="30s").run

    assert (run.status, run.exit_code, run.reason) == ("failed", 3, "exit code 3")


def test_what_ended_the_code_stays_the_reason_whatever_comes_afterwards(project: Project) -> None:
    after = [_MOMENTS[moment].format(signal="signal.SIGINT", handler="", rest=0) for moment in _MOMENTS]
    after.append("import atexit, os\natexit.register(os._exit, 125)\n")
    codes = [f"{code}raise ValueError('first')" for code in after] + [
        f"{code}import sys\nsys.exit(7)" for code in after[:2]
    ]
    ended = run_each(project, codes)

    reasons = [details.run.reason for details in ended]
    assert reasons == ["ValueError: first"] * 3 + ["exit code 7"] * 2
    assert all(details.run.status == "failed" for details in ended)


@pytest.mark.parametrize("moment", _MOMENTS)
def test_exit_handlers_run_and_output_is_flushed_after_an_interrupt(project: Project, moment: str) -> None:
    code = _MOMENTS[moment].format(signal="signal.SIGINT", handler="", rest=0)
    details = project.run_once(f"import atexit\natexit.register(print, 'last')\n{code}", timeout="30s")

    assert b"last\n" in details.output
