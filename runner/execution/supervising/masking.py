"""Mask secrets in the output of a task, in every form that code usually gives them, before it is kept or shown."""

from __future__ import annotations

import re
from bisect import bisect_right
from copy import copy

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Collection

MASK = b"***"
#: Bytes. A shorter piece of a secret, or of an encoded form, reveals little of it, and would match parts of ordinary
#: text.
_SHORTEST_PIECE = 8
_LINE_ENDS = b"\r\n"
#: The bytes that a letter of base64 may need: itself and a line end.
_SPREAD = 1 + len(_LINE_ENDS)


class Masker:
    """A filter that masks secrets in a stream of bytes, even where a secret comes in several pieces."""

    def __init__(self, secrets: list[str]) -> None:
        whole = {form for secret in secrets for form in forms(secret)}
        inside = {form for secret in secrets for form in _inside_base64(secret.encode("utf-8", "surrogateescape"))}
        #: Forms that may be broken into lines (RFC 2045, section 6.8, breaks base64 after 76 letters).
        self._broken = {form for form in inside if len(form) >= _SHORTEST_PIECE}
        self._unbroken = whole - self._broken
        self._prefixes = _Prefixes(whole)
        self._prefixes_in_lines = _Prefixes(self._broken)
        self._held = b""
        self._ends_masked = False

    def another(self) -> Masker:
        """Return a filter for another stream, which masks the same secrets: to compute their forms takes long."""
        made = copy(self)
        made._held, made._ends_masked = b"", False  # noqa: SLF001 - of this class
        return made

    def feed(self, data: bytes) -> bytes:
        """Add the next piece; return masked data. Bytes that may be the beginning of a secret are held back."""
        data = self._held + data
        spans = self._spans(data)
        end = min(len(data) - self._prefixes.at_end(data), self._end_in_lines(data))
        for begin, after in reversed(spans):
            if begin < end < after:
                end = begin  # the end of this secret may be the beginning of a longer one
        self._held = data[end:]
        return self._shown(data[:end], [span for span in spans if span[1] <= end])

    def flush(self) -> bytes:
        """Return the bytes that were held back, masked, at the end of the stream."""
        data, self._held = self._held, b""
        shown = self._shown(data, self._spans(data))
        self._ends_masked = False
        return shown

    def _shown(self, data: bytes, spans: list[tuple[int, int]]) -> bytes:
        """Return the data with one mask for adjacent secrets, even where they came in two pieces."""
        shown = _masked(data, spans)
        if self._ends_masked and spans and spans[0][0] == 0:
            shown = shown[len(MASK) :]
        if data:
            self._ends_masked = bool(spans) and spans[-1][1] == len(data)
        return shown

    def mask(self, data: bytes) -> bytes:
        """Return complete data with its secrets masked."""
        return _masked(data, self._spans(data))

    def mask_text(self, text: str) -> str:
        """Return a complete text with its secrets masked."""
        return self.mask(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def _end_in_lines(self, data: bytes) -> int:
        """Return the index behind which data may be the beginning of a secret in base64 with line ends."""
        tail = data[-_SPREAD * self._prefixes_in_lines.longest :]
        plain = _join(tail)
        keep = self._prefixes_in_lines.at_end(plain) if len(plain) < len(tail) else 0
        return len(data) - len(tail) + _Offsets(tail)[len(plain) - keep] if keep else len(data)

    def _spans(self, data: bytes) -> list[tuple[int, int]]:
        """Return the sorted spans (begin, end) of secrets, in which overlapping and adjacent ones are merged."""
        merged: list[tuple[int, int]] = []
        for begin, end in sorted(self._found(data)):
            if merged and begin <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((begin, end))
        return merged

    def _found(self, data: bytes) -> set[tuple[int, int]]:
        """Return the spans of all forms.

        Each form is searched for separately, because bytes.find(…) for a long form reads only few of the bytes.
        """
        found = {span for form in self._unbroken for span in _find(data, form)}
        plain = _join(data)
        in_lines = {span for form in self._broken for span in _find(plain, form)}
        if in_lines:
            offsets = _Offsets(data)
            found |= {(offsets[begin], offsets[end - 1] + 1) for begin, end in in_lines}
        return found


class _Offsets:
    """A map from offsets in data without line ends to offsets in the data with them."""

    def __init__(self, data: bytes) -> None:
        self._before: list[int] = []
        self._after: list[int] = []
        joined = 0
        for line in re.finditer(rb"[^\r\n]+", data):
            self._before.append(line.start())
            self._after.append(joined)
            joined += line.end() - line.start()

    def __getitem__(self, offset: int) -> int:
        line = bisect_right(self._after, offset) - 1
        return self._before[line] + offset - self._after[line]


class _Prefixes:
    """The prefixes of some forms, to be found at the end of data. `longest` is the length of the longest form."""

    def __init__(self, forms: Collection[bytes]) -> None:
        self._forms = sorted(forms)
        self.longest = max(map(len, self._forms), default=0)
        first, second = (_one_of({form[index] for form in self._forms}) for index in (0, 1))
        self._begin = re.compile(b"%s(?=%s|\\Z)" % (first, second))

    def at_end(self, data: bytes) -> int:
        """Return how many bytes at the end of the data are the beginning of a form that is longer than these."""
        for match in self._begin.finditer(data, max(0, len(data) - self.longest + 1)):
            end = data[match.start() :]
            following = bisect_right(self._forms, end)
            if following < len(self._forms) and self._forms[following].startswith(end):
                return len(end)
        return 0


def _one_of(values: set[int]) -> bytes:
    """Return a regular expression that matches one of the bytes; it matches nothing if there are none."""
    return b"[%s]" % b"".join(b"\\x%02x" % value for value in sorted(values)) if values else b"(?!)"


def _join(data: bytes) -> bytes:
    return data.translate(None, _LINE_ENDS)


def _find(data: bytes, form: bytes) -> list[tuple[int, int]]:
    found = []
    begin = data.find(form)
    while begin >= 0:
        found.append((begin, begin + len(form)))
        begin = data.find(form, begin + 1)
    return found


def _masked(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    pieces: list[bytes] = []
    shown = 0
    for begin, end in spans:
        pieces += (data[shown:begin], MASK)
        shown = end
    return b"".join((*pieces, data[shown:]))


def forms(secret: str) -> set[bytes]:
    """Return the secret itself and its forms in base64, hexadecimal, URLs, JSON, HTML and repr()."""
    from base64 import encodebytes  # noqa: PLC0415 - only for runs that have secrets
    from html import escape  # noqa: PLC0415
    from json import dumps  # noqa: PLC0415
    from urllib.parse import quote, quote_plus  # noqa: PLC0415

    plain = secret.encode("utf-8", "surrogateescape")
    texts = {
        *_inside_quotes(secret),
        repr(plain)[2:-1],
        repr(b"'\"" + plain)[5:-1],
        *(dumps(secret)[1:-1], dumps(secret, ensure_ascii=False)[1:-1], dumps(secret).replace("/", "\\/")[1:-1]),
        *(escape(secret), escape(secret, quote=False)),
        *(plain.hex(), plain.hex().upper()),
    }
    quoted = {quote(plain), quote(plain, safe=""), quote_plus(plain)}
    texts |= quoted | {_lower_escapes(text) for text in quoted}
    found = {plain, *(text.encode("utf-8", "surrogateescape") for text in texts)}
    found |= {piece for line in plain.splitlines() if len(piece := line.strip()) >= _SHORTEST_PIECE}
    found |= {piece for line in encodebytes(plain).splitlines() if len(piece := line.rstrip(b"=")) >= _SHORTEST_PIECE}
    return found | _inside_base64(plain)


def _inside_quotes(secret: str) -> set[str]:
    """Return the secret in the forms of repr() and ascii(): alone, and in a text with single, double or both quotes.

    The quotes of the text decide which ones in the secret are escaped.
    """
    found = set()
    for write in (repr, ascii):
        found.add(write(secret)[1:-1])
        found.add(write(f"'{secret}")[2:-1])
        found.add(write(f"\"'{secret}")[4:-1])
    return found


def _lower_escapes(text: str) -> str:
    first, *rest = text.split("%")
    return "%".join((first, *(part[:2].lower() + part[2:] for part in rest)))


def _inside_base64(plain: bytes) -> set[bytes]:
    """Return the secret in the base64 of a longer text: at each of three positions, in both alphabets.

    Letters that also encode bits of the bytes around it are left out (RFC 4648, section 4: six bits for a letter).
    """
    from base64 import b64encode, urlsafe_b64encode  # noqa: PLC0415 - only for runs that have secrets

    found = set()
    for before, shared in ((0, 0), (1, 2), (2, 3)):
        whole = (len(plain) + before) * 8 // 6  # letters that encode no bits of the bytes that follow
        for encode in (b64encode, urlsafe_b64encode):
            piece = encode(b"\0" * before + plain)[shared:whole]
            # The pieces of a short secret are short, too: they are masked if they are as long as the secret.
            if len(piece) >= min(_SHORTEST_PIECE, len(plain)):
                found.add(piece)
    return found
