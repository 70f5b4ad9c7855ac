"""Commands on the subscriptions file: check, list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import polars as pl
import typer

from pipelines.commands.context import out, settings_of
from pipelines.commands.reading import write
from pipelines.errors import TerminalError

if TYPE_CHECKING:
    from pipelines.contracts.subscriptions import SubscriptionEntry, Subscriptions

subscriptions = typer.Typer(help="Who is told of what: subscriptions.yaml.", no_args_is_help=True)


@subscriptions.command("check")
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="subscriptions.yaml.")]) -> None:
    """Check a subscriptions file: a mistake is one line with file, line and what is allowed there."""
    from pipelines.contracts.subscriptions import load_subscriptions

    found = load_subscriptions(file)
    used = {name for entry in found.subscriptions.values() for name in _channels(entry)}
    out.print(
        f"{file}: {_number(len(found.channels), 'channel')}, {_number(len(found.subscriptions), 'subscription')}",
        markup=False,
        soft_wrap=True,
    )
    if unused := sorted(set(found.channels) - used):
        out.print(f"no subscription names {', '.join(unused)}", markup=False, soft_wrap=True)


@subscriptions.command("list")
def list_(
    context: typer.Context,
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """List the subscriptions that hold: those of the file, or what every home has without one."""
    from pipelines.notifications.opening import subscriptions_of

    if form not in ("table", "csv", "json"):
        raise TerminalError(f"unknown format {form!r}", "subscriptions list", "use table, csv or json")
    found = subscriptions_of(settings_of(context), with_topic=True)
    rows = [_row(name, entry, found) for name, entry in found.subscriptions.items()]
    columns = ("subscription", "about", "to", "min_severity", "renotify", "held_back", "escalates")
    write(pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String)), form)


def _row(name: str, entry: SubscriptionEntry, found: Subscriptions) -> dict[str, str]:
    quiet, limit, escalate = entry.quiet_hours, entry.rate_limit, entry.escalate
    about = [f"{key} {', '.join(values)}" for key, values in entry.match if values]
    held = [
        f"{entry.digest} digest" if entry.digest else "",
        f"quiet {quiet.start:%H:%M} to {quiet.end:%H:%M} {quiet.time_zone.key}" if quiet else "",
        f"{limit.messages} in {limit.per}" if limit else "",
    ]
    return {
        "subscription": name,
        "about": "; ".join(about) or "everything",
        "to": ", ".join(f"{channel} ({getattr(found.channels[channel], 'type', '?')})" for channel in entry.to),
        "min_severity": entry.min_severity,
        "renotify": "every change" if entry.every else str(entry.renotify),
        "held_back": ", ".join(part for part in held if part),
        "escalates": f"after {escalate.after} to {', '.join(escalate.to)}" if escalate else "",
    }


def _channels(entry: SubscriptionEntry) -> tuple[str, ...]:
    return (*entry.to, *(entry.escalate.to if entry.escalate else ()))


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
