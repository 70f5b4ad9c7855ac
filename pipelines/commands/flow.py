"""Commands that move traces: simulate, produce, stream."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pipelines.commands.context import broker_address, err, open_warehouse, out, settings_of, with_options
from pipelines.contracts.drift_names import DEFAULT_DRIFTS, DRIFTS
from pipelines.errors import TerminalError
from pipelines.settings import Settings
from warehouse import Limits

if TYPE_CHECKING:
    from pipelines.metrics import Metrics
    from pipelines.stream import Stream

#: A worker waits for a lock in short pieces, between which it can be stopped and says what it waits for.
WORKER_LIMITS = Limits(memory="512MB", threads=1, busy_timeout_ms=4_000, turn_wait_s=15.0, retries=3)
_CLOSE_SECONDS = 2.0
#: Help of --drift.
DRIFT_HELP = (
    f"Drift to inject; repeat for several. One of {', '.join(DRIFTS)}; all takes the twelve of docs/drift.md. "
    f"Default: {', '.join(DEFAULT_DRIFTS)}."
)


@contextlib.contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a long step on a terminal; in a log it stays one line at its end."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def run_simulation(
    to: Path,
    *,
    seed: int,
    days: float,
    workflows: int,
    rate: float | None,
    drifts: tuple[str, ...] | None,
    content_bytes: int = 0,
    season: bool = False,
    drift_hours: float | None = None,
) -> object:
    """Generate traffic with progress; return its truth."""
    from pipelines.simulate import DEFAULT_RATE, simulate

    with progress_bar("simulating") as update:
        return simulate(
            to,
            seed=seed,
            days=days,
            workflows=workflows,
            rate=DEFAULT_RATE if rate is None else rate,
            drifts=drifts,
            content_bytes=content_bytes,
            season=season,
            drift_hours=drift_hours,
            progress=update,
        )


def simulate(
    out_dir: Annotated[Path, typer.Option("--out", help="Directory for the OTLP files and truth.json.")],
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    days: Annotated[float, typer.Option(help="Simulated days.")] = 7.0,
    workflows: Annotated[int, typer.Option(help="Number of agent workflows.")] = 6,
    rate: Annotated[float | None, typer.Option(help="Mean runs per hour and workflow.")] = None,
    drift: Annotated[list[str] | None, typer.Option(help=DRIFT_HELP)] = None,
    no_drift: Annotated[bool, typer.Option("--no-drift", help="Inject none.")] = False,
    content_bytes: Annotated[int, typer.Option(help="Mean bytes of message text on each model call.")] = 0,
    season: Annotated[
        bool, typer.Option("--season", help="Let sizes follow the hour and the weekday, as arrivals always do.")
    ] = False,
    drift_hours: Annotated[
        float | None, typer.Option(help="Undo each drift so long after it was injected; they stay when not given.")
    ] = None,
) -> None:
    """Write a simulated fleet's traffic as OTLP files, with truth.json: what was injected, where, when, how strong."""
    if drift and no_drift:
        raise TerminalError("--drift and --no-drift together", "simulate", "give one of them")
    drifts = () if no_drift else tuple(drift) if drift else None
    truth = run_simulation(
        out_dir,
        seed=seed,
        days=days,
        workflows=workflows,
        rate=rate,
        drifts=drifts,
        content_bytes=content_bytes,
        season=season,
        drift_hours=drift_hours,
    )
    out.print(
        f"{truth.spans:,} spans of {truth.runs:,} runs in {len(truth.files)} files, {len(truth.drifts)} drifts injected:"  # pyright: ignore[reportAttributeAccessIssue]
        f" {out_dir}",
        markup=False,
    )


