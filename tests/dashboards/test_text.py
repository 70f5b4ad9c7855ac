"""Names from traces stay text, numbers carry units, and the examples in the docstrings hold."""

from __future__ import annotations

import doctest
import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards import text

HOSTILE = "<img src=x onerror=alert(1)><b>bold</b>"


@pytest.mark.parametrize("name", ["text", "filters", "words", "mixes", "security"])
def test_the_examples_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"dashboards.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


@given(st.text(max_size=300))
def test_a_label_has_no_markup_left(name: str) -> None:
    shown = text.label(name)
    assert "<" not in shown and ">" not in shown
    assert "\n" not in shown


@given(st.text(max_size=300), st.integers(min_value=2, max_value=80))
def test_plain_text_keeps_to_its_length_and_to_one_line(name: str, limit: int) -> None:
    shown = text.plain(name, limit)
    assert len(shown) <= limit
    assert not any(character in shown for character in "\n\r\t\u202e\u2066\u200b\ufeff\x00")


def test_a_name_of_a_megabyte_is_cut() -> None:
    assert len(text.plain("x" * 1_000_000)) == 60


def test_an_unknown_number_is_a_dash_never_zero() -> None:
    written = [text.count(None), text.usd(None), text.percent(None), text.measure(None, "usd"), text.when(None)]
    assert written == ["–"] * 5


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.999, "$1.00"), (0.0000123, "$0.0000123"), (-12.5, "−$12.50"), (9_999.99, "$9,999.99"), (0.1, "$0.100")],
)
def test_small_and_large_amounts_stay_readable(value: float, shown: str) -> None:
    assert text.usd(value) == shown
