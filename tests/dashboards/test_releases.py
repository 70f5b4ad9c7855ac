"""The page of releases: which pair it shows, what it says of each verdict, and what to do where there is nothing to compare."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dashboards import compared
from dashboards.app import Pages, render
from dashboards.compared import MEASURES, pairs
from dashboards.data import Reader, View
from dashboards.export import Writer
from dashboards.filters import Filters
from dashboards.pages import releases
from dashboards.pages.asked import Asked
from tests.dashboards.fleet import WORKFLOWS, write_home
from tests.dashboards.test_pages import said
from warehouse import Warehouse


def show(reader: Reader, **filters: str) -> str:
    return said(render(Pages(reader), "/releases", Filters(**filters)))


def changed(home: Path, *statements: str) -> Reader:
    """A reader of `home` after `statements`."""
    with Warehouse.open(home / "warehouse") as warehouse:
        for statement in statements:
            warehouse.transaction(lambda connection, statement=statement: connection.execute(statement))
    return Reader(home)


def test_all_workflows_show_their_newest_release_those_that_are_worse_first(reader: Reader) -> None:
    page = show(reader)
    assert "of 5 workflows the newest release is worse than the one before in some measure" in page
    assert "1 more has no two releases in the traces." in page
    table = page[page.index("The newest release of each workflow") :]
    assert table.index("contract-review") < table.index("customer-refunds")
    assert WORKFLOWS[-1][0] not in table, "it had one release only"
    assert "Shadow runs against people" in page and "93 %" in page and "87.1 % to 96.8 %" in page


def test_one_workflow_shows_every_measure_with_its_values_interval_runs_and_coverage(
    reader: Reader, view: View
) -> None:
    page = show(reader, workflow="contract-review")
    row = view.comparisons.filter(workflow="contract-review", measure="cost per run").row(0, named=True)
    for measure in MEASURES:
        assert measure.title in page
    assert "release 2.4.1 against 2.4.0: worse in cost per run" in page
    assert f"${row['before_value']:.3f} → ${row['after_value']:.3f}" in page
    share = 100 * row["low"] / row["before_value"]
    assert f"by {share:.0f} % at the least" in page or f"by {share:.1f} % at the least" in page
    assert f"{row['before_runs']:,} priced runs before (100 % of all), {row['after_runs']:,} after (100 %)" in page
    assert (
        len(Writer().html(render(Pages(reader), "/releases", Filters("contract-review"))).split('class="small"')) == 7
    )


def test_the_address_chooses_the_pair_and_an_unknown_one_is_said(own_home: Path) -> None:
    reader = changed(
        own_home,
        "INSERT INTO release_comparisons BY NAME SELECT * REPLACE ('2.4.1' AS from_release, '2.4.2' AS to_release, "
        "to_first_at + INTERVAL 1 DAY AS to_first_at) FROM release_comparisons WHERE workflow = 'it-helpdesk'",
    )
    assert "release 2.4.2 against 2.4.1" in show(reader, workflow="it-helpdesk")
    assert "release 2.4.1 against 2.4.0" in show(reader, workflow="it-helpdesk", before="2.4.0", after="2.4.1")
    odd = show(reader, workflow="it-helpdesk", before="2.4.0", after="2.4.2")
    assert "release 2.4.2 against 2.4.1" in odd and "These two releases are not compared" in odd
    assert "All comparisons" in odd and "against 2.4.0" in odd


@pytest.mark.parametrize(
    ("verdict", "low", "high", "words"),
    [
        ("worse", 0.14, 0.28, "Up 21.0 pt; by 14.0 pt at the least."),
        ("better", -0.28, -0.14, "Down 21.0 pt; by 14.0 pt at the least."),
        ("same within the margin", -0.01, 0.03, "by 3.0 pt at the most: too little to matter"),
        ("no worse than the margin", -0.2, 0.04, "not worse by more than 4.0 pt"),
        ("no difference yet", -0.2, 0.3, "Anything from −20.0 pt to +30.0 pt is possible still."),
        ("needs data", None, None, "Too few runs with a tool call: 4 more after."),
    ],
)
def test_each_verdict_is_a_sentence(verdict: str, low: float | None, high: float | None, words: str) -> None:
    row: dict[str, Any] = {"verdict": verdict, "low": low, "high": high, "margin": 0.05, "unit": "share"}
    row |= {"difference": (0.21 if verdict == "worse" else -0.21) if low else None, "before_value": 0.2}
    row |= {"missing": "runs with a tool call: 4 more after", "before_runs": 40, "after_runs": 6}
    assert words in re.sub(r"\s", " ", compared.said(row, MEASURES[3]))
    nothing = {**row, "verdict": "needs data", "before_runs": 0, "after_runs": 0}
    assert compared.said(nothing, MEASURES[4]).endswith("send event plumbline.policy.decision.")


def test_a_cost_that_was_nothing_has_no_relative_change(view: View, reader: Reader) -> None:
    free = pl.when(pl.col("measure") == "cost per run").then(0.0).otherwise("before_value").alias("before_value")
    shown = dataclasses.replace(view, comparisons=view.comparisons.with_columns(free), filters=Filters("it-helpdesk"))
    assert "Nothing was paid before" in said(releases.page(Asked(shown, reader)))


def test_without_two_releases_it_says_what_to_send(own_home: Path) -> None:
    assert "One release so far of supplier-onboarding" in show(Reader(own_home), workflow="supplier-onboarding")
    nothing = changed(own_home, "DELETE FROM release_comparisons")
    assert "plumbline refresh" in show(nothing)
    unnamed = changed(own_home, "UPDATE runs SET release = NULL")
    page = show(unnamed, workflow="it-helpdesk")
    assert "No release in the traces of it-helpdesk" in page and "plumbline.release" in page


def test_a_warehouse_of_an_earlier_version_has_none(own_home: Path) -> None:
    assert "plumbline refresh" in show(changed(own_home, "DROP TABLE release_comparisons"))


def test_a_baseline_pair_says_so_and_the_release_before_stays_the_newest(own_home: Path) -> None:
    reader = changed(
        own_home,
        "INSERT INTO release_comparisons BY NAME SELECT * REPLACE ('baseline' AS compared_with, '1.0' AS from_release) "
        "FROM release_comparisons WHERE workflow = 'it-helpdesk'",
    )
    assert "release 2.4.1 against 2.4.0" in show(reader, workflow="it-helpdesk")
    page = show(reader, workflow="it-helpdesk", before="1.0", after="2.4.1")
    assert "compared with the baseline of the catalog" in page and "against 1.0, the baseline" in page


def test_a_report_shows_in_full_what_is_worse(view: View, reader: Reader) -> None:
    written = said(releases.page(Asked(view, reader, is_report=True)))
    worse = [pair.workflow for pair in pairs(view.comparisons) if pair.with_verdict("worse")]
    assert 0 < len(worse) < 5
    assert [name for name, *_ in WORKFLOWS if f"{name}: 2.4.0 → 2.4.1" in written] == sorted(
        worse, key=[name for name, *_ in WORKFLOWS].index
    )


def test_few_runs_say_how_many_are_wanting(tmp_path: Path) -> None:
    page = show(Reader(write_home(tmp_path, scale=0.02)), workflow="contract-review")
    assert re.search(r"Too few (settled|priced) runs: \d+ more before and \d+ more after\.", page)
    assert "too few runs to say anything yet" in page
