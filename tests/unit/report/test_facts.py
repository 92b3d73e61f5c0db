"""Named facts fit a terminal, whatever letters they have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.report.facts import Facts, facts_lines
from runner.report.table import cells

_WORDS = st.text(st.sampled_from("aé日😀-"), min_size=1, max_size=12)


@given(st.lists(_WORDS, min_size=1, max_size=30), st.integers(40, 120))
def test_facts_are_wrapped_between_words_by_the_cells_that_letters_take(words: list[str], width: int) -> None:
    lines = list(facts_lines(Facts([("reason", " ".join(words), "")]), width))

    assert max(map(cells, lines)) <= width
    assert " ".join(lines).split() == ["reason", *words]


@pytest.mark.parametrize("width", [20, 60, None])
def test_a_word_that_is_longer_than_a_line_stays_whole_so_that_it_can_be_copied(width: int | None) -> None:
    commit = "0123456789abcdef" * 5

    assert commit in " ".join(facts_lines(Facts([("commit", f"at {commit}", "")]), width)).split()
