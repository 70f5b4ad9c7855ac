"""Commands that run something beside the stream: broker, refresh, dagster, dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.context import err, existing_warehouse, open_warehouse, out, settings_of, with_options
from pipelines.commands.reading import export_path
from pipelines.errors import TerminalError
from pipelines.settings import Settings

broker = typer.Typer(help="A real single-node Kafka on loopback, for development and trials.", no_args_is_help=True)
dashboard = typer.Typer(help="The dashboard, live or as static files.", invoke_without_command=True)


@broker.command("start")
def broker_start(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1; default 9092 or a free one.")] = None,
) -> None:
    """Start the broker, or say where it runs."""
    from pipelines.broker import Broker

    home = Broker(settings_of(context).home)
    address = home.start(port, progress=lambda line: err.print(line, markup=False, soft_wrap=True))
    status = home.status()
    out.print(
        f"Apache Kafka {status.version} on {address} (process {status.pid}), logs in {status.logs}",
        markup=False,
        soft_wrap=True,
    )


@broker.command("stop")
def broker_stop(context: typer.Context) -> None:
    """Stop the broker of this home."""
    from pipelines.broker import Broker

    stopped = Broker(settings_of(context).home).stop()
    out.print("stopped" if stopped else "no broker was running")


@broker.command("status")
def broker_status(context: typer.Context) -> None:
    """Say whether the broker of this home runs, and where; exits with 1 if it does not."""
    from pipelines.broker import Broker, available

    status = Broker(settings_of(context).home).status()
    if status.state == "stopped":
        can = available()
        out.print(
            "stopped; " + (f"{can.how} can be started" if can.ok else f"can't be started: {can.reason}"), markup=False
        )
        raise typer.Exit(1)
    out.print(
        f"{status.state}: Apache Kafka {status.version} on {status.bootstrap_servers} (process {status.pid})",
        markup=False,
    )


def run_refresh(settings: Settings, *, whole: bool = False) -> dict[str, int]:
    """Run the Dagster assets once, from what changed or from all rows; return rows per asset, and tell of warnings.

    Raises
    ------
    TerminalError
        A check failed: what depends on it was not refreshed.
    """
    existing_warehouse(settings)
    open_warehouse(settings).close()  # migrations and catalog first
    from pipelines.defs.refresh import refresh as run

    result = run(settings.home, whole=whole)
    if result.failed_checks:
        raise TerminalError(
            "asset checks failed: " + ", ".join(result.failed_checks),
            str(settings.home / "dagster"),
            "what depends on them was left as it was; open `plumbline dagster` for the report",
        )
    for warning in result.warnings:
        err.print(f"warning: {warning}; the report in `plumbline dagster` names them", markup=False, soft_wrap=True)
    return dict(result.rows)


def refresh(
    context: typer.Context,
    catalog: Annotated[Path | None, typer.Option(help="catalog.yaml.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="From all rows, not from what changed.")] = False,
) -> None:
    """Run the Dagster assets once: runs, cost per outcome, reuse, rollback readiness, scorecard."""
    rows = run_refresh(with_options(settings_of(context), catalog=catalog), whole=whole)
    for name, count in rows.items():
        out.print(f"{name}: {count:,} {'row' if count == 1 else 'rows'}", markup=False, soft_wrap=True)


def dagster(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port.")] = 3000,
) -> None:
    """Start Dagster's own UI and daemon on this home."""
    from pipelines.defs.launch import dagster_dev

    raise typer.Exit(dagster_dev(settings_of(context).home, host, port))


@dashboard.callback()
def dashboard_serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port.")] = 8050,
) -> None:
    """Serve the dashboard until stopped."""
    if context.invoked_subcommand is not None:
        return
    from dashboards import serve

    existing_warehouse(settings_of(context))
    err.print(f"dashboard at http://{host}:{port} (Ctrl-C stops it)", markup=False, soft_wrap=True)
    serve(settings_of(context).home, host=host, port=port)


@dashboard.command("export")
def dashboard_export(
    context: typer.Context, directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the HTML files go.")]
) -> None:
    """Write one self-contained HTML file per report: opens offline, no request leaves the page."""
    from dashboards import export

    existing_warehouse(settings_of(context))
    for path in export(settings_of(context).home, export_path(directory)):
        out.print(str(path), markup=False, soft_wrap=True)
