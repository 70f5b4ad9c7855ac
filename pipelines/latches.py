"""Rules' memory: observations of kind ``rule`` become signals, each finding once until a person has answered.

Stands beside the detectors: it takes the same observations in the same order, in whole runs, looks at nothing else, and gives
signals of the same columns. So how they are cut into calls changes nothing.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from detectors import SIGNAL_SCHEMA
from pipelines.stages.rules import LEARNED, LEARNING

_KEY = ["workflow", "metric", "dimension"]
_GROUP = _KEY[:2]
KNOWN_SCHEMA: dict[str, Any] = {**dict.fromkeys((*_KEY, "state"), pl.String)}
LEARNING_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(_GROUP, pl.String),
    **dict.fromkeys(("runs", "new_run"), pl.Int64),
    "new_at": pl.Datetime("us"),
    "learned": pl.Boolean,
}
#: Learning ends when for so long, and so many runs, no name was new.
QUIET = timedelta(hours=24)
#: Findings of one rule and workflow that wait for an answer; with more, the next would say nothing new.
MOST_WAITING = 20
#: Names remembered of one rule and workflow: more than this are no vocabulary, but ids.
MOST_NAMES = 1000


class Latches:
    """What each rule has said and learned.

    Attributes
    ----------
    known : pl.DataFrame
        workflow, metric (the rule), dimension and state: ``seen`` while names were learned, ``waiting`` for an answer to its
        signal, ``accepted`` as real, ``answered`` otherwise: it may be told again.
    learning : pl.DataFrame
        Per workflow and rule that learns names: runs so far, number and time of the last run with a new name, and whether
        it has learned them all.
    """

    def __init__(self, known: pl.DataFrame | None = None, learning: pl.DataFrame | None = None) -> None:
        self.known = pl.DataFrame(schema=KNOWN_SCHEMA) if known is None else known
        self.learning = pl.DataFrame(schema=LEARNING_SCHEMA) if learning is None else learning

    def update(self, observations: pl.DataFrame) -> pl.DataFrame:
        """Take observations in their order and return the signals of those of kind ``rule``, in that order too.

        Parameters
        ----------
        observations : pl.DataFrame
            ``OBSERVATION_SCHEMA``, those of a run together.

        Returns
        -------
        pl.DataFrame
            ``SIGNAL_SCHEMA``; at most one row per workflow, rule and dimension, which then waits for `rearm`.
        """
        rows = observations.filter(kind="rule")
        if rows.is_empty():
            return pl.DataFrame(schema=SIGNAL_SCHEMA)
        rows = self._numbered(
            rows.with_columns(
                # What traces say may stand in the category of the other rules.
                to_learn=pl.col("metric").is_in(LEARNING) & pl.col("category").eq_missing(LEARNED)
            )
        )
        before = {row[:2]: row for row in self.learning.iter_rows()}
        signals, changed = self._judged(self._unanswered(rows), before)
        runs = rows.filter("to_learn").group_by(_GROUP, maintain_order=True).agg(pl.col("number").last())
        for workflow, metric, number in runs.iter_rows():
            _, _, _, *rest = before.get((workflow, metric), (workflow, metric, 0, 0, None, False))
            before[(workflow, metric)] = (workflow, metric, number, *rest)
        self.learning = pl.DataFrame([*before.values()], schema=LEARNING_SCHEMA, orient="row")
        if changed:
            fresh = pl.DataFrame([*changed], schema=KNOWN_SCHEMA, orient="row")
            self.known = pl.concat([self.known.join(fresh, on=_KEY, how="anti", maintain_order="left"), fresh])
        return pl.DataFrame(signals, schema=SIGNAL_SCHEMA)

    def _numbered(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Give each row the number of its run among those that used names of its rule."""
        is_next = (pl.col("run_id") != pl.col("run_id").shift(1)).fill_null(True)
        return rows.join(
            self.learning.select(*_GROUP, "runs"), on=_GROUP, how="left", maintain_order="left"
        ).with_columns(number=is_next.cum_sum().over(_GROUP).cast(pl.Int64) + pl.col("runs").fill_null(0))

    def _unanswered(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The first row of every finding about which nothing was said; to one that the catalog decides, learning says nothing."""
        silent = pl.col("state").is_in(["waiting", "accepted"]) | (pl.col("to_learn") & (pl.col("state") == "seen"))
        return (
            rows.join(self.known, on=_KEY, how="left", maintain_order="left")
            .filter(~silent.fill_null(False))
            .unique(_KEY, keep="first", maintain_order=True)
        )

    def _judged(
        self, fresh: pl.DataFrame, learning: dict[tuple[str, str], tuple[Any, ...]]
    ) -> tuple[list[dict[str, Any]], list[tuple[str, ...]]]:
        """Return the signals of new findings, and what is known then; keep in ``learning`` what is learned on the way."""
        signals: list[dict[str, Any]] = []
        changed: list[tuple[str, ...]] = []
        if fresh.is_empty():
            return signals, changed
        counted = self.known.group_by(_GROUP).agg(pl.len(), (pl.col("state") == "waiting").sum())
        counts = {row[:2]: [*row[2:]] for row in counted.iter_rows()}
        for row in fresh.iter_rows(named=True):
            group, number = (row["workflow"], row["metric"]), row["number"]
            count = counts.setdefault(group, [0, 0])
            _, _, runs, new_run, new_at, learned = learning.get(group, (*group, 0, 0, None, False))
            if row["to_learn"] and not learned:
                learned = number - new_run > row["value"] and new_at is not None and row["at"] - new_at >= QUIET
            is_told = learned or not row["to_learn"] or row["state"] == "answered"
            is_new = row["state"] is None
            if (is_new and count[0] >= MOST_NAMES) or (is_told and count[1] >= MOST_WAITING):
                continue
            if row["to_learn"] and is_new:
                learning[group] = (*group, runs, number, row["at"], learned)
            if is_told:
                signals.append(_signal(row))
            changed.append((*group, row["dimension"], "waiting" if is_told else "seen"))
            count[0] += is_new
            count[1] += is_told
        return signals, changed

    def rearm(self, workflow: str, family: str, metric: str, dimension: str, *, relearn: bool) -> int:
        """Follow what a person said about a finding, and return whether there was one (0 or 1).

        Parameters
        ----------
        relearn : bool
            True: it is real, and accepted from now on. False: the rule may say it again.
        """
        del family  # the rule's name tells
        is_it = (
            (pl.col("workflow") == workflow)
            & (pl.col("metric") == metric)
            & (pl.col("dimension") == dimension)
            & (pl.col("state") == "waiting")
        )
        count = self.known.filter(is_it).height
        answer = pl.lit("accepted" if relearn else "answered")
        self.known = self.known.with_columns(state=pl.when(is_it).then(answer).otherwise("state"))
        return count


def _signal(row: dict[str, Any]) -> dict[str, Any]:
    at: datetime = row["at"]
    seen = row["number"] - 1 if row["to_learn"] else row["value"]
    return {
        **{name: row[name] for name in ("workflow", "family", "metric", "dimension", "kind")},
        "detector": "Rule",
        "at": at,
        "onset_at": at,
        "detail": json.dumps({"count": int(seen), "said": row["category"]}, ensure_ascii=False),
        "headline": _sentence(row, int(seen)),
    }


def _sentence(row: dict[str, Any], count: int) -> str:
    """Return what a rule says, for example ``tool send_mail was called, for the first time in 1,240 runs``."""
    name, said, past = row["dimension"], row["category"], ""
    if row["to_learn"]:
        past = "again" if row["state"] == "answered" else f"for the first time in {count:,} runs"
    match row["metric"]:
        case "approval_skipped":
            return f"an approval of {name} was bypassed"
        case "forbidden_effect":
            return f"tool {name} was called, whose effect ({said}) the catalog does not allow this workflow"
        case "loop":
            return f"tool {name} was called {count:,} times in one run with one argument shape"
        case "outdated_policy":
            return f"a decision was made under {name}, though version {said} was in force"
        case "refused_again":
            return f"one run was denied {name} {count:,} times"
        case "unknown_policy_version":
            return f"a decision was made under {name}, a version that the catalog lacks"
        case "unknown_model":
            return f"model {name} served a run, " + (past or "and the catalog does not allow it to")
        case "unknown_tool":
            return f"tool {name} was called, " + (past or "and the catalog does not list it")
        case metric:
            return metric.replace("_", " ")
