"""Alerting: from the append of the span that breaks a rule until a webhook has it, at a steady rate; and a storm of signals.

A *probe* is one run of a workflow of its own whose answer comes from a model that the catalog does not list: the rule
``unknown_model`` speaks at the first run, so there is no statistic to wait for and the whole time is that of the road: Kafka,
batch, commit, watermark, detection, incident, outbox, webhook. The traffic's event time runs as fast as the clock, as it does
in production: the watermark's second of lateness is part of what is measured.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import re
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipelines.alerts import store
from pipelines.broker import Broker, create_topics
from pipelines.commands.context import open_warehouse
from pipelines.contracts.otlp import trace_request_type
from pipelines.notifications.notifier import Notifier
from pipelines.notifications.opening import subscribed
from pipelines.settings import Settings
from pipelines.sources.files import records
from pipelines.sources.kafka import producer
from tests.benchmarks.traffic import traffic
from tests.benchmarks.worker import Worker
from tests.pipelines.otlp import as_protobuf, request, span

_PARTITIONS = 4
#: Traffic goes before the first probe for so long, in seconds: the worker is still starting.
_WARM_UP_SECONDS = 15.0
#: Between two probes, in seconds; no divisor of the batch's age, so that probes meet a batch at every point.
_PROBE_SECONDS = 0.37
#: Traffic goes on for so long after the last probe, in seconds: without it the watermark would stand.
_TAIL_SECONDS = 30.0
_START = datetime(2026, 9, 1)
_EPOCH = datetime(1970, 1, 1)
_LATEST_NS = 4_000_000_000 * 10**9  # the year 2096
_PROBE = re.compile(r"alerting-probe-(\d{6})")
SECRET = "PLUMBLINE_BENCHMARK_WEBHOOK"

#: Of the storm.
_STORM_WORKFLOWS = 100
_STORM_HOURS = 6
_RENOTIFY = {"often": timedelta(hours=1), "seldom": timedelta(hours=4)}


class Receiver:
    """A webhook's other side on loopback; it notes when each message came.

    Attributes
    ----------
    address : str
    told : list of (time, body)
        Times of the performance counter, in seconds.
    """

    def __init__(self) -> None:
        self.told: list[tuple[float, str]] = []
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told.append((time.perf_counter(), body.decode()))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver while the context lasts."""
    opened = Receiver()
    try:
        yield opened
    finally:
        opened.close()


def secret() -> str:
    """A key as the webhook channel wants it."""
    return "whsec_" + base64.b64encode(bytes(range(32))).decode()


def at_rate(scratch: Path, rate: int, seconds: float, *, seed: int) -> dict[str, Any]:
    """Append at ``rate`` spans a second, a probe every 0.37 s among them, with broker, producer and receiver on the same cores.

    Raises
    ------
    RuntimeError
        The worker ended with an error.
    """
    whole = _WARM_UP_SECONDS + seconds + _TAIL_SECONDS
    made = traffic(scratch / f"traffic{rate}", round(rate * whole), seed=seed)
    load = _in_step([value for path in made.files for _, _, value in records(path)], whole)
    probes = int(seconds / _PROBE_SECONDS)
    settings = Settings(home=scratch / f"alerting{rate}")
    settings.home.mkdir(parents=True)
    with receiver() as other:
        subscriptions = _subscriptions(settings.home, other.address, {"all": {"every": True}})
        catalog = _catalog(settings.home, probes)
        broker = Broker(settings.home)
        address = broker.start(progress=lambda _: None)
        create_topics(address, {settings.topic: _PARTITIONS}, timeout_seconds=10)
        environment = {"PLUMBLINE_SUBSCRIPTIONS": str(subscriptions), SECRET: secret()}
        worker = Worker(settings.home, "--catalog", str(catalog), environment=environment)
        try:
            while not (settings.warehouse / "catalog.sqlite").exists():
                time.sleep(0.1)
            time.sleep(3)
            appended, took = _append(address, settings.topic, load, made.delivered / rate, whole, probes)
            _wait(other, len(appended), time.perf_counter() + 120)
        finally:
            worker.terminate()
            outcome = worker.wait()
            broker.stop()
    came: dict[int, float] = {}
    for at, body in other.told:
        for number in map(int, _PROBE.findall(body)):
            came.setdefault(number, at)
    ages = [came[number] - at for number, at in appended.items() if number in came]
    p50, p99 = np.percentile(ages, [50, 99]) if ages else (float("nan"), float("nan"))
    return {
        "rate": rate,
        "reached": made.delivered / took,
        "probes": len(appended),
        "missed": len(appended) - len(ages),
        "p50_seconds": float(p50),
        "p99_seconds": float(p99),
        "longest_seconds": float(max(ages, default=float("nan"))),
        "peak_resident_bytes": outcome.peak_resident_bytes,
    }


