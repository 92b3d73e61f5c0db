"""What an application prints in its set-up: kept for the run that fails, and in the log of its context."""

from __future__ import annotations

import os
import tempfile

from runner import clock

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from runner.execution.supervising.masking import Masker

#: Bytes of the output of one set-up that are kept.
_MOST_KEPT = 65_536
#: Bytes of a log. Beyond that, it is renamed to `….log.1`.
_LARGEST = 262_144


class SetupLog:
    """The output of one host, in a file without a name. `close` adds it to `contexts/NAME.log` of the state folder."""

    def __init__(self, state: str, name: str) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - open until `close`
        self._folder = f"{state}/contexts"
        self._path = f"{self._folder}/{name}.log"
        self._began = clock.iso(clock.now())
        self._masker: Masker | None = None

    def mask(self, values: list[str]) -> None:
        """Mask these values from now on."""
        if values:
            from runner.execution.supervising.masking import Masker  # noqa: PLC0415 - only with an `env_file`

            self._masker = Masker(values)

    def masked(self, text: str) -> str:
        """Return a text with the values of `mask` masked."""
        return text if self._masker is None else self._masker.mask_text(text)

    def read(self) -> bytes:
        """Return the end of the output so far, masked."""
        size = os.fstat(self.file.fileno()).st_size
        text = os.pread(self.file.fileno(), _MOST_KEPT, max(0, size - _MOST_KEPT)).decode("utf-8", "replace")
        return self.masked(text).encode()

    def close(self) -> None:
        """Add the output to the log of the context. A full disk loses it: the runs go on."""
        output = self.read()
        self.file.close()
        if not output:
            return
        try:
            os.makedirs(self._folder, exist_ok=True)
            if os.path.exists(self._path) and os.path.getsize(self._path) > _LARGEST:
                os.replace(self._path, f"{self._path}.1")
            with open(self._path, "ab") as log:
                log.write(f"--- set-up of {self._began}\n".encode() + output)
        except OSError:
            pass
