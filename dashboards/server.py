"""Serve the dashboard until stopped: to this machine, or beyond it as `dashboards.access.options` permits.

uvicorn holds the connections, so that a slow reader holds no thread, and speaks TLS; the app answers in threads.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import uvicorn
from a2wsgi import WSGIMiddleware

from dashboards.access.options import Access, check
from dashboards.access.trusted import WithoutUnderscores
from dashboards.app import SHELF, Shelf, create_app, keep_ready
from dashboards.desk import Desk
from dashboards.errors import DashboardError

#: Requests in hand at once; the others wait. Most of them wait for a page that is made, so that files and kept pages pass them.
_THREADS = 64
#: How long a thread that makes a page may go on while another one waits to send what is ready, in seconds.
_SWITCH_SECONDS = 0.001
#: Connections at once; more are answered with 503.
_MOST_AT_ONCE = 400
_BACKLOG = 128
#: How long an unused connection stays open, and how long requests in hand may take when the server is to stop, in seconds.
_KEEP_SECONDS, _STOP_SECONDS = 30, 3


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that is bound and not yet serving.

    Parameters
    ----------
    server : uvicorn.Server
        Its ``run`` takes sockets, and ends when ``should_exit`` is set.
    listener : socket.socket
    scheme : str
        ``http`` or ``https``.
    shelf : Shelf
        The app's pages; those that most people open are kept ready while it serves.
    """

    server: uvicorn.Server
    listener: socket.socket
    scheme: str
    shelf: Shelf

    @property
    def address(self) -> str:
        """Where a browser on this machine finds it."""
        host, port = self.listener.getsockname()[:2]
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{port}/"

    def run(self) -> None:
        """Serve until ``server.should_exit``."""
        stop = threading.Event()
        ready = threading.Thread(target=keep_ready, args=(self.shelf, stop), name="pages", daemon=True)
        ready.start()
        try:
            self.server.run(sockets=[self.listener])
        finally:
            stop.set()
            self.listener.close()
            ready.join()


def serve(
    home: Path,
    host: str = "127.0.0.1",
    port: int = 8050,
    *,
    desk: Desk | None = None,
    access: Access | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the dashboard of `home` until interrupted or terminated.

    Parameters
    ----------
    home : Path
        Plumbline's home.
    host : str
        Address to listen on.
    port : int
        0 takes a free one.
    desk : Desk | None
        Takes what people answer to incidents.
    access : Access | None
        Who may ask; None is whoever sits at this machine.
    ready : callable | None
        Called with the address once it can be opened.

    Raises
    ------
    DashboardError
        If this may not be served, the port is taken, or the certificate is none.
    """
    listening = listen(home, host, port, desk, access)
    if ready is not None:
        ready(listening.address)
    # While it runs, uvicorn's own handlers stop it; afterwards it raises the signal again, which is no news by then.
    numbers = (signal.SIGTERM, signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    previous = {number: signal.signal(number, lambda *_: None) for number in numbers} if is_main else {}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    # What is loaded by now stays: to look through all of it for garbage held up every answer for a tenth of a second.
    gc.collect()
    gc.freeze()
    try:
        listening.run()
    finally:
        gc.unfreeze()
        sys.setswitchinterval(interval)
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def served(home: Path, desk: Desk | None = None, access: Access | None = None) -> Iterator[str]:
    """Address of a dashboard that is served from a thread, on a free port, while the context lasts."""
    listening = listen(home, "127.0.0.1", 0, desk, access)
    thread = threading.Thread(target=listening.run, name="dashboard", daemon=True)
    thread.start()
    try:
        yield listening.address
    finally:
        listening.server.should_exit = True
        thread.join()


def listen(home: Path, host: str, port: int, desk: Desk | None = None, access: Access | None = None) -> Listening:
    """A server that is bound and not yet serving.

    Raises
    ------
    DashboardError
        If this may not be served, the port is taken, or the certificate is none.
    """
    access, host = access or Access(), host.strip("[]")
    check(access, home, host)
    app = create_app(home, desk, access, host=host).server
    # Its own lines tell of each start, and requests are not logged: addresses hold names from traces.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    config = uvicorn.Config(
        cast("Any", WithoutUnderscores(WSGIMiddleware(app, workers=_THREADS))),
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
        ssl_certfile=access.certificate,
        ssl_keyfile=access.key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        where = f"{access.certificate}, {access.key}"
        raise DashboardError("the certificate and its key can't be used", where, str(error)) from error
    listener = _bound(host, port)
    scheme = "https" if access.certificate is not None else "http"
    return Listening(uvicorn.Server(config), listener, scheme, app.extensions[SHELF])


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise DashboardError(
            "the dashboard can't listen",
            f"{host}:{port}",
            f"stop what uses the port or choose another with --port ({error})",
        ) from error
    return listener
