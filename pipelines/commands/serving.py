"""Commands that run something beside the stream: broker, refresh, dagster, dashboard, sql-server."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.access import access_of, user
from pipelines.commands.context import (
    AsOf,
    confined,
    err,
    existing_warehouse,
    open_warehouse,
    out,
    settings_of,
    snapshot_or_moment,
    with_options,
)
from pipelines.commands.reading import export_path
from pipelines.errors import TerminalError
from pipelines.settings import Settings

if TYPE_CHECKING:
    from dashboards.desk import Desk

broker = typer.Typer(help="A real single-node Kafka on loopback, for development and trials.", no_args_is_help=True)
dashboard = typer.Typer(help="The dashboard, live or as static files.", invoke_without_command=True)
dashboard.add_typer(user, name="user")


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


def run_refresh(settings: Settings, *, whole: bool = False, days: tuple[date, date] | None = None) -> dict[str, int]:
    """Run the Dagster assets once, from what changed, from all rows or for days; return rows per asset, and tell of warnings.

    Raises
    ------
    TerminalError
        A check failed: what depends on it was not refreshed.
    """
    existing_warehouse(settings)
    from pipelines.defs import unchanged
    from pipelines.defs.check_pages import report_path

    result = None if whole or days else unchanged.found_last(settings)
    if result is None:
        from pipelines.defs.refresh import refresh as run
        from warehouse.connection import limits_of_refresh

        # Opened by it, so that migrations and catalog come first.
        result = run(
            settings.home, whole=whole, days=days, open_warehouse=lambda: open_warehouse(settings, limits_of_refresh())
        )
        if days is None:
            unchanged.note(settings, result)
    if result.failed_checks:
        raise TerminalError(
            "asset checks failed: " + ", ".join(result.failed_checks),
            str(settings.home / "checks"),
            "what depends on them was left as it was; open the page of the check there",
        )
    for warning in result.warnings:
        page = report_path(settings.home, warning.split(":")[0].rpartition(".")[2])
        err.print(f"warning: {warning}; {page} names them", markup=False, soft_wrap=True)
    return dict(result.rows)


def refresh(
    context: typer.Context,
    catalog: Annotated[Path | None, typer.Option(help="catalog.yaml.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="From all rows, not from what changed.")] = False,
) -> None:
    """Run the Dagster assets once: runs, cost per outcome, reuse, rollback readiness, scorecard."""
    print_rows(run_refresh(with_options(settings_of(context), catalog=catalog), whole=whole))


def print_rows(rows: dict[str, int]) -> None:
    """Print a line per mart."""
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
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; beyond loopback only with a login, and TLS or a proxy that ends it."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8050,
    login: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="How people sign in: users (accounts), headers (a proxy says), none. Default: dashboard_login.",
        ),
    ] = None,
    certificate: Annotated[Path | None, typer.Option("--tls-cert", help="Certificate chain, PEM.")] = None,
    key: Annotated[Path | None, typer.Option("--tls-key", help="Its private key, PEM.")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy of dashboard_proxies ends TLS; nobody else is answered.")
    ] = False,
) -> None:
    """Serve the dashboard until stopped."""
    if context.invoked_subcommand is not None:
        return
    import logging

    from dashboards import serve

    settings = settings_of(context)
    existing_warehouse(settings)
    # Who signed in and who was refused is told, requests are not.
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("dashboards.access").setLevel(logging.INFO)
    access = access_of(settings, login=login, is_behind_proxy=behind_proxy, certificate=certificate, key=key)

    def ready(address: str) -> None:
        err.print(f"dashboard at {address} (Ctrl-C stops it)", markup=False, soft_wrap=True)

    serve(settings.home, host=host, port=port, desk=desk_of(settings), access=access, ready=ready)


def desk_of(settings: Settings) -> Desk:
    """Return what takes the pages' answers to incidents: the API where ``api_url`` is set, else this machine's own warehouse.

    Raises
    ------
    TerminalError
        There is no token for the dashboard.
    """
    if not settings.api_url:
        from pipelines.commands.desk import OwnDesk

        return OwnDesk(settings.warehouse)
    from dashboards.desk import Desk
    from pipelines.tokens import Role, tokens_of

    tokens = tokens_of(settings)
    token = tokens.named("dashboard") or (tokens.all[0] if len(tokens.all) == 1 else None)
    if token is None or token.role is not Role.OPERATE:
        raise TerminalError(
            "the dashboard has no token for the API",
            "setting api_token_file",
            "name one in it `dashboard`, of role operate, or unset api_url",
        )
    return Desk(settings.api_url, token.secret)


@dashboard.command("export")
def dashboard_export(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the HTML files go.")],
    period: Annotated[
        str, typer.Option(help="1d, 3d, 7d, 30d, 90d or all; as in the address, chosen by the data if not given.")
    ] = "",
    environment: Annotated[str, typer.Option(help="Only this environment.")] = "",
    team: Annotated[str, typer.Option(help="Only this team.")] = "",
    workflow: Annotated[str, typer.Option(help="Only this workflow.")] = "",
    release: Annotated[str, typer.Option(help="Only this release.")] = "",
) -> None:
    """Write one self-contained HTML file per report: opens offline, no request leaves the page.

    The filters are those of the dashboard's address, under the same names.
    """
    from dashboards import export
    from dashboards.filters import Filters

    given = {"period": period, "environment": environment, "team": team, "workflow": workflow, "release": release}
    filters = Filters(**{name: value or None for name, value in given.items()})
    existing_warehouse(settings_of(context))
    for path in export(settings_of(context).home, export_path(directory), filters=filters):
        out.print(str(path), markup=False, soft_wrap=True)


def sql_server(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond loopback only with TLS or --plaintext.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 31337,
    certificate: Annotated[Path | None, typer.Option("--tls-cert", help="Certificate chain, PEM.")] = None,
    key: Annotated[Path | None, typer.Option("--tls-key", help="Its private key, PEM.")] = None,
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="Listen beyond loopback without TLS: the token can be read on the way.")
    ] = False,
    as_of: AsOf = None,
) -> None:
    """Serve the warehouse read only by Arrow Flight SQL, for BI tools and drivers that can't attach it (ADBC, JDBC).

    Each client shows a token, as password or bearer token: setting sql_token, else the one in HOME/sql_server.token.
    """
    import signal

    from dashboards.security import is_loopback
    from warehouse.flight import FlightSqlServer, token_of

    settings = confined(context, is_server=True)
    warehouse = existing_warehouse(settings)
    if (certificate is None) != (key is None):
        raise TerminalError(
            "a certificate without its key, or a key alone", "sql-server", "give --tls-cert and --tls-key"
        )
    if not (is_loopback(host) or certificate or plaintext):
        raise TerminalError(
            "beyond loopback without TLS",
            host,
            "give --tls-cert and --tls-key, or --plaintext if the network is trusted",
        )
    file = settings.home / "sql_server.token"
    server = FlightSqlServer(
        warehouse,
        token=token_of(file, settings.sql_token),
        host=host,
        port=port,
        certificate=certificate,
        key=key,
        bounds=settings.bounds,
        slots=settings.query_slots,
        as_of=snapshot_or_moment(as_of),
    )
    where = "setting sql_token" if settings.sql_token else str(file)
    scheme = "grpc+tls" if certificate else "grpc"
    err.print(
        f"Flight SQL at {scheme}://{host}:{server.port}, token in {where} (Ctrl-C stops it)",
        markup=False,
        soft_wrap=True,
    )
    signal.signal(signal.SIGTERM, lambda *_: server.shutdown())
    try:
        server.serve()
    finally:
        server.shutdown()
