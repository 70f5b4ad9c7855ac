"""Commands on incidents: alerts list, ack, resolve."""

from __future__ import annotations

from typing import Annotated, Any

import polars as pl
import typer

from pipelines.commands.context import err, existing_warehouse, open_warehouse, out, settings_of
from pipelines.commands.reading import printable, write
from pipelines.errors import TerminalError
from pipelines.settings import Settings

alerts = typer.Typer(help="Incidents: list, ack, resolve.", no_args_is_help=True)

_ALERTS = """
SELECT
    incident_id, workflow, families, severity, state, headline, onset_at, opened_at, last_signal_at, signals, run_ids,
    j.judgement AS judged, j.said_by, j.note
FROM incidents
LEFT JOIN (
    SELECT incident_id, arg_max({'judgement': judgement, 'said_by': said_by, 'note': note}, (stated_at, acknowledgement_id)) AS j
    FROM acknowledgements
    GROUP BY incident_id
) USING (incident_id)
ORDER BY opened_at, incident_id
"""
_PRECISION = "SELECT * FROM alarm_precision"
_THERE = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'alarm_precision'"

_Incident = Annotated[str, typer.Argument(metavar="INCIDENT", help="Id, or its beginning.")]
_By = Annotated[str | None, typer.Option("--by", help="Who says so.")]
_Note = Annotated[str | None, typer.Option(help="Why.")]


@alerts.command("list")
def alerts_list(
    context: typer.Context,
    form: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> None:
    """List incidents, oldest first; the table ends with how many of the acknowledged ones were real."""
    from warehouse import run_select

    if form not in ("table", "json"):
        raise TerminalError(f"unknown format {form!r}", "alerts list", "use table or json")
    settings = settings_of(context)
    path = existing_warehouse(settings)
    precision = precision_of(settings)
    frame = run_select(path, _ALERTS)
    if form == "table":
        if frame.is_empty():
            out.print("no incidents")
            return
        frame = frame.select(
            "incident_id",
            "severity",
            "state",
            pl.col("judged").fill_null(""),
            "workflow",
            pl.col("families").list.join(", "),
            "headline",
            "onset_at",
            "opened_at",
        )
    write(frame, form)
    if form == "table":
        err.print(record(precision), markup=False, soft_wrap=True)


def precision_of(settings: Settings) -> pl.DataFrame:
    """Return the rows of view ``alarm_precision``; an earlier version's warehouse is brought up to date first."""
    from warehouse import run_select

    if not run_select(settings.warehouse, _THERE).item():
        open_warehouse(settings).close()
    return run_select(settings.warehouse, _PRECISION)


def record(precision: pl.DataFrame) -> str:
    """Return in one line how the alarms have done: the share that was real, and the false ones beside the budget.

    Parameters
    ----------
    precision : pl.DataFrame
        Rows of view ``alarm_precision``.
    """
    rows = {row["family"]: row for row in precision.iter_rows(named=True)}
    fleet = rows.pop("(all)", None)
    if fleet is None or not fleet["acknowledged"]:
        return "none is acknowledged yet: `plumbline alerts ack INCIDENT --as real|false` tells the detectors which were right"
    families = ", ".join(
        f"{name} {row['judged_real']} of {row['acknowledged']}" for name, row in rows.items() if row["acknowledged"]
    )
    return (
        f"{fleet['judged_real']} of {fleet['acknowledged']} acknowledged were real "
        f"({fleet['precision_low_ratio']:.0%} to {fleet['precision_high_ratio']:.0%}; {families}); {against_budget(fleet)}"
    )


def against_budget(fleet: dict[str, Any]) -> str:
    """Return the false alarms a week beside the budget, for the fleet's row of ``alarm_precision``."""
    said = f"{fleet['false_alarms_per_week']:.3g} false alarms a week over {fleet['weeks']:.1f} weeks"
    return said if fleet["budget_per_week"] is None else f"{said}, budget {fleet['budget_per_week']:.3g}"


@alerts.command("ack")
def alerts_ack(
    context: typer.Context,
    incident: _Incident,
    judged: Annotated[str, typer.Option("--as", help="real: it drifted, and that stays. false: it did not.")],
    by: _By = None,
    note: _Note = None,
) -> None:
    """Say whether an incident was real: its streams learn a new reference then, or go on with the old one."""
    if judged not in ("real", "false"):
        raise TerminalError(f"unknown judgement {judged!r}", "alerts ack", "use --as real or --as false")
    _judged(context, incident, judged, by, note)


@alerts.command("resolve")
def alerts_resolve(context: typer.Context, incident: _Incident, by: _By = None, note: _Note = None) -> None:
    """Say that an incident is over: its streams are watched again against the reference of before."""
    _judged(context, incident, "resolved", by, note)


_FOLLOWS = {
    "real": "learn a new reference",
    "false": "go on with the reference of before, and the alarm counts against the budget",
    "resolved": "are watched again against the reference of before",
}


def _judged(context: typer.Context, incident: str, judgement: str, by: str | None, note: str | None) -> None:
    from pipelines.alerts.feedback import judge

    settings = settings_of(context)
    existing_warehouse(settings)
    with open_warehouse(settings) as warehouse:
        found = judge(warehouse, incident, judgement, by, note)
    about = printable(f"{found.workflow}, {found.headline}")
    out.print(
        f"{found.incident_id} is {found.state}: {about}. "
        f"Its streams {_FOLLOWS[judgement]}, from where the detecting worker stands when it reads this.",
        markup=False,
        soft_wrap=True,
    )
