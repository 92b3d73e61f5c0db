"""What a run prints can be watched while it runs, and a flood of it harms nobody."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from runner.execution.supervising.output import CAP
from runner.operations.asking import logs
from tests.support.processes import Family, background, family_of, kill_tick, peak_memory
from tests.support.project import MINUTE, NOON, RUNNER, Project
from tests.support.waiting import wait_until

_GAP = re.compile(rb"\n\[\.\.\. (\d+) bytes dropped \.\.\.\]\n")
_BINARY = bytes(range(256)) * 2


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    with family_of(tmp_path) as made:
        yield made


class _Reader:
    """A command whose output is read as it comes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.seen = b""
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)

    def has(self, text: bytes) -> bool:
        """Return whether something has been printed by now."""
        assert self.process.stdout is not None
        try:
            self.seen += os.read(self.process.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            pass
        return text in self.seen

    def wait_for(self, text: bytes) -> None:
        """Wait until something has been printed."""
        wait_until(lambda: self.has(text), f"{text!r} in {self.seen[-200:]!r}")

    def rest(self) -> bytes:
        """Wait for the end; return everything."""
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), True)
        while data := os.read(self.process.stdout.fileno(), 1 << 20):
            self.seen += data
        self.process.wait()
        return self.seen


@contextmanager
def _reading(project: Project, *words: str) -> Iterator[_Reader]:
    with subprocess.Popen(
        [RUNNER, *words], cwd=project.root, env=project.environment(NOON), stdout=subprocess.PIPE
    ) as process:
        try:
            yield _Reader(process)
        finally:
            if process.poll() is None:
                process.kill()


def _by_hand(project: Project, family: Family, code: str, **keys: object) -> None:
    project.task("once", family.code(code), **{"cron": "0 0 1 1 *", **keys})
    project.commit()


def test_a_run_by_hand_shows_each_piece_as_it_comes(project: Project, family: Family) -> None:
    _by_hand(project, family, "for n in range(3):\n    print(f'piece {n}', end=' ')\n    wait_for(f'go-{n}')")
    with _reading(project, "run", "once") as reader:
        for number in range(3):
            reader.wait_for(b"piece %d " % number)
            family.note(f"go-{number}")

        assert reader.rest() == b"piece 0 piece 1 piece 2 "


def test_logs_follow_a_run_from_its_start_to_its_end(project: Project, family: Family) -> None:
    project.task("once", family.code("for n in range(3):\n    print(f'line {n}')\n    wait_for(f'go-{n}')"))
    project.commit()
    with background(project, "tick", now=NOON) as tick:
        wait_until(lambda: (project.state / "runner.db").exists() and project.runs(), "the run")
        with _reading(project, "logs", "-f", "once") as reader:
            for number in range(3):
                reader.wait_for(b"line %d\n" % number)
                family.note(f"go-{number}")

            assert reader.rest() == b"line 0\nline 1\nline 2\n"
            assert reader.process.returncode == 0
        tick.wait()
    assert list((project.state / "live").iterdir()) == []


def test_logs_follow_from_the_middle_and_show_what_was_before(project: Project, family: Family) -> None:
    project.task("once", family.code("print('before')\nnote('printed')\nwait_for('go')\nprint('after')"))
    project.commit()
    with background(project, "tick", now=NOON):
        family.wait_for("printed")
        wait_until((project.state / "live" / "1-1").exists, "the live file")
        now = project.runner("logs", "1")
        with _reading(project, "logs", "-f", "1") as reader:
            reader.wait_for(b"before\n")
            family.note("go")

            assert reader.rest() == b"before\nafter\n"
    assert (now.returncode, now.stdout) == (0, "before\n")


def test_several_readers_follow_the_same_run(project: Project, family: Family) -> None:
    project.task("once", family.code("print('before')\nnote('printed')\nwait_for('go')\nprint('after')"))
    project.commit()
    with background(project, "tick", now=NOON):
        family.wait_for("printed")
        with _reading(project, "logs", "-f", "1") as one, _reading(project, "logs", "-f", "1") as two:
            one.wait_for(b"before\n")
            two.wait_for(b"before\n")
            family.note("go")

            assert one.rest() == two.rest() == b"before\nafter\n"


def test_logs_follow_every_attempt_in_order(project: Project, family: Family) -> None:
    code = "print('attempt', task.attempt)\nwait_for(f'go-{task.attempt}')\nraise SystemExit(task.attempt < 3)"
    project.task("once", family.code(code), retry={"attempts": 3, "delay": "0s"})
    project.commit()
    with background(project, "tick", now=NOON):
        wait_until(lambda: (project.state / "runner.db").exists() and project.runs(), "the run")
        with _reading(project, "logs", "-f", "1") as reader:
            for number in (1, 2, 3):
                reader.wait_for(b"attempt %d\n" % number)
                family.note(f"go-{number}")

            assert reader.rest() == b"attempt 1\nattempt 2\nattempt 3\n"
    assert project.runner("logs", "1").stdout == "attempt 1\nattempt 2\nattempt 3\n"
    assert [run.status for run in project.runs()] == ["succeeded"]


