"""Commands on incidents: what there is, what changed about it, and what people say of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import polars as pl
import typer

from pipelines.commands.context import err, existing_warehouse, open_warehouse, out, settings_of
from pipelines.commands.reading import printable, write
from pipelines.errors import TerminalError
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.alerts.incidents import Incident
    from warehouse import Warehouse

alerts = typer.Typer(help="Incidents and who is told of them.", no_args_is_help=True)

_ALERTS = """
SELECT
    incident_id, workflow, families, severity, state, headline, onset_at, opened_at, last_signal_at, signals, run_ids,
    e.false_ratio, j.judgement AS judged, j.said_by, j.note
FROM incidents
LEFT JOIN (SELECT incident_id, min(false_ratio) AS false_ratio FROM ranked_signals GROUP BY incident_id) AS e USING (incident_id)
LEFT JOIN (
    SELECT incident_id, arg_max({'judgement': judgement, 'said_by': said_by, 'note': note}, (stated_at, acknowledgement_id)) AS j
    FROM acknowledgements
    GROUP BY incident_id
) USING (incident_id)
ORDER BY opened_at, incident_id
"""
_PRECISION = "SELECT * FROM alarm_precision"
_THERE = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'ranked_signals'"

_Incident = Annotated[str, typer.Argument(metavar="INCIDENT", help="Id, or its beginning.")]
_By = Annotated[str | None, typer.Option("--by", help="Who says so.")]
_Note = Annotated[str | None, typer.Option(help="Why.")]


@alerts.command("list")
def alerts_list(
    context: typer.Context,
    form: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    surest: Annotated[
        bool, typer.Option("--surest", help="The surest first: by the share of false ones to expect (e-BH).")
    ] = False,
) -> None:
    """List incidents, oldest first; the table ends with how many of the acknowledged ones were real."""
    from warehouse import run_select

    if form not in ("table", "json"):
        raise TerminalError(f"unknown format {form!r}", "alerts list", "use table or json")
    settings = settings_of(context)
    path = existing_warehouse(settings)
    precision = precision_of(settings)
    frame = run_select(path, _ALERTS)
    if surest:
        frame = frame.sort("false_ratio", nulls_last=True, maintain_order=True)
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
            pl.col("false_ratio").map_elements("{:.2g}".format, return_dtype=pl.String).fill_null("unknown"),
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


@alerts.command("show")
def alerts_show(context: typer.Context, incident: _Incident) -> None:
    """Show one incident, and everything that changed about it: what, when, who and why."""
    from pipelines.alerts import lifecycle
    from pipelines.alerts.feedback import one
    from warehouse import read_only

    with read_only(existing_warehouse(settings_of(context))) as lake:
        found = one(lake.connection, incident)
        changes = lifecycle.history(lake, found.incident_id)
    _tell(f"{found.incident_id} {found.severity}, {_state(found)}: {printable(f'{found.workflow}, {found.headline}')}")
    _tell(
        f"onset {found.onset_at:%Y-%m-%d %H:%M} UTC, opened {found.opened_at:%Y-%m-%d %H:%M}, {found.signals:,} signals, "
        f"last {found.last_signal_at:%Y-%m-%d %H:%M}; families {', '.join(found.families)}"
    )
    if found.run_ids:
        _tell(f"some runs: {printable(', '.join(found.run_ids[:5]))}")
    if changes.is_empty():
        _tell("its changes were not written down: it was opened by an earlier version")
        return
    write(changes.select("at", "kind", "to_state", "said_by", "why", "silenced_until", "other_incident_id"), "table")


@alerts.command("ack")
def alerts_ack(
    context: typer.Context,
    incident: _Incident,
    judged: Annotated[
        str | None,
        typer.Option(
            "--as", help="real: it drifted, and that stays. false: it did not. Left out: somebody looks after it."
        ),
    ] = None,
    by: _By = None,
    note: _Note = None,
) -> None:
    """Take an incident on; --as says whether it was real: its streams learn a new reference then, or go on with the old one."""
    from pipelines.alerts import lifecycle

    if judged not in (None, "real", "false"):
        raise TerminalError(f"unknown judgement {judged!r}", "alerts ack", "use --as real or --as false")
    follows = "" if judged is None else _FOLLOWS[judged]
    _changed(context, lambda lake: lifecycle.acknowledge(lake, incident, by=by, why=note, judged=judged), follows)


@alerts.command("resolve")
def alerts_resolve(context: typer.Context, incident: _Incident, by: _By = None, note: _Note = None) -> None:
    """Say that an incident is over: its streams are watched again against the reference of before."""
    from pipelines.alerts import lifecycle

    _changed(context, lambda lake: lifecycle.resolve(lake, incident, by=by, why=note), _FOLLOWS["resolved"])


@alerts.command("silence")
def alerts_silence(
    context: typer.Context,
    incident: _Incident,
    note: Annotated[str, typer.Option(help="Why: a silence has a reason.")],
    until: Annotated[
        str, typer.Option(help="How long, such as 90m, 8h or 3d; or a time such as 2026-09-10T08:00 (UTC, or +02:00).")
    ],
    by: _By = None,
) -> None:
    """Let nobody hear of an incident until then; it is what it was after that."""
    from pipelines.alerts import lifecycle

    end = _end(until)
    _changed(context, lambda lake: lifecycle.silence(lake, incident, until=end, by=by, why=note))


@alerts.command("unsilence")
def alerts_unsilence(context: typer.Context, incident: _Incident, by: _By = None, note: _Note = None) -> None:
    """End the silence of an incident before its time."""
    from pipelines.alerts import lifecycle

    _changed(context, lambda lake: lifecycle.unsilence(lake, incident, by=by, why=note))


@alerts.command("reopen")
def alerts_reopen(context: typer.Context, incident: _Incident, by: _By = None, note: _Note = None) -> None:
    """Open an incident again that was resolved, or merged into another."""
    from pipelines.alerts import lifecycle

    _changed(context, lambda lake: lifecycle.reopen(lake, incident, by=by, why=note))


@alerts.command("merge")
def alerts_merge(
    context: typer.Context,
    into: Annotated[str, typer.Argument(metavar="INTO", help="Id of the one that stays, or its beginning.")],
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Id of the one that goes into it, or its beginning.")],
    by: _By = None,
    note: _Note = None,
) -> None:
    """Let one incident take another in, where one cause struck several workflows."""
    from pipelines.alerts import lifecycle

    _changed(context, lambda lake: lifecycle.merge(lake, into, other, by=by, why=note))


_FOLLOWS = {
    "real": "learn a new reference",
    "false": "go on with the reference of before, and the alarm counts against the budget",
    "resolved": "are watched again against the reference of before",
}


def _changed(context: typer.Context, act: Callable[[Warehouse], Incident], follows: str = "") -> None:
    """Do it, and say what the incident is then."""
    settings = settings_of(context)
    existing_warehouse(settings)
    with open_warehouse(settings) as warehouse:
        found = act(warehouse)
    said = f"{found.incident_id} is {_state(found)}: {printable(f'{found.workflow}, {found.headline}')}."
    if follows:
        said += f" Its streams {follows}, from where the detecting worker stands when it reads this."
    _tell(said)


def _state(incident: Incident) -> str:
    if incident.silenced_until is not None:
        return f"silenced until {incident.silenced_until:%Y-%m-%d %H:%M} UTC"
    return f"merged into {incident.merged_into}" if incident.merged_into else incident.state


def _end(text: str) -> datetime:
    """Return the end of a silence, given as a length of time or a time.

    Raises
    ------
    TerminalError
        It is neither.
    """
    from pipelines.sources.kafka import utc_now

    found = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if found:
        unit = {"m": "minutes", "h": "hours", "d": "days"}[found[2]]
        return utc_now() + timedelta(**{unit: int(found[1])})
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise TerminalError(f"no time {text[:40]!r}", "--until", "give 90m, 8h, 3d, or 2026-09-10T08:00") from None


def _tell(line: str) -> None:
    out.print(line, markup=False, soft_wrap=True)
