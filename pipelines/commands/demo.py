"""``plumbline demo``: the whole road on a simulated week, and how it did against what was injected."""

from __future__ import annotations

import math
import shutil
import socket
import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.commands.context import err, settings_of
from pipelines.commands.context import out as console
from pipelines.commands.flow import DRIFT_HELP, publish_files, run_simulation, run_stream
from pipelines.commands.serving import desk_of, run_refresh
from pipelines.errors import PlumblineError, TerminalError
from pipelines.settings import Settings

CATALOG = Path(__file__).resolve().parents[2] / "catalog.example.yaml"
_MARKER = "demo/this-home-is-the-demos"
_QUERIES = Path(__file__).parent / "queries"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How detection did on one injected drift.

    Attributes
    ----------
    name, family, workflow : str
        As the truth has them.
    stream : str
        Metric, and dimension where it has one, of the first signal that found it; empty where it was missed.
    delay : timedelta or None
        From the injection to that signal; None where it was missed.
    headline : str
    """

    name: str
    family: str
    workflow: str
    stream: str
    delay: timedelta | None
    headline: str


def verdicts(truth: dict[str, Any], signals: pl.DataFrame, opened: pl.DataFrame) -> tuple[list[Verdict], int]:
    """Return one verdict per injected drift, and the number of false incidents.

    A drift counts as found when a signal of its own family, on a metric that it should move, is raised on its workflow after
    it began. An incident is false
    when it opened on a workflow without a drift, or before the drift began.

    Parameters
    ----------
    truth : dict
        Content of ``truth.json``.
    signals, opened : pl.DataFrame
        Rows of ``signals``; workflow and opened_at of ``incidents``.
    """
    found: list[Verdict] = []
    began: dict[str, datetime] = {}
    for drift in truth["drifts"]:
        at = datetime.fromisoformat(drift["injected_at"]).replace(tzinfo=None)
        began[drift["workflow"]] = min(at, began.get(drift["workflow"], at))
        hits = signals.filter(
            pl.col("workflow") == drift["workflow"],
            pl.col("family") == drift["family"],
            pl.col("metric").is_in(drift["expected_metrics"]),
            pl.col("at") >= at,
        ).sort("at")
        first = hits.row(0, named=True) if len(hits) else None
        found.append(
            Verdict(
                drift["name"],
                drift["family"],
                drift["workflow"],
                " ".join(filter(None, (first["metric"], first["dimension"]))) if first else "",
                first["at"] - at if first else None,
                first["headline"] if first else "",
            )
        )
    false = sum(at < began.get(workflow, datetime.max) for workflow, at in opened.iter_rows())
    return found, false


def demo(
    context: typer.Context,
    seed: Annotated[int, typer.Option(help="Seed of the simulated week.")] = 7,
    drift: Annotated[list[str] | None, typer.Option(help=DRIFT_HELP)] = None,
    no_drift: Annotated[bool, typer.Option("--no-drift", help="Inject none.")] = False,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Leave the dashboard running.")] = True,
    port: Annotated[int, typer.Option(help="Port of the dashboard.")] = 8050,
    source: Annotated[str, typer.Option(help="auto, kafka or files.")] = "auto",
) -> None:
    """Simulate a week of a fleet's traffic with known drifts, and run everything on it."""
    from pipelines.simulate.drift import expanded, workflows_needed

    if drift and no_drift:
        raise TerminalError("--drift and --no-drift together", "demo", "give one of them")
    # Asked before anything is emptied or started: a wrong name costs nothing.
    wanted = () if no_drift else expanded(drift) if drift else None
    settings = replace(settings_of(context), catalog=CATALOG)
    if serve:
        _require_free(port)
    began = time.monotonic()
    _fresh_home(settings)
    with _Kafka(settings, source) as kafka:
        truth = run_simulation(
            settings.home / "demo" / "traffic",
            seed=seed,
            days=7,
            workflows=workflows_needed(wanted or ()),
            rate=None,
            drifts=wanted,
        )
        document = truth.document()  # pyright: ignore[reportAttributeAccessIssue]
        _step(began, f"simulated a week: {truth.spans:,} spans of {truth.runs:,} runs, seed {seed}")  # pyright: ignore[reportAttributeAccessIssue]
        files = [settings.home / "demo" / "traffic" / name for name in document["files"]]
        if kafka.wait():
            count, size = publish_files(files, settings)
            _step(began, f"published {count:,} messages, {size / 1e6:,.0f} MB to Apache Kafka, topic {settings.topic}")
            counts = run_stream(settings, "kafka", None, until_end=True)
        else:
            counts = run_stream(settings, "files", [str(path) for path in files], until_end=True)
        _step(began, f"streamed {counts.spans:,} spans through detection: {counts.signals:,} signals")
        run_refresh(settings)
        _step(began, "refreshed the marts with Dagster")
        report(settings, document)
        _step(began, "done")
    # The broker is stopped by now: pages read the warehouse, and however serving ends no process is left behind.
    if serve:
        from dashboards import serve as serve_dashboard

        err.print(f"dashboard at http://127.0.0.1:{port} (Ctrl-C stops it)", markup=False)
        serve_dashboard(settings.home, host="127.0.0.1", port=port, desk=desk_of(settings))


def _step(began: float, text: str) -> None:
    err.print(f"[{time.monotonic() - began:5.1f} s] {text}", markup=False)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise TerminalError(
                "port in use", f"127.0.0.1:{port}", "stop what listens there, or choose --port"
            ) from None


