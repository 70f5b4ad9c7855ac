"""Times in sentences become elements with their moment; nothing else changes."""

from __future__ import annotations

from datetime import datetime

from dash import html
from hypothesis import given
from hypothesis import strategies as st

from dashboards import text
from dashboards.export import Writer
from dashboards.pages.times import timed


@given(st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)), st.booleans())
def test_each_time_that_a_page_writes_is_found_with_its_moment(at: datetime, seconds: bool) -> None:
    moment = at.replace(microsecond=0) if seconds else at.replace(second=0, microsecond=0)
    out = Writer().html(timed(html.P(f"since {text.when(at, seconds=seconds)}, so far")))
    assert out == f'<p>since <time datetime="{moment.isoformat()}Z">{text.when(at, seconds=seconds)}</time>, so far</p>'


def test_several_in_one_sentence_and_deep_inside() -> None:
    part = html.Div([html.Ul([html.Li("from 8 Mar 2026, 09:05 UTC to 9 Mar 2026, 10:00:30 UTC")]), None, "x"])
    assert Writer().html(timed(part)).count("<time ") == 2


def test_what_is_quoted_and_what_is_no_time_stays() -> None:
    for part in (
        html.Code("8 Mar 2026, 09:05 UTC"),
        html.P("99 Mar 2026, 09:05 UTC"),
        html.P("at 09:05 UTC"),
        html.P(["a", "b"]),
    ):
        before = Writer().html(part)
        assert Writer().html(timed(part)) == before


def test_making_it_twice_changes_nothing() -> None:
    part = timed(html.P("since 8 Mar 2026, 09:05 UTC"))
    assert Writer().html(timed(part)).count("<time ") == 1


def test_a_trace_that_writes_markup_beside_a_time_stays_text() -> None:
    assert "<img" not in Writer().html(timed(html.P("<img src=x> 8 Mar 2026, 09:05 UTC")))
