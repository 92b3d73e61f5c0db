"""The program that builds an environment with packages (PEP 723), and then runs the command that needs it.

`python -I build_environment.py FOLDER NUMBER REQUIREMENT … COMMAND …`: NUMBER says how many requirements there are.
It needs nothing but the standard library and uv. An environment is built once, by one process; others wait for that.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys

#: The file of an environment that is complete. It is touched at each use.
_READY = "ready"
#: The seconds after which an environment that no run has used is removed.
_UNUSED = 30 * 86_400
#: How the names of the variables begin that say where packages come from (uv, curl, OpenSSL). Tasks do not get them.
VARIABLES = (
    *("UV", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    *("no_proxy", "SSL_CERT_", "XDG_CACHE_HOME", "XDG_CONFIG_", "NETRC"),
)
_NO_UV = "uv is not installed beside runner, and not on PATH: install it, for example by `pip install uv`"


class BuildError(Exception):
    """The environment could not be built. The message says why."""


def main(folder: str, requirements: list[str], command: list[str]) -> None:
    """Build the environment in a folder if it is missing, and run the command in place of this process.

    Raises BuildError.
    """
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    lock = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not os.path.exists(f"{folder}/{_READY}"):
        _build(folder, requirements)
    os.utime(f"{folder}/{_READY}")
    _remove_unused(os.path.dirname(folder), os.stat(f"{folder}/{_READY}").st_mtime)
    os.close(lock)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(VARIABLES)}
    os.execve(command[0], command, kept)  # noqa: S606 - the command is runner's own


def _build(folder: str, requirements: list[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # what a killed process has left
    uv = _uv()
    if uv is None:
        raise BuildError(_NO_UV)
    install = [uv, "pip", "install", "--quiet", "--no-build", "--link-mode=copy"]
    steps = (
        [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, folder],
        # Wheels only: to build a package runs its code, which no wall holds. Files of a cache are copied.
        [*install, "--python", f"{folder}/bin/python", "--", *requirements],
    )
    for step in steps:
        done = subprocess.run(step, check=False, stderr=subprocess.PIPE, text=True, errors="replace")
        if done.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            sys.stderr.write(done.stderr)
            raise BuildError(f"uv could not install {', '.join(requirements)}: {_in_one_line(done.stderr)}")
    with open(f"{folder}/{_READY}", "w", encoding="utf-8") as ready:
        ready.write("\n".join(requirements))


def _uv() -> str | None:
    named = os.environ.get("UV")  # as uv itself tells the programs that it starts
    if named:
        return named
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    return beside if os.access(beside, os.X_OK) else shutil.which("uv")


def _in_one_line(text: str) -> str:
    """Return what uv says, without the marks that it draws."""
    plain = "".join(letter for letter in text if letter.isascii())
    return " ".join(plain.split())[:400]


def _remove_unused(parent: str, now: float) -> None:
    for name in os.listdir(parent):
        folder = os.path.join(parent, name)
        try:
            is_unused = now - os.stat(f"{folder}/{_READY}").st_mtime > _UNUSED
        except OSError:
            continue  # it is being built, or is no environment
        if is_unused:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    number = int(sys.argv[2])
    try:
        main(sys.argv[1], sys.argv[3 : 3 + number], sys.argv[3 + number :])
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        os._exit(1)