def test_logs_wait_for_a_run_that_waits_for_its_place(project: Project, family: Family) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("a", family.code("note('a')\nwait_for('go')"))
    project.task("b", "print('at last')")
    project.commit()
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("a")
        with _reading(project, "logs", "-f", "b") as reader:
            family.note("go")

            assert reader.rest() == b"at last\n"
        tick.wait()


@pytest.mark.parametrize("words", [("logs", "7"), ("logs", "-f", "7"), ("logs", "nothing"), ("show", "7")])
def test_an_unknown_run_is_a_usage_error(project: Project, words: tuple[str, ...]) -> None:
    project.run_once("print()")
    done = project.runner(*words)

    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no ")


@pytest.mark.parametrize("words", [("logs",), ("logs", "-f"), ("show",), ("cancel",)])
def test_a_number_beyond_all_runs_is_a_usage_error(project: Project, words: tuple[str, ...]) -> None:
    project.run_once("print()")
    done = project.runner(*words, "9" * 30)

    assert done.returncode == 2, done.stderr


def test_the_logs_of_a_run_that_has_ended_are_its_output_byte_for_byte(project: Project) -> None:
    project.run_once(f"import os\nos.write(1, bytes(range(256)) * 2)\nos.write(2, {b'no line end'!r})")
    with _reading(project, "logs", "-f", "1") as followed, _reading(project, "logs", "once") as shown:
        assert followed.rest() == shown.rest() == _BINARY + b"no line end"


def test_what_is_followed_is_binary_safe(project: Project, family: Family) -> None:
    project.task("once", family.code("os.write(1, bytes(range(256)) * 2)\nnote('printed')\nwait_for('go')"))
    project.commit()
    with background(project, "tick", now=NOON):
        family.wait_for("printed")
        with _reading(project, "logs", "-f", "1") as reader:
            reader.wait_for(_BINARY)
            family.note("go")

            assert reader.rest() == _BINARY


def test_logs_end_when_nobody_reads_them_any_more(project: Project) -> None:
    project.run_once("print('x' * 200_000)")
    done = subprocess.run(
        ["sh", "-c", '"$0" logs 1 | head -c 10', RUNNER],
        cwd=project.root,
        env=project.environment(),
        check=True,
        capture_output=True,
    )

    assert (done.stdout, done.stderr) == (b"x" * 10, b"")


def test_ctrl_c_ends_following_and_not_the_run(project: Project, family: Family) -> None:
    project.task("once", family.code("print('before')\nnote('printed')\nwait_for('go')\nprint('after')"))
    project.commit()
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("printed")
        with _reading(project, "logs", "-f", "1") as reader:
            reader.wait_for(b"before\n")
            reader.process.send_signal(signal.SIGINT)
            assert reader.process.wait() == 130
        family.note("go")
        tick.wait()

    assert project.show(1).output == b"before\nafter\n"


def test_a_long_slow_output_is_followed_whole_while_its_file_is_put_aside(project: Project, family: Family) -> None:
    code = "line = 'x' * 1023\nfor n in range(1500):\n    print(line)\n    time.sleep(0.0025)\nprint('the end')"
    project.task("once", family.code("note('begun')\n" + code))
    project.commit()
    with background(project, "tick", now=NOON):
        family.wait_for("begun")
        with _reading(project, "logs", "-f", "1") as reader:
            seen = reader.rest()

    whole = b"x" * 1023 + b"\n"
    assert seen == whole * 1500 + b"the end\n", (len(seen), _gaps(seen))


def test_what_is_written_to_a_file_just_before_it_is_put_aside_is_followed(project: Project, family: Family) -> None:
    # Some 700 KB a second: less than what is left out, and together more than a file may have.
    code = "print('begin')\nnote('begun')\nwait_for('go')\nos.write(1, b'a' * 700_000)\ntime.sleep(1.2)\n"
    code += "os.write(1, b'b' * 700_000)\nnote('written')\nwait_for('end')"
    project.task("once", family.code(code))
    project.commit()
    live = project.state / "live" / "1-1"
    with background(project, "tick", now=NOON):
        family.wait_for("begun")
        wait_until(live.exists, "the live file")
        first = live.stat().st_ino

        def act(_frame: FrameType, event: str, function: object) -> None:
            """Replace the file after the reader's last read of it, and before the reader checks for a newer one."""
            if event == "c_call" and function is time.sleep:
                sys.setprofile(look)

        def look(frame: FrameType, event: str, _function: object) -> None:
            if event != "call" or frame.f_code.co_name != "_open":
                return
            sys.setprofile(None)
            family.note("go")
            family.wait_for("written")
            wait_until(lambda: live.stat().st_ino != first, "another file in its place")
            family.note("end")

        sys.setprofile(act)
        try:
            seen = b"".join(logs.logs(project.workspace, 1, follow=True))
        finally:
            sys.setprofile(None)

    assert seen == b"begin\n" + b"a" * 700_000 + b"b" * 700_000, (len(seen), _gaps(seen))


