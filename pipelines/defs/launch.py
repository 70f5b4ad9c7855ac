"""`plumbline dagster`: Dagster's own UI and daemon on this home, in the foreground."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import FrameType

from pipelines.defs.home import CONFIGURATION, dagster_home
from pipelines.errors import TerminalError


def dagster_dev(home: Path, host: str, port: int) -> int:
    """Run ``dagster dev`` until it ends or is interrupted; return its exit status.

    Raises
    ------
    TerminalError
        The host is not loopback (Dagster's UI has no login, and whoever reaches it can start runs), or the port is taken.
    """
    _require_loopback(host)
    _require_free(host, port)
    root = str(CONFIGURATION.parent)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(dagster_home(home)),
        "PLUMBLINE_HOME": str(home.absolute()),
        # Dagster's processes find the packages wherever the caller stands.
        "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])),
        # That `dg dev` supersedes this command is no news for who called `plumbline dagster`.
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "dagster", "dev", "-m", "pipelines.definitions", "-h", host, "-p", str(port)]
    with subprocess.Popen(command, env=environment) as server:

        def stop(number: int, frame: FrameType | None) -> None:
            if server.poll() is None:
                server.send_signal(signal.SIGINT)  # Dagster's way to be stopped: its own processes end with it

        # Ctrl-C reaches the server by itself, for it is in this process group; this process only waits for it.
        before = signal.signal(signal.SIGTERM, stop)
        try:
            return _wait(server)
        finally:
            signal.signal(signal.SIGTERM, before)


def _wait(server: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return server.wait()
        except KeyboardInterrupt:
            continue


def _require_loopback(host: str) -> None:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise TerminalError(
            "Dagster's UI has no login, so it listens on loopback alone",
            host,
            "use 127.0.0.1, and a tunnel or a proxy with a login in front of it",
        )


def _require_free(host: str, port: int) -> None:
    try:
        kind, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(kind, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, OverflowError):
        raise TerminalError("port in use", f"{host}:{port}", "stop what listens there, or choose --port") from None