def publish_files(files: list[Path], settings: Settings, topic: str | None = None) -> tuple[int, int]:
    """Publish files to a topic (that of spans unless named), bytes unchanged; return (messages, bytes)."""
    from kafka.errors import KafkaError

    from pipelines.errors import TransientError
    from pipelines.sources.files import records
    from pipelines.sources.kafka import SOURCE_FILE_HEADER, producer

    address = broker_address(settings)
    _topics(address, settings)
    topic = topic or settings.topic
    count = size = 0
    total = sum(path.stat().st_size for path in files)
    sender = producer(address)
    pending = []
    try:
        with progress_bar("publishing") as update:
            for path in files:
                headers = [(SOURCE_FILE_HEADER, path.name.encode())]
                for number, (_, _, value) in enumerate(records(path)):
                    # Round robin: no consumer may rely on which partition a span is in.
                    place = number % 4 if topic == settings.topic else None
                    pending.append(sender.send(topic, value=value, headers=headers, partition=place))
                    count, size = count + 1, size + len(value)
                    if len(pending) >= 5000:
                        _confirmed(pending)
                    update(size, total)
            _confirmed(pending)
    except KafkaError as error:
        raise TransientError(
            f"Kafka did not take a message ({type(error).__name__})",
            f"topic {topic} at {address}",
            "nothing is lost: run the same command again, what arrived twice is dropped",
        ) from error
    finally:
        sender.close(timeout=10)
    return count, size


def _confirmed(pending: list) -> None:  # pyright: ignore[reportMissingTypeArgument]
    """Wait until the broker has acknowledged every message: an error of any is raised here."""
    for future in pending:
        future.get(timeout=60)
    pending.clear()


def produce(
    context: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE…", help="OTLP files: JSON lines or length-delimited protobuf.", show_default=False
        ),
    ] = None,
    outcomes: Annotated[
        list[str] | None, typer.Option(help="Path or glob of outcome files (JSON); repeat for several.")
    ] = None,
) -> None:
    """Publish OTLP files to the span topic, outcome files to theirs, bytes unchanged.

    Starts this home's broker where no other is named.
    """
    from pipelines.sources.files import expand

    settings = settings_of(context)
    if not files and not outcomes:
        raise TerminalError("nothing to publish", "produce", "name OTLP files, or outcome files with --outcomes")
    wanted = [(settings.topic, expand(files or [])), (settings.outcomes_topic, expand(outcomes or []))]
    _start_own_broker(settings)
    for topic, paths in wanted:
        if paths:
            count, size = publish_files(paths, settings, topic)
            out.print(f"{count:,} messages, {size / 1e6:,.1f} MB published to topic {topic}", markup=False)


def _start_own_broker(settings: Settings) -> None:
    """Start the home's broker if it is the one to publish to, is not running, and can run here; say so."""
    from pipelines.broker import Broker, available

    home = Broker(settings.home)
    if settings.bootstrap_servers or home.status().state == "running" or not available().ok:
        return
    address = home.start(progress=lambda line: err.print(line, markup=False))
    err.print(f"broker on {address}; `plumbline broker stop` ends it", markup=False, soft_wrap=True)


def run_stream(
    settings: Settings, source: str, files: list[str] | None, outcomes: list[str] | None = None, *, until_end: bool
):
    """Run the main job with the console as it is, its metrics served where asked for; return its progress counts."""
    from pipelines.metrics import Metrics

    metrics = Metrics()
    with _exposed(metrics, settings):
        return _run(settings, source, files, outcomes, metrics, until_end=until_end)


@contextlib.contextmanager
def _exposed(metrics: Metrics, settings: Settings) -> Iterator[None]:
    if not settings.metrics_port:
        yield
        return
    from pipelines.exposition import exposed
    from pipelines.tokens import tokens_of

    with exposed(metrics.registry, settings.metrics_host, settings.metrics_port, tokens_of(settings)) as address:
        tell(f"metrics at {address}")
        yield


