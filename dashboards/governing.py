"""What policies decided, what became of approvals and what broke a rule, as numbers. Pure: frames in, numbers out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from dashboards.filters import Window

#: Kinds of findings in the order of how bad they are → what they mean.
KINDS = {
    "carried out despite a deny": "A policy denied it, and it was done all the same.",
    "irreversible without approval": "An irreversible tool call in a run without a granted approval.",
    "approval bypassed": "An approval was asked for and passed over.",
    "effect not allowed": "A tool call with an effect that the catalog does not allow this workflow.",
    "outdated version": "A decision under a version after a later one had come into force.",
    "unknown version": "A decision under a version that the catalog does not have.",
}
#: Standings of a decision's version that need somebody: the policies in the field are not those that were approved.
STRAYED = ("outdated", "unknown version")
#: Standings by which it is known whether the version was the one in force.
JUDGED = ("in force", *STRAYED)


@dataclass(frozen=True, slots=True)
class Governed:
    """The numbers of the policy page for one window.

    Parameters
    ----------
    decisions, allowed : int
    carried_out : int
        Denied actions that were carried out.
    judged, strayed : int
        Decisions under a version that the catalog can judge, and those of them that are outdated or unknown.
    requested, granted, refused, bypassed : int
        Steps of approvals.
    """

    decisions: int
    allowed: int
    carried_out: int
    judged: int
    strayed: int
    requested: int
    granted: int
    refused: int
    bypassed: int

    @property
    def adherence(self) -> float | None:
        """Share of decisions that allowed the action."""
        return self.allowed / self.decisions if self.decisions else None

    @property
    def strayed_share(self) -> float | None:
        """Share of the decisions that can be judged."""
        return self.strayed / self.judged if self.judged else None

    @property
    def settled(self) -> int:
        """Approvals that came to an end."""
        return self.granted + self.refused + self.bypassed

    @property
    def bypassed_share(self) -> float | None:
        """Share of the approvals that came to an end."""
        return self.bypassed / self.settled if self.settled else None


def governed(events: pl.DataFrame) -> Governed:
    """The numbers of rows of ``queries/policy_events.sql``."""
    decisions, approvals = events.filter(what="decision"), events.filter(what="approval")
    by = dict(approvals.group_by("result").agg(pl.col("events").sum()).iter_rows())
    return Governed(
        decisions=_sum(decisions),
        allowed=_sum(decisions.filter(result="allow")),
        carried_out=int(decisions["carried_out"].sum()),
        judged=_sum(decisions.filter(pl.col("standing").is_in(JUDGED))),
        strayed=_sum(decisions.filter(pl.col("standing").is_in(STRAYED))),
        requested=by.get("requested", 0),
        granted=by.get("granted", 0),
        refused=by.get("denied", 0),
        bypassed=by.get("bypassed", 0),
    )


def _sum(events: pl.DataFrame) -> int:
    return int(events["events"].sum())


def over_time(events: pl.DataFrame, part: pl.Expr, whole: pl.Expr) -> list[float | None]:
    """Share of `part` in `whole` per bucket, in time order; None where there is no whole."""
    points = events.group_by("bucket_at").agg(
        part=pl.col("events").filter(part).sum(), whole=pl.col("events").filter(whole).sum()
    )
    return [
        row["part"] / row["whole"] if row["whole"] else None for row in points.sort("bucket_at").iter_rows(named=True)
    ]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a policy: since when it holds by the catalog, and what was decided under it.

    Parameters
    ----------
    policy, version : str | None
        As the trace or the catalog says.
    effective_at : datetime | None
        None where the catalog does not say, or lacks it.
    is_in_force : bool
        It is the latest of its policy at the end of the period.
    standing : str
        'in force', 'outdated', 'unknown version', 'unknown policy', 'not stated', 'not yet in force' or 'not used'.
    decisions, strayed, denied : int
    last_at : datetime | None
        Its last decision.
    """

    policy: str | None
    version: str | None
    effective_at: datetime | None
    is_in_force: bool
    standing: str
    decisions: int
    strayed: int
    denied: int
    last_at: datetime | None


def versions(events: pl.DataFrame, declared: pl.DataFrame, window: Window) -> list[Version]:
    """The versions under which something was decided in the period, and those that are or will be in force.

    Parameters
    ----------
    events : pl.DataFrame
        ``queries/policy_events.sql``.
    declared : pl.DataFrame
        ``queries/policy_versions.sql``.
    """
    decided = (
        events.filter(what="decision", span="current")
        .group_by("name", "version")
        .agg(
            decisions=pl.col("events").sum(),
            strayed=pl.col("events").filter(pl.col("standing").is_in(STRAYED)).sum(),
            denied=pl.col("events").filter(pl.col("result") == "deny").sum(),
            last_at=pl.col("last_at").max(),
            standing=pl.col("standing").sort_by("last_at").last(),
        )
    )
    used = {(row["name"], row["version"]): row for row in decided.iter_rows(named=True)}
    known = {(row["policy"], row["version"]): row["effective_at"] for row in declared.iter_rows(named=True)}
    dated = declared.drop_nulls("effective_at").filter(pl.col("effective_at") <= window.end)
    latest = dict(dated.sort("effective_at", "version").group_by("policy").agg(pl.col("version").last()).iter_rows())
    found = []
    for policy, version in {*used, *known}:
        row, effective_at = used.get((policy, version)), known.get((policy, version))
        is_in_force = policy in latest and latest[policy] == version
        is_coming = effective_at is not None and effective_at > window.end
        if row is None and not (is_in_force or is_coming):
            continue  # a version of the past that nobody uses any more
        standing = row["standing"] if row else "not yet in force" if is_coming else "not used"
        numbers = (row["decisions"], row["strayed"], row["denied"], row["last_at"]) if row else (0, 0, 0, None)
        found.append(Version(policy, version, effective_at, is_in_force, standing, *numbers))
    return sorted(found, key=lambda it: (-it.strayed, it.policy or "", -it.decisions, it.version or ""))


def denials(events: pl.DataFrame) -> list[dict[str, Any]]:
    """Rules that did not allow, the most frequent first: name, rule, denied, others, before (all of the earlier period)."""
    told = events.filter((pl.col("what") == "decision") & (pl.col("result") != "allow"))
    now = pl.col("span") == "current"
    found = told.group_by("name", "rule").agg(
        denied=pl.col("events").filter(now & (pl.col("result") == "deny")).sum(),
        others=pl.col("events").filter(now & (pl.col("result") != "deny")).sum(),
        before=pl.col("events").filter(~now).sum(),
        workflows=pl.col("workflow").filter(now).n_unique(),
    )
    whole = pl.col("denied") + pl.col("others")
    return found.filter(whole > 0).sort(-whole, "name", "rule").to_dicts()
