"""Start git, with fixed options, a reduced environment and a time limit. No other module starts git.

A user's settings for reading at a terminal change no answer, and neither does a variable that names another
repository. The settings that say how to reach a remote, and whom to trust, still hold. A tick that finds a new commit
loads this module before it knows whether anything is due: modules that only longer questions need are imported in the
functions.
"""

import os

from runner.errors import GitError, RepositoryError

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

#: Seconds. No question here takes more than a few; a git that hangs (a dead network disk) must not block a tick for
#: ever.
PATIENCE = 120.0
#: Seconds between TERM and KILL, in which git removes its own lock files.
_GRACE = 5.0
_TERM, _KILL = 15, 9  # the module `signal` takes longer to load than git takes to answer

#: The variables of git that are kept (git(1), ENVIRONMENT): transport, trust, configuration, where git is installed,
#: and who commits. All others choose a repository, an index, objects, paths or a form of output.
_KEPT = (
    *("GIT_ALLOW_PROTOCOL", "GIT_ASKPASS", "GIT_EXEC_PATH", "GIT_PROTOCOL", "GIT_PROTOCOL_FROM_USER"),
    *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT"),
    *("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_", "GIT_CURL_", "GIT_HTTP_", "GIT_PROXY_", "GIT_SSL_"),
)
_OWN = {
    # Programs read what git prints: always in English, whatever the locale.
    "LC_ALL": "C",
    "LANGUAGE": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    # Replaced objects and grafts (git-replace(1)) would run other code than the commit has. A path below a file never
    # exists.
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": f"{os.devnull}/none",
    # Git reads a path as a name, never as a pattern.
    "GIT_LITERAL_PATHSPECS": "1",
}
# Settings that change what git prints or finds (git-config(1)); the command line overrides every file and variable.
_FIXED = (
    *("color.ui=false", "core.pager=cat", "core.quotePath=false", "core.fsmonitor=false", "core.commitGraph=false"),
    *("log.showSignature=false", "log.follow=false", "log.mailmap=false", "log.decorate=false", "log.date=default"),
    *("log.abbrevCommit=false", "log.diffMerges=separate", "log.showRoot=true", "format.notes=false"),
    *("diff.renames=true", "diff.renameLimit=1000", "diff.algorithm=myers", f"diff.orderFile={os.devnull}"),
    *("diff.relative=false", "diff.ignoreSubmodules=none", "format.pretty=medium", "i18n.logOutputEncoding=UTF-8"),
    *("status.showUntrackedFiles=all", "status.relativePaths=false", "status.branch=false", "status.short=false"),
)
_OPTIONS = ("--no-pager", *(word for setting in _FIXED for word in ("-c", setting)))
_ADVICE = ("warning: ", "hint: ")


