"""Rules' memory: every finding is told once until it is answered, however the observations are cut, saved and taken up."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from detectors import SIGNAL_SCHEMA
from pipelines import checkpoint
from pipelines.batch import prepare
from pipelines.contracts.catalog import Catalog
from pipelines.latches import MOST_NAMES, MOST_WAITING, Latches
from pipelines.runs import OpenRuns
from pipelines.settings import Settings
from pipelines.sources.files import FileSource
from pipelines.stages.observation import OBSERVATION_SCHEMA
from pipelines.stages.rules import LEARNED

START = datetime(2026, 9, 1)
TOOL = ("desk", "tool", "unknown_tool")


def observed(
    *runs: tuple[str, ...],
    first: int = 0,
    every: timedelta = timedelta(minutes=10),
    category: str | None = LEARNED,
    value: float = 5,
    metric: str = "unknown_tool",
) -> pl.DataFrame:
    """One run per tuple of names; value and category as the rule gives them."""
    rows = [
        (
            START + number * every,
            "desk",
            "tool",
            metric,
            name,
            "rule",
            value,
            category,
            None,
            f"{metric} {number}",
            False,
        )
        for number, names in enumerate(runs, first)
        for name in names
    ]
    return pl.DataFrame(rows, schema=OBSERVATION_SCHEMA, orient="row")


def told(latches: Latches, observations: pl.DataFrame) -> list[str]:
    signals = latches.update(observations)
    assert signals.schema == pl.Schema(SIGNAL_SCHEMA)
    return signals["dimension"].to_list()


HOURLY = timedelta(hours=1)


def learned(latches: Latches, runs: int = 40) -> None:
    """Let it learn two names over as many hours."""
    assert told(latches, observed(*[("lookup", "refund")] * runs, every=HOURLY)) == []


def test_what_the_catalog_forbids_is_told_at_once_and_once() -> None:
    latches = Latches()
    breaks = observed(("send_mail",), ("send_mail", "drop"), category=None, value=1)
    signals = latches.update(breaks)
    assert signals["dimension"].to_list() == ["send_mail", "drop"]
    assert told(latches, breaks) == []
    row = signals.row(0, named=True)
    assert (row["at"], row["onset_at"], row["kind"], row["detector"]) == (START, START, "rule", "Rule")
    assert row["headline"] == "tool send_mail was called, and the catalog does not list it"
    blank = ("log_e", "threshold", "before_value", "after_value", "effect", "unit", "n_before", "n_after")
    assert all(row[name] is None for name in blank)


def test_a_new_name_is_told_after_enough_runs_and_a_day_without_one() -> None:
    latches = Latches()
    learned(latches)
    signals = latches.update(observed(("lookup", "send_mail"), ("send_mail",), first=40, every=HOURLY))
    assert signals["dimension"].to_list() == ["send_mail"]
    assert signals["headline"].item() == "tool send_mail was called, for the first time in 40 runs"
    assert told(latches, observed(("drop",), first=42, every=HOURLY)) == ["drop"], "it has learned the names"


@pytest.mark.parametrize(("runs", "every"), [(5, timedelta(hours=10)), (100, timedelta(minutes=10))])
def test_few_runs_or_a_short_time_teach_nothing(runs: int, every: timedelta) -> None:
    latches = Latches()
    assert told(latches, observed(*[("lookup",)] * runs, every=every)) == []
    assert told(latches, observed(("send_mail",), first=runs, every=every)) == []
    # The new name begins the learning again.
    assert told(latches, observed(("drop",), first=runs + 1, every=every)) == []


def test_learning_takes_in_new_names_until_none_comes() -> None:
    latches = Latches()
    names = [(f"tool{number // 4}",) for number in range(80)]
    assert told(latches, observed(*names, every=timedelta(hours=12))) == []
    quiet = observed(*[("tool0",)] * 6, first=80, every=timedelta(hours=12))
    assert told(latches, quiet) == []
    assert told(latches, observed(("other",), first=86, every=timedelta(hours=12))) == ["other"]


def test_real_is_accepted_and_anything_else_may_be_told_again() -> None:
    breaks = observed(("send_mail",), category=None, value=1)
    for relearn, again in ((True, []), (False, ["send_mail"])):
        latches = Latches()
        told(latches, breaks)
        assert latches.rearm(*TOOL, "send_mail", relearn=relearn) == 1
        assert latches.rearm(*TOOL, "send_mail", relearn=relearn) == 0, "there is nothing to answer any more"
        assert told(latches, breaks) == again
    latches = Latches()
    told(latches, breaks)
    assert latches.rearm(*TOOL, "", relearn=True) == 0, "a rate's stream has no dimension"
    assert latches.rearm(*TOOL, "send_mail", relearn=True) == 1


def test_a_name_judged_false_is_as_new_as_before() -> None:
    latches = Latches()
    learned(latches)
    new = observed(("send_mail",), first=40, every=HOURLY)
    assert told(latches, new) == ["send_mail"]
    latches.rearm(*TOOL, "send_mail", relearn=False)
    again = latches.update(observed(("send_mail",), first=41, every=HOURLY))
    assert again["headline"].to_list() == ["tool send_mail was called, again"]
    assert told(latches, observed(("send_mail",), first=42, every=HOURLY)) == []


def test_a_name_that_was_learned_is_told_when_the_catalog_comes_to_lack_it() -> None:
    latches = Latches()
    learned(latches)
    assert told(latches, observed(("refund",), first=40, category=None, value=1)) == ["refund"]


def test_ids_for_names_flood_nobody() -> None:
    latches = Latches()
    ids = [(f"tool-{number}",) for number in range(MOST_NAMES + 500)]
    assert told(latches, observed(*ids)) == [], "names without end are never learned"
    assert latches.known.height == MOST_NAMES
    latches = Latches()
    assert len(told(latches, observed(*ids, category=None, value=1))) == MOST_WAITING
    assert told(latches, observed(("one more",), first=2000, category=None, value=1)) == []
    latches.rearm(*TOOL, "tool-0", relearn=True)
    assert told(latches, observed(("one more",), first=2001, category=None, value=1)) == ["one more"]


def test_text_from_traces_does_not_switch_a_rule_off() -> None:
    latches = Latches()
    # The effect is what a span says of itself: a word that means something to us elsewhere.
    row = observed(("drop",), metric="forbidden_effect", category=LEARNED, value=1)
    assert told(latches, row) == ["drop"]


def test_real_agent_runs_break_no_rule(shared_data: Path) -> None:
    runs = OpenRuns(lateness=timedelta(seconds=1), timeout=timedelta(hours=1))
    source, latches = FileSource([str(shared_data / "tau2" / "traces.otlp.jsonl")]), Latches()
    source.seek(dict)
    while not (messages := source.poll(400, 0.0)).is_empty():
        batch = prepare(messages, Settings())
        runs.add(batch.spans.unique(["trace_id", "span_id"], keep="first", maintain_order=True), batch.facts)
    # No more comes: what has no root ends by its timeout.
    runs.seen = {partition: latest + timedelta(days=1) for partition, latest in runs.seen.items()}
    observations = runs.release(set(), Catalog().tables()["catalog_policies"])
    assert observations["run_id"].n_unique() == 351
    assert told(latches, observations) == []
    names = latches.known.filter(metric="unknown_tool").group_by("workflow").len()
    assert len(names) == 3 and names["len"].min() >= 10  # pyright: ignore[reportOperatorIssue]


def test_a_checkpoint_without_the_rules_memory_is_of_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_runs = OpenRuns(lateness=timedelta(seconds=1), timeout=timedelta(hours=1))
    with monkeypatch.context() as earlier:
        earlier.setattr(checkpoint, "VERSION", 2)
        checkpoint.save(tmp_path, {}, b"", open_runs)
        assert checkpoint.load(tmp_path) is not None
    assert checkpoint.load(tmp_path) is None


def through(
    observations: pl.DataFrame, cuts: Sequence[int], folder: Path | None = None
) -> tuple[pl.DataFrame, Latches]:
    """Put runs through in pieces; with a folder, each piece after a restart from the checkpoint."""
    latches, signals = Latches(), [pl.DataFrame(schema=SIGNAL_SCHEMA)]
    runs = observations["run_id"].unique(maintain_order=True)
    for low, high in itertools.pairwise([0, *sorted(cuts), len(runs)]):
        if folder is not None:
            open_runs = OpenRuns(lateness=timedelta(seconds=1), timeout=timedelta(hours=1))
            checkpoint.save(folder, {}, b"", open_runs, (), latches)
            saved = checkpoint.load(folder)
            assert saved is not None
            latches = Latches(**saved.latches)
        signals.append(latches.update(observations.filter(pl.col("run_id").is_in(runs[low:high].to_list()))))
    return pl.concat(signals), latches


def state(latches: Latches) -> list[pl.DataFrame]:
    return [frame.sort(frame.columns[:3]) for frame in (latches.known, latches.learning)]


@settings(max_examples=60)
@given(data=st.data())
def test_signals_and_memory_do_not_depend_on_where_observations_are_cut_or_saved(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    names = st.lists(st.sampled_from("abcdefgh"), max_size=3, unique=True).map(lambda run: tuple(sorted(run)))
    learning = data.draw(st.lists(names, min_size=10, max_size=60))
    breaks = data.draw(st.lists(names, max_size=10))
    both = pl.concat(
        [
            observed(*learning, every=timedelta(hours=7), value=3),
            observed(*breaks, every=timedelta(hours=9), category=None, value=1, metric="approval_skipped"),
        ]
    ).sort("at", "run_id", "metric", maintain_order=True)
    whole, latches = through(both, [])
    cuts = data.draw(st.lists(st.integers(0, both["run_id"].n_unique()), max_size=8))
    for folder in (None, tmp_path_factory.mktemp("checkpoint")):
        signals, others = through(both, cuts, folder)
        assert_frame_equal(signals, whole)
        for one, other in zip(state(others), state(latches), strict=True):
            assert_frame_equal(one, other)
