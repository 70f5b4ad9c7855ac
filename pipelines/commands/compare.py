"""``plumbline compare``: two releases of a workflow, or two modes, or the agent and people, with a verdict at any time."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

import polars as pl
import typer

from pipelines.commands.context import existing_warehouse, out, settings_of
from pipelines.commands.reading import write
from pipelines.errors import TerminalError
from warehouse import read_only
from warehouse.queries import sql as query

_SHOWN = 5


def compare(
    context: typer.Context,
    workflow: Annotated[str, typer.Argument(help="Workflow, as in table runs.")],
    first: Annotated[str, typer.Option("--from", help="Release to compare with, the one before.")] = "",
    second: Annotated[str, typer.Option("--to", help="Release that is compared.")] = "",
    by: Annotated[
        str, typer.Option(help="release, or mode: then --from and --to are live, canary or shadow.")
    ] = "release",
    shadow: Annotated[bool, typer.Option("--shadow", help="Compare shadow runs with what people decided.")] = False,
    margin: Annotated[
        float, typer.Option(help="A difference that does not matter: points of a rate, or share of the first value.")
    ] = 0.05,
    alpha: Annotated[float, typer.Option(help="Chance that any of the intervals ever misses.")] = 0.05,
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """Compare two releases of a workflow. Look as often as you like: the verdicts hold at every look."""
    if form not in ("table", "csv", "json"):
        raise TerminalError(f"unknown format {form!r}", "compare", "use table, csv or json")
    if by not in ("release", "mode"):
        raise TerminalError(f"can't compare by {by!r}", "--by", "use release or mode")
    if shadow and (first or second):
        raise TerminalError("--shadow with --from or --to", "compare", "give one of them")
    if not shadow and (not first or not second or first == second):
        raise TerminalError("two different groups are needed", "compare", f"give --from and --to, each a {by}")
    with read_only(existing_warehouse(settings_of(context))) as lake:

        def rows(name: str, **given: Any) -> pl.DataFrame:
            return lake.connection.execute(query(name), given).pl()

        groups = rows("comparable_groups", workflow=workflow)
        if groups.is_empty():
            names = lake.query("SELECT DISTINCT workflow FROM runs WHERE workflow IS NOT NULL ORDER BY 1")["workflow"]
            raise _unknown("workflow", workflow, names.to_list())
        if shadow:
            _tell_of_agreement(rows("shadow_decisions", workflow=workflow), workflow, alpha, form)
            return
        known = groups.filter(pl.col("by") == by)["group"].to_list()
        for name in (first, second):
            if name not in known:
                raise _unknown(by, name, known)
        groups = rows("compared_groups", workflow=workflow, by=by)
    from detectors.releases import NEEDS_DATA
    from detectors.releases import compare as compared

    result = compared(groups, first, second, alpha=alpha, margin=margin)
    if form != "table":
        write(result, form)
        return
    write(_for_people(result), "table")
    out.print(
        f"{second} against {first}; with probability {1 - alpha:g} all intervals hold, at every look. Changes below "
        f"{margin:g} (points of a rate, or relative) count as none.",
        markup=False,
        soft_wrap=True,
    )
    if (result["verdict"] == NEEDS_DATA).any():
        out.print("needs data: 10 runs of each for a rate, 50 for cost and duration", markup=False)


def _unknown(what: str, name: str, known: list[str]) -> TerminalError:
    near = difflib.get_close_matches(name, known, n=_SHOWN, cutoff=0.4) or known[:_SHOWN]
    todo = f"use one of {', '.join(repr(each[:80]) for each in near)}" if near else "run `plumbline refresh` first"
    return TerminalError(f"no {what} {name[:80]!r} among the runs", "compare", todo)


def _for_people(result: pl.DataFrame) -> pl.DataFrame:
    rows = [
        {
            "metric": row["metric"],
            "verdict": row["verdict"],
            "before": _written(row["first"], row["unit"]),
            "after": _written(row["second"], row["unit"]),
            "change": _change(row["difference"], row["metric"], row["unit"]),
            "interval": ""
            if row["low"] is None
            else f"{_change(row['low'], row['metric'], row['unit'])} to {_change(row['high'], row['metric'], row['unit'])}",
            "runs": f"{row['first_runs']:,} / {row['second_runs']:,}",
            "coverage": " / ".join("–" if part is None else f"{part:.0%}" for part in _coverage(row)),
        }
        for row in result.iter_rows(named=True)
    ]
    return pl.DataFrame(rows)


def _coverage(row: dict[str, Any]) -> tuple[float | None, float | None]:
    return row["first_coverage"], row["second_coverage"]


def _written(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return {"share": f"{value:.1%}", "usd": f"${value:,.4f}", "ms": f"{value / 1000:,.2f} s"}[unit]


def _change(value: float | None, metric: str, unit: str) -> str:
    if value is None:
        return "–"
    if metric == "duration":
        return f"{value:+.1%}"
    return f"{100 * value:+.1f} points" if unit == "share" else f"{'-' if value < 0 else '+'}${abs(value):,.4f}"


def _tell_of_agreement(decisions: pl.DataFrame, workflow: str, alpha: float, form: str) -> None:
    from detectors.releases import agreement

    group, interval = agreement(decisions, alpha=alpha)
    result = pl.DataFrame(
        {
            "workflow": [workflow],
            "shadow_runs": [len(decisions)],
            "decided_by_both": [group.n],
            "agreement": [group.mean if group.n else None],
            "low": [interval.low if interval else None],
            "high": [interval.high if interval else None],
        },
        schema_overrides={"agreement": pl.Float64, "low": pl.Float64, "high": pl.Float64},
    )
    if form != "table":
        write(result, form)
        return
    if not group.n:
        out.print("no shadow run states both plumbline.human.decision and plumbline.agent.decision", markup=False)
        return
    write(result, "table")
