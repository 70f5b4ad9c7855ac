"""What a page shows, as `dashboards.data` reads it: the extent of the data, and one view of them. Frames, no warehouse."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import polars as pl

from dashboards import text
from dashboards.filters import Filters, Window

#: Parts a revision: what a refresh changes, and what changes while the stream runs.
LIVE = "\n"


class State(Enum):
    """How far the data are."""

    EMPTY = "nothing has been streamed"
    STREAMED = "spans are there, the marts are not"
    READY = "the marts have runs"


@dataclass(frozen=True, slots=True)
class Extent:
    """What there is: the runs' time range (UTC), their number, and the values that filters offer."""

    earliest_at: datetime
    latest_at: datetime
    runs: int
    workflows: tuple[str, ...]
    environments: tuple[str, ...]
    teams: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """Everything one page shows, as read in one go.

    Parameters
    ----------
    filters : Filters
    window : Window
    extent : Extent
    cohorts : pl.DataFrame
        ``queries/cohorts.sql``; `dashboards.cohorts.rolled` makes ratios of it.
    policy : pl.DataFrame
        `dashboards.cohorts.decided` of the cohorts.
    reuse, rollback, incidents, signals : pl.DataFrame
        The query of the same name; a page that does not show one leaves it empty.
    streamed_at : datetime | None
        Start of the newest span (UTC), to tell marts that lag behind the stream.
    judgements, comparisons : pl.DataFrame
        What people said about the incidents, and releases beside those before them; without rows in a warehouse of an earlier
        version.
    """

    filters: Filters
    window: Window
    extent: Extent
    cohorts: pl.DataFrame
    policy: pl.DataFrame
    reuse: pl.DataFrame
    rollback: pl.DataFrame
    incidents: pl.DataFrame
    signals: pl.DataFrame
    streamed_at: datetime | None
    judgements: pl.DataFrame = field(default_factory=pl.DataFrame)
    comparisons: pl.DataFrame = field(default_factory=pl.DataFrame)

    def parameters(self) -> list[Any]:
        """``$1 … $9`` of ``queries/cohorts.sql``, for queries that cut and filter as it does."""
        shown, chosen = self.window, self.filters
        spans = [shown.previous_start, shown.previous_end, shown.start, shown.end]
        bucket = round(shown.bucket / timedelta(seconds=1))
        return [*spans, chosen.workflow, chosen.environment, bucket, chosen.team, chosen.release]

    def scope(self) -> list[str]:
        """What the figures cover, in lines of words."""
        shown = self.window
        line = f"{shown.name}: {text.when(shown.start)} to {text.when(self.extent.latest_at)}"
        if shown.is_comparable:
            line += f", against {shown.previous_name}"
        if not (self.filters.environment or self.filters.team or self.filters.release):
            return [line]
        return [line, "Reuse, rollback readiness and incidents cover all environments, teams and releases."]


def revision_of(revision: str, *, is_live: bool) -> str:
    """The part of a `dashboards.data.Reader.revision` that a page depends on: all of it, or what a refresh changes alone."""
    return revision if is_live else revision.partition(LIVE)[0]