def _gaps(seen: bytes) -> list[bytes]:
    return re.findall(rb"\[\.\.\. .*? \.\.\.\]", seen)


def test_three_hundred_megabytes_neither_grow_the_tick_nor_delay_another_run(project: Project, family: Family) -> None:
    flood = (
        "print('begin')\nnote('flood')\nblock = b'x' * 65_535 + b'\\n'\n"
        "for _ in range(4800):\n    os.write(1, block)\nprint('end')\nnote('dry')"
    )
    beat = "wait_for('flood')\nfor n in range(10):\n    print(n)\n    time.sleep(0.01)\nnote('done')"
    project.task("flood", family.code(flood))
    project.task("other", family.code(beat))
    project.commit()
    most = 0
    with background(project, "tick", now=NOON) as tick:
        while tick.poll() is None:
            most = max(most, peak_memory(tick.pid))
            time.sleep(0.01)

    [run], [other] = project.runs("flood"), project.runs("other")
    details = project.show(run.run_id)
    gap = _GAP.search(details.output)
    assert gap is not None
    assert details.output.startswith(b"begin\nxxx")
    assert details.output.endswith(b"xxx\nend\n")
    assert int(gap.group(1)) == details.output_dropped_bytes
    assert len(details.output) - len(gap.group()) + details.output_dropped_bytes == 4800 * 65_536 + 10
    assert len(details.output) - len(gap.group()) == CAP
    assert 0 < most < 24 * 1024, "KiB"
    assert (run.status, other.status) == ("succeeded", "succeeded")
    assert family.names().index("done") < family.names().index("dry")
    assert sum(path.stat().st_size for path in project.state.rglob("*") if path.is_file()) < 4 << 20


def test_a_flood_of_single_bytes_does_not_grow_the_tick(project: Project) -> None:
    project.task("once", "import os\nfor _ in range(400_000):\n    os.write(1, b'x')")
    project.commit()
    most = 0
    with background(project, "tick", now=NOON) as tick:
        while tick.poll() is None:
            most = max(most, peak_memory(tick.pid))
            time.sleep(0.01)

    assert project.show(1).output_dropped_bytes == 400_000 - CAP
    assert 0 < most < 32 * 1024, "KiB"


def test_following_a_flood_says_what_is_left_out(project: Project, family: Family) -> None:
    code = (
        "note('flood')\nend = time.monotonic() + 2\n"
        "while time.monotonic() < end:\n    os.write(1, b'x' * 65_535 + b'\\n')\nprint('the end')"
    )
    project.task("once", family.code(code))
    project.commit()
    with background(project, "tick", now=NOON):
        family.wait_for("flood")
        with _reading(project, "logs", "-f", "1") as reader:
            seen = reader.rest()
        sizes = [path.stat().st_size for path in project.state.glob("live/*")]

    assert _gaps(seen)
    assert len(seen) < 8 << 20
    assert sizes == []


def test_what_a_killed_tick_had_seen_is_on_record_with_the_lost_attempt(project: Project, family: Family) -> None:
    project.task("once", family.code("os.write(1, b'so far \\xff')\nnote('ready')\nforever()"))
    project.commit()
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("ready")
        wait_until((project.state / "live" / "1-1").exists, "the live file")
        kill_tick(tick)
    project.task("once")
    project.commit()
    with _reading(project, "logs", "-f", "1") as reader:
        reader.wait_for(b"so far \xff")
        project.runner("tick", now=NOON + MINUTE)

        assert reader.rest() == b"so far \xff"
    details = project.show(1)
    assert (details.run.status, details.output) == ("lost", b"so far \xff")
    assert list((project.state / "live").iterdir()) == []


def test_a_timeout_comes_where_nobody_reads_what_a_run_by_hand_shows(project: Project, family: Family) -> None:
    code = "for _ in range(100):\n    print('x' * 65_536)\nforever()"
    _by_hand(project, family, code, timeout="1s", kill_grace="0s")
    with _reading(project, "run", "once") as reader:
        wait_until(lambda: project.state.joinpath("runner.db").exists() and project.runs(), "the run")
        wait_until(lambda: project.runs()[0].status != "running", "the timeout")
        reader.process.kill()

    assert project.runs()[0].status == "timed_out"


def test_live_files_are_gone_after_every_kind_of_end(project: Project, family: Family) -> None:
    ends = {"good": "", "bad": "1 / 0", "killed": "os.kill(os.getpid(), 9)", "late": "forever()"}
    for name, end in ends.items():
        project.task(name, family.code(f"print(1)\ntime.sleep(0.7)\n{end}"), timeout="4s", kill_grace="0s")
    project.commit()
    project.runner("tick", now=NOON)

    assert {run.status for run in project.runs()} == {"succeeded", "failed", "timed_out"}
    assert list((project.state / "live").iterdir()) == []
    assert list((project.state / "owners").iterdir()) == []
