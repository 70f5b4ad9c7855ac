"""What the broker needs of the operating system: a process that outlives its parent, and free ports."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pipelines.errors import TerminalError

HOST = "127.0.0.1"  # loopback only: the broker has no authentication


def spawn(command: list[str], console: Path, environment: Mapping[str, str]) -> int:
    """Start a process in a session of its own, with its output in ``console``, and return its id."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(console), flags, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        pid = os.posix_spawn(command[0], command, environment, file_actions=actions, setsid=True)
    except OSError as error:
        raise TerminalError("cannot run Java", command[0], str(error.strerror)) from None
    deadline = time.monotonic() + 1.0
    while not command_line(pid) and time.monotonic() < deadline:
        time.sleep(0.005)  # Linux returns here a moment before the new command line can be read
    return pid


def command_line(pid: int) -> str:
    """Return a process's command line, or an empty string for one that is gone or has ended."""
    with suppress(OSError):
        os.waitpid(pid, os.WNOHANG)  # a child of ours that has ended would stay a zombie
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        if Path("/proc/self/cmdline").exists():
            return ""
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip()


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal; a process that is gone already needs none."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def is_free(port: int) -> bool:
    """Return whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
