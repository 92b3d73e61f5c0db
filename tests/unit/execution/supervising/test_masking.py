"""No secret comes through, in whatever form and in whatever pieces; everything else does."""

from __future__ import annotations

import json
import time
from base64 import b64encode, encodebytes, urlsafe_b64encode
from collections.abc import Callable
from html import escape
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from runner.execution.supervising.masking import MASK, Masker

#: Without the mask's own letter: what is made of it cannot be told from a mask.
_letters = st.characters(exclude_characters="\0*", codec="utf-8")
_lines = st.text(st.characters(exclude_characters="\0*\n\r", codec="utf-8"), min_size=1, max_size=40)


def _is_long_enough(secret: str) -> bool:
    return len(secret.encode()) >= 4


_one_line = _lines.filter(_is_long_enough)
_several_lines = st.lists(_lines, min_size=2, max_size=5).map("\n".join).filter(_is_long_enough)
_secrets = _one_line | _several_lines
#: What surrounds a secret has no letter that is in an encoded form of anything.
_around = st.text("<>[] \n", max_size=10).map(str.encode)


def _lower_escapes(text: str) -> str:
    return "%".join(part if not number else part[:2].lower() + part[2:] for number, part in enumerate(text.split("%")))


_FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "base64": lambda secret: b64encode(secret.encode()),
    "urlsafe base64": lambda secret: urlsafe_b64encode(secret.encode()),
    "base64 in lines": lambda secret: encodebytes(secret.encode()),
    "quote": lambda secret: quote(secret).encode(),
    "quote all": lambda secret: quote(secret, safe="").encode(),
    "quote_plus": lambda secret: quote_plus(secret).encode(),
    "lower-case escapes": lambda secret: _lower_escapes(quote_plus(secret)).encode(),
    "json": lambda secret: json.dumps(secret)[1:-1].encode(),
    "json, unicode": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
    "repr": lambda secret: repr(secret)[1:-1].encode(),
    "ascii": lambda secret: ascii(secret)[1:-1].encode(),
    "repr of bytes": lambda secret: repr(secret.encode())[2:-1].encode(),
    "hex": lambda secret: secret.encode().hex().encode(),
    "upper-case hex": lambda secret: secret.encode().hex().upper().encode(),
    "html": lambda secret: escape(secret).encode(),
    "html, quotes": lambda secret: escape(secret, quote=False).encode(),
}


def _masked(masker: Masker, whole: bytes, cuts: list[int]) -> bytes:
    """Return what comes out of a masker for bytes that come in pieces."""
    places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    pieces = [whole[begin:end] for begin, end in pairwise(places)]
    return b"".join([*(masker.feed(piece) for piece in pieces), masker.flush()])


_cuts = st.lists(st.integers(0, 400), max_size=6)


@pytest.mark.parametrize("form", _FORMS)
@given(secret=_secrets, before=_around, after=_around, cuts=_cuts)
def test_no_form_of_a_secret_comes_through(
    form: str, secret: str, before: bytes, after: bytes, cuts: list[int]
) -> None:
    given_out = _FORMS[form](secret)
    shown = _masked(Masker([secret]), before + given_out + after, cuts)

    assert secret.encode() not in shown or secret.encode() in before + b"***" + after
    assert given_out.strip() not in shown or given_out.strip() in before + b"***" + after
    assert MASK in shown


@given(secret=_secrets, before=_around, after=_around, cuts=_cuts)
def test_what_stands_around_a_secret_comes_through(secret: str, before: bytes, after: bytes, cuts: list[int]) -> None:
    assume(not set(secret) & set("<>[] \n"))

    assert _masked(Masker([secret]), before + secret.encode() + after, cuts) == before + MASK + after


@given(secret=_one_line, whole=st.binary(max_size=300), cuts=_cuts)
def test_it_makes_no_difference_in_which_pieces_output_comes(secret: str, whole: bytes, cuts: list[int]) -> None:
    text = whole[:100] + secret.encode() + whole[100:]

    assert _masked(Masker([secret]), text, cuts) == _masked(Masker([secret]), text, [])


@given(secret=_several_lines, cuts=_cuts)
def test_a_secret_of_several_lines_is_masked_in_the_same_way_in_pieces(secret: str, cuts: list[int]) -> None:
    whole = b"<" + secret.encode() + b">"

    assert _masked(Masker([secret]), whole, cuts) == b"<" + MASK + b">"


