"""Commands on what is told to whom: alerts test, deliver, deliveries, resend."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from pipelines.commands.context import err, existing_warehouse, open_warehouse, out, settings_of, with_options
from pipelines.commands.reading import printable, write
from pipelines.errors import PlumblineError, TerminalError
from pipelines.settings import Settings

_DELIVERIES = (Path(__file__).parent / "queries" / "deliveries.sql").read_text(encoding="utf-8")
_TICK_SECONDS = 0.5
#: How long `deliver --once` waits for channels: longer than any of them may take for one message.
_ONCE_SECONDS = 120.0
_File = Annotated[Path | None, typer.Option("--subscriptions", help="subscriptions.yaml.")]


def send_sample(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Name of a channel.")],
    subscriptions: _File = None,
) -> None:
    """Send a marked sample through a channel, and say what the other side answered."""
    import secrets

    from pipelines.notifications.channels import make_channel
    from pipelines.notifications.composing import sample
    from pipelines.notifications.message import Verdict
    from pipelines.notifications.opening import subscriptions_of
    from pipelines.sources.kafka import utc_now

    settings = _with_broker(with_options(settings_of(context), subscriptions=subscriptions))
    known = subscriptions_of(settings, with_topic=True).channels
    if channel not in known:
        where = str(settings.subscriptions or "no subscriptions file")
        raise TerminalError(f"no channel {channel[:80]!r}", where, f"use one of {', '.join(sorted(known))}")
    opened = make_channel(channel, known[channel], settings, console=_line)
    message = sample("test", utc_now(), secrets.token_hex(8), settings.dashboard_url)
    try:
        answer = opened.send(message)
    finally:
        opened.close()
    out.print(
        f"{channel}: {answer.verdict} ({printable(answer.said)}); sample {message.notification_id}",
        markup=False,
        soft_wrap=True,
    )
    if answer.verdict is not Verdict.DELIVERED:
        raise typer.Exit(1)


def deliver(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="End when nothing is due any more.")] = False,
    subscriptions: _File = None,
) -> None:
    """Tell what is to be told, where no `plumbline stream` runs that does. SIGTERM and Ctrl-C end it."""
    from pipelines.commands.flow import WORKER_LIMITS
    from pipelines.notifications.notifier import Notifier
    from pipelines.notifications.opening import subscribed
    from pipelines.outage import Patience
    from pipelines.sources.kafka import utc_now

    settings = with_options(settings_of(context), subscriptions=subscriptions)
    existing_warehouse(settings)
    settings = _with_broker(settings)
    told = subscribed(settings, _line, with_topic=bool(settings.bootstrap_servers))
    with _until_stopped() as stopped, open_warehouse(settings, WORKER_LIMITS, keeps_log=True) as warehouse:
        notifier = Notifier(settings, warehouse, told.subscriptions, told.channels, tell=_line)
        patience = Patience(settings.outage_seconds, _line, stopped.is_set)
        try:
            if once:
                patience.through(lambda: notifier.flush(_ONCE_SECONDS))
                if not notifier.lease.held:
                    todo = "nothing to do: the worker that runs tells what is due"
                    raise TerminalError("another process of this home delivers", str(settings.home), todo)
                return
            while not stopped.is_set():
                patience.through(lambda: notifier.tick(utc_now()))
                stopped.wait(_TICK_SECONDS)
        finally:
            notifier.close()


def deliveries(
    context: typer.Context,
    set_aside: Annotated[bool, typer.Option("--set-aside", help="Only what no channel took.")] = False,
    held: Annotated[bool, typer.Option("--held", help="What is not told now, why, and until when.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most, the newest.")] = 100,
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
    subscriptions: _File = None,
) -> None:
    """Show what was told to whom, and what the other side answered; newest last."""
    from warehouse import read_only

    if form not in ("table", "csv", "json"):
        raise TerminalError(f"unknown format {form!r}", "alerts deliveries", "use table, csv or json")
    settings = with_options(settings_of(context), subscriptions=subscriptions)
    path = existing_warehouse(settings)
    with read_only(path) as lake:
        if held:
            frame = _held(settings, lake)
        else:
            wanted = ["set_aside"] if set_aside else ["waiting", "delivered", "set_aside"]
            frame = lake.connection.execute(_DELIVERIES, {"statuses": wanted, "limit": limit}).pl()
    if form == "table" and frame.is_empty():
        out.print("none")
        return
    write(frame, form)


def _held(settings: Settings, lake: object) -> pl.DataFrame:
    """Return what a look of now would hold back: deferred, with its time, and suppressed, without one."""
    from pipelines.notifications import outbox, subjects
    from pipelines.notifications.opening import subscriptions_of
    from pipelines.notifications.routing import route
    from pipelines.sources.kafka import utc_now
    from warehouse import Warehouse

    assert isinstance(lake, Warehouse)
    now = utc_now()
    entries = subscriptions_of(settings, with_topic=bool(_with_broker(settings).bootstrap_servers)).subscriptions
    found = [*subjects.incident_subjects(lake, now - outbox.REMEMBERED), *subjects.conditions(lake, now)]
    routed = route(found, entries, outbox.remembered(lake, now), now)
    headlines = {each.subject_id: each.headline for each in found}
    columns = ("subscription", "channel", "subject_id", "occasion", "reason", "until")
    rows = [{name: getattr(one, name) for name in columns} for one in (*routed.deferred, *routed.suppressed)]
    schema = {**dict.fromkeys(columns[:5], pl.String), "until": pl.Datetime("us"), "headline": pl.String}
    return pl.DataFrame([row | {"headline": headlines[row["subject_id"]]} for row in rows], schema=schema)


def resend(
    context: typer.Context,
    notification: Annotated[
        list[str], typer.Argument(metavar="NOTIFICATION…", help="Ids of what was set aside, or their beginnings.")
    ],
) -> None:
    """Let notifications that were set aside be tried again, under the same ids."""
    from pipelines.notifications import outbox

    settings = settings_of(context)
    existing_warehouse(settings)
    with open_warehouse(settings) as warehouse:
        names = outbox.resend(warehouse, notification)
    out.print(f"{', '.join(names)}: waiting, told by the worker that runs, or by `plumbline alerts deliver`")


#: The commands that `plumbline alerts` has from here.
COMMANDS = {"test": send_sample, "deliver": deliver, "deliveries": deliveries, "resend": resend}


def _with_broker(settings: Settings) -> Settings:
    """Return the settings with the address of the home's broker, where one runs and no other is named."""
    if settings.bootstrap_servers:
        return settings
    from pipelines.broker import Broker

    try:
        address = Broker(settings.home).status().bootstrap_servers
    except PlumblineError:
        return settings
    return with_options(settings, bootstrap_servers=address or None)


@contextlib.contextmanager
def _until_stopped() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set."""
    stopped = threading.Event()
    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = {number: signal.signal(number, lambda *_: stopped.set()) for number in numbers}
    try:
        yield stopped
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _line(line: str) -> None:
    err.print(printable(line), markup=False, soft_wrap=True)
