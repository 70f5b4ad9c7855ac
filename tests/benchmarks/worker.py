"""One ``plumbline stream`` as an operator starts it, with what it used: time, processor, memory, steps."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_COMMAND = (sys.executable, "-P", "-m", "pipelines")
_SUMMARY = re.compile(r"([\d,]+) spans from ([\d,]+) messages in ([\d,]+) transactions; ([\d,]+) redelivered")
_STEP = re.compile(r"([a-z ]+) (\d+\.\d\d)(?:, |$)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished worker did and used; times in seconds, memory in bytes."""

    spans: int
    messages: int
    transactions: int
    redelivered: int
    wall_seconds: float
    cpu_seconds: float
    peak_resident_bytes: int
    steps: dict[str, float]


class Worker:
    """A worker process; its output is kept beside its home."""

    def __init__(self, home: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self._log = home.with_suffix(".log").open("w+")
        self._began = time.perf_counter()
        self._process = subprocess.Popen(
            [*_COMMAND, "--home", str(home), "stream", "--timings", *arguments],
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **(environment or {})},
        )
        self._peak = 0
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()

    def _watch(self) -> None:
        status = Path(f"/proc/{self._process.pid}/status")
        while self._process.poll() is None:
            try:
                found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))
            except OSError:
                return
            if found:
                self._peak = int(found[1]) * 1024
            time.sleep(0.1)

    def terminate(self) -> None:
        """Ask it to drain and stop."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> Outcome:
        """Wait for its end.

        Raises
        ------
        RuntimeError
            It ended with an error; its last lines are the message.
        """
        before = os.times()
        code = self._process.wait()
        wall, after = time.perf_counter() - self._began, os.times()
        self._watching.join()
        self._log.seek(0)
        text = self._log.read()
        self._log.close()
        summary = _SUMMARY.search(text)
        if code != 0 or summary is None:
            raise RuntimeError(f"the worker ended with {code}: {text[-800:]}")
        spans, messages, transactions, redelivered = (int(part.replace(",", "")) for part in summary.groups())
        line = text.rsplit("seconds by step", 1)[-1].split(": ", 1)[-1].strip()
        return Outcome(
            spans,
            messages,
            transactions,
            redelivered,
            wall,
            # Children that have ended count in these times: the worker is the only one that ends in between.
            after.children_user + after.children_system - before.children_user - before.children_system,
            self._peak,
            {step.strip(): float(seconds) for step, seconds in _STEP.findall(line)},
        )
