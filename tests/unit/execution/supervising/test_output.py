"""What a task prints is kept: in order, whole up to the cap, counted beyond it."""

from __future__ import annotations

import re
import subprocess
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measure import Command, once
from runner.execution.supervising.output import CAP, Capture
from tests.support.processes import run_each
from tests.support.project import RUNNER, Project

_GAP = re.compile(rb"\n\[\.\.\. (\d+) bytes dropped \.\.\.\]\n")


def _code(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def _length(output: bytes, dropped: int) -> int:
    """Return how much was printed, by what was kept and what was counted."""
    gap = _GAP.search(output)
    return len(output) + dropped - (len(gap.group()) if gap else 0)


@given(st.lists(st.binary(max_size=40), max_size=40), st.integers(0, 60))
def test_a_capture_keeps_the_head_and_the_tail_and_counts_the_rest(pieces: list[bytes], cap: int) -> None:
    capture = Capture(cap)
    for piece in pieces:
        capture.feed(piece)

    whole = b"".join(pieces)
    dropped = max(0, len(whole) - cap)
    head, tail = cap // 2, cap - cap // 2
    gap = b"\n[... %d bytes dropped ...]\n" % dropped
    assert capture.dropped == dropped
    assert capture.kept() == (whole[:head] + gap + whole[len(whole) - tail :] if dropped else whole)
    assert capture.kept() == capture.kept()


@given(st.binary(min_size=1, max_size=300), st.integers(0, 60), st.integers(1, 50))
def test_it_makes_no_difference_in_which_pieces_output_comes(whole: bytes, cap: int, size: int) -> None:
    at_once, piecewise = Capture(cap), Capture(cap)
    at_once.feed(whole)
    for start in range(0, len(whole), size):
        piecewise.feed(whole[start : start + size])

    assert (at_once.kept(), at_once.dropped) == (piecewise.kept(), piecewise.dropped)


def test_output_and_errors_are_kept_in_the_order_in_which_they_came(project: Project) -> None:
    code = _code("""
        import os, subprocess, sys
        print("1 print")
        print("2 stderr", file=sys.stderr)
        os.write(1, b"3 os.write\\n")
        subprocess.run("echo 4 program; echo 5 its stderr >&2", shell=True)
        sys.stdout.write("6 without a line end;")
        sys.stderr.write("7 likewise;")
        sys.stdout.buffer.write(b"8 bytes;")
        os.system("printf '9 system'")
    """)

    expected = (
        b"1 print\n2 stderr\n3 os.write\n4 program\n5 its stderr\n6 without a line end;7 likewise;8 bytes;9 system"
    )
    assert project.run_once(code).output == expected


def test_bytes_that_are_no_text_are_kept_as_they_are(project: Project) -> None:
    details = project.run_once("import sys\nsys.stdout.buffer.write(bytes(range(256)) * 3)")

    assert details.output == bytes(range(256)) * 3


def test_text_is_utf_8_and_half_characters_are_escaped_whatever_the_locale(project: Project) -> None:
    project.task("once", "print('\u00e9\u20ac\U0001f600', chr(0xd800))")
    project.commit()
    project.runner("tick", env={"LC_ALL": "C", "PYTHONUTF8": "0"})

    assert project.show(1).output == "\u00e9\u20ac\U0001f600 \\ud800\n".encode()


def test_output_up_to_the_cap_is_kept_whole(project: Project) -> None:
    sizes = [0, 1, CAP - 1, CAP]
    ended = run_each(project, [f"print('x' * {size}, end='')" for size in sizes])

    assert [details.output == b"x" * size for details, size in zip(ended, sizes, strict=True)] == [True] * 4
    assert [details.output_dropped_bytes for details in ended] == [0] * 4


def test_one_byte_beyond_the_cap_is_counted(project: Project) -> None:
    details = project.run_once(f"print('x' * {CAP + 1}, end='')")

    assert details.output_dropped_bytes == 1
    assert _length(details.output, 1) == CAP + 1


def test_fifty_megabytes_neither_fill_the_memory_of_the_tick_nor_get_lost_uncounted(project: Project) -> None:
    code = _code("""
        print("begin")
        for _ in range(800):
            print("x" * 65_535)
        print("end")
    """)
    project.task("once", code)
    project.commit()
    tick = once(Command([RUNNER, "tick"], project.root, {**project.environment()}))

    details = project.show(1)
    assert details.output.startswith(b"begin\nxxx")
    assert details.output.endswith(b"xxx\nend\n")
    assert len(details.output) < CAP + 100
    assert _length(details.output, details.output_dropped_bytes) == 800 * 65_536 + len("begin\nend\n")
    assert tick.peak < 64 * 1024, "KiB: nothing like 50 MiB more than an ordinary tick"


def test_a_flood_does_not_keep_the_timeout_from_coming(project: Project) -> None:
    details = project.run_once("while True:\n    print('x' * 10_000)", timeout="1s", kill_grace="0s")

    assert details.run.status == "timed_out"
    assert details.output_dropped_bytes > 0


@pytest.mark.parametrize("program", ["print('x' * 1_000_000)", "sys.stdout.buffer.write(b'x' * 1_000_000 + b'\\n')"])
def test_a_large_print_is_whole_while_signals_come(project: Project, program: str) -> None:
    code = _code(f"""
        import signal, sys
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for _ in range(30):
            {program}
        signal.setitimer(signal.ITIMER_REAL, 0)
    """)

    details = project.run_once(code)

    assert details.run.status == "succeeded"
    assert _length(details.output, details.output_dropped_bytes) == 30 * 1_000_001


@pytest.mark.parametrize("close", ["sys.stdout.close()", "os.close(1)", "sys.stdout = None"])
def test_a_task_that_closes_its_output_goes_on_to_its_end(project: Project, close: str, tmp_path: Path) -> None:
    code = f"import os, sys\nprint('before')\n{close}\nopen({str(tmp_path / 'end')!r}, 'w').close()"

    details = project.run_once(code)

    assert (details.run.status, details.output) == ("succeeded", b"before\n")
    assert (tmp_path / "end").exists()


def test_a_task_that_closes_both_pipes_is_still_waited_for(project: Project, tmp_path: Path) -> None:
    code = f"import os, time\nos.close(1)\nos.close(2)\ntime.sleep(0.2)\nopen({str(tmp_path / 'end')!r}, 'w').close()"

    details = project.run_once(code)

    assert details.run.status == "succeeded"
    assert (tmp_path / "end").exists()


def test_a_task_that_closes_both_pipes_still_times_out(project: Project) -> None:
    code = "import os, time\nos.closerange(0, 1000)\ntime.sleep(60)"

    assert project.run_once(code, timeout="1s", kill_grace="0s").run.status == "timed_out"


def test_half_a_line_printed_before_a_crash_is_on_record(project: Project) -> None:
    expected = {
        "os._exit(7)": "exit code 7",
        "os.kill(os.getpid(), signal.SIGKILL)": "killed by signal 9 (SIGKILL)",
        "os.kill(os.getpid(), signal.SIGTERM)": "killed by signal 15 (SIGTERM)",
        "os.kill(os.getpid(), signal.SIGRTMIN + 1)": "killed by signal 35 (no name)",
        "os.kill(os.getpid(), signal.SIGSEGV)": "killed by signal 11 (SIGSEGV)",
        "os.abort()": "killed by signal 6 (SIGABRT)",
    }
    # Without core dumps; and without the handler of pytest's faulthandler, which a real tick does not have.
    quiet = "import faulthandler, os, resource, signal\nfaulthandler.disable()\n"
    quiet += "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
    ended = run_each(project, [f"{quiet}print('half a li', end='')\n{crash}" for crash in expected])

    assert [details.run.reason for details in ended] == list(expected.values())
    assert {(details.output, details.run.status) for details in ended} == {(b"half a li", "failed")}


def test_nothing_that_the_tick_had_yet_to_print_is_in_the_output(project: Project) -> None:
    project.task("a", "print('only this')")
    project.task("b", "import os\nos.fork()")
    project.commit()
    done = project.runner("tick", "--json")

    assert {run.task: project.show(run.run_id).output for run in project.runs()} == {"a": b"only this\n", "b": b""}
    assert done.stdout.count('"started"') == 1


def test_output_that_is_still_in_the_pipe_at_the_end_is_read(project: Project) -> None:
    details = project.run_once("import os\nfor _ in range(60):\n    os.write(1, b'x' * 1000)\nos._exit(0)")

    assert len(details.output) == 60_000


def test_a_run_by_hand_shows_the_output_byte_for_byte(project: Project) -> None:
    project.task("once", "import os\nprint('text')\nos.write(2, bytes(range(128, 256)))")
    project.commit()
    done = subprocess.run(
        [RUNNER, "run", "once"], cwd=project.root, env=project.environment(), check=False, capture_output=True
    )

    assert done.stdout == b"text\n" + bytes(range(128, 256))
    assert project.show(1).output == done.stdout


def test_a_run_by_hand_goes_on_where_nobody_reads_its_output_any_more(project: Project) -> None:
    project.task("once", "for _ in range(1000):\n    print('x' * 1000)")
    project.commit()
    subprocess.run(
        ["sh", "-c", '"$0" run once | head -c 10', RUNNER], cwd=project.root, env=project.environment(), check=True
    )

    assert [run.status for run in project.runs()] == ["succeeded"]


def test_a_run_by_hand_goes_on_where_its_output_cannot_be_shown(project: Project) -> None:
    project.task("once", "print('first')\nprint('second')")
    project.commit()
    with open("/dev/full", "wb") as full:
        subprocess.run([RUNNER, "run", "once"], cwd=project.root, env=project.environment(), check=False, stdout=full)

    assert [run.status for run in project.runs()] == ["succeeded"]
