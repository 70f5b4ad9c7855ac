"""How fast the dashboard answers: many viewers at once over the marts of a large fleet, and the first paint in a browser.

The home is made by SQL: so many runs as mart `runs` has them, of which the product's own models compute what pages aggregate;
marts that read spans are written as wide and as long as such a fleet has them. The server is ``plumbline dashboard`` in a process
of its own; viewers and browser run on the same cores.
"""

from __future__ import annotations

import json
import math
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dashboards.filters import Filters
from dashboards.pages.registry import PAGES
from pipelines.broker import Broker, create_topics
from pipelines.settings import Settings
from tests.benchmarks.freshness import PARTITIONS, append
from tests.benchmarks.traffic import Traffic, traffic
from tests.benchmarks.worker import Worker
from warehouse import Limits, Warehouse, marts

_FOLDER = Path(__file__).parent
#: Spans of a run, in the mean of the simulated fleet.
SPANS_PER_RUN = 10
_PERIODS = ("7d", "30d", "90d", None)
#: Seconds that a viewer looks at a page before the next.
_LOOKS = (1.0, 4.0)
_TOUCH = "UPDATE incidents SET updated_at = updated_at + INTERVAL 1 SECOND WHERE incident_id = 'inc-0'"
#: A page is there when its content is: waited for by the page itself, so that no polling adds to it.
_PAINTED = """() => new Promise(done => {
  const ready = () => document.querySelector('#content > :not(.waiting)');
  const painted = () => requestAnimationFrame(() => done(performance.now()));
  if (ready()) { painted(); return; }
  new MutationObserver((_, watch) => { if (ready()) { watch.disconnect(); painted(); } })
    .observe(document, {childList: true, subtree: true});
})"""


