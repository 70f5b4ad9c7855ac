"""Open runs: spans wait here until their run has closed and the watermark has passed it.

The rule that makes alarms independent of batches, restarts and partitions: a run closes at the end of its root span (or a
timeout after its last span), and closed runs are released in order of (closing time, trace id) once the watermark has
reached them. The watermark is the least, over partitions that are not idle, of the greatest event time seen, less the
allowed lateness. A span that ends after its run closed, or arrives after its run was released, is late: stored, counted,
and left out of its run's observations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from pipelines.stages.observation import OBSERVATION_SCHEMA
from pipelines.stages.observe import LEAN, observe
from pipelines.stages.rules import Declared

FACTS = ("outcomes", "policy_decisions", "approvals", "overrides")
#: Released runs are remembered this long (event time) so that their late spans are known as such.
_MEMORY = timedelta(hours=1)
#: Spans that detection leaves out: of no known time, or read from a dead letter long after their run was judged.
_NOT_JUDGED = ["time_missing", "time_out_of_range", "replayed"]
_PLACE = ["topic", "partition", "offset"]


@dataclass(slots=True)
class OpenRuns:
    """The spans and facts of runs not yet released, and the event-time clock.

    Attributes
    ----------
    spans : pl.DataFrame or None
        Columns ``LEAN`` of open runs.
    facts : dict of str to pl.DataFrame
    released : pl.DataFrame or None
        trace_id and closed_at of runs released within the last hour of event time.
    seen : dict
        Greatest event time per (topic, partition).
    watermark : datetime or None
    late_spans : int
        Spans that came too late for their run.
    """

    lateness: timedelta
    timeout: timedelta
    spans: pl.DataFrame | None = None
    facts: dict[str, pl.DataFrame] = field(default_factory=dict)
    released: pl.DataFrame | None = None
    seen: dict[tuple[str, int], datetime] = field(default_factory=dict)
    watermark: datetime | None = None
    late_spans: int = 0

    def add(self, spans: pl.DataFrame, facts: dict[str, pl.DataFrame]) -> None:
        """Take in new spans and facts; spans with a broken clock and replayed ones are left out."""
        sane = spans.filter(~pl.col("quality_flags").list.eval(pl.element().is_in(_NOT_JUDGED)).list.any())
        if not sane.is_empty():
            for topic, partition, latest in (
                sane.group_by("topic", "partition").agg(pl.col("ended_at").max()).iter_rows()
            ):
                before = self.seen.get((topic, partition))
                self.seen[(topic, partition)] = latest if before is None else max(before, latest)
        if len(sane) < len(spans):
            # What a replayed message states is left out with its spans.
            replayed = spans.filter(pl.col("quality_flags").list.contains("replayed")).select(_PLACE)
            facts = {name: facts[name].join(replayed, on=_PLACE, how="anti", maintain_order="left") for name in FACTS}
        fresh = sane.select(LEAN)
        if self.released is not None and not self.released.is_empty():
            known = fresh.join(self.released, on="trace_id", how="anti")
            self.late_spans += len(fresh) - len(known)
            fresh = known
        self.spans = fresh if self.spans is None else pl.concat([self.spans, fresh])
        for name in FACTS:
            told = facts[name]
            # What others state comes whenever it comes: alarms must not depend on whether that was before the run closed.
            if name == "outcomes":
                told = told.filter(
                    pl.col("source") != "topic", pl.col("evaluated_span_id").is_null(), pl.col("response_id").is_null()
                )
            new = told.filter(pl.col("trace_id").is_in(fresh["trace_id"].unique().to_list()))
            old = self.facts.get(name)
            self.facts[name] = new if old is None else pl.concat([old, new], how="diagonal")

    def release(
        self, waiting_for: set[tuple[str, int]], policies: pl.DataFrame, declared: Declared | None = None
    ) -> pl.DataFrame:
        """Return the observations of every run that the watermark has passed.

        Parameters
        ----------
        waiting_for : set of (topic, partition)
            Partitions that may still hold back the watermark: all but the idle ones.
        policies : pl.DataFrame
            catalog_policies.
        declared : Declared, optional
            What else the catalog says that rules are about.
        """
        before = self.watermark
        self._advance(waiting_for)
        if self.spans is None or self.spans.is_empty() or self.watermark is None:
            return pl.DataFrame(schema=OBSERVATION_SCHEMA)
        root_end = pl.col("ended_at").filter(pl.col("parent_span_id").is_null()).min()
        closing = self.spans.group_by("trace_id").agg(
            closed_at=pl.coalesce(root_end, pl.col("ended_at").max() + self.timeout)
        )
        done = closing.filter(pl.col("closed_at") <= self.watermark).with_columns(
            late=pl.lit(False) if before is None else pl.col("closed_at") <= before
        )
        if done.is_empty():
            return pl.DataFrame(schema=OBSERVATION_SCHEMA)
        of_done = self.spans.join(done.select("trace_id", "closed_at"), on="trace_id")
        inside = of_done.filter(pl.col("ended_at") <= pl.col("closed_at")).drop("closed_at")
        self.late_spans += len(of_done) - len(inside)
        facts = {name: self.facts[name].join(done.select("trace_id"), on="trace_id", how="semi") for name in FACTS}
        observations = observe(inside, facts, done, policies, declared)
        self.spans = self.spans.join(done, on="trace_id", how="anti")
        self.facts = {name: self.facts[name].join(done, on="trace_id", how="anti") for name in FACTS}
        self._remember(done.select("trace_id", "closed_at"))
        return observations

    def ahead(self, waiting_for: set[tuple[str, int]], by: timedelta) -> set[tuple[str, int]]:
        """Return the partitions whose event time is further than ``by`` beyond that of the slowest of ``waiting_for``.

        What is read of them only waits for the slowest one; where nothing of it has come yet, that is all of them.
        """
        times = {partition: self.seen.get(partition, datetime.min) for partition in waiting_for}
        limit = min(times.values(), default=datetime.max)
        return {partition for partition, time in times.items() if time - limit > by}

    def _advance(self, waiting_for: set[tuple[str, int]]) -> None:
        if not self.seen:
            return
        held = [self.seen.get(partition) for partition in waiting_for]
        if any(time is None for time in held):
            return  # a partition of which nothing has come yet may hold anything
        newest = min((time for time in held if time is not None), default=max(self.seen.values()))
        mark = newest - self.lateness
        self.watermark = mark if self.watermark is None else max(self.watermark, mark)

    def _remember(self, done: pl.DataFrame) -> None:
        known = done if self.released is None else pl.concat([self.released, done])
        assert self.watermark is not None
        self.released = known.filter(pl.col("closed_at") > self.watermark - _MEMORY)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {
            "spans": self.spans,
            "facts": dict(self.facts),
            "released": self.released,
            "seen": dict(self.seen),
            "watermark": self.watermark,
            "late_spans": self.late_spans,
        }
