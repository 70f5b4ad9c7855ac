"""Serve the dashboard on loopback, until stopped."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from dashboards.app import create_app
from dashboards.desk import Desk
from dashboards.errors import DashboardError
from dashboards.security import is_loopback


class _QuietHandler(WSGIRequestHandler):
    """Requests are not logged: their addresses hold names from traces, and a page asks every few seconds."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def version_string(self) -> str:
        return "plumbline"


def serve(
    home: Path,
    host: str = "127.0.0.1",
    port: int = 8050,
    *,
    desk: Desk | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the dashboard of `home` until interrupted.

    Parameters
    ----------
    home : Path
        Plumbline's home.
    host : str
        A loopback address: there is no login, so no other machine may connect.
    port : int
        0 takes a free one.
    desk : Desk | None
        Takes what people answer to incidents.
    ready : callable | None
        Called with the address once it can be opened.

    Raises
    ------
    DashboardError
        If `host` is not loopback, or the port is taken.
    """
    server = listen(home, host, port, desk)
    if ready is not None:
        ready(address(server))
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    server.server_close()


@contextlib.contextmanager
def served(home: Path, desk: Desk | None = None) -> Iterator[str]:
    """Address of a dashboard that is served from a thread, on a free port, while the context lasts."""
    server = listen(home, "127.0.0.1", 0, desk)
    thread = threading.Thread(target=server.serve_forever, name="dashboard", daemon=True)
    thread.start()
    try:
        yield address(server)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def address(server: BaseWSGIServer) -> str:
    """Where a browser finds `server`."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"http://{host}:{server.port}/"


def listen(home: Path, host: str, port: int, desk: Desk | None = None) -> BaseWSGIServer:
    """A threaded server that is bound and not yet serving.

    Raises
    ------
    DashboardError
        If `host` is not loopback, or the port is taken.
    """
    if not is_loopback(host):
        raise DashboardError(
            "the dashboard has no login yet, so it is served to this machine only",
            f"host {host}",
            "use --host 127.0.0.1, and a tunnel such as `ssh -L` from elsewhere",
        )
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise DashboardError(
            "the dashboard can't listen",
            f"{host}:{port}",
            f"stop what uses the port or choose another with --port ({error})",
        ) from error
    bound = listener.getsockname()[1]
    server = make_server(
        host,
        bound,
        create_app(home, desk).server,
        threaded=True,
        request_handler=_QuietHandler,
        fd=listener.fileno(),
    )
    listener.close()  # the server holds its own copy
    return server
