"""Secrets in what a task prints: found in every form that code usually gives them, and masked before anything is kept or shown."""

from __future__ import annotations

import re
from bisect import bisect_right

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Collection

MASK = b"***"
#: Pieces of a secret, or of an encoded form, that are shorter say too little about it, and would be found everywhere.
_SHORTEST_PIECE = 8
_LINE_ENDS = b"\r\n"
#: Each letter of base64 may have so many line ends behind it.
_SPREAD = 1 + len(_LINE_ENDS)


class Masker:
    """Masks a stream of bytes, whatever pieces it comes in."""

    def __init__(self, secrets: list[str]) -> None:
        whole = {form for secret in secrets for form in forms(secret)}
        inside = {form for secret in secrets for form in _inside_base64(secret.encode("utf-8", "surrogateescape"))}
        #: Those that somebody may have broken into lines (RFC 2045 does so after 76 letters).
        self._broken = {form for form in inside if len(form) >= _SHORTEST_PIECE}
        self._unbroken = whole - self._broken
        self._beginnings = _Beginnings(whole)
        self._beginnings_in_lines = _Beginnings(self._broken)
        self._held = b""
        self._ends_masked = False

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; return what can be shown by now. What may be the beginning of a secret is held back."""
        data = self._held + data
        spans = self._spans(data)
        end = min(len(data) - self._beginnings.at_end(data), self._end_in_lines(data))
        for begin, after in reversed(spans):
            if begin < end < after:
                end = begin  # the rest of it may belong to a longer one
        self._held = data[end:]
        return self._shown(data[:end], [span for span in spans if span[1] <= end])

    def flush(self) -> bytes:
        """Return what was held back: nothing more comes."""
        data, self._held = self._held, b""
        shown = self._shown(data, self._spans(data))
        self._ends_masked = False
        return shown

    def _shown(self, data: bytes, spans: list[tuple[int, int]]) -> bytes:
        """Return data with masks in it: one for secrets that touch, also where they came in two pieces."""
        shown = _masked(data, spans)
        if self._ends_masked and spans and spans[0][0] == 0:
            shown = shown[len(MASK) :]
        if data:
            self._ends_masked = bool(spans) and spans[-1][1] == len(data)
        return shown

    def mask(self, data: bytes) -> bytes:
        """Return bytes, which are all there is, without secrets."""
        return _masked(data, self._spans(data))

    def mask_text(self, text: str) -> str:
        """Return a text without secrets."""
        return self.mask(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def _end_in_lines(self, data: bytes) -> int:
        """Return up to where data can be shown, as far as base64 in lines goes."""
        tail = data[-_SPREAD * self._beginnings_in_lines.longest :]
        plain = _join(tail)
        keep = self._beginnings_in_lines.at_end(plain) if len(plain) < len(tail) else 0
        return len(data) - len(tail) + _Places(tail)[len(plain) - keep] if keep else len(data)

    def _spans(self, data: bytes) -> list[tuple[int, int]]:
        """Return where secrets stand, from and to, in order; what overlaps or touches is one."""
        merged: list[tuple[int, int]] = []
        for begin, end in sorted(self._found(data)):
            if merged and begin <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((begin, end))
        return merged

    def _found(self, data: bytes) -> set[tuple[int, int]]:
        """Return where forms stand. Each is looked for by itself: for long ones bytes.find(…) looks at few of the bytes."""
        found = {span for form in self._unbroken for span in _find(data, form)}
        plain = _join(data)
        in_lines = {span for form in self._broken for span in _find(plain, form)}
        if in_lines:
            places = _Places(data)
            found |= {(places[begin], places[end - 1] + 1) for begin, end in in_lines}
        return found


class _Places:
    """Where each byte of data without line ends stood before."""

    def __init__(self, data: bytes) -> None:
        self._before: list[int] = []
        self._after: list[int] = []
        joined = 0
        for line in re.finditer(rb"[^\r\n]+", data):
            self._before.append(line.start())
            self._after.append(joined)
            joined += line.end() - line.start()

    def __getitem__(self, place: int) -> int:
        line = bisect_right(self._after, place) - 1
        return self._before[line] + place - self._after[line]


class _Beginnings:
    """What the end of data may be the beginning of."""

    def __init__(self, wanted: Collection[bytes]) -> None:
        self._forms = sorted(wanted)
        self.longest = max(map(len, self._forms), default=0)
        first, second = (_one_of({form[place] for form in self._forms}) for place in (0, 1))
        self._begin = re.compile(b"%s(?=%s|\\Z)" % (first, second))

    def at_end(self, data: bytes) -> int:
        """Return how many bytes at the end of the data are the beginning of a form, and not all of it."""
        for match in self._begin.finditer(data, max(0, len(data) - self.longest + 1)):
            end = data[match.start() :]
            following = bisect_right(self._forms, end)
            if following < len(self._forms) and self._forms[following].startswith(end):
                return len(end)
        return 0


def _one_of(values: set[int]) -> bytes:
    """Return the regular expression of one byte that is among some, or of nothing where there are none."""
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
    """Return a secret as it stands, and as base64, hexadecimal, URL, JSON, HTML and repr make it."""
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
    """Return what repr() and ascii() make of a secret: by itself, and in a text with quotes of either kind or both."""
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
    """Return what a secret looks like in the base64 of a longer text, at each of three places, in both alphabets.

    The letters that it shares with its neighbours are left out (RFC 4648, section 4: six bits a letter).
    """
    from base64 import b64encode, urlsafe_b64encode  # noqa: PLC0415 - only for runs that have secrets

    found = set()
    for before, shared in ((0, 0), (1, 2), (2, 3)):
        whole = (len(plain) + before) * 8 // 6  # letters that hold nothing of what follows
        for encode in (b64encode, urlsafe_b64encode):
            piece = encode(b"\0" * before + plain)[shared:whole]
            # A short secret has short pieces; those of the whole secret are masked all the same.
            if len(piece) >= min(_SHORTEST_PIECE, len(plain)):
                found.add(piece)
    return found
