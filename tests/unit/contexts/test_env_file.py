"""An `env_file` is read as `.env` files are written; what looks like a secret is masked."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.contexts.env_file import EnvFileError, masked_values, read_env_file

#: A line → the variable in it; None where the line has none.
_LINES = {
    "NAME=value": ("NAME", "value"),
    "  NAME = value  ": ("NAME", "value"),
    "export NAME=value": ("NAME", "value"),
    "NAME=": ("NAME", ""),
    "NAME=a=b": ("NAME", "a=b"),
    "NAME='it is # no comment'": ("NAME", "it is # no comment"),
    'NAME="in quotes" # a comment': ("NAME", "in quotes"),
    "NAME=word # a comment": ("NAME", "word"),
    "NAME=a#b": ("NAME", "a#b"),
    "NAME=$OTHER": ("NAME", "$OTHER"),
    "NAME=\u00fc\u2028": ("NAME", "\u00fc"),
    "# NAME=value": None,
    "": None,
}


@pytest.mark.parametrize("line", _LINES)
def test_a_line_of_an_env_file_is_a_variable_or_nothing(line: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"FIRST=1\r\n{line}\nLAST=2", encoding="utf-8")

    found = read_env_file(str(tmp_path / ".env"))

    pair = _LINES[line]
    assert found == {"FIRST": "1", **({} if pair is None else {pair[0]: pair[1]}), "LAST": "2"}


#: A line that is no variable → what the error says.
_WRONG = {
    "secret": "line 2 of the env_file {} is not NAME=value",
    "MY-NAME=secret": "line 2 of the env_file {} is not NAME=value",
    "=secret": "line 2 of the env_file {} is not NAME=value",
    "NAME=a\0b": "line 2 of the env_file {} is not NAME=value",
    'NAME="a \\"secret\\""': "line 2 of the env_file {} goes on after a value in quotes",
    "NAME='secret": "line 2 of the env_file {} has a quote that does not end",
}


@pytest.mark.parametrize("line", _WRONG)
def test_a_wrong_line_is_an_error_that_does_not_quote_it(line: str, tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(f"FIRST=1\n{line}\n")

    with pytest.raises(EnvFileError) as raised:
        read_env_file(str(path))

    assert str(raised.value) == _WRONG[line].format(path)


def test_a_byte_order_mark_belongs_to_no_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NAME=value\n", encoding="utf-8-sig")

    assert read_env_file(str(tmp_path / ".env")) == {"NAME": "value"}


def test_a_file_that_cannot_be_read_is_an_error_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"NAME=\xff")

    for name, reason in (("missing", "No such file or directory"), ("binary", "it is not UTF-8")):
        with pytest.raises(EnvFileError, match=reason):
            read_env_file(str(tmp_path / name))


def test_what_may_be_a_secret_is_masked_and_what_would_hide_ordinary_words_is_not(tmp_path: Path) -> None:
    secrets = ["correct-horse", "hunter2", "12345678", "postgres://ana:secret@db/app"]
    plain = ["", "abc", "8000", "True", "localhost", str(tmp_path)]

    assert masked_values([*secrets, *plain]) == secrets
