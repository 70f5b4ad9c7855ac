"""The broker as a process of its own: start, stop, status.

``HOME/broker`` holds ``server.properties``, ``data/``, ``logs/`` and ``state.json`` (process id, address, version). The
process leaves its parent's session and outlives it; the next command finds it again through ``state.json``, and
believes the process id there only if that process's command line names this home's ``server.properties``.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pipelines.broker.configuration import broker_command, format_command, server_properties
from pipelines.broker.distribution import Distribution, Progress, resolve
from pipelines.broker.process import HOST, command_line, free_port, is_free, send, spawn
from pipelines.broker.topics import answers
from pipelines.errors import TerminalError, TransientError

DEFAULT_PORT = 9092


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """What is known of a home's broker.

    Attributes
    ----------
    state : str
        ``running`` (it answers), ``silent`` (the process is there, but does not answer), ``stopped``.
    bootstrap_servers : str
        ``127.0.0.1:port``; empty when stopped.
    pid : int or None
        Process id; None when stopped.
    version, java : str
        Versions of Apache Kafka and of Java.
    started_at : str
        UTC, ISO 8601.
    logs : Path
        Directory of ``server.log`` and ``console.log``.
    """

    state: Literal["running", "silent", "stopped"]
    bootstrap_servers: str
    pid: int | None
    version: str
    java: str
    started_at: str
    logs: Path


class Broker:
    """The single-node Kafka of one home.

    Parameters
    ----------
    home : Path
        The product's home; the broker lives in its folder ``broker``.
    environment : Mapping[str, str], optional
        Where ``JAVA_HOME``, ``KAFKA_HOME`` and ``PATH`` are read; the process's own by default.
    heap_megabytes : int
        The Java heap's limit.
    partitions : int
        Partition count of topics created on first use.
    """

    def __init__(
        self,
        home: Path,
        *,
        environment: Mapping[str, str] | None = None,
        heap_megabytes: int = 768,
        partitions: int = 4,
    ) -> None:
        self._environment = dict(os.environ if environment is None else environment)
        self._heap_megabytes, self._partitions = heap_megabytes, partitions
        self._folder = home.expanduser().resolve() / "broker"
        self._data, self._logs = self._folder / "data", self._folder / "logs"
        self._properties, self._state_file = self._folder / "server.properties", self._folder / "state.json"

    def start(
        self, port: int | None = None, *, progress: Progress = lambda line: None, timeout_seconds: float = 90.0
    ) -> str:
        """Start the broker unless it runs, wait until it answers, and return ``host:port``.

        Parameters
        ----------
        port : int, optional
            Loopback port for clients. By default that of the last start, else 9092, else any free one; 0 is any.
        progress : Callable[[str], None]
            Told each long step.
        timeout_seconds : float
            How long the process may take to answer.

        Raises
        ------
        TerminalError
            Java or Kafka is missing, the port is in use, or the broker gave up: with the last line of its log.
        TransientError
            Maven could not resolve the jars, or the broker did not answer in time.
        """
        with self._lock():
            state = self._running_state()
            if state is not None:
                if port and port != state["port"]:
                    raise TerminalError("runs on another port", f"{HOST}:{state['port']}", "stop it first, or use that")
                self._wait(int(state["pid"]), int(state["port"]), timeout_seconds, 0)
                return f"{HOST}:{state['port']}"
            distribution = resolve(self._environment, progress)
            for last_try in (bool(port), False, True):
                try:
                    return self._start(distribution, self._choose_port(port), progress, timeout_seconds)
                except TerminalError as error:
                    # another process took a port that was free when it was chosen
                    if last_try or "already in use" not in str(error):
                        raise
        raise AssertionError("unreachable: the last try returns or raises")

    def stop(self, timeout_seconds: float = 30.0) -> bool:
        """Stop the broker and return True; False where none ran.

        Asks first (SIGTERM: Kafka closes its log segments), and kills only after ``timeout_seconds``.
        """
        if not self._folder.is_dir():
            return False
        with self._lock():
            state = self._running_state()
            if state is None:
                return False
            pid = int(state["pid"])
            for number in (signal.SIGTERM, signal.SIGKILL):
                deadline = time.monotonic() + timeout_seconds
                send(pid, number)
                while time.monotonic() < deadline:
                    if not self._is_ours(pid):
                        self._write_state({**state, "pid": None})
                        return True
                    time.sleep(0.05)
            raise TerminalError("the broker does not stop", f"process {pid}", f"see {self._logs / 'server.log'}")

    def status(self, timeout_seconds: float = 2.0) -> BrokerStatus:
        """Return whether the broker runs, and where; asks it."""
        state = self._running_state()
        if state is None:
            return BrokerStatus("stopped", "", None, "", "", "", self._logs)
        address = f"{HOST}:{state['port']}"
        answered = answers(address, timeout_seconds) is not None
        return BrokerStatus(
            "running" if answered else "silent",
            address,
            int(state["pid"]),
            str(state.get("version", "")),
            str(state.get("java", "")),
            str(state.get("started_at", "")),
            self._logs,
        )

    def address(self) -> str:
        """Return ``host:port`` if the broker's process is there, else an empty string; asks nobody."""
        state = self._running_state()
        return f"{HOST}:{state['port']}" if state is not None else ""

    def _start(self, distribution: Distribution, port: int, progress: Progress, timeout_seconds: float) -> str:
        controller_port = free_port()
        self._properties.write_text(server_properties(self._data, port, controller_port, self._partitions), "ascii")
        if not (self._data / "meta.properties").exists():
            self._format(distribution, progress)
        progress(f"Starting Apache Kafka {distribution.version} on {HOST}:{port}")
        server_log = self._logs / "server.log"
        log_start = server_log.stat().st_size if server_log.exists() else 0
        command = broker_command(distribution, self._properties, self._logs, self._heap_megabytes)
        pid = spawn(command, self._logs / "console.log", self._environment)
        self._write_state(
            {
                "pid": pid,
                "port": port,
                "controller_port": controller_port,
                "version": distribution.version,
                "java": str(distribution.java_version),
                "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        try:
            self._wait(pid, port, timeout_seconds, log_start)
        except BaseException:
            send(pid, signal.SIGKILL)  # a broker that nobody waits for any more holds its port and its data's lock
            while self._is_ours(pid):
                time.sleep(0.02)
            raise
        return f"{HOST}:{port}"

    def _format(self, distribution: Distribution, progress: Progress) -> None:
        progress("Formatting the broker's storage (the first time only)")
        self._data.mkdir(parents=True, exist_ok=True)
        cluster_id = "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]  # no leading "-"
        command = format_command(distribution, self._properties, self._logs, cluster_id)
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TerminalError("cannot format the broker's storage", str(self._data), str(error)[:200]) from None
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).strip().splitlines() or [f"exit {done.returncode}"]
            raise TerminalError("cannot format the broker's storage", str(self._data), lines[-1][:300])

    def _wait(self, pid: int, port: int, timeout_seconds: float, log_start: int) -> None:
        """Return once our broker answers; another one on that port has another cluster id and does not count."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            if not self._is_ours(pid):
                raise TerminalError("the broker stopped at start", f"{HOST}:{port}", self._last_words(log_start))
            cluster_id = answers(f"{HOST}:{port}", timeout_seconds=2.0)
            if cluster_id is not None and cluster_id == self._cluster_id():
                return
            if time.monotonic() > deadline:
                todo = f"see {self._logs / 'server.log'}; last: {self._last_words(log_start)}"
                raise TransientError(f"no answer within {timeout_seconds:g} s", f"{HOST}:{port}", todo)
            time.sleep(0.1)

    def _cluster_id(self) -> str:
        try:
            lines = (self._data / "meta.properties").read_text(encoding="utf-8").splitlines()
        except OSError:
            return ""
        return next((line.partition("=")[2].strip() for line in lines if line.startswith("cluster.id=")), "")

    def _last_words(self, log_start: int) -> str:
        """Return the first error that this start left in the log, with its exception, or the last line it printed.

        The first error names the cause; those after it are its consequences.
        """
        lines = _lines(self._logs / "server.log", log_start)
        at = next((at for at, line in enumerate(lines) if " FATAL " in line or " ERROR " in line), None)
        if at is None:
            console = [line for line in _lines(self._logs / "console.log") if line.strip()]
            return console[-1].strip()[:300] if console else "its log is empty"
        words = [re.sub(r"^\S+ (ERROR|FATAL) ", "", lines[at])]
        words += [line for line in lines[at + 1 : at + 2] if "Exception" in line or "Error" in line]
        words += [line for line in lines[at + 1 :] if line.startswith("Caused by:")][:1]
        return "; ".join(word.strip()[:200] for word in words)

    def _choose_port(self, port: int | None) -> int:
        if port == 0:
            return free_port()
        if port is not None:
            if not 0 < port < 65536:
                raise TerminalError("no such port", str(port), "give one from 1 to 65535")
            if not is_free(port):
                raise TerminalError("the port is in use", f"{HOST}:{port}", "stop what listens there, or give another")
            return port
        for wish in (self._read_state().get("port"), DEFAULT_PORT):
            if isinstance(wish, int) and is_free(wish):
                return wish
        return free_port()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let one command at a time start or stop this home's broker."""
        if "," in str(self._folder):
            raise TerminalError("Kafka takes no comma in a path", str(self._folder), "choose another --home")
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
            handle = (self._folder / "lock").open("w")
        except OSError as error:
            todo = f"make it writable, or choose another --home ({error.strerror})"
            raise TerminalError("cannot write the broker's folder", str(self._folder), todo) from None
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _read_state(self) -> dict[str, Any]:
        try:
            state = json.loads(self._state_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def _write_state(self, state: Mapping[str, Any]) -> None:
        partial = self._state_file.with_suffix(".partial")
        partial.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
        partial.replace(self._state_file)

    def _running_state(self) -> dict[str, Any] | None:
        state = self._read_state()
        pid, port = state.get("pid"), state.get("port")
        return state if isinstance(pid, int) and isinstance(port, int) and self._is_ours(pid) else None

    def _is_ours(self, pid: int) -> bool:
        arguments = command_line(pid)
        return "kafka.Kafka" in arguments and str(self._properties) in arguments


def _lines(path: Path, start: int = 0) -> list[str]:
    """Return a log's lines from a byte offset on; none where there is no log."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
