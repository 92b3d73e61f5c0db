"""Ways in which a crash, a full disk or a manual edit can damage the refs of a repository."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.project import Project


def write(path: str, text: str) -> Callable[[Project], None]:
    """Return a function that writes a file below `.git` of a repository."""

    def do(project: Project) -> None:
        target = project.root / ".git" / path
        if target.is_symlink():
            target.unlink()
        target.write_text(text)

    return do


def _blob(project: Project) -> None:
    blob = project.git("hash-object", "-w", "tasks/hello.yaml")
    write("refs/heads/main", f"{blob}\n")(project)


def _remove(path: str) -> Callable[[Project], None]:
    def remove(project: Project) -> None:
        (project.root / ".git" / path).rename(project.root / ".git/moved-away")

    return remove


def _pack(rest: str) -> Callable[[Project], None]:
    def pack(project: Project) -> None:
        project.git("pack-refs", "--all")
        with (project.root / ".git/packed-refs").open("a") as file:
            file.write(rest)

    return pack


_NEITHER = "neither a commit nor an existing ref"
#: By name: the damaged file, the function that damages it, and a part of the error message.
DAMAGES: dict[str, tuple[str, Callable[[Project], None], str]] = {
    "garbage in a branch": ("refs/heads/main", write("refs/heads/main", "garbage\n"), _NEITHER),
    "an empty branch": ("refs/heads/main", write("refs/heads/main", ""), _NEITHER),
    "zeros": ("refs/heads/main", write("refs/heads/main", "\0" * 41), _NEITHER),
    "half an id": ("refs/heads/main", write("refs/heads/main", "1234567890\n"), _NEITHER),
    "a circle": ("refs/heads/main", write("refs/heads/main", "ref: refs/heads/main\n"), _NEITHER),
    "a dangling link": ("refs/heads/main", write("refs/heads/main", "ref: refs/heads/gone\n"), _NEITHER),
    "a missing commit": ("refs/heads/main", write("refs/heads/main", "1234567890" * 4 + "\n"), "is missing"),
    "a blob": ("refs/heads/main", _blob, "which is no commit here"),
    "garbage in HEAD": ("HEAD", write("HEAD", "garbage\n"), "is damaged: HEAD"),
    "an empty HEAD": ("HEAD", write("HEAD", ""), "is damaged: HEAD"),
    "a HEAD without a HEAD": ("HEAD", _remove("HEAD"), "is damaged: HEAD"),
    "a HEAD of no ref": ("HEAD", write("HEAD", "ref: ../../elsewhere\n"), "is damaged: HEAD"),
    "a detached HEAD that is missing": ("HEAD", write("HEAD", "1234567890" * 4 + "\n"), "is missing"),
    "garbage in packed-refs": ("HEAD", _pack("garbage\n"), "packed-refs"),
    "packed-refs that are cut off": ("HEAD", _pack("1234567890"), "packed-refs"),
    "no objects": ("objects", _remove("objects"), "is damaged: objects"),
    "no refs": ("refs", _remove("refs"), "is damaged: refs"),
}  # fmt: skip
