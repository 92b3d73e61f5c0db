"""The environment of the peers: separate from that of runner, created when needed, pinned by constraints.txt."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import HERE
from benchmarks.measure import Command
from benchmarks.peers import Peer

_FOLDER = HERE.parent / ".benchmarks" / "venv"
_PINS = HERE / "constraints.txt"


@dataclass(frozen=True, slots=True)
class PeerEnvironment:
    """The folder where the peers are installed. `absent` has the reason for each peer that is not installed."""

    programs: Path
    absent: Mapping[Peer, str]

    def command(self, words: Iterable[str | Path], folder: Path, **environment: str) -> Command:
        """Return a command that runs in a folder, and whose first word is a program of this environment."""
        program, *arguments = map(str, words)
        return Command([str(self.programs / program), *arguments], folder, environment)


def installed(peers: Iterable[Peer]) -> PeerEnvironment:
    """Install the peers that can be installed here, and return their environment."""
    if not (_FOLDER / "bin" / "python").exists():
        print(f"setting up {_FOLDER.relative_to(HERE.parent)} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", _FOLDER], check=True)
    tried = {peer: _install(peer.packages) for peer in peers if peer.packages}
    return PeerEnvironment(_FOLDER / "bin", {peer: reason for peer, reason in tried.items() if reason is not None})


def named(peer: Peer) -> str:
    """Return the peer's name with its pinned version."""
    versions = dict(line.split("==") for line in _PINS.read_text().splitlines())
    return " ".join([peer.name, *(versions[package] for package in peer.packages[:1])])


def _install(packages: Iterable[str]) -> str | None:
    """Return why the packages cannot be installed, or None if they are installed."""
    done = subprocess.run(
        [_FOLDER / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
        env={**os.environ, "PIP_CONSTRAINT": str(_PINS)},
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    return None if done.returncode == 0 else last_line(done.stderr)


def last_line(text: str) -> str:
    """Return the last line that is not blank, in which pip and tracebacks put the error."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no message")