@given(text=st.binary(max_size=300), cuts=_cuts)
def test_what_holds_no_secret_comes_through_unchanged(text: bytes, cuts: list[int]) -> None:
    secret = "correct horse battery staple"  # noqa: S105 - the test is about it
    assume(b"co" not in text)

    assert _masked(Masker([secret]), text, cuts) == text


@given(text=st.binary(max_size=300), secret=_secrets)
def test_what_could_be_no_beginning_of_a_secret_is_not_held_back(text: bytes, secret: str) -> None:
    masker = Masker([secret])
    masker.feed(text)
    beginnings = {form(secret)[0] for form in _FORMS.values()}
    assume(not beginnings & {ord("\x01")})

    assert masker.feed(b"\x01").endswith(b"\x01")
    assert masker.flush() == b""


@given(
    secret=_one_line,
    before=st.binary(max_size=80),
    after=st.binary(max_size=80),
    encode=st.sampled_from([b64encode, urlsafe_b64encode]),
    cuts=_cuts,
)
def test_a_secret_inside_of_a_longer_base64_does_not_come_through(
    secret: str, before: bytes, after: bytes, encode: Callable[[bytes], bytes], cuts: list[int]
) -> None:
    inside = encode(b"\0" * len(before) + secret.encode())
    skip = -(-len(before) * 8 // 6)
    own = inside[skip : (len(before) + len(secret.encode())) * 8 // 6]
    shown = _masked(Masker([secret]), encode(before + secret.encode() + after), cuts)

    assert own not in shown
    assert MASK in shown


@given(secret=_one_line, before=st.binary(max_size=80), cuts=_cuts)
@example(secret="correct horse battery staple", before=b"x" * 45, cuts=[])  # noqa: S106 - likewise
def test_a_secret_inside_of_base64_in_lines_does_not_come_through(secret: str, before: bytes, cuts: list[int]) -> None:
    shown = _masked(Masker([secret]), encodebytes(before + secret.encode()), cuts)

    assert MASK in shown


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("text with both quotes", repr('say "hi" it\'s-secret')),
        ("ascii with both quotes", ascii('say "hi" it\'s-secret')),
        ("bytes with both quotes", repr(b'say "hi" it\'s-secret')),
    ],
)
def test_the_quotes_of_a_neighbour_do_not_help_a_secret_through(name: str, whole: str) -> None:
    assert "s-secret" not in Masker(["it's-secret"]).mask_text(whole), name


@given(
    secret=st.text(st.sampled_from("ab'\"\\/\u00e9\n\t <&"), min_size=4, max_size=12),
    before=st.text(st.sampled_from("\"' "), max_size=4),
    after=st.text(st.sampled_from("\"' "), max_size=4),
)
def test_the_repr_of_a_longer_text_does_not_show_a_secret(secret: str, before: str, after: str) -> None:
    for shown in (repr(before + secret + after), ascii(before + secret + after)):
        assert "***" in Masker([secret]).mask_text(shown)


@given(head=_one_line, tail=_lines, cut=st.integers(0, 100))
@example(head="abcd1234", tail="the rest of the longer one", cut=8)
def test_a_secret_that_begins_like_a_shorter_one_is_masked_as_a_whole(head: str, tail: str, cut: int) -> None:
    longer = (head + tail).encode()

    assert _masked(Masker([head, head + tail]), b"<" + longer + b">", [cut + 1]) == b"<" + MASK + b">"


@given(first=_one_line, second=_one_line, third=_one_line, cut=st.integers(0, 100))
@example(first="abcd", second="efgh", third="ijkl", cut=0)
def test_nothing_of_two_secrets_that_overlap_is_left(first: str, second: str, third: str, cut: int) -> None:
    whole = (first + second + third).encode()
    shown = _masked(Masker([first + second, second + third]), b"<" + whole + b">", [cut])

    assert third.encode() not in shown
    assert first.encode() not in shown


@given(inner=_one_line, before=_lines, after=_lines, cuts=_cuts)
@example(inner="pass", before="postgres://user:", after="@host/database", cuts=[21])
def test_a_secret_that_holds_another_one_is_masked_as_a_whole(
    inner: str, before: str, after: str, cuts: list[int]
) -> None:
    outer = before + inner + after

    assert _masked(Masker([inner, outer]), b"\n" + outer.encode() + b"\n", cuts) == b"\n" + MASK + b"\n"


@given(text=st.text(st.characters(), max_size=60))
@example(text="\ud800")
@example(text="\udcff")
def test_any_text_can_be_masked(text: str) -> None:
    assume("ecre" not in text)

    assert Masker(["secret"]).mask_text(text) == text


