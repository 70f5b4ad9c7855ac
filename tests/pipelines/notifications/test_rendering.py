"""What people read: everything hostile comes out inert, everything too long is cut and says where the rest is."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.notifications.rendering import (
    BREAK,
    Rendered,
    clean,
    fitted,
    markup,
    mrkdwn,
    render,
    shortened,
    slack,
    web_link,
)
from tests.pipelines.notifications.messages import HOSTILE, LINK, OPENED, digest, hostile, huge, message

LIVE = re.compile(
    r"<!|<@|<a|<s|<i|@\w|\]\(|://|\{\{|\}\}|\{%|\$\{|javascript:|data:|vbscript:|[\x00-\x1f\x7f\u2028\u2029]",
    re.IGNORECASE,
)


def _texts(rendered: Rendered) -> list[str]:
    return [rendered.title, *(text for pair in rendered.facts for text in pair), *rendered.items]


def test_an_incident_says_what_where_and_since_when() -> None:
    rendered = render(OPENED)
    assert rendered.title == "critical · refund-desk · lookup_order fails in 31 % of its calls, before in 2 %"
    assert rendered.lines() == [
        "State: open",
        "Workflow: refund-desk",
        "Family: tool",
        "Team: payments",
        "Environment: production",
        "Since: 2026-05-04 10:30 UTC",
        "Likely cause: tool version 2.4.0, since 09:10",
        "Contained: yes, one workflow",
        LINK,
    ]
    assert rendered.more is None


@pytest.mark.parametrize(
    ("occasion", "word"),
    [
        ("resolved", "Resolved · "),
        ("acknowledged", "Acknowledged · "),
        ("escalated", "Escalated · "),
        ("renotified", "Still open · "),
        ("test", "TEST · "),
    ],
)
def test_the_title_says_why_now(occasion: str, word: str) -> None:
    assert render(message(occasion=occasion)).title.startswith(word)


def test_what_a_subject_does_not_have_is_not_said() -> None:
    rendered = render(message(workflow=None, family=None, team=None, environment=None, details=(), link=None))
    assert [label for label, _ in rendered.facts] == ["State", "Since"]
    assert "None" not in "".join(_texts(rendered))
    assert rendered.link is None


def test_a_detail_stands_for_the_fact_of_its_name() -> None:
    facts = render(message(details=(("Since", "2026-05-04 09:12 UTC"), ("Workflow", "refund-desk")))).facts
    assert [value for label, value in facts if label == "Since"] == ["2026-05-04 09:12 UTC"]
    assert len([label for label, _ in facts if label == "Workflow"]) == 1


def test_hostile_text_comes_out_inert() -> None:
    rendered = render(hostile())
    for text in _texts(rendered):
        assert not LIVE.search(text)
        assert not {unicodedata.category(each) for each in text.replace(BREAK, "")} & {"Cc", "Cs", "Cf", "Zl", "Zp"}
    assert "evil" in rendered.title, "it is still said, as text"


@given(st.text())
def test_no_text_stays_live(text: str) -> None:
    assert not LIVE.search(clean(text, 1_000))
    clean(text, 1_000).encode()


@given(st.text(alphabet="<!@ {}%$]([:/\\\u200b\u200d\u202eabjavscriptdt&\r\n*_`~", max_size=60))
def test_no_mixture_of_marks_stays_live(text: str) -> None:
    assert not LIVE.search(clean(text, 1_000))


@given(st.text(max_size=300), st.integers(5, 100))
def test_a_text_is_cut_to_its_escaped_length(text: str, most: int) -> None:
    for escape in (slack, mrkdwn, markup, str):
        cut = shortened(text, most, escape)
        assert len(escape(cut)) <= most
        assert cut == text or (cut.endswith("…") and text.startswith(cut[:-1]))


def test_joiners_that_scripts_need_stay() -> None:
    assert clean("👩\u200d💻 می\u200cخواهم", 100) == "👩\u200d💻 می\u200cخواهم"


def test_a_headline_of_a_megabyte_is_cut_with_the_link() -> None:
    rendered = render(huge())
    assert len(rendered.title) <= 300
    assert len(rendered.facts) == 30
    assert rendered.more == f"… more: {LINK}"
    assert sum(map(len, _texts(rendered))) < 50_000


def test_without_a_link_a_cut_message_says_where_the_rest_is() -> None:
    assert render(message(headline="A" * 2_000, link=None)).lines()[-1] == "… more: see `plumbline alerts show`"


def test_a_digest_lists_its_items() -> None:
    rendered = render(digest())
    assert rendered.title == "Digest · critical · 3 findings in the last hour"
    assert rendered.items == tuple(f"critical · refund-desk · finding {number}" for number in range(3))
    assert render(digest(500)).more == f"… more: {LINK}"


def test_a_message_is_fitted_to_a_limit_and_says_that_it_was_cut() -> None:
    def build(rendered: Rendered) -> str:
        return "\n".join([rendered.title, *rendered.lines()])

    for each in (digest(500), huge(), hostile()):
        for limit in (1_000, 400, 100):
            text = fitted(render(each), build, len, limit)
            assert len(text) <= limit
            assert "\n… more: " in text
            text = fitted(render(each), build, len, 60)
            assert len(text) <= 60 and text.endswith("\n… more: see `plumbline alerts show`")
    with pytest.raises(ValueError, match="fits 3"):
        fitted(render(OPENED), lambda rendered: rendered.title + LINK, len, 3)


def test_what_fits_is_not_cut() -> None:
    assert fitted(render(OPENED), lambda rendered: rendered, lambda _: 1, 1) == render(OPENED)


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//host/x",
        "https://",
        "https://x/a b",
        "https://x/\r\nBcc: y",
        "https://x/|y>",
        'https://x/"onclick=',
        "https://x/{{7}}",
        "https://\u202ex/",
        "http://[broken",
        None,
    ],
)
def test_a_link_that_is_not_plainly_one_is_left_out(link: str | None) -> None:
    assert web_link(link) is None
    assert render(message(link=link)).link is None


def test_escapes_leave_nothing_that_a_format_reads() -> None:
    assert slack("a <b> & c") == "a &lt;b&gt; &amp; c"
    assert mrkdwn("*x* <!here>").replace(BREAK, "|") == "*|x*| &lt;!here&gt;"
    assert markup("<a href='x\">") == "&lt;a href=&#x27;x&quot;&gt;"
    assert not re.search(r"[<>\"']", markup(HOSTILE))
