"""Serve the API: one process, one warehouse, on loopback unless somebody answers for more.

The rule: no token, no server, on any address. Beyond loopback only with ``--allow-remote`` as well, because the server speaks
plain HTTP and a token must not cross a network in the clear: TLS ends in front of it.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from pipelines.api.app import create_api
from pipelines.errors import TerminalError
from pipelines.settings import Settings
from pipelines.tokens import Tokens, is_loopback, tokens_of
from warehouse import Warehouse

_BACKLOG = 128
#: Requests at once; more are answered with 503.
_MOST_AT_ONCE = 64
#: How long an unused connection stays open, and how long requests in hand may take when the server is to stop, in seconds.
_KEEP_SECONDS, _STOP_SECONDS = 5, 5


def permitted(settings: Settings, host: str, *, allow_remote: bool) -> Tokens:
    """Return the tokens to serve with.

    Raises
    ------
    TerminalError
        There is no token, or the address is beyond loopback and nobody answers for it.
    """
    tokens = tokens_of(settings)
    if not tokens:
        raise TerminalError(
            "the API needs a token",
            "setting api_token_file",
            "write one: echo dashboard operate $(openssl rand -hex 32) >api-tokens; chmod 600 api-tokens; "
            "PLUMBLINE_API_TOKEN_FILE=api-tokens plumbline api",
        )
    if not is_loopback(host) and not allow_remote:
        raise TerminalError(
            "the API speaks plain HTTP, so tokens would cross the network in the clear",
            f"host {host}",
            "use --host 127.0.0.1 behind a proxy that speaks TLS, or --allow-remote where one stands before it",
        )
    return tokens


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens; 0 takes a free port.

    Raises
    ------
    TerminalError
        It can't be had.
    """
    host = host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(_BACKLOG)
        except (OSError, OverflowError) as error:
            todo = f"stop what uses the port, or choose another with --port ({type(error).__name__})"
            raise TerminalError("the API can't listen", f"{host}:{port}", todo) from error
        yield listener


def address(listener: socket.socket) -> str:
    """Where a client finds it."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def server_of(settings: Settings, warehouse: Warehouse, tokens: Tokens) -> uvicorn.Server:
    """Return the server, not yet serving: its ``run`` takes sockets, and ends when ``should_exit`` is set."""
    # Its own lines tell of each start, and of every client that sends no HTTP.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    config = uvicorn.Config(
        create_api(warehouse, tokens, settings.checkpoints),
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_AT_ONCE,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_SECONDS,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    return uvicorn.Server(config)


def serve(
    settings: Settings, warehouse: Warehouse, tokens: Tokens, listener: socket.socket, ready: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Parameters
    ----------
    ready : callable
        Called with the address once it can be asked.
    """
    server = server_of(settings, warehouse, tokens)
    ready(address(listener))
    # While it runs, uvicorn's own handlers stop it; afterwards it raises the signal again, which is no news by then.
    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
