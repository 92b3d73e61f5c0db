"""Secrets in what a task prints: found in every form that code usually gives them, and masked before anything is kept or shown."""

from __future__ import annotations

MASK = b"***"
#: Pieces of a secret, or of an encoded form, that are shorter say too little about it, and would be found everywhere.
_SHORTEST_PIECE = 8


class Masker:
    """Masks a stream of bytes, whatever pieces it comes in."""

    def __init__(self, secrets: list[str]) -> None:
        self._forms = sorted({form for secret in secrets for form in forms(secret)})
        inside = {form for secret in secrets for form in _inside_base64(secret.encode("utf-8", "surrogateescape"))}
        #: Those that somebody may have broken into lines (RFC 2045 does so after 76 letters).
        self._broken = sorted(form for form in inside if len(form) >= _SHORTEST_PIECE)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; return what can be shown by now. What may be the beginning of a secret is held back."""
        data = self._held + data
        spans = self._spans(data)
        end = min(len(data) - _longest_overlap(data, self._forms), self._end_in_lines(data))
        for begin, after in reversed(spans):
            if begin < end < after:
                end = begin  # the rest of it may belong to a longer one
        self._held = data[end:]
        return _masked(data[:end], [span for span in spans if span[1] <= end])

    def flush(self) -> bytes:
        """Return what was held back: nothing more comes."""
        data, self._held = self._held, b""
        return self.mask(data)

    def mask(self, data: bytes) -> bytes:
        """Return bytes, which are all there is, without secrets."""
        return _masked(data, self._spans(data))

    def mask_text(self, text: str) -> str:
        """Return a text without secrets."""
        return self.mask(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def _end_in_lines(self, data: bytes) -> int:
        """Return up to where data can be shown, as far as base64 in lines goes."""
        longest = max(map(len, self._broken), default=0)
        tail = data[-2 * longest :]
        if b"\n" not in tail:
            return len(data)
        plain, places = _without_line_ends(tail)
        keep = _longest_overlap(plain, self._broken)
        return len(data) - len(tail) + places[len(plain) - keep] if keep else len(data)

    def _spans(self, data: bytes) -> list[tuple[int, int]]:
        """Return where secrets stand, from and to, in order; what overlaps or touches is one."""
        found = _find(data, self._forms)
        if b"\n" in data:
            plain, places = _without_line_ends(data)
            found += [(places[begin], places[end - 1] + 1) for begin, end in _find(plain, self._broken)]
        merged: list[tuple[int, int]] = []
        for begin, end in sorted(found):
            if merged and begin <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((begin, end))
        return merged


def _find(data: bytes, wanted: list[bytes]) -> list[tuple[int, int]]:
    found = []
    for form in wanted:
        begin = data.find(form)
        while begin >= 0:
            found.append((begin, begin + len(form)))
            begin = data.find(form, begin + 1)
    return found


def _without_line_ends(data: bytes) -> tuple[bytes, list[int]]:
    """Return data without line ends, and where each byte that is left stood before."""
    places = [place for place, byte in enumerate(data) if byte not in b"\r\n"]
    return data.translate(None, b"\r\n"), places


def _longest_overlap(data: bytes, wanted: list[bytes]) -> int:
    return max((_overlap(data, form) for form in wanted), default=0)


def _masked(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    pieces: list[bytes] = []
    shown = 0
    for begin, end in spans:
        pieces += (data[shown:begin], MASK)
        shown = end
    return b"".join((*pieces, data[shown:]))


def _overlap(data: bytes, form: bytes) -> int:
    """Return how many bytes at the end of the data are the beginning of a form, and not all of it."""
    first = form[:1]
    begin = data.find(first, max(0, len(data) - len(form) + 1))
    while begin >= 0:
        if form.startswith(data[begin:]):
            return len(data) - begin
        begin = data.find(first, begin + 1)
    return 0


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
