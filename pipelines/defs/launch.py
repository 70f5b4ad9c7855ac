"""Start Dagster's own UI and daemon on a home, on loopback."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
from pathlib import Path

from pipelines.defs.instance import CHECKOUT, dagster_home
from pipelines.errors import TerminalError


def dagster_dev(home: Path, host: str = "127.0.0.1", port: int = 3000) -> int:
    """Exit code of ``dagster dev``, which serves until it is stopped.

    Raises
    ------
    TerminalError
        If `host` is not a loopback address: Dagster's UI has no login.
    """
    try:
        process = start(home, host, port)
    except ValueError:
        raise TerminalError("not a loopback address", host, "use 127.0.0.1: Dagster's UI has no login") from None
    with process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            return process.wait()  # the terminal sent it the same signal: let it stop its own processes


def start(home: Path, host: str, port: int) -> subprocess.Popen[bytes]:
    """The running process of ``dagster dev``.

    Raises
    ------
    ValueError
        If `host` is not a loopback address.
    """
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise ValueError(host)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(dagster_home(home)),
        "PLUMBLINE_HOME": str(home.absolute()),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    command = [sys.executable, "-m", "dagster", "dev", "-m", "pipelines.definitions", "-h", host, "-p", str(port)]
    return subprocess.Popen(command, env=environment, cwd=CHECKOUT)  # noqa: S603 (our own arguments, no shell)