def _in_step(load: list[bytes], seconds: float) -> list[bytes]:
    """Return the messages with their spans shifted in time, so that event time goes over them evenly in ``seconds``.

    A simulated day goes by in a minute or two; the watermark must not. Spans keep their lengths; what is shortened is the time
    between the messages of one run.
    """
    shifted = []
    for number, value in enumerate(load):
        message: Any = trace_request_type()()
        message.ParseFromString(value)
        spans = [each for part in message.resource_spans for scope in part.scope_spans for each in scope.spans]
        if not spans:
            continue
        # The newest end that is no broken clock: those stay as they are.
        ends = [each.end_time_unix_nano for each in spans if each.end_time_unix_nano < _LATEST_NS]
        by = _nanoseconds(_START + timedelta(seconds=seconds * number / len(load))) - max(ends, default=0)
        for each in spans:
            if each.end_time_unix_nano < _LATEST_NS and each.start_time_unix_nano + by > 0:
                each.start_time_unix_nano += by
                each.end_time_unix_nano += by
                for event in each.events:
                    event.time_unix_nano += by
        shifted.append(message.SerializeToString())
    return shifted


def _nanoseconds(moment: datetime) -> int:
    return int((moment - _EPOCH) / timedelta(microseconds=1)) * 1000


def _append(
    address: str, topic: str, load: list[bytes], seconds: float, event_seconds: float, probes: int
) -> tuple[dict[int, float], float]:
    """Send messages evenly over the time, probes among them; return when each probe was appended, and how long it took."""
    sender = producer(address)
    pause = seconds / len(load)
    appended: dict[int, float] = {}
    partition = itertools.cycle(range(_PARTITIONS))
    began = time.perf_counter()
    for number, value in enumerate(load):
        due = began + number * pause
        while len(appended) < probes and due - began >= _WARM_UP_SECONDS + len(appended) * _PROBE_SECONDS:
            name = len(appended)
            # At the event time of the messages around it.
            probe = _probe(name, _START + timedelta(seconds=event_seconds * number / len(load)))
            appended[name] = time.perf_counter()
            sender.send(topic, value=probe, partition=next(partition))
        time.sleep(max(0.0, due - time.perf_counter()))
        sender.send(topic, value=value, partition=next(partition))
    sender.flush()
    took = time.perf_counter() - began
    sender.close()
    return appended, took


def _probe(number: int, ended_at: datetime) -> bytes:
    """One run whose model the catalog does not list, as a Collector would send it when it has ended."""
    end = _nanoseconds(ended_at)
    trace, root = f"{number + 1:032x}", f"{number + 1:016x}"
    named = {"gen_ai.agent.name": f"alerting-probe-{number:06d}"}
    call = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-unlisted",
        "gen_ai.response.model": "gpt-unlisted",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
    }
    times = {"trace_id": trace, "start_ns": end - 50_000_000, "end_ns": end}
    return as_protobuf(
        request(
            span(named | call, span_id=f"{number + 1:015x}c", parent=root, name="chat", **times),
            span(
                named | {"gen_ai.operation.name": "invoke_agent"}, span_id=root, parent="", name="invoke_agent", **times
            ),
            resource={"service.name": "alerting-probe"},
        )
    )


def _catalog(home: Path, probes: int) -> Path:
    """Each probe's workflow, with the one model that it does not use."""
    file = home / "catalog.yaml"
    workflows = {f"alerting-probe-{number:06d}": {"models": ["gpt-4.1-mini"]} for number in range(probes)}
    file.write_text(yaml.safe_dump({"workflows": workflows}), encoding="utf-8")
    return file