@pytest.mark.parametrize(
    "secret", ["\udcff\udcfe\udcfd\udcfc", "\u00e9\u20ac", "a\tb\tc", " lead and trail ", "\U0001f600"]
)
def test_unusual_secrets_are_masked(secret: str) -> None:
    plain = secret.encode("utf-8", "surrogateescape")

    assert Masker([secret]).mask(b"<" + plain + b">") == b"<***>"


def test_a_large_key_costs_little_for_each_piece_of_output() -> None:
    key = "".join(chr(33 + number * 7919 % 90) for number in range(6_000))
    masker = Masker([key])
    begin = time.process_time()
    for _ in range(20):
        masker.feed(b"x" * 65_536)
    whole = time.process_time() - begin

    assert whole < 2, "seconds for a megabyte"


def test_lines_that_end_like_the_beginning_of_a_secret_come_with_the_next_piece() -> None:
    masker = Masker(["secret"])

    assert masker.feed(b"begin\nsec") == b"begin\n"
    assert masker.feed(b"ond\n") == b"second\n"
    assert masker.feed(b"sec") == b""
    assert masker.flush() == b"sec"


_BROKEN = "correct horse battery staple, and a key: 0123456789abcdefghijklmnopqrstuvwxyz/+?=&\u00e9"


def _in_lines(encoded: bytes, width: int, end: bytes) -> bytes:
    """Return base64 broken into lines of a width."""
    return end.join(encoded[begin : begin + width] for begin in range(0, len(encoded), width)) + end


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("width", [1, 19, 76])
@pytest.mark.parametrize("before", [b"", b"user:", b"y" * 70])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_base64_in_lines_is_masked_wherever_reads_cut_it(
    encode: Callable[[bytes], bytes], before: bytes, width: int, end: bytes
) -> None:
    encoded = encode(before + _BROKEN.encode() + b"after")
    whole = b"begin" + end + _in_lines(encoded, width, end) + b"end" + end
    masker = Masker([_BROKEN])
    expected = masker.mask(whole)
    assert MASK in expected
    assert len(expected) < len(whole) - len(_BROKEN)
    for cut in range(len(whole)):
        assert _masked(masker, whole, [cut]) == expected, cut
    assert _masked(masker, whole, list(range(len(whole)))) == expected


_OVERLAPPING = ["abcdef", "defghi", "ghijklmnop", "jklm", "abcdefgh", "\n\nab\ncd\n", "aaaa"]


@given(
    text=st.lists(st.sampled_from([*_OVERLAPPING, "abc", "def", "ghi", "a", "\n", "<", "nop", "jkl"]), max_size=8).map(
        "".join
    ),
    cuts=_cuts,
)
@example(text="abcdefabcdef", cuts=[6])
@example(text="abcdefghijklmnop", cuts=[3, 6, 9])
@example(text="aaaaaaaaa", cuts=[4, 5])
def test_secrets_that_overlap_or_touch_are_one_mask_in_whatever_pieces_they_come(text: str, cuts: list[int]) -> None:
    whole = text.encode()
    expected = Masker(_OVERLAPPING).mask(whole)

    assert _masked(Masker(_OVERLAPPING), whole, cuts) == expected
    assert _masked(Masker(_OVERLAPPING), whole, list(range(len(whole)))) == expected


def test_what_is_held_back_is_bounded_whatever_comes() -> None:
    secret = "correct horse battery staple"  # noqa: S105 - the test is about it
    masker = Masker([secret])
    for piece in (b64encode(secret.encode())[:9], b"\n" * 100_000, b"correct", b"\r\n" * 50_000, b"Y\n" * 50_000):
        given_out = masker.feed(piece)
        assert len(piece) - len(given_out) < 1_000


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"INFO: 200 GET /reports/2026-06-10?user=17 took 0.0312 s, 18 rows\n", id="a log"),
        pytest.param(encodebytes(bytes(range(256)) * 3), id="base64"),
        pytest.param(b'17,0.4375,2026-06-10,Berlin,"a, b",-1e-07\r\n', id="a table"),
        pytest.param(b"\n", id="line ends"),
        pytest.param(b"Corr", id="almost a secret"),
    ],
)
def test_masking_costs_little_beside_printing(line: bytes) -> None:
    chunk = (line * 65_536)[:65_536]
    masker = Masker(
        ["correct horse battery staple", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "postgres://a:b@c/d-e-f"]
    )
    begin = time.process_time()
    for _ in range(512):
        masker.feed(chunk)
    whole = time.process_time() - begin

    assert whole < 2, "seconds for 32 MiB"