def _fresh_home(settings: Settings) -> None:
    """Empty the home of an earlier demo; a home with anything else in it is left alone."""
    from pipelines.broker import Broker

    marker = settings.home / _MARKER
    if settings.warehouse.exists() and not marker.exists():
        raise TerminalError(
            "this home holds data that is not the demo's",
            str(settings.home),
            "choose another: plumbline --home DIR demo",
        )
    Broker(settings.home).stop()
    for name in ("warehouse", "checkpoints", "broker", "dagster", "demo"):
        shutil.rmtree(settings.home / name, ignore_errors=True)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text("`plumbline demo` empties this home each time it starts.\n", encoding="utf-8")


class _Kafka:
    """The demo's broker, started beside the simulation and stopped at the end; its data stays."""

    def __init__(self, settings: Settings, source: str) -> None:
        from pipelines.broker import Broker, available

        if source not in ("auto", "kafka", "files"):
            raise TerminalError(f"unknown source {source!r}", "demo", "use auto, kafka or files")
        self._theirs = bool(settings.bootstrap_servers)
        if self._theirs and source != "files":
            raise TerminalError(
                "the demo fills a broker of its own", settings.bootstrap_servers, "leave out --bootstrap-servers"
            )
        can = available()
        if source == "kafka" and not can.ok:
            raise TerminalError(can.reason, "demo", "or use --source files")
        self._use = can.ok and source != "files"
        self._broker = Broker(settings.home)
        self._error: PlumblineError | None = None
        if self._use:
            err.print(f"source: {can.how}", markup=False)
        else:
            why = "as asked" if source == "files" else can.reason
            err.print(f"source: OTLP files, no broker ({why})", markup=False)
        self._thread = threading.Thread(target=self._start)

    def _start(self) -> None:
        try:
            self._broker.start(progress=lambda line: err.print(line, markup=False))
        except PlumblineError as error:
            self._error = error

    def __enter__(self) -> _Kafka:
        if self._use:
            self._thread.start()
        return self

    def wait(self) -> bool:
        """Whether the broker is there; waits for it."""
        if not self._use:
            return False
        self._thread.join()
        if self._error is not None:
            raise self._error
        return True

    def __exit__(self, *_: object) -> None:
        if self._use:
            self._thread.join()
            self._broker.stop()


def report(settings: Settings, truth: dict[str, Any]) -> None:
    """Print the demo's table: found against injected, cost per outcome, reuse, rollback readiness."""
    from pipelines.alerts.store import incidents
    from warehouse import Warehouse

    with Warehouse.open(settings.warehouse, read_only=True) as warehouse:
        totals = warehouse.query(_sql("demo_totals")).row(0, named=True)
        signals = warehouse.query('SELECT workflow, family, metric, dimension, "at", headline FROM signals')
        opened = warehouse.query("SELECT workflow, opened_at FROM incidents")
        workflows = warehouse.query(_sql("demo_workflows"))
        shown = incidents(warehouse.connection)
    found, false = verdicts(truth, signals, opened)
    # In a log the tables keep the width that they need.
    out = console if console.is_terminal else Console(width=140, highlight=False)
    out.print(
        f"\n{totals['spans']:,} spans · {totals['runs']:,} runs · {len(shown)} incidents · "
        f"{sum(each.delay is not None for each in found)} of {len(found)} injected drifts found · {false} false incidents",
        markup=False,
    )
    if found:
        grid = Table(show_edge=False, header_style="bold")
        for name in ("injected", "family", "workflow", "found after", "stream", "signal"):
            grid.add_column(name, overflow="fold")
        for each in found:
            delay = "missed" if each.delay is None else _hours(each.delay)
            grid.add_row(each.name, each.family, each.workflow, delay, Text(each.stream), Text(each.headline))
        out.print(grid)
    grid = Table(show_edge=False, header_style="bold")
    for name, justify in (
        ("workflow", "left"),
        ("runs", "right"),
        ("successes", "right"),
        ("cost per success", "right"),
        ("priced", "right"),
        ("reuse", "right"),
        ("rollback readiness", "left"),
    ):
        grid.add_column(name, justify=justify)  # pyright: ignore[reportArgumentType]
    for row in workflows.iter_rows(named=True):
        grid.add_row(
            Text(row["workflow"]),
            f"{row['runs']:,}",
            f"{row['successes']:,}",
            _or_unknown(row["cost_per_success_usd"], "${:,.4f}"),
            _or_unknown(row["price_coverage_ratio"], "{:.1%}"),
            _or_unknown(row["reuse_ratio"], "{:.0%}"),
            Text(_readiness(row["score"], row["weakest_link"])),
        )
    out.print(grid)


def _readiness(score: float | None, weakest: str | None) -> str:
    if score == 1:
        return "1.00, every link holds"
    # Cut, not rounded: 0.998 is not "every link holds".
    cut = None if score is None else math.floor(score * 100) / 100
    return _or_unknown(cut, "{:.2f}") + (f", weakest: {weakest}" if weakest else "")


def _sql(name: str) -> str:
    return (_QUERIES / f"{name}.sql").read_text(encoding="utf-8")


def _hours(delay: timedelta) -> str:
    hours = delay.total_seconds() / 3600
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"


def _or_unknown(value: Any, form: str) -> str:
    return "unknown" if value is None else form.format(value)
