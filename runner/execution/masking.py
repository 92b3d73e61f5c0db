"""Secrets in what a task prints: found in every form that code usually gives them, and masked before anything is kept or shown."""

from __future__ import annotations

MASK = b"***"
#: Pieces of an encoded form that are shorter say too little about the secret, and would be found everywhere.
_SHORTEST_PIECE = 8


class Masker:
    """Masks a stream of bytes, whatever pieces it comes in."""

    def __init__(self, secrets: list[str]) -> None:
        found = {form for secret in secrets for form in forms(secret)}
        # The longest first: a form that holds another one is masked as a whole.
        self._forms = sorted(found, key=len, reverse=True)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; return what can be shown by now. What may be the beginning of a secret is held back."""
        data = self.mask(self._held + data)
        keep = max((_overlap(data, form) for form in self._forms), default=0)
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep]

    def flush(self) -> bytes:
        """Return what was held back: nothing more comes."""
        data, self._held = self._held, b""
        return data

    def mask(self, data: bytes) -> bytes:
        """Return bytes, which are all there is, without secrets."""
        for form in self._forms:
            data = data.replace(form, MASK)
        return data

    def mask_text(self, text: str) -> str:
        """Return a text without secrets."""
        return self.mask(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _overlap(data: bytes, form: bytes) -> int:
    """Return how many bytes at the end of the data are the beginning of a form, and not all of it."""
    for size in range(min(len(form) - 1, len(data)), 0, -1):
        if data.endswith(form[:size]):
            return size
    return 0


def forms(secret: str) -> set[bytes]:
    """Return a secret as it stands, and as base64, hexadecimal, URL, JSON, HTML and repr make it."""
    from base64 import encodebytes  # noqa: PLC0415 - only for runs that have secrets
    from html import escape  # noqa: PLC0415
    from json import dumps  # noqa: PLC0415
    from urllib.parse import quote, quote_plus  # noqa: PLC0415

    plain = secret.encode("utf-8", "surrogateescape")
    texts = {
        *(
            repr(secret)[1:-1],
            ascii(secret)[1:-1],
            repr(plain)[2:-1],
            repr(f"'{secret}")[2:-1],
            repr(f"\"'{secret}")[4:-1],
        ),
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


def _lower_escapes(text: str) -> str:
    return "".join(part if not number else part[:2].lower() + part[2:] for number, part in enumerate(_split(text)))


def _split(text: str) -> list[str]:
    first, *rest = text.split("%")
    return [first, *(f"%{part}" for part in rest)]


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
