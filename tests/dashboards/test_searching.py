"""The search of the run explorer: what is typed, what it means, and that it can be written back."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.searching import MARKS, OUTCOMES, Search, after, cursor, parse

WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=12)


@given(
    st.builds(
        Search,
        id=st.none() | st.text("0123456789abcdef", min_size=4, max_size=32),
        outcome=st.none() | st.sampled_from(OUTCOMES),
        model=st.none() | WORDS,
        tool=st.none() | WORDS,
        agent=st.none() | WORDS,
        has=st.lists(st.sampled_from(sorted(MARKS)), unique=True).map(tuple),
    )
)
def test_a_search_that_is_written_is_read_as_the_same(search: Search) -> None:
    assert parse(str(search)) == search


@given(st.text(max_size=80))
def test_whatever_is_typed_is_a_search(typed: str) -> None:
    assert isinstance(parse(typed), Search)


def test_what_means_nothing_is_told_and_not_searched_for() -> None:
    assert parse("outcome:great has:magic abc").unread == ("outcome:great", "has:magic", "abc")
    assert parse('tool:"two words" 4bf9') == Search(id="4bf9", tool="two words")
    assert parse("'never closed").unread == () and parse("'never closed").id == "closed"


def test_an_id_may_hold_a_colon() -> None:
    assert parse("conv:1234").id == "conv:1234"


def test_a_word_is_taken_out_by_the_link_that_put_it_in() -> None:
    once = parse("").toggled(has="error").toggled(outcome="failure")
    assert str(once) == "outcome:failure has:error"
    assert str(once.toggled(has="error").toggled(outcome="failure")) == ""


@pytest.mark.parametrize(
    "text", ["", "2026-03-08", "~x", "2026-03-08T09:05:00", "2026-03-08T09:05:00+01:00~x", "DROP~TABLE"]
)
def test_what_is_no_place_in_the_list_is_its_beginning(text: str) -> None:
    assert after(text) == (None, None)


def test_a_place_in_the_list_keeps_microseconds() -> None:
    at = datetime(2026, 3, 8, 9, 5, 1, 123456)
    assert after(cursor(at, "a~b")) == (at, "a~b")
