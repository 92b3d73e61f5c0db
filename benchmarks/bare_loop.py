"""A floor: read every task file of HEAD through one `git cat-file --batch` and load it with libyaml."""

from __future__ import annotations

import subprocess

import yaml

_BATCH = 500


def main() -> None:
    """Load every task."""
    listing = subprocess.run(["git", "ls-tree", "-r", "-z", "HEAD", "tasks"], check=True, stdout=subprocess.PIPE).stdout
    blobs = [entry.split()[2] for entry in listing.split(b"\0")[:-1]]
    with subprocess.Popen(["git", "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for begin in range(0, len(blobs), _BATCH):
            batch = blobs[begin : begin + _BATCH]
            process.stdin.write(b"".join(blob + b"\n" for blob in batch))
            process.stdin.flush()
            for _ in batch:
                size = int(process.stdout.readline().split()[2])
                yaml.load(process.stdout.read(size), Loader=yaml.CSafeLoader)
                process.stdout.read(1)
        process.stdin.close()


if __name__ == "__main__":
    main()
