"""A secret reaches the task that names it, and nothing else: no store, no file, and no output of any command."""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
import time
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from runner.model.run import RunDetails
from tests.support.many import run_many
from tests.support.processes import background, family_of, kill_tick
from tests.support.project import NOON, RUNNER, Project
from tests.support.waiting import wait_until

#: Every encoding of it differs from it.
SECRET = "k3y/+ \"\u00e9' & <top> %41\\secret"  # noqa: S105 - the tests are about it
_HALF = "Masker.mask_text raises UnicodeEncodeError in child._report: exit code 125, no error, no exit handlers"
OTHER = "ANOTHER_VARIABLE=of-runner-itself"


def _forms() -> list[bytes]:
    plain = SECRET.encode()
    texts = [json.dumps(SECRET)[1:-1], repr(SECRET)[1:-1], quote_plus(SECRET), json.dumps(SECRET, ensure_ascii=False)]
    return [plain, base64.b64encode(plain), plain.hex().encode(), *(text.encode() for text in texts)]


def _file(project: Project, text: str | bytes = f"SECRET={SECRET}\n", mode: int = 0o600) -> Path:
    """Write a file of secrets and name it in runner.yaml."""
    path = project.root.parent / "secrets"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    _name(project, path)
    return path


def _name(project: Project, path: Path) -> None:
    project.write("runner.yaml", f"secrets_file: {path}\nmax_parallel: 16\n")


_SHOW_LENGTH = "import os\nprint('length', len(os.environ['SECRET']))"