def home_of(path: Path, spans: int) -> Path:
    """A home whose marts are those of so many spans."""
    with Warehouse.open(path / "warehouse", limits=Limits(threads=2)) as lake:
        for name in marts.names():
            marts.build(lake, name)
        marts.put_live_views(lake)
        lake.transaction(lambda c: c.execute(_sql("viewed_runs"), {"runs": spans // SPANS_PER_RUN}))
        lake.transaction(lambda c: c.execute(_sql("viewed_decisions")))
        marts.build(lake, "runs_hourly", whole=True)
        for statement in _sql("viewed_marts").split(";\n"):
            lake.transaction(lambda c, statement=statement: c.execute(statement))
    return path


def _sql(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """Address of ``plumbline dashboard`` on `home`, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-P", "-m", "pipelines", "--home", str(home), "dashboard", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                _get(f"{address}/health")
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


@dataclass
class Viewer:
    """Asks for pages as the browser does, one after the other.

    Attributes
    ----------
    seen : set of (str, str)
        Pages and filters that anybody has asked for, shared by all viewers: their answers are kept.
    seconds : list of (str, bool, float)
        Page, whether it had been asked for before, and how long its answer took.
    """

    address: str
    output: str
    random: random.Random
    seen: set[tuple[str, str]] = field(default_factory=set)
    seconds: list[tuple[str, bool, float]] = field(default_factory=list)

    def ask(self, path: str, search: str) -> float:
        """Seconds until the whole answer for one page is there."""
        names = [part.rsplit(".", 1) for part in self.output.strip(".").split("...")]
        body = {
            "output": self.output,
            "outputs": [{"id": name, "property": of} for name, of in names],
            "inputs": [
                {"id": "address", "property": "pathname", "value": path},
                {"id": "address", "property": "search", "value": search},
                {"id": "revision", "property": "data", "value": None},
            ],
            "changedPropIds": ["address.search"],
        }
        request = urllib.request.Request(
            f"{self.address}/_dash-update-component",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Origin": self.address},
        )
        is_kept = (path, search) in self.seen
        began = time.perf_counter()
        with urllib.request.urlopen(request, timeout=120) as answer:
            content = answer.read()
        taken = time.perf_counter() - began
        if b"can't be made" in content:
            raise AssertionError(f"{path}{search} can't be made: see the server's log")
        self.seen.add((path, search))
        self.seconds.append((path, is_kept, taken))
        return taken

    def wander(self, until: float) -> None:
        """Open pages under filters of many kinds until then, with a look at each."""
        while time.perf_counter() < until:
            self.ask(self.random.choice(PAGES).path, self.filters())
            time.sleep(self.random.uniform(*_LOOKS))

    def filters(self) -> str:
        """A query string: of five in ten the fleet, of the others a workflow, a team or an environment."""
        draw, given = self.random.random(), {"period": self.random.choice(_PERIODS)}
        if draw < 0.25:
            given["workflow"] = f"workflow-{self.random.randrange(6)}"
        elif draw < 0.4:
            given["team"] = f"team-{self.random.randrange(4)}"
        elif draw < 0.5:
            given["environment"] = "production"
        return Filters(**given).search()


def _output(address: str) -> str:
    """Name of the callback that makes a page, as the app's own list has it."""
    for each in json.loads(_get(f"{address}/_dash-dependencies")):
        if "content.children" in each["output"]:
            return each["output"]
    raise AssertionError("the app has no callback for a page")


@contextmanager
def streaming(home: Path, load: Traffic, rate: int) -> Iterator[None]:
    """A broker, a producer of so many spans a second and a worker on the home, from the worker's first commit on."""
    settings = Settings(home=home)
    broker = Broker(home)
    address = broker.start(progress=lambda _: None)
    create_topics(address, {settings.topic: PARTITIONS}, timeout_seconds=10)
    stop = threading.Event()
    sender = threading.Thread(target=append, args=(address, settings.topic, load, rate, math.inf, stop), daemon=True)
    worker = Worker(home)
    try:
        sender.start()
        with Warehouse.open(home / "warehouse", read_only=True) as lake:
            while not lake.query("SELECT count(*) FROM consumed_offsets").item():
                time.sleep(0.2)
        yield
        if not sender.is_alive():
            raise RuntimeError("there was no more traffic before the end")
    finally:
        stop.set()
        sender.join()
        worker.terminate()
        worker.wait()
        broker.stop()


def viewing(
    scratch: Path,
    spans: int,
    *,
    viewers: int,
    seconds: float,
    seed: int,
    warm_up: float = 0.0,
    rate: int = 0,
    streamed: int = 0,
) -> dict[str, Any]:
    """Figures of the pages: answers of many viewers, answers right after a revision, first paint.

    Parameters
    ----------
    warm_up : float
        Seconds that the viewers look at pages before their answers count.
    rate : int
        Spans a second that a worker stores meanwhile in the same warehouse; 0: none.
    streamed : int
        Spans there are for it.
    """
    began = time.perf_counter()
    home = home_of(scratch / "viewed", spans)
    with Warehouse.open(home / "warehouse", read_only=True) as lake:
        rows = {name: lake.query(f"SELECT count(*) FROM {name}").item() for name in ("runs", "runs_hourly")}
    made = time.perf_counter() - began
    load = traffic(scratch / "traffic", streamed, seed=seed) if rate else None
    with streaming(home, load, rate) if load else nullcontext(), serving(home) as address:
        output = _output(address)
        warm, first = _together(address, output, viewers, warm_up, seconds, seed)
        cold = _after_revisions(home, address, output, viewers, seed)
        paint = _paints(address)
    return {
        "spans": spans,
        **{f"{name}_rows": count for name, count in rows.items()},
        "made_seconds": made,
        "viewers": viewers,
        "seconds": seconds,
        "warm_up_seconds": warm_up,
        "stream_rate": rate,
        "pages": [
            {
                "page": page.tab,
                **_row("", warm.get(page.path, [])),
                **_row("first_", first.get(page.path, [])),
                **_row("every_", warm.get(page.path, []) + first.get(page.path, [])),
                **_row("cold_", cold.get(page.path, [])),
                "paint_seconds": paint.get(page.path),
            }
            for page in PAGES
        ]
        + [
            {
                "page": "all",
                **_row("", _every(warm)),
                **_row("first_", _every(first)),
                **_row("every_", _every(warm) + _every(first)),
                **_row("cold_", _every(cold)),
            }
        ],
    }


def _every(answers: dict[str, list[float]]) -> list[float]:
    return [taken for of_page in answers.values() for taken in of_page]


def _row(kind: str, seconds: list[float]) -> dict[str, Any]:
    return {
        f"{kind}answers": len(seconds),
        f"{kind}p50_seconds": _quantile(seconds, 0.5),
        f"{kind}p95_seconds": _quantile(seconds, 0.95),
    }


def _together(
    address: str, output: str, viewers: int, warm_up: float, seconds: float, seed: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Answers by page while so many viewers wander at once, after a warm-up: those asked for before, and the first."""
    seen: set[tuple[str, str]] = set()
    crowd = [Viewer(address, output, random.Random(seed + number), seen) for number in range(viewers)]
    for length in (warm_up, seconds):
        for each in crowd:
            each.seconds.clear()
        until = time.perf_counter() + length
        threads = [threading.Thread(target=each.wander, args=(until,), daemon=True) for each in crowd]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return _by_page(crowd, is_kept=True), _by_page(crowd, is_kept=False)


def _after_revisions(home: Path, address: str, output: str, viewers: int, seed: int) -> dict[str, list[float]]:
    """Answers by page when all viewers' open pages follow a new revision at once; as many revisions as pages."""
    crowd = [Viewer(address, output, random.Random(seed + 1000 + number)) for number in range(viewers)]
    for turn in range(len(PAGES)):
        with Warehouse.open(home / "warehouse") as lake:
            lake.transaction(lambda connection: connection.execute(_TOUCH))
        for each in crowd:
            each.seen.clear()
        asked = [(each, PAGES[(number + turn) % len(PAGES)].path) for number, each in enumerate(crowd)]
        threads = [threading.Thread(target=each.ask, args=(path, each.filters()), daemon=True) for each, path in asked]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return _by_page(crowd, is_kept=False)


def _by_page(crowd: list[Viewer], *, is_kept: bool) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for each in crowd:
        for path, was_kept, taken in each.seconds:
            if was_kept == is_kept:
                found.setdefault(path, []).append(taken)
    return found


def _paints(address: str) -> dict[str, float]:
    """Median seconds from navigation to the page's content, by page, of five visits by a new context; none without a browser."""
    from dashboards.screenshot import browser, chromium

    if chromium() is None:
        return {}
    found: dict[str, float] = {}
    with browser() as chrome:
        for page in PAGES:
            times = []
            for _ in range(5):
                context = chrome.new_context(viewport={"width": 1440, "height": 900})
                opened = context.new_page()
                opened.goto(address + page.path, wait_until="commit")
                times.append(opened.evaluate(_PAINTED) / 1000)
                context.close()
            found[page.path] = statistics.median(times)
    return found


def _quantile(values: list[float], share: float) -> float | None:
    """The value below which that share lies; None without values."""
    ranked = sorted(values)
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)] if ranked else None
