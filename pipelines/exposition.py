"""Serve a process' metrics to Prometheus at ``/metrics``, from a thread beside its work.

On loopback without a token, as node-local agents expect it; on any other address only with one. A request that names another
host is refused: no web page that points its own name at 127.0.0.1 reads this.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from pipelines.errors import TerminalError
from pipelines.tokens import Tokens, is_loopback

_PATH = "/metrics"
#: A client that says nothing for so long is hung up on, in seconds.
_PATIENCE_SECONDS = 5.0
_Start = Callable[[str, list[tuple[str, str]]], Any]


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a scrape every few seconds is no news."""


class _Server(WSGIServer):
    """One request at a time: a scrape takes milliseconds."""

    address_family = socket.AF_INET

    def server_bind(self) -> None:
        # Not WSGIServer's: that asks the resolver for the machine's full name, which may take long.
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: who asked has hung up, or said nothing in time."""


class _Server6(_Server):
    address_family = socket.AF_INET6


@contextlib.contextmanager
def exposed(registry: CollectorRegistry, host: str, port: int, tokens: Tokens) -> Iterator[str]:
    """Serve the registry while the context lasts; yield the address.

    Parameters
    ----------
    host : str
        A loopback address, or any other with tokens.
    port : int
        0 takes a free one.

    Raises
    ------
    TerminalError
        The address is beyond loopback and there is no token, or it can't be listened on.
    """
    if not is_loopback(host) and not tokens:
        raise TerminalError(
            "metrics beyond loopback need a token", f"metrics_host {host}", "set api_token_file, or use 127.0.0.1"
        )
    host = host.strip("[]")
    try:
        server = make_server(
            host, port, _guarded(registry, host, tokens), _Server6 if ":" in host else _Server, _Handler
        )
    except (OSError, OverflowError) as error:
        what = f"the metrics can't be served ({error.__class__.__name__})"
        raise TerminalError(what, f"{host}:{port}", "choose another --metrics-port for each worker") from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}{_PATH}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _guarded(
    registry: CollectorRegistry, host: str, tokens: Tokens
) -> Callable[[dict[str, Any], _Start], Iterable[bytes]]:
    metrics = make_wsgi_app(registry)
    open_to_all = is_loopback(host)

    def application(environ: dict[str, Any], start: _Start) -> Iterable[bytes]:
        name = environ.get("HTTP_HOST", "").rpartition(":")[0] or environ.get("HTTP_HOST", "")
        if open_to_all and not is_loopback(name):
            return _refused(start, "400 Bad Request", "this is served to this machine only")
        if not open_to_all and tokens.bearer(environ.get("HTTP_AUTHORIZATION")) is None:
            return _refused(start, "401 Unauthorized", "a token is needed", ("WWW-Authenticate", "Bearer"))
        if environ.get("PATH_INFO") != _PATH:
            return _refused(start, "404 Not Found", f"the metrics are at {_PATH}")
        if environ.get("REQUEST_METHOD") != "GET":
            return _refused(start, "405 Method Not Allowed", "GET", ("Allow", "GET"))
        return metrics(environ, start)

    return application


def _refused(start: _Start, status: str, line: str, *headers: tuple[str, str]) -> list[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8"), *headers])
    return [f"{line}\n".encode()]
