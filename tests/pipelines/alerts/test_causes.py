"""Causes: ranked by how well they tell before from after, and by how close to the onset they changed."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from pipelines.alerts.causes import Onset, closeness, likely, ranked, said

AT = datetime(2026, 9, 10, 12)
HOUR = timedelta(hours=1)
ONSET = Onset(AT, AT - HOUR / 4, AT + HOUR / 4, AT + 2 * HOUR)


def runs(**columns: list[tuple[float, str | None]]) -> pl.DataFrame:
    """Runs every six minutes from 20 hours before the onset to 2 after; a column's value holds from the hour given."""
    hours = [step / 10 for step in range(-200, 20)]
    frame = pl.DataFrame({"closed_at": [AT + hour * HOUR for hour in hours]}, schema={"closed_at": pl.Datetime("us")})
    for name, values in columns.items():
        frame = frame.with_columns(
            pl.Series(
                name, [[value for start, value in values if hour >= start][-1] for hour in hours], dtype=pl.String
            )
        )
    return frame.with_columns(is_after=pl.col("closed_at") >= AT)


def test_the_change_nearest_the_onset_leads_and_others_follow() -> None:
    found = ranked(
        runs(
            release=[(-99, "1"), (-8, "2")],
            prompt_version=[(-99, "7"), (-0.1, "8")],
            agent_version=[(-99, "a"), (-15, "b")],
        ),
        ONSET,
    )
    assert [each["attribute"] for each in found] == ["prompt_version", "release", "agent_version"]
    first = found[0]
    assert (first["before"], first["after"], first["changed_at"]) == ("7", "8", AT - HOUR / 10)
    assert first["separates"] == 0.995 and first["score"] == first["separates"]
    assert likely(found) is first


def test_of_versions_that_moved_together_the_release_is_named() -> None:
    together = ranked(
        runs(agent_version=[(-99, "1"), (0, "2")], release=[(-99, "7"), (0, "8")], price_id=[(-99, "x"), (0, "y")]),
        ONSET,
    )
    assert [each["attribute"] for each in together] == ["release", "agent_version", "price_id"]
    assert [
        each["attribute"] for each in ranked(runs(price_id=[(-99, "x"), (0, "y")]), ONSET, leave_out=("price_id",))
    ] == []


def test_the_predecessor_is_what_ran_last_not_what_ran_most() -> None:
    found = ranked(runs(release=[(-99, "1"), (-4, "2"), (0, "3")]), ONSET)
    assert (found[0]["before"], found[0]["after"]) == ("2", "3")


def test_a_version_that_was_there_before_or_went_missing_explains_nothing() -> None:
    steady = runs(release=[(-99, "1")], prompt_version=[(-99, "1"), (0, None)])
    assert ranked(steady, ONSET) == []
    first_named = ranked(runs(release=[(-99, None), (0, "1")]), ONSET)
    assert (first_named[0]["before"], first_named[0]["after"]) == (None, "1")


def test_a_change_long_before_the_onset_is_listed_but_not_blamed() -> None:
    found = ranked(runs(release=[(-99, "1"), (-14, "2")]), ONSET)
    assert found[0]["separates"] > 0.2 and found[0]["score"] < 0.2
    assert likely(ranked(runs(release=[(-99, "1"), (-12, "2")]), ONSET)) is None


def test_a_canary_that_takes_a_part_of_the_runs_is_dated_by_its_first_ones() -> None:
    frame = runs(release=[(-99, "1")]).with_columns(
        release=pl.when(pl.col("is_after"), pl.int_range(pl.len()) % 3 == 0).then(pl.lit("2")).otherwise("release")
    )
    found = ranked(frame, ONSET)
    assert found[0]["after"] == "2" and 0.3 <= found[0]["separates"] <= 0.4
    assert AT <= found[0]["changed_at"] <= AT + HOUR / 2
    assert likely(found) is None, "a third of the runs does not explain all of them"


def test_closeness_is_whole_within_the_onset_s_interval_and_half_at_the_delay() -> None:
    assert closeness(AT + HOUR / 4, ONSET) == 1.0
    assert closeness(AT - HOUR / 4 - 2 * HOUR, ONSET) == 0.5


def test_without_runs_on_both_sides_nothing_is_said() -> None:
    only_after = runs(release=[(-99, "1"), (0, "2")]).filter("is_after")
    assert ranked(only_after, ONSET) == [] and ranked(only_after.clear(), ONSET) == []


def test_a_cause_says_when_it_changed() -> None:
    cause = {"attribute": "request_model", "before": None, "after": "m", "separates": 0.5}
    assert said({**cause, "changed_at": AT + 5 * HOUR}, ONSET).endswith("m, 5 h after the onset (moved 50% of runs)")
    assert said({**cause, "changed_at": AT}, ONSET) == "request model (none) → m, at the onset (moved 50% of runs)"
    alone = said({**cause, "changed_at": AT, "separates": 0.96}, ONSET, of_one_run=True)
    assert alone == "request model (none) → m, at the onset (in 4% of the runs before)"