def _run(project: Project, env: dict[str, str] | None = None, code: str = _SHOW_LENGTH) -> RunDetails:
    """Tick a task that has a secret; return what became of it."""
    project.task("once", code, secrets=["SECRET"])
    project.commit()
    done = project.runner("tick", now=NOON, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return project.show(project.runs("once")[0].run_id)


def _assert_never_began(details: RunDetails, reason: str) -> None:
    run = details.run
    assert (run.status, run.attempts, run.started_at, run.reason) == ("failed", 0, None, reason)


def test_a_secret_comes_from_the_file_that_runner_yaml_names(project: Project) -> None:
    _file(project, f"# a comment\n\nOTHER=x\nSECRET={SECRET}\n")

    assert _run(project).output == b"length %d\n" % len(SECRET)


def test_a_secret_comes_from_the_credentials_of_systemd(project: Project, tmp_path: Path) -> None:
    (tmp_path / "SECRET").write_text(SECRET + "\n")

    assert _run(project, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).output == b"length %d\n" % len(SECRET)


def test_a_secret_comes_from_the_environment_of_runner(project: Project) -> None:
    assert _run(project, {"SECRET": SECRET}).output == b"length %d\n" % len(SECRET)


def test_the_file_comes_before_the_credentials_and_these_before_the_environment(
    project: Project, tmp_path: Path
) -> None:
    code = "import os\nprint({name: len(os.environ[name]) for name in ('FIRST', 'SECOND', 'THIRD')})"
    _file(project, "FIRST=1234\n")
    for name in ("FIRST", "SECOND"):
        (tmp_path / name).write_text("12345")
    project.task("once", code, secrets=["FIRST", "SECOND", "THIRD"])
    project.commit()
    outside = {"CREDENTIALS_DIRECTORY": str(tmp_path), "FIRST": "123456", "SECOND": "123456", "THIRD": "123456"}
    project.runner("tick", now=NOON, env=outside)

    assert project.show(1).output == b"{'FIRST': 4, 'SECOND': 5, 'THIRD': 6}\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_a_file_that_others_may_use_is_refused(project: Project, mode: int) -> None:
    path = _file(project, mode=mode)

    _assert_never_began(_run(project), f"the secrets file {path} may be read by others: chmod 600 {path}")


@pytest.mark.parametrize("name", ["our secrets", "it's", "a;b", "größe"])
def test_the_command_that_closes_a_file_to_others_can_be_pasted_whatever_the_path(
    project: Project, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name / "file"
    path.parent.mkdir()
    path.write_text(f"SECRET={SECRET}\n")
    path.chmod(0o644)
    project.write("runner.yaml", f"secrets_file: {json.dumps(str(path), ensure_ascii=False)}\n")

    command = str(_run(project).run.reason).rpartition("may be read by others: ")[2]

    assert shlex.split(command) == ["chmod", "600", str(path)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(project: Project) -> None:
    path = _file(project)
    os.chown(path, 12345, 12345)

    _assert_never_began(_run(project), f"the secrets file {path} belongs to another user (uid 12345)")


def test_a_file_that_is_not_there_is_named(project: Project, tmp_path: Path) -> None:
    _name(project, tmp_path / "nowhere")

    reason = f"the secrets file {tmp_path}/nowhere cannot be read: No such file or directory"
    _assert_never_began(_run(project), reason)


def test_a_folder_in_the_place_of_the_file_is_named(project: Project, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o700)
    _name(project, tmp_path / "folder")

    _assert_never_began(_run(project), f"the secrets file {tmp_path}/folder is not a file")


def test_a_pipe_that_nobody_writes_to_does_not_hold_up_the_tick(project: Project, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    _name(project, tmp_path / "pipe")

    run = _run(project).run
    assert (run.status, run.attempts) == ("failed", 0)
    assert "secret" in str(run.reason)


def test_a_pipe_with_a_silent_writer_does_not_hold_up_or_end_the_tick(project: Project, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    _name(project, tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)
    try:
        run = _run(project).run
    finally:
        os.close(writer)

    assert (run.status, run.attempts) == ("failed", 0)


@pytest.mark.parametrize(
    "line", [f"{SECRET}", f"export SECRET={SECRET}", f"9SECRET={SECRET}", f"={SECRET}", f'"SECRET"={SECRET}']
)
def test_a_broken_line_is_named_by_its_number_and_not_quoted(project: Project, line: str) -> None:
    path = _file(project, f"FIRST=1234\n{line}\n")

    _assert_never_began(_run(project), f"line 2 of the secrets file {path} is not NAME=value")
    assert _found_in(project) == []


def test_a_file_that_is_no_text_is_named_and_not_quoted(project: Project) -> None:
    path = _file(project, b"SECRET=\xff" + SECRET.encode())

    _assert_never_began(_run(project), f"the secrets file {path} cannot be read: it is not UTF-8")
    assert _found_in(project) == []


def test_a_secret_that_is_nowhere_fails_the_run_before_it_starts(project: Project) -> None:
    _assert_never_began(
        _run(project),
        "the secret SECRET is not set: name a file in runner.yaml (secrets_file), or set it in the environment of runner",
    )


def test_a_secret_that_is_not_in_the_file_says_where_to_add_it(project: Project) -> None:
    path = _file(project, "OTHER=1234\n")

    _assert_never_began(_run(project), f"the secret SECRET is not set: add it to {path}")


def test_an_empty_secret_is_none(project: Project) -> None:
    path = _file(project, "SECRET=\n")

    _assert_never_began(_run(project, {"SECRET": ""}), f"the secret SECRET is not set: add it to {path}")


def test_a_secret_too_short_to_be_masked_fails_the_run_before_it_starts(project: Project) -> None:
    _file(project, "SECRET=abc\n")

    reason = "the secret SECRET has fewer than 4 bytes: it could not be masked in the output"
    _assert_never_began(_run(project), reason)


def test_a_run_without_its_secret_is_not_tried_again_and_does_not_harm_others(project: Project) -> None:
    project.task("once", "print()", secrets=["SECRET"], retry={"attempts": 3, "delay": "0s"})
    project.task("other", "print('well')")
    project.commit()
    project.runner("tick", now=NOON)

    assert {run.task: (run.status, run.attempts) for run in project.runs()} == {
        "once": ("failed", 0),
        "other": ("succeeded", 1),
    }


def test_a_secret_with_a_zero_byte_fails_its_run_and_no_other(project: Project) -> None:
    _file(project, "SECRET=before\0after\n")
    project.task("other", "print('well')")
    details = _run(project)

    assert details.run.status == "failed"
    assert "after" not in str(details.run.reason)
    assert [run.status for run in project.runs("other")] == ["succeeded"]


# What tasks do with a secret. `secret` is bound to it before.
_LEAKS = {
    "prints": "print(secret)",
    "prints-forms": (
        "import base64, html, json, urllib.parse\n"
        "print(base64.b64encode(secret.encode()).decode(), base64.urlsafe_b64encode(b'user:' + secret.encode()))\n"
        "print(base64.b64encode(b'Basic user:' + secret.encode() + b'!').decode())\n"
        "print(json.dumps({'key': secret}), json.dumps([secret], ensure_ascii=False), repr(secret), ascii(secret))\n"
        "print(urllib.parse.quote(secret), urllib.parse.quote_plus(secret), urllib.parse.urlencode({'a': secret}))\n"
        "print(html.escape(secret), secret.encode(), secret.encode().hex(), [secret], {'a': secret}, os.environ)"
    ),
    "raises": "raise ValueError(f'cannot log in with {secret}')",
    "raises-deep": "try:\n    raise KeyError(secret)\nexcept KeyError as error:\n    raise RuntimeError([secret]) from error",
    "names-its-error": "raise type(secret, (Exception,), {})('no')",
    "notes": "error = ValueError('no')\nerror.add_note(secret)\nraise error",
    "long-message": "raise ValueError('x' * (990 - len(secret) // 2) + secret + 'y' * 5000)",
    "long-messages": "raise ExceptionGroup('all', [ValueError('x' * n + secret + 'y' * 3000) for n in range(960, 1010)])",
    "long-line": "raise ValueError('x' * (190 - len(secret) // 2) + secret)",
    "many-lines": "def f(n):\n    return f(n - 1) if n else 1 / 0 + int(secret)\nf(300)",
    "hook": "import sys\nsys.excepthook = lambda *_: print(_, secret)\nraise ValueError(secret)",
    "logs": "logger.error('password %s', secret)\nlogger.warning('%r', secret)",
    "warns": "import warnings\nwarnings.warn(secret)",
    "exits": "raise SystemExit(secret)",
    "crashes": "print(secret, end='')\nos.kill(os.getpid(), 9)",
    "aborts": "import faulthandler\nfaulthandler.enable()\nos.write(2, secret.encode())\nos.abort()",
    "two-writes": (
        "import time\nhalf = len(secret.encode()) // 2\nos.write(1, secret.encode()[:half])\n"
        "time.sleep(0.3)\nos.write(1, secret.encode()[half:])"
    ),
    "bytewise": "for byte in secret.encode():\n    os.write(1, bytes([byte]))",
    "program": "import subprocess\nsubprocess.run(['sh', '-c', 'printf %s \"$SECRET\"; env'])",
    "failed-program": "import subprocess\nsubprocess.run(['sh', '-c', 'exit 1', secret], check=True)",
    "fork": "if os.fork() == 0:\n    raise ValueError(secret)\nos.wait()",
    "thread": (
        "import threading\ndef f():\n    raise ValueError(secret)\n"
        "t = threading.Thread(target=f, name=secret)\nt.start()\nt.join()"
    ),
    "flood": "for _ in range(30_000):\n    print(secret)",
    "syntax": "exec(f'x = {secret!r} +', {})",
    "live": "import time\nprint(secret, flush=True)\ntime.sleep(1.5)\nprint(secret)",
    "stops-tracing": "import traceback\ntraceback.format_exception = None\nraise ValueError(secret)",
    "half-characters": "raise ValueError(secret + chr(0xd800))",
    "file": "open(secret.replace('/', '_') + '/nowhere')",
    "title": "open('/proc/self/comm', 'w').write(secret)\nprint(open('/proc/self/comm').read())",
}


def _found_in(project: Project, *texts: bytes) -> list[str]:
    """Return where a secret stands: files of the state, the output of commands, and the texts."""
    places = {str(path): path.read_bytes() for path in project.state.rglob("*") if path.is_file()}
    places |= {str(path): str(path).encode() for path in project.state.rglob("*")}
    commands: list[tuple[str, ...]] = [("history", "--json"), ("history",), ("status",), ("status", "--json")]
    for run in project.runs():
        commands += [("show", str(run.run_id)), ("show", str(run.run_id), "--json"), ("logs", str(run.run_id))]
    with project.database() as database:
        places["dump"] = "\n".join(database.iterdump()).encode()
        blobs = database.execute("SELECT output FROM outputs")
        places["outputs"] = b"\n".join(output for (output,) in blobs)
    # Of many runs some stand for all: what is shown comes from the store, which is looked through as a whole.
    commands = commands[:4] + commands[4::40]
    for words, said in zip(commands, run_many(project, [(NOON, words) for words in commands]), strict=True):
        assert (said.code, said.output[:6]) != (1, b"error:"), said.output
        places[" ".join(words)] = said.output
    places |= {f"text {number}": text for number, text in enumerate(texts)}
    return [f"{name}: {form!r}" for name, content in places.items() for form in _forms() if form in content]


def _said(project: Project, *words: str) -> bytes:
    done = subprocess.run(
        [RUNNER, *words], cwd=project.root, env=project.environment(NOON), check=False, capture_output=True
    )
    return done.stdout + done.stderr


def test_whatever_tasks_do_with_a_secret_it_stands_nowhere(project: Project) -> None:
    _file(project)
    for name, code in _LEAKS.items():
        project.task(name, f"import os\nsecret = os.environ['SECRET']\n{code}", secrets=["SECRET"], timeout="2m")
    project.commit()
    live: list[bytes] = []
    with background(project, "tick", "--verbose", "--json", now=NOON) as tick:
        while tick.poll() is None:
            for path in [
                *project.state.glob("live/*"),
                *project.state.glob("runner.db*"),
                *project.state.glob("owners/*"),
            ]:
                try:
                    live.append(path.read_bytes())
                except FileNotFoundError:
                    continue
            time.sleep(0.005)  # what stands there for a moment only is to be seen too
        said = "".join(tick.communicate()).encode()

    assert tick.returncode == 0, said
    assert _found_in(project, said, *live[:: max(1, len(live) // 50)]) == []
    ended = {run.task: run for run in project.runs()}
    assert set(ended) == set(_LEAKS)
    for name in ("prints", "prints-forms", "logs", "warns", "two-writes", "bytewise", "flood", "live", "program"):
        assert ended[name].status == "succeeded", (name, ended[name].reason)
        assert b"***" in project.show(ended[name].run_id).output
    assert ended["raises"].reason == "ValueError: cannot log in with ***"
    assert ended["names-its-error"].reason == "***: no"
    assert ended["crashes"].signal == 9
    assert project.show(ended["two-writes"].run_id).output == b"***"
    assert project.show(ended["bytewise"].run_id).output == b"***"


@pytest.mark.parametrize("name", ["prints", "raises", "exits", "two-writes", "names-its-error"])
def test_what_is_shown_of_a_run_by_hand_has_no_secret(project: Project, name: str) -> None:
    _file(project)
    code = f"import os\nsecret = os.environ['SECRET']\n{_LEAKS[name]}"
    project.task("once", code, secrets=["SECRET"], cron="0 0 1 1 *")
    project.commit()
    shown, told = _said(project, "run", "once"), _said(project, "run", "once", "--json")

    assert b"***" in shown
    assert b"***" in told
    assert _found_in(project, shown, told) == []


def test_a_text_error_with_half_a_character_is_on_record_where_a_task_has_secrets(project: Project) -> None:
    _file(project)
    details = _run(project, code="raise ValueError('half: ' + chr(0xd800))")

    assert details.run.exit_code == 1
    assert str(details.run.reason).startswith("ValueError: half: ")


def test_exit_handlers_run_after_an_error_with_half_a_character(project: Project) -> None:
    _file(project)
    code = "import atexit\natexit.register(print, 'tidied up')\nraise ValueError(chr(0xd800))"

    assert _run(project, code=code).output.endswith(b"tidied up\n")


def test_the_list_of_processes_and_the_live_file_show_no_secret(project: Project, tmp_path: Path) -> None:
    _file(project)
    with family_of(tmp_path) as family:
        code = "import subprocess\nsecret = os.environ['SECRET']\nprint(secret)\nnote('task')\nwait_for('go')"
        project.task("once", family.code(code), secrets=["SECRET"])
        project.commit()
        with background(project, "tick", now=NOON):
            family.wait_for("task")
            live = project.state / "live" / "1-1"
            wait_until(lambda: live.exists() and b"***" in live.read_bytes(), "the live file")
            lines = _command_lines()
            said = _said(project, "logs", "1")
            found = _found_in(project, said, *lines)
            mode = live.stat().st_mode & 0o777
            family.note("go")

    assert found == []
    assert b"***" in said
    assert mode == 0o600


def _command_lines() -> list[bytes]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("cmdline", "comm"):
            try:
                found.append(Path(f"/proc/{pid}/{name}").read_bytes())
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def test_what_a_killed_tick_leaves_on_record_has_no_secret(project: Project, tmp_path: Path) -> None:
    _file(project)
    with family_of(tmp_path) as family:
        code = (
            "secret = os.environ['SECRET']\nprint('so far', secret)\nprint(secret[:9], end='')\nnote('task')\nforever()"
        )
        project.task("once", family.code(code), secrets=["SECRET"])
        project.commit()
        with background(project, "tick", now=NOON) as tick:
            family.wait_for("task")
            live = project.state / "live" / "1-1"
            wait_until(lambda: live.exists() and b"***" in live.read_bytes(), "the live file")
            kill_tick(tick)
        project.task("once")
        project.commit()
        project.runner("tick", now=NOON)

    assert project.runs()[0].status == "lost"
    assert project.show(1).output.startswith(b"so far ***\n")
    assert _found_in(project) == []


def test_env_gives_a_task_its_variables_and_other_variables_of_runner_stay_out(project: Project) -> None:
    code = "import os\nfor name in sorted(os.environ):\n    print(name)\nprint(os.environ['REPORT_TO'], os.environ['PATH'])"
    name, _, value = OTHER.partition("=")
    project.task("once", code, env={"REPORT_TO": "a = b; $c", "PATH": "/bin"})
    project.commit()
    project.runner("tick", now=NOON, env={name: value, "SECRET": SECRET, "CREDENTIALS_DIRECTORY": "/nowhere"})
    output = project.show(1).output.decode()

    assert output.endswith("a = b; $c /bin\n")
    assert "REPORT_TO" in output.splitlines()
    assert name not in output.splitlines()
    assert "SECRET" not in output
    assert "CREDENTIALS_DIRECTORY" not in output


def test_a_task_has_only_the_secrets_that_it_names(project: Project) -> None:
    _file(project, f"SECRET={SECRET}\nFIRST=first-secret\n")
    code = "import os\nprint(len(os.environ.get('FIRST', '')), 'SECRET' in os.environ)"
    project.task("once", code, secrets=["FIRST"])
    project.commit()
    project.runner("tick", now=NOON)

    assert project.show(1).output == b"12 False\n"


def test_a_secret_is_read_anew_for_each_run(project: Project) -> None:
    path = _file(project, "SECRET=first value\n")
    project.task("once", "import os\nprint(len(os.environ['SECRET']))", secrets=["SECRET"], cron="0 0 1 1 *")
    project.commit()
    project.runner("run", "once")
    path.write_text("SECRET=another value\n")
    project.runner("run", "once")

    assert [project.show(run.run_id).output for run in project.runs()] == [b"11\n", b"13\n"]
