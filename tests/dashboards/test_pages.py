"""Pages: what they say, in words; what they say where there is nothing; and that trace text stays text."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from dash.development.base_component import Component
from plotly.io.json import to_json_plotly

from dashboards import text, words
from dashboards.app import Kept, Pages, content_of, render
from dashboards.data import Reader, View
from dashboards.definitions import DEFINITIONS
from dashboards.definitions.trust import TRUST
from dashboards.export import Writer
from dashboards.filters import Filters
from dashboards.pages import drift
from dashboards.pages.asked import Asked
from dashboards.pages.figuring import figured
from dashboards.pages.incident import values
from dashboards.pages.registry import BY_PATH, PAGES
from dashboards.still import stilled
from pipelines.budgets import write_budgets
from tests.dashboards.fleet import DRIFTS, START, WORKFLOWS
from warehouse import Warehouse

HOSTILE = "<img src=x onerror=alert(1)>"


def said(part: object) -> str:
    """The words of a page, without markup."""
    written = re.sub(r"</?time[^>]*>", "", Writer().html(part))
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", written)))


@pytest.fixture
def shown(reader: Reader):
    def show(path: str, **filters: str) -> str:
        return said(render(Pages(reader), path, Filters(**filters)))

    return show


def test_the_scorecard_names_every_workflow_and_every_figure(shown) -> None:
    page = shown("/")
    for name, *_ in WORKFLOWS:
        assert name in page
    for figure in (
        "Cost per successful outcome",
        "Success ratio",
        "Reuse rate",
        "Policy adherence",
        "Rollback readiness",
    ):
        assert figure in page
    assert "5 of 6 workflows drift" in page
    assert "against the 3 days before" in page


def test_the_weakest_link_is_named(shown) -> None:
    page = shown("/", workflow="it-helpdesk")
    assert "rollback drill: no drill succeeded within 90 days" in page


def test_what_is_not_proven_is_not_zero(view: View) -> None:
    numbers = figured(view)
    assert numbers.weakest is not None and numbers.weakest["workflow"] == "supplier-onboarding"
    assert words.score(numbers.weakest["score"]) == "not proven"
    assert numbers.proven == len(WORKFLOWS) - 1


def test_every_question_mark_has_its_definition(reader: Reader, streamed_home: Path) -> None:
    opened = Filters(incident="inc-0001", tool="ledger.lookup")
    shown = [*((page.path, opened) for page in PAGES), ("/releases", Filters("it-helpdesk"))]
    pages = "".join(Writer().html(render(Pages(reader), path, filters)) for path, filters in shown)
    streamed = Reader(streamed_home)
    with Warehouse.open(streamed_home / "warehouse") as warehouse:
        write_budgets(warehouse)
    pages += "".join(Writer().html(render(Pages(streamed), path, Filters(period="all"))) for path in ("/", "/cost"))
    streamed.close()
    for key, meant in DEFINITIONS.items():
        if key in TRUST:  # on the pages that tests/dashboards/test_trust.py makes
            continue
        assert f"How {meant.name.lower()} is computed" in pages, key
    assert pages.count("<summary") > 20


def test_the_cost_page_says_which_model_has_no_price(shown) -> None:
    page = shown("/cost")
    assert "no price for in-house-70b" in page
    assert "went into runs that did not succeed" in page


def test_the_drift_page_tells_each_incident_with_units(shown) -> None:
    page = shown("/drift")
    for drift_ in DRIFTS:
        assert drift_.headline in page
    assert "2.1 % → 18.7 %" in page
    assert "$0.420 → $0.610" in page
    assert "6.1 steps → 8.9 steps" in page
    assert "kb-2026 (new): 0 % → 55 %" in page


def test_an_incident_opens_with_cause_containment_and_evidence(shown) -> None:
    page = shown("/drift", incident="inc-0001")
    assert "release 2.4.1 began 11 min before the onset" in page
    assert "Pin invoice-matching to release 2.4.0" in page
    assert "Evidence runs" in page and "alarm at 9.2" in page


def test_an_incident_explains_itself_with_intervals_test_causes_and_what_is_allowed(shown) -> None:
    page = shown("/drift", incident="inc-0001")
    assert "(90 % between 6 Mar 2026, 13:42:00 UTC and 6 Mar 2026, 14:07:00 UTC)" in page
    assert "+16.6 percentage points" in page
    assert "Fisher: risk difference 0.17 (95 % 0.09 to 0.26), p < 0.0001, 1,000 runs before, 86 after" in page
    assert "2.4.0 → 2.4.1" in page and "97 %" in page and "0.90" in page
    assert "disable tool ledger.lookup" in page
    assert "plumbline alerts ack inc-0001 --as real|false" in page
    assert "real by ada" in shown("/drift", incident="inc-0003")


def test_a_signal_of_an_earlier_version_shows_what_it_has(shown) -> None:
    page = shown("/drift", incident="inc-0002")
    assert "+$0.190 (+45 %)" in page and "What may have caused it" not in page


def test_the_drift_page_says_how_many_alarms_were_right(shown) -> None:
    page = shown("/drift")
    assert "Were the alarms right?" in page
    assert "50 % (95 % 9 % to 91 %)" in page and "not known yet" in page


def test_an_incident_that_is_not_there_leaves_the_page_as_it_is(shown) -> None:
    assert "Incidents over time" in shown("/drift", incident="no-such-incident")


def test_a_filter_that_leaves_nothing_says_so(shown) -> None:
    assert "No run of nobody" in shown("/", workflow="nobody")
    assert "No run of nobody" in shown("/cost", workflow="nobody")
    assert "Nothing drifts in nobody" in shown("/drift", workflow="nobody")
    assert "No run of nobody" in shown("/releases", workflow="nobody")


def test_an_empty_home_says_which_commands_to_run(tmp_path: Path) -> None:
    for path in ("/", "/cost", "/drift", "/releases"):
        page = said(render(Pages(Reader(tmp_path)), path, Filters()))
        assert "plumbline stream" in page and "plumbline refresh" in page


def test_an_unknown_address_leads_back(shown) -> None:
    assert "There is no page at this address" in shown("/nowhere")


def test_a_broken_warehouse_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "warehouse").mkdir()
    (tmp_path / "warehouse" / "catalog.sqlite").write_text("this is no database")
    page = said(render(Pages(Reader(tmp_path)), "/", Filters()))
    assert "can't be opened" in page
    assert "Traceback" not in page


def test_figures_that_lag_behind_the_stream_say_so(view: View, reader: Reader) -> None:
    late = dataclasses.replace(view, streamed_at=view.extent.latest_at + timedelta(hours=5))
    assert "5 h 0 min ahead" in said(content_of(reader, "/", late)) or "5 h ahead" in said(
        content_of(reader, "/", late)
    )
    assert "ahead of these figures" not in said(content_of(reader, "/", view))


def test_names_from_traces_stay_text_on_every_page(view: View, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    precision = reader.kept("precision").with_columns(family=pl.lit(HOSTILE))
    monkeypatch.setattr(drift, "_judged", lambda _: precision)
    renamed = pl.lit(HOSTILE).alias("workflow")
    hostile = dataclasses.replace(
        view,
        cohorts=view.cohorts.with_columns(renamed, model=pl.lit(HOSTILE)),
        policy=view.policy.with_columns(renamed),
        rollback=view.rollback.head(1).with_columns(renamed, detail=pl.lit(HOSTILE), weakest_link=pl.lit(HOSTILE)),
        incidents=view.incidents.with_columns(renamed, headline=pl.lit(HOSTILE), severity=pl.lit(HOSTILE)),
        signals=view.signals.with_columns(
            renamed,
            cause=pl.lit(HOSTILE),
            unit=pl.lit(HOSTILE),
            metric=pl.lit(HOSTILE),
            evidence_test=pl.lit(HOSTILE),
            evidence_measure=pl.lit(HOSTILE),
            causes=pl.lit(json.dumps([{"attribute": HOSTILE, "before": HOSTILE, "after": HOSTILE}])),
            actions=pl.lit(json.dumps([{"text": HOSTILE}, {"text": HOSTILE}])),
        ),
        judgements=view.judgements.with_columns(
            incident_id=pl.lit("inc-0001"), said_by=pl.lit(HOSTILE), note=pl.lit(HOSTILE), judgement=pl.lit(HOSTILE)
        ),
        comparisons=view.comparisons.with_columns(
            renamed, from_release=pl.lit(HOSTILE), to_release=pl.lit(HOSTILE), missing=pl.lit(HOSTILE)
        ),
        filters=Filters(incident="inc-0001", workflow=HOSTILE, environment=HOSTILE),
    )
    everywhere = dataclasses.replace(hostile, filters=Filters())
    for page in PAGES:
        writer = Writer()
        written = writer.html(page.content(Asked(hostile, reader))) + "".join(writer.figures)
        written += writer.html(page.content(Asked(everywhere, reader, is_report=True))) + "".join(writer.figures)
        assert "&lt;img src=x" in written or page.path == "/figures"
        assert "<img src=x" not in written


@pytest.mark.parametrize(
    ("incidents", "rise", "score", "verdict"),
    [
        (1, 1.0, 1.0, "Drifting"),
        (0, 2.0, 1.0, "Cost rising"),
        (0, 1.0, 0.2, "No rollback"),
        (0, 1.0, None, "Not proven"),
        (0, 1.0, 0.9, "Steady"),
    ],
)
def test_the_verdict_is_the_worst_that_holds(incidents: int, rise: float, score: float | None, verdict: str) -> None:
    before = {
        "cost_per_success_usd": 1.0,
        "ci_low_usd": 0.95,
        "ci_high_usd": 1.05,
        "successes": 900,
        "settled_runs": 1000,
        "success_ratio": 0.9,
    }
    now = {**before, **{name: rise * before[name] for name in ("cost_per_success_usd", "ci_low_usd", "ci_high_usd")}}
    assert words.verdict(now, before, incidents, {"score": score, "weakest_link": "drill"}).text == verdict


def test_a_failure_nobody_expected_is_a_page_that_says_what_to_do(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(view: View) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setitem(BY_PATH, "/", dataclasses.replace(BY_PATH["/"], content=fail))
    page = said(render(Pages(reader), "/", Filters()))
    assert "plumbline doctor" in page and "secret detail" not in page
    assert "secret detail" in caplog.text


def test_a_page_is_made_once_and_one_that_failed_is_made_again(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    pages, made = Kept(Pages(reader)), []
    content = BY_PATH["/cost"].content

    def counted(asked: Asked) -> Component:
        made.append(asked)
        return content(asked)

    monkeypatch.setitem(BY_PATH, "/cost", dataclasses.replace(BY_PATH["/cost"], content=counted))
    with monkeypatch.context() as broken:
        broken.setitem(BY_PATH, "/cost", dataclasses.replace(BY_PATH["/cost"], content=lambda asked: 1 / 0))
        assert "can't be made" in said(render(pages, "/cost", Filters()))
    first = render(pages, "/cost", Filters())
    assert "Cost per successful outcome" in str(to_json_plotly(first[1:]))
    assert render(pages, "/cost", Filters())[1:] == first[1:]
    assert len(made) == 1


def test_a_kept_page_is_what_a_browser_gets_of_the_page_itself(reader: Reader) -> None:
    for page in PAGES:
        bar, heading, content = render(Pages(reader), page.path, Filters())
        as_kept = render(Kept(Pages(reader)), page.path, Filters())
        as_made, sent = (json.loads(str(to_json_plotly(each))) for each in ([bar, heading, stilled(content)], as_kept))
        assert as_made == sent, page.path


def test_the_cost_page_says_how_many_runs_leave_something_out(shown) -> None:
    assert "of runs come from packages that do not report cached tokens" in shown("/cost")
    whole = dict.fromkeys(("runs_without_cached_tokens", "runs_without_usage"), 0)
    whole |= dict.fromkeys(("runs_without_failed_calls", "runs_without_tool_spans"), 0)
    assert words.unreported({"runs": 8, **whole}) == ""
    assert words.unreported({"runs": 8, **whole, "runs_without_usage": 2}).startswith(
        "25\u202f% of runs come from packages"
    )


def test_a_rule_shows_what_it_saw_and_no_levels() -> None:
    rule = {
        "kind": "rule",
        "headline": "tool <b>x</b>\nwas called",
        "before_value": None,
        "after_value": None,
        "unit": None,
    }
    assert values(rule) == text.plain(rule["headline"], 200) and "→" not in values(rule)
    assert values({**rule, "headline": None}) == "a rule was broken"


def test_an_incident_says_whom_it_was_told_and_what_they_answered(own_home: Path) -> None:
    told = {
        "subscription": "on-call",
        "channel": "pager",
        "kind": "drift",
        "subject_id": "inc-0001",
        "revision": 1,
        "extent": 1,
        "made_at": START,
    }
    rows = [
        {**told, "notification_id": "n1", "occasion": "opened", "state": "open", "status": "delivered", "tries": 2,
         "settled_at": START + timedelta(minutes=3)},
        {**told, "notification_id": "n2", "occasion": "escalated", "state": "open", "status": "waiting", "tries": 1,
         "next_try_at": START + timedelta(hours=1)},
        {**told, "notification_id": "n3", "occasion": "changed", "state": "open", "status": "set_aside", "tries": 9},
    ]  # fmt: skip
    tries = [
        {"notification_id": name, "channel": "pager", "began_at": START + timedelta(minutes=minute), "duration_ms": 5.0,
         "verdict": verdict, "said": said_}
        for name, minute, verdict, said_ in (
            ("n1", 1, "retry", "503 busy"), ("n1", 2, "delivered", "202 taken"), ("n3", 4, "rejected", HOSTILE),
        )
    ]  # fmt: skip
    with Warehouse.open(own_home / "warehouse") as warehouse:
        for name, found in (("notifications", rows), ("delivery_attempts", tries)):
            frame = pl.DataFrame(found, infer_schema_length=None)
            warehouse.transaction(lambda connection, n=name, f=frame: warehouse.insert(connection, n, f))
    reader = Reader(own_home)
    written = Writer().html(render(Pages(reader), "/drift", Filters(incident="inc-0001")))
    page = said(render(Pages(reader), "/drift", Filters(incident="inc-0001")))
    other = said(render(Pages(reader), "/drift", Filters(incident="inc-0002")))
    reader.close()
    assert "Whom it was told" in page and "through pager" in page
    assert "settled after 3 min" in page and "202 taken" in page and "503 busy" not in page
    assert "next try" in page and "not delivered" in page
    assert HOSTILE not in written and "&lt;img" in written
    assert "Nobody: no subscription asked for it" in other


def test_evidence_runs_lead_to_the_run(reader: Reader, view: View) -> None:
    run = view.incidents.filter(incident_id="inc-0001")["run_ids"].item()[0]
    assert f"/runs?run={run}" in str(render(Pages(reader), "/drift", Filters(incident="inc-0001")))


def test_the_list_of_incidents_narrows_to_a_family_and_a_state(shown) -> None:
    page = shown("/drift", family="cost")
    assert "Cost per run rose" in page and "Error rate of ledger.lookup" not in page
    assert "None of this family and state" in shown("/drift", family="cost", state="resolved")
    assert "Error rate of ledger.lookup" in shown("/drift", state="open")
