"""Results as JSON beside the page, and as tables between the page's marks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
PAGE, RESULTS = DOCS / "benchmarks.md", DOCS / "benchmarks.json"


def record(results: dict[str, Any]) -> None:
    """Add results to what other runs left, by scenario, and write the tables anew."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    known.update(results)
    RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    for name in _TABLES:
        if name in known:
            mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
            text = table(name, known[name])
            page = mark.sub(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page)
    PAGE.write_text(page, encoding="utf-8")


def table(name: str, result: dict[str, Any]) -> str:
    """Return the machine and the figures of one scenario as Markdown."""
    return f"{_measured(result)}\n\n{_TABLES[name](result['figures'])}"


def _measured(result: dict[str, Any]) -> str:
    on = result["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in on["packages"].items())
    return (
        f"{on['cpu']}, {on['cores']} cores, {on['memory_gib']} GiB, {on['system']}, Python {on['python']}, {packages}; "
        f"seed {result['seed']}, load before {on['load_before']}, yardstick {on['yardstick_seconds']} s, {result['at']}."
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _throughput(figures: dict[str, dict[str, Any]]) -> str:
    rows = [
        ("spans stored", lambda f: f"{f['spans']:,}"),
        ("bytes per span on the wire", lambda f: f"{f['wire_bytes_per_span']:,.0f}"),
        (
            "**spans/s, sustained**",
            lambda f: f"**{f['spans_per_second_sustained']:,.0f}**" if f["spans_per_second_sustained"] else "one batch",
        ),
        ("spans/s, start of the process to its end", lambda f: f"{f['spans_per_second_whole']:,.0f}"),
        ("worker's processor time per span, µs", lambda f: f"{f['cpu_microseconds_per_span']:.1f}"),
        ("worker's peak resident memory, MiB", lambda f: f"{f['peak_resident_bytes'] / 2**20:,.0f}"),
        ("bytes per span on disk", lambda f: f"{f['disk_bytes_per_span']:,.0f}"),
    ]
    steps = list(dict.fromkeys(step for each in figures.values() for step in each["steps"]))
    table = [[name, *(cell(each) for each in figures.values())] for name, cell in rows]
    table += [
        [
            f"{step}, µs per span",
            *(f"{1e6 * each['steps'].get(step, 0) / each['spans']:.1f}" for each in figures.values()),
        ]
        for step in steps
    ]
    return _table(["", *(f"from {name}" for name in figures)], table)


def _freshness(figures: list[dict[str, Any]]) -> str:
    return _table(
        ["spans/s appended", "reached", "p50, s", "p99, s", "worker's peak memory, MiB"],
        [
            [
                f"{each['rate']:,}",
                f"{each['reached']:,.0f}",
                f"{each['p50_seconds']:.2f}",
                f"{each['p99_seconds']:.2f}",
                f"{each['peak_resident_bytes'] / 2**20:,.0f}",
            ]
            for each in figures
        ],
    )


def _growth(figures: list[dict[str, Any]]) -> str:
    return _table(
        [
            "rows in `spans`",
            "processor time per new span, µs",
            "commit, µs per new span",
            "bytes per span on disk",
            "peak memory, MiB",
        ],
        [
            [
                f"{each['rows']:,}",
                f"{each['cpu_microseconds_per_span']:.1f}",
                f"{each['commit_microseconds_per_span']:.1f}",
                f"{each['disk_bytes_per_span']:,.0f}",
                f"{each['peak_resident_bytes'] / 2**20:,.0f}",
            ]
            for each in figures
        ],
    )


def _refresh(figures: list[dict[str, Any]]) -> str:
    return _table(
        [
            *("`plumbline refresh`", "rows in `spans`", "the command, s", "of the first's, %", "of it the marts, s"),
            *("processor time, s", "of the first's, %"),
        ],
        [
            [
                each["what"],
                f"{each['rows']:,}",
                f"{each['refresh_seconds']:.1f}",
                f"{100 * each['refresh_seconds'] / figures[0]['refresh_seconds']:.1f}",
                f"{each['marts_seconds']:.1f}",
                f"{each['processor_seconds']:.1f}",
                f"{100 * each['processor_seconds'] / figures[0]['processor_seconds']:.1f}",
            ]
            for each in figures
        ],
    )


def _alerting(figures: dict[str, list[dict[str, Any]]]) -> str:
    rates = _table(
        [
            "spans/s appended",
            "reached",
            "probes",
            "missed",
            "p50, s",
            "p99, s",
            "longest, s",
            "worker's peak memory, MiB",
        ],
        [
            [
                f"{each['rate']:,}",
                f"{each['reached']:,.0f}",
                f"{each['probes']:,}",
                f"{each['missed']:,}",
                f"{each['p50_seconds']:.2f}",
                f"**{each['p99_seconds']:.2f}**",
                f"{each['longest_seconds']:.2f}",
                f"{each['peak_resident_bytes'] / 2**20:,.0f}",
            ]
            for each in figures["rates"]
        ],
    )
    storm = _table(
        [
            "renotify interval",
            "signals",
            "workflows",
            "incidents",
            "messages",
            "received",
            "most per workflow and interval",
        ],
        [
            [
                f"{each['renotify_seconds'] / 3600:g} h",
                f"{each['signals']:,}",
                f"{each['workflows']:,}",
                f"{each['incidents']:,}",
                f"{each['messages']:,}",
                f"{each['received']:,}",
                f"**{each['most_per_workflow_and_interval']}**",
            ]
            for each in figures["storm"]
        ],
    )
    return f"{rates}\n\n{storm}"


def _warehouse(figures: dict[str, Any]) -> str:
    rows = figures["rows"]
    sizes = ", ".join(f"{count:,} {name}" for name, count in rows.items())
    asked = _table(
        ["a month's question", "of", "rows answered", "best of five, s", "processor, s"],
        [
            [
                each["question"],
                f"`{each['table']}`",
                f"{each['rows']:,}",
                f"**{each['seconds']:.2f}**",
                f"{each['cpu_seconds']:.2f}",
            ]
            for each in figures["questions"]
        ],
    )
    return f"{sizes}; {figures['spans_in_month']:,} spans in the month; {figures['bytes'] / 1e9:.1f} GB.\n\n{asked}"


def _dashboard(figures: dict[str, Any]) -> str:
    def milliseconds(value: float | None) -> str:
        return "–" if value is None else f"{1000 * value:,.0f}"

    table = _table(
        [
            "page",
            "answers asked for before",
            "p50, ms",
            "**p95, ms**",
            "first answers under their filters",
            "p50, ms",
            "**p95, ms**",
            "**both together, p95, ms**",
            "all viewers at once after a revision: p50, ms",
            "p95, ms",
            "**first paint of the content, ms**",
        ],
        [
            [
                each["page"],
                f"{each['answers']:,}",
                milliseconds(each["p50_seconds"]),
                f"**{milliseconds(each['p95_seconds'])}**",
                f"{each['first_answers']:,}",
                milliseconds(each["first_p50_seconds"]),
                f"**{milliseconds(each['first_p95_seconds'])}**",
                f"**{milliseconds(each.get('every_p95_seconds'))}**",
                milliseconds(each["cold_p50_seconds"]),
                milliseconds(each["cold_p95_seconds"]),
                f"**{milliseconds(each.get('paint_seconds'))}**",
            ]
            for each in figures["pages"]
        ],
    )
    rate = figures["stream_rate"]
    stream = (
        f"beside a stream of {rate:,} spans/s from Kafka into the same warehouse (broker, producer, worker, viewers and browser "
        "on the same cores)"
        if rate
        else "beside no worker"
    )
    return (
        f"{figures['viewers']} viewers at once for {figures['seconds']:g} s after {figures['warm_up_seconds']:g} s to warm up, "
        f"{stream}; marts of {figures['spans']:,} spans: "
        f"{figures['runs_rows']:,} runs, {figures['runs_hourly_rows']:,} rows in `runs_hourly`; made in "
        f"{figures['made_seconds']:.0f} s.\n\n{table}"
    )


def _readers(figures: dict[str, Any]) -> str:
    rounds = _table(
        [
            "readers",
            "spans stored",
            "**spans/s, sustained**",
            "worker's processor time per span, µs",
            "spans lost",
            "messages lost",
            "dead letters",
            "catalog's log, MiB",
        ],
        [
            [
                f"{each['readers']}",
                f"{each['spans']:,}",
                f"**{each['spans_per_second_sustained']:,.0f}**",
                f"{each['cpu_microseconds_per_span']:.1f}",
                f"{each['spans_lost']:,}",
                f"{each['messages_lost']:,}",
                f"{each['dead_letters']:,}",
                f"{each['catalog_log_bytes'] / 2**20:,.1f}",
            ]
            for each in figures["rounds"]
        ],
    )
    readers = _table(
        ["way in", "statements answered", "errors", "p50, s", "p99, s"],
        [
            [
                each["way"],
                f"{each['statements']:,}",
                f"**{each['errors']:,}**",
                f"{each['p50_seconds']:.2f}",
                f"{each['p99_seconds']:.2f}",
            ]
            for each in figures["readers"]
        ],
    )
    return f"Slower with readers by **{100 * figures['slowdown']:.1f} %** (medians).\n\n{rounds}\n\n{readers}"


_TABLES: dict[str, Callable[[Any], str]] = {
    "throughput": _throughput,
    "freshness": _freshness,
    "growth": _growth,
    "refresh": _refresh,
    "alerting": _alerting,
    "warehouse": _warehouse,
    "dashboard": _dashboard,
    "readers": _readers,
}