def _subscriptions(home: Path, address: str, entries: dict[str, dict[str, Any]]) -> Path:
    """Subscriptions to drift, all to one webhook."""
    file = home / "subscriptions.yaml"
    document = {
        "channels": {"hook": {"type": "webhook", "url": address, "secret": {"env": SECRET}}},
        "subscriptions": {
            name: {"match": {"kind": ["drift"]}, "to": ["hook"], **entry} for name, entry in entries.items()
        },
    }
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file


def _wait(other: Receiver, probes: int, deadline: float) -> None:
    """Wait until every probe was told of, or it takes too long: those are missed, and the table says so."""
    while time.perf_counter() < deadline:
        told = {name for _, body in [*other.told] for name in _PROBE.findall(body)}
        if len(told) >= probes:
            return
        time.sleep(0.2)


def storm(scratch: Path, signals: int, workflows: int = _STORM_WORKFLOWS) -> list[dict[str, Any]]:
    """Store ``signals`` signals of some workflows over six hours of the notifier's clock; count messages per subscription.

    Returns
    -------
    list of dict
        Per subscription: its renotify interval, messages, and the most that one workflow caused in one interval.
    """
    settings = Settings(home=scratch / "storm")
    settings.home.mkdir(parents=True)
    entries = {name: {"renotify": f"{int(interval.total_seconds() / 60)}m"} for name, interval in _RENOTIFY.items()}
    with receiver() as other, _environment({SECRET: secret()}):
        settings = Settings(home=settings.home, subscriptions=_subscriptions(settings.home, other.address, entries))
        told = subscribed(settings, lambda _: None, with_topic=False)
        began = time.perf_counter()
        with open_warehouse(settings) as warehouse:
            notifier = Notifier(settings, warehouse, told.subscriptions, told.channels)
            rounds = min(signals, 36)
            parts = np.array_split(np.arange(signals), rounds)
            at = _START
            for place, part in enumerate(parts):
                at = _START + timedelta(hours=_STORM_HOURS) * place / rounds
                store.record([_signal(int(number), workflows, at) for number in part], warehouse)
                notifier.tick(at, changed=True)
            until = time.perf_counter() + 120
            count = "SELECT count(*) FROM notifications WHERE status = 'waiting'"
            while warehouse.query(count).item() and time.perf_counter() < until:
                notifier.tick(at)
                time.sleep(0.02)
            notifier.close()
            rows = warehouse.query(
                "SELECT subscription, workflow, made_at FROM notifications WHERE status <> 'gathered' ORDER BY made_at"
            ).rows()
            incidents = warehouse.query("SELECT count(*) FROM incidents").item()
        took = time.perf_counter() - began
    return [
        {
            "subscription": name,
            "renotify_seconds": interval.total_seconds(),
            "signals": signals,
            "workflows": workflows,
            "incidents": incidents,
            "messages": sum(row[0] == name for row in rows),
            "received": sum(f'"{name}"' in body for _, body in other.told),
            "most_per_workflow_and_interval": _most([row for row in rows if row[0] == name], interval),
            "seconds": took,
        }
        for name, interval in _RENOTIFY.items()
    ]


def _signal(number: int, workflows: int, at: datetime) -> dict[str, Any]:
    workflow, stream = number % workflows, number // workflows
    return {
        "workflow": f"storm-{workflow:03d}",
        "family": "tool",
        "metric": "tool_error",
        "dimension": f"tool-{stream:04d}",
        "kind": "rate",
        "at": at,
        "onset_at": at,
        "log_e": 20.0,
        "headline": f"tool-{stream:04d} fails",
        "run_ids": ["r"],
    }


def _most(rows: list[tuple[str, str, datetime]], interval: timedelta) -> int:
    """The most messages about one workflow in any stretch of time as long as the interval, its end not included."""
    most = 0
    for workflow in {row[1] for row in rows}:
        moments = [row[2] for row in rows if row[1] == workflow]
        most = max([most, *(sum(at <= other < at + interval for other in moments) for at in moments)])
    return most


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