def environment() -> dict[str, str]:
    """Return the caller's environment without the variables that choose what git reads or how git prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or _is_kept(name)}
    return kept | _OWN


def _is_kept(name: str) -> bool:
    return any(name.startswith(kept) if kept.endswith("_") else name == kept for kept in _KEPT)


def git(
    root: str,
    *words: str,
    given: bytes = b"",
    patience: float = PATIENCE,
    env: "Mapping[str, str] | None" = None,
    is_at_terminal: bool = False,
) -> bytes:
    """Return what `git -C root …` prints; `given` is its standard input.

    Raises GitError, whose hint says what to do.
    """
    code, stdout, stderr = run(root, *words, given=given, patience=patience, env=env, is_at_terminal=is_at_terminal)
    if code:
        raise explain(root, stderr)
    return stdout


def run(
    root: str,
    *words: str,
    given: bytes = b"",
    patience: float = PATIENCE,
    env: "Mapping[str, str] | None" = None,
    is_at_terminal: bool = False,
) -> tuple[int, bytes, str]:
    """Return git's exit code, its standard output and its standard error; arguments as for `start`.

    Raises GitError.
    """
    from subprocess import TimeoutExpired  # noqa: PLC0415 - see above

    with start(root, *words, env=env, is_at_terminal=is_at_terminal) as process:
        try:
            stdout, stderr = process.communicate(given, timeout=patience)
        except TimeoutExpired:
            end(process)
            raise late(words[0], patience) from None
        except BaseException:
            end(process)
            raise
    return process.returncode, stdout, stderr.decode("utf-8", "replace")


def late(command: str, patience: float) -> GitError:
    """Return the error for a git command that did not end in time."""
    return GitError(f"git {command} did not end within {patience:.0f} s", "look at the disk, and at the network")


def start(
    root: str,
    *words: str,
    env: "Mapping[str, str] | None" = None,
    is_silent: bool = False,
    is_at_terminal: bool = False,
) -> "subprocess.Popen[bytes]":
    """Return a started git, in its own session, with pipes. Raises RepositoryError where git is not installed.

    `env` is added to `environment`. `is_silent` drops its standard error. `is_at_terminal` leaves it in the session of
    the user, so that a passphrase can be asked for.
    """
    import subprocess  # noqa: PLC0415 - see above

    try:
        return subprocess.Popen(
            ["git", "-C", root, *_OPTIONS, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if is_silent else subprocess.PIPE,
            env=environment() | dict(env or {}),
            # In a new session, git and all that it starts can be ended together, and have no terminal to prompt on.
            start_new_session=not is_at_terminal,
        )
    except FileNotFoundError as error:
        raise RepositoryError("git is not installed", "install git, and see that it is on PATH") from error


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a git that `start` started, and the processes that it started; by TERM first, so that no lock file stays."""
    from subprocess import TimeoutExpired  # noqa: PLC0415 - see above

    try:
        send = os.killpg if os.getsid(process.pid) == process.pid else os.kill
    except ProcessLookupError:
        return  # it has ended already
    for number in (_TERM, _KILL):
        try:
            send(process.pid, number)
            process.wait(_GRACE)
        except (ProcessLookupError, TimeoutExpired):
            continue


def ask(root: str, *words: str, patience: float = PATIENCE) -> tuple[int, str]:
    """Return git's exit code and what it prints, without `subprocess`, which takes longer to load than git to answer.

    The exit code is 127 where git cannot be started or does not end in time.
    """
    readable, writable = os.pipe()
    try:
        pid = os.posix_spawnp(
            "git",
            ["git", "-C", root, *_OPTIONS, *words],
            environment(),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writable, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            setpgroup=0,
        )
    except OSError:
        os.close(readable)
        return 127, ""
    finally:
        os.close(writable)
    text = None
    try:
        text = _read_all(readable, patience)
    finally:
        os.close(readable)
        if text is None:
            os.killpg(pid, _KILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return (127, "") if text is None else (code, text)


def _read_all(descriptor: int, patience: float) -> str | None:
    """Return all that is printed, None where git does not end in time."""
    import select  # noqa: PLC0415 - see above
    import time  # noqa: PLC0415

    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    until = time.monotonic() + patience
    data = b""
    while poll.poll(max(0.0, until - time.monotonic()) * 1000):
        more = os.read(descriptor, 65_536)
        if not more:
            return data.decode("utf-8", "replace")
        data += more
    return None


def explain(root: str, stderr: str) -> GitError:
    """Return the error for what git printed on standard error, with a hint that says what to do."""
    if "dubious ownership" in stderr:
        from shlex import quote  # noqa: PLC0415 - see above

        hint = f"run as its owner, or: git config --global --add safe.directory {quote(root)}"
        return RepositoryError(f"git refuses {root}: it belongs to another user", hint)
    if "not a git repository" in stderr:
        return _no_repository(root)
    # Git prints its error first, and advice after it.
    lines = [line for line in stderr.splitlines() if line.strip() and not line.startswith(_ADVICE)]
    message = lines[0].removeprefix("fatal: ").removeprefix("error: ") if lines else "git failed and printed no reason"
    return GitError(f"git: {message}", f"in {root}")


def _no_repository(root: str) -> GitError:
    """Return why git finds no repository: there is none, or a part of it is damaged (gitrepository-layout(5))."""
    from runner.repo.head import damaged_part  # noqa: PLC0415 - `head` asks git by this module

    part = damaged_part(root)
    if part is None:
        return RepositoryError(f"{root} is not in a git repository", "run `git init` and commit your tasks")
    hint = "for HEAD, write `ref: refs/heads/main` into it, with the name of your branch; for others, clone anew"
    return GitError(f"the repository of {root} is damaged: {part} is missing or no {part} of git", hint, part)