def _run(
    settings: Settings,
    source: str,
    files: list[str] | None,
    outcomes: list[str] | None,
    metrics: Metrics,
    *,
    until_end: bool,
):
    from pipelines.dead_letters.topic import DeadLetterTopic
    from pipelines.notifications.notifier import Notifier
    from pipelines.notifications.opening import subscribed
    from pipelines.outage import Patience
    from pipelines.sources.files import FileSource
    from pipelines.sources.kafka import KafkaSource, producer
    from pipelines.stream import Stream

    sender = None
    if source == "files":
        if not files and not outcomes:
            raise TerminalError("--source files needs files", "stream", "add --files GLOB or --outcomes GLOB")
        reader = FileSource(files or [], outcomes or [])
    elif source == "kafka":
        if files or outcomes:
            raise TerminalError(
                "--files or --outcomes without --source files", "stream", "add --source files, or publish them: produce"
            )
        address = broker_address(settings)
        settings = replace(settings, bootstrap_servers=address)
        _topics(address, settings)
        reader = KafkaSource(
            address,
            settings.topic,
            settings.group_id,
            settings.session_seconds,
            outcomes_topic=settings.outcomes_topic,
        )
        sender = producer(address)
    else:
        raise TerminalError(f"unknown source {source!r}", "stream", "use kafka or files")
    told = subscribed(settings, tell, with_topic=sender is not None)
    # The clients' own warnings of each failed connection: an outage is told in one line.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    try:
        opened = Patience(settings.outage_seconds, tell, lambda: False, metrics.outage.set).through(
            lambda: open_warehouse(settings, WORKER_LIMITS, keeps_log=True)
        )
        with opened as warehouse, progress_bar("spans") as update:
            stream = Stream(
                settings,
                reader,
                warehouse,
                Notifier(
                    settings,
                    warehouse,
                    told.subscriptions,
                    told.channels,
                    tell=tell,
                    tried=lambda one: metrics.delivered(one.channel, one.verdict, one.duration_ms / 1000),
                ),
                lambda progress: update(progress.spans, None),
                tell,
                metrics=metrics,
                dead_letter_topic=None if sender is None else DeadLetterTopic(sender, settings.dead_letter_topic),
            )
            with _stopped_by_signals(stream):
                err.print(f"reading {reader.name}", markup=False)
                counts = stream.run(until_end=until_end)
    finally:
        reader.close()
        if sender is not None:
            # What matters was waited for when it was sent; a broker that is gone must not keep the worker from ending.
            sender.close(timeout=_CLOSE_SECONDS)
    return counts


@contextlib.contextmanager
def _stopped_by_signals(stream: Stream) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C ask the stream to end; asked again, it ends no sooner and no worse."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = {number: signal.signal(number, lambda *_: stream.stop()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def tell(line: str) -> None:
    """Print what an operator should know, as text."""
    err.print(line, markup=False, soft_wrap=True)


def _topics(address: str, settings: Settings) -> None:
    from pipelines.broker import create_topics

    wanted = {
        settings.topic: 4,
        settings.outcomes_topic: 1,
        settings.alerts_topic: 1,
        settings.dead_letter_topic: 1,
    }
    create_topics(address, wanted)


def stream(
    context: typer.Context,
    source: Annotated[str, typer.Option(help="kafka or files.")] = "kafka",
    files: Annotated[list[str] | None, typer.Option(help="Path or glob of OTLP files; repeat for several.")] = None,
    outcomes: Annotated[
        list[str] | None,
        typer.Option(help="Path or glob of outcome files (JSON), read after --files; repeat for several."),
    ] = None,
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop when all that is there is consumed.")] = False,
    catalog: Annotated[Path | None, typer.Option(help="catalog.yaml.")] = None,
    second_opinion: Annotated[
        bool | None, typer.Option("--second-opinion", help="Note on each signal what River's ADWIN says.")
    ] = None,
    timings: Annotated[bool, typer.Option("--timings", help="Print at the end how long each step took.")] = False,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve metrics to Prometheus on this port of 127.0.0.1; 0: do not.")
    ] = None,
) -> None:
    """Stream traces through detection into the warehouse: the main job. SIGTERM and Ctrl-C finish the batch in hand.

    Start it several times on one home and the workers share the topic's partitions; one of them detects for all.
    """
    settings = with_options(
        settings_of(context), catalog=catalog, second_opinion=second_opinion, metrics_port=metrics_port
    )
    counts = run_stream(settings, source, files, outcomes, until_end=until_end)
    print(
        f"{counts.spans:,} spans from {counts.messages:,} messages in {counts.batches:,} transactions; "
        f"{counts.redelivered:,} redelivered, {counts.flagged:,} flagged, {counts.dead_letters:,} dead letters, "
        f"{counts.empty_messages:,} empty, {counts.late_spans:,} late; {counts.outcomes:,} late outcomes; "
        f"{counts.observations:,} observations, {counts.signals:,} signals",
        file=sys.stdout,
    )
    if timings:
        steps = ", ".join(f"{step} {seconds:.2f}" for step, seconds in counts.timings.items())
        print(f"seconds by step (decode to price run beside the rest): {steps}")
