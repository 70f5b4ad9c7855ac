"""Results as JSON beside the page, and as tables between the page's marks; every aim with met or not met."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.benchmarks.report import DOCS, _table

PAGE, RESULTS = DOCS / "detection.md", DOCS / "detection.json"
LARGEST_RATE = 0.1  # false alarms per 10,000 observations


def record(results: dict[str, Any]) -> None:
    """Write the results and the tables of the page anew."""
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    for name, text in tables(results).items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page = mark.sub(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page)
    PAGE.write_text(page, encoding="utf-8")


def tables(results: dict[str, Any]) -> dict[str, str]:
    """Give the Markdown of each mark."""
    results = _together(results)
    return {
        "run": _run(results),
        "calibration": _calibration(results["calibration"], results["options"]["arl"]),
        "nulls": _nulls(results["nulls"], results["options"]["arl"]),
        "changes": _changes(results["changes"]),
        "floors": _floors((results.get("floors") or {"rows": []})["rows"]),
        "laws": _laws((results.get("equal") or {"laws": {}})["laws"], results["options"]["arl"]),
        "equal": _equal((results.get("equal") or {"rows": []})["rows"]),
        "series": _series(results["series"]),
        "speed": _speed(results["speed"], results["options"], results["evidently"]),
    }


def _together(results: dict[str, Any]) -> dict[str, Any]:
    """Put the rows of Evidently, which is measured apart, beside those of the same case."""
    theirs = results.get("evidently") or {"calibration": [], "nulls": [], "changes": {}}
    order = list(dict.fromkeys(row["case"] for row in results["nulls"]))
    nulls = results["nulls"] + [row for row in theirs["nulls"] if row["case"] in order]
    return results | {
        "evidently": results.get("evidently"),
        "calibration": results["calibration"] + theirs["calibration"],
        "nulls": sorted(nulls, key=lambda row: order.index(row["case"])),
        "changes": [
            case | {"methods": dict(sorted((case["methods"] | theirs["changes"].get(case["case"], {})).items()))}
            for case in results["changes"]
        ],
    }


def label(knob: dict[str, Any], arl: float) -> str:
    """Name a detector and its setting; with † where its run length is shown to fall short."""
    mark = " †" if standing(knob["null"], arl) == "not met" else ""
    return f"{knob['detector']}, {knob['setting']}{mark}"


def _run(results: dict[str, Any]) -> str:
    on, options, theirs = results["machine"], results["options"], results["evidently"]
    apart = (
        f"Evidently {theirs['version']}, in a process of its own: load before {theirs['machine']['load_before']}, yardstick "
        f"{theirs['machine']['yardstick_seconds']} s, {theirs['at']}, {theirs['minutes']} minutes."
        if theirs
        else "**Evidently was not measured**: its environment could not be made."
    )
    if (anew := results.get("speed_on")) is not None:
        apart += (
            f" Speeds of ours and of river: taken anew, load before {anew['load_before']}, yardstick "
            f"{anew['yardstick_seconds']} s, {anew['at']} UTC."
        )
    given = ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in options.items())
    return (
        f"{on['cpu']}, {on['cores']} cores, {on['memory_gib']} GiB, Python {on['python']}, river {results['river']}; load "
        f"before {on['load_before']}, yardstick {on['yardstick_seconds']} s, {results['at']}, {results['minutes']} minutes; "
        f"{given}. {apart}"
    )


def _arl(found: dict[str, Any]) -> str:
    middle = f"{found['arl']:,.0f}" if found["arl"] else "none seen"
    high = f"{found['high']:,.0f}" if found["high"] else "∞"
    return f"{middle} ({found['low']:,.0f} – {high})"


def standing(found: dict[str, Any], arl: float) -> str:
    """Say whether an estimated run length is shown to reach `arl`: met, not met, or open where the interval holds both."""
    if found["low"] >= arl:
        return "met"
    return "not met" if found["high"] is not None and found["high"] < arl else "open"


def _calibration(found: list[dict[str, Any]], arl: float) -> str:
    head = ["detector", "knob", "ARL0 (95 %), fresh null", "alarms", f"reaches {arl:,.0f}"]
    return _table(
        head,
        [
            [
                f"{each['detector']}, {each['setting']}",
                "no setting reaches it" if each["knob"] is None else f"{each['knob']:.3g}",
                _arl(each["null"]) if each["null"] else "not comparable",
                str(each["null"]["alarms"]) if each["null"] else "–",
                standing(each["null"], arl) if each["null"] else "not comparable",
            ]
            for each in found
        ],
    )


def _nulls(found: list[dict[str, Any]], arl: float) -> str:
    head = ["null", "detector", "observations", "alarms", "ARL0 (95 %)", "per 10,000", "aim: at most 0.1"]
    return _table(
        head,
        [
            [
                each["case"],
                each["detector"],
                f"{each['observations']:,.0f}",
                str(each["alarms"]),
                _arl(each),
                f"{each['per_10000']:.3f}",
                standing(each, 1e4 / LARGEST_RATE),
            ]
            for each in found
        ],
    )


def _cell(found: dict[str, Any]) -> str:
    def number(value: float | None) -> str:
        return "∞" if value is None else f"{value:,.0f}"

    if found["miss_rate"] is None:
        return "every stream alarmed before"
    parts = f"{number(found['median'])} / {number(found['p90'])}, missed {found['miss_rate']:.2f}"
    return parts if found["onset_error_median"] is None else f"{parts}, onset ±{found['onset_error_median']:,.0f}"


def _changes(found: list[dict[str, Any]]) -> str:
    rows = []
    for case in found:
        methods = case["methods"]
        ours, oracle = methods["ours"]["median"], methods.get("oracle", {}).get("median")
        ratio = ours / oracle if ours and oracle else None
        verdict = (
            "no oracle"
            if case["aim"] is None
            else f"{case['aim']}: " + ("met" if ratio and ratio <= case["aim"] else "not met")
        )
        for name, each in methods.items():
            mine = name == "ours"
            rows.append(
                [
                    case["case"],
                    name,
                    _cell(each),
                    f"{each['early']} of {each['streams']}",
                    (f"{ratio:.2f}" if ratio else "–") if mine else "",
                    verdict if mine else "",
                    _ahead(methods) if mine else "",
                ]
            )
    return _table(
        ["change", "detector", "median / p90 delay", "alarmed before", "× oracle", "aim", "ahead of comparable peers"],
        rows,
    )


def _floors(found: list[dict[str, Any]]) -> str:
    head = ["change", "oracle", "floor: told the change", "floor: told neither size nor direction", "ours"]
    head += ["aim", "told × oracle", "told neither × oracle", "ours × oracle", "ours × its floor"]

    def ratio(row: dict[str, Any], above: str, below: str) -> str:
        upper, lower = (row["delays"].get(name, {}).get("median") for name in (above, below))
        return f"{upper / lower:.2f}" if upper and lower else "–"

    def untold(row: dict[str, Any]) -> str:
        return "untold" if "untold" in row["delays"] else "told"

    return _table(
        head,
        [
            [
                row["case"],
                *(_delay(row["delays"].get(name)) for name in ("oracle", "told", "untold", "ours")),
                str(row["aim"]),
                ratio(row, "told", "oracle"),
                ratio(row, "untold", "oracle"),
                ratio(row, "ours", "oracle"),
                ratio(row, "ours", untold(row)),
            ]
            for row in found
        ],
    )


def _delay(found: dict[str, Any] | None) -> str:
    if found is None:
        return "–"
    median, p90 = ("∞" if found[name] is None else f"{found[name]:,.0f}" for name in ("median", "p90"))
    missed = f", missed {found['miss_rate']:.2f}" if found["miss_rate"] and found["miss_rate"] >= 0.005 else ""
    return f"{median} / {p90}{missed}"


def _laws(found: dict[str, dict[str, Any]], arl: float) -> str:
    head = ["law", "ours at the threshold promised", "ADWIN's default", "ours, equal", "ADWIN, equal", "its knob"]
    return _table(
        head,
        [
            [
                name,
                _arl(law["promised"]) + f": {standing(law['promised'], arl)}",
                _arl(law["usual"]) + f": {standing(law['usual'], arl)}",
                _arl(law["ours"]["null"]),
                _arl(law["peer"]["null"]) if law["peer"]["null"] else "no setting reaches it",
                f"{law['peer']['knob']:.2g}" if law["peer"]["knob"] else "–",
            ]
            for name, law in found.items()
        ],
    )


def _equal(found: list[dict[str, Any]]) -> str:
    def ahead(delays: dict[str, dict[str, Any]]) -> str:
        ours, theirs = (delays.get(name, {}).get("median") or float("inf") for name in ("ours", "peer"))
        return "ours" if ours < theirs else "ADWIN" if theirs < ours else "neither"

    return _table(
        ["change", "ours, median / p90", "ADWIN, median / p90", "ahead by the median"],
        [
            [row["case"], _delay(row["delays"]["ours"]), _delay(row["delays"].get("peer")), ahead(row["delays"])]
            for row in found
        ],
    )


def _ahead(methods: dict[str, dict[str, Any]]) -> str:
    """Say whether our median is below that of every peer that is not shown to alarm too often."""
    peers = {n: m["median"] for n, m in methods.items() if n not in ("ours", "oracle") and not n.endswith("†")}
    if not peers:
        return "none comparable"
    ours = methods["ours"]["median"] or float("inf")
    better = [name for name, median in peers.items() if median is not None and median <= ours]
    return "not met: " + ", ".join(better) if better else "met" if ours < float("inf") else "not met"


def _series(found: list[dict[str, Any]]) -> str:
    return _table(
        [
            "series",
            "observations",
            "annotations as river ships them",
            "ours, first alarm",
            "ADWIN default, first alarm",
        ],
        [
            [
                each["series"],
                str(each["observations"]),
                ", ".join(map(str, each["marks"])),
                "none" if each["ours"] < 0 else str(each["ours"]),
                "none" if each["ADWIN"] < 0 else str(each["ADWIN"]),
            ]
            for each in found
        ],
    )


def _speed(found: dict[str, Any], options: dict[str, int], theirs: dict[str, Any] | None) -> str:
    def row(name: str, value: str, aim: str = "", met: bool | None = None) -> list[str]:
        return [name, value, aim, "" if met is None else "met" if met else "not met"]

    rounds = options.get("river_rounds", options["speed_rounds"])
    bank, size, seconds = (found[n] for n in ("bank_updates_per_second", "checkpoint_bytes", "checkpoint_seconds"))
    names = {"continuous": "numbers", "rate": "rates", "mix": "mixes"}

    def each(key: str, digits: str) -> str:
        return ", ".join(f"{names[kind]} {value:{digits}}" for kind, value in found[key].items())

    return _table(
        [
            f"{found['streams']:,.0f} streams: {each('streams_by_kind', ',')}; {found['runs']:,} runs each",
            "measured",
            "aim",
            "",
        ],
        [
            row("updates/s, banks, transform included", f"{bank:,.0f}", "≥ 5,000,000", bank >= 5e6),
            row("by kind", each("bank_updates_per_second_by_kind", ",.0f")),
            row("updates/s, whole `Monitor.update`", f"{found['monitor_updates_per_second']:,.0f}"),
            row(
                f"updates/s, river ADWIN objects in a dict, {rounds} values each",
                f"{found['river_updates_per_second']:,.0f}",
            ),
            *(row(f"updates/s, {name}", f"{value:,.0f}") for name, value in _evidently_speeds(theirs, options)),
            row("checkpoint, MB", f"{size / 1e6:.1f}", "< 12", size < 12e6),
            row("bytes a stream", each("bytes_per_stream_by_kind", ".0f")),
            row("checkpoint, ms to save", f"{1e3 * seconds:,.0f}", "< 50", seconds < 0.05),
            row("ms to load", f"{1e3 * found['load_seconds']:,.0f}"),
        ],
    )


def _evidently_speeds(theirs: dict[str, Any] | None, options: dict[str, int]) -> list[tuple[str, float]]:
    if not theirs:
        return []
    looks = f"a look at one stream every {options['evidently_stride']}"
    speeds = [(f"{each['detector']}, {looks}", each["updates_per_second"]) for each in theirs["speed"]]
    return [*speeds, (f"Evidently's whole drift report, {looks}", theirs["report_updates_per_second"])]
