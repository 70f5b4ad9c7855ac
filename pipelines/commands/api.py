"""The command that serves the HTTP API."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.commands.context import err, existing_warehouse, open_warehouse, settings_of
from warehouse import Limits

#: Short queries and short transactions, beside workers that need the memory.
_LIMITS = Limits(memory="512MB", threads=1, turn_wait_s=10.0)


def api(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8060,
    allow_remote: Annotated[
        bool,
        typer.Option("--allow-remote", help="Let --host be beyond loopback: TLS ends in front of this server."),
    ] = False,
) -> None:
    """Serve the HTTP API: read incidents, acknowledge, silence, resolve and reopen them. Needs tokens (api_token_file)."""
    from pipelines.api.server import listening, permitted, serve

    settings = settings_of(context)
    tokens = permitted(settings, host, allow_remote=allow_remote)
    existing_warehouse(settings)
    with listening(host, port) as listener, open_warehouse(settings, _LIMITS, keeps_log=True) as warehouse:
        serve(
            settings,
            warehouse,
            tokens,
            listener,
            lambda address: err.print(f"API at {address} (Ctrl-C stops it)", markup=False, soft_wrap=True),
        )
