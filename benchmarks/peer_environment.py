"""The environment in which the peers live: never the product's, made on demand, pinned by constraints.txt."""

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

_PLACE = HERE.parent / ".benchmarks" / "venv"
_PINS = HERE / "constraints.txt"


@dataclass(frozen=True, slots=True)
class PeerEnvironment:
    """Where the peers are installed. `absent` says of each peer that is not, why."""

    programs: Path
    absent: Mapping[Peer, str]

    def command(self, words: Iterable[str | Path], folder: Path, **environment: str) -> Command:
        """Return a command whose first word is a program of this environment, run in a folder."""
        program, *arguments = map(str, words)
        return Command([str(self.programs / program), *arguments], folder, environment)


def installed(peers: Iterable[Peer]) -> PeerEnvironment:
    """Return the environment with those of the peers in it that can be installed here."""
    if not (_PLACE / "bin" / "python").exists():
        print(f"setting up {_PLACE.relative_to(HERE.parent)} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", _PLACE], check=True)
    tried = {peer: _install(peer.packages) for peer in peers if peer.packages}
    return PeerEnvironment(_PLACE / "bin", {peer: reason for peer, reason in tried.items() if reason is not None})


def named(peer: Peer) -> str:
    """Return the peer's name with the version that is pinned."""
    versions = dict(line.split("==") for line in _PINS.read_text().splitlines())
    return " ".join([peer.name, *(versions[package] for package in peer.packages[:1])])


def _install(packages: Iterable[str]) -> str | None:
    """Return why the packages cannot be installed, or None when they are there."""
    done = subprocess.run(
        [_PLACE / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
        env={**os.environ, "PIP_CONSTRAINT": str(_PINS)},
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    return None if done.returncode == 0 else last_line(done.stderr)


def last_line(text: str) -> str:
    """Return the last line that says something: there pip, and a traceback, say what is wrong."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "without a word")
