"""1,577 usage objects of real providers: their tokens and cost are those expected, or docs/prices.md says why not."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import genai_prices
import polars as pl
import pytest

from pipelines.stages.price import price
from tests.conftest import SHARED_DATA
from tests.pipelines.otlp import as_json, normalised, request, span

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "prices.md"
#: A day of the price list the expected prices were made with.
AT = datetime(2026, 11, 1)
COLUMNS = {
    "input_tokens": "input_tokens",
    "cached_input_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "output_tokens": "output_tokens",
    "reasoning_tokens": "output_reasoning_tokens",
    "input_audio_tokens": "input_audio_tokens",
    "cached_input_audio_tokens": "cache_audio_read_tokens",
    "output_audio_tokens": "output_audio_tokens",
}


@cache
def payloads() -> list[dict[str, Any]]:
    file = SHARED_DATA / "usage_payloads" / "genai_prices_usages.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def usage(row: dict[str, Any]) -> Any:
    body = row["body"]
    return body.get("usage") or body.get("usageMetadata") or body.get("meta")


def meant(row: dict[str, Any]) -> dict[str, int]:
    """The reading of several that adds up to the total the object states, else the largest: nothing is left out of it."""
    told = usage(row)
    total = next((told[key] for key in ("total_tokens", "totalTokens", "totalTokenCount") if key in told), None)
    readings = [{ours: each["usage"].get(name, 0) for ours, name in COLUMNS.items()} for each in row["expected"]]
    fitting = [each for each in readings if each["input_tokens"] + each["output_tokens"] == total]
    return max(fitting or readings, key=lambda each: sum(each.values()))


def why_tokens(row: dict[str, Any]) -> str:
    told = usage(row)
    if "billed_units" in told:
        return "Cohere: billed units are counted, not tokens processed"
    return f"unexplained: {row['i']}"


def counted(tokens: dict[str, int]) -> str:
    """Input, cached input, cache write, output and reasoning tokens, and those of them that are audio, if any."""
    return " / ".join(str(tokens[name]) for name in COLUMNS if tokens[name] or "audio" not in name)


def listed(heading: str) -> dict[tuple[str, ...], int]:
    """The rows of the table below a heading, but for the last column, which says how many."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {tuple(row[:-1]): int(row[-1].rstrip("| ")) for row in cells}


def test_every_objects_tokens_are_those_expected_or_the_difference_is_documented(shared_data: Path) -> None:
    assert len(payloads()) == 1577
    spans = [
        span(
            {"gen_ai.operation.name": "chat", "langfuse.observation.usage_details": json.dumps(usage(row))},
            trace_id=f"{row['i'] + 1:032x}",
            span_id=f"{row['i'] + 1:016x}",
        )
        for row in payloads()
    ]
    found = normalised(as_json(request(*spans))).spans.sort("span_id")
    assert len(found) == 1577
    differences = Counter(
        (why_tokens(row), str(row["i"]), counted(meant(row)), counted(got))
        for row, got in zip(payloads(), found.select(list(COLUMNS)).fill_null(0).iter_rows(named=True), strict=True)
        if isinstance(usage(row), dict) and got != meant(row)
    )
    assert dict(differences) == listed("Usage objects read differently")


def test_every_objects_cost_is_the_one_expected_or_the_difference_is_documented(shared_data: Path) -> None:
    differences, compared = _priced_differently()
    assert compared == 18_989
    assert differences == listed("Usage objects priced differently")


def _priced_differently() -> tuple[dict[tuple[str, ...], int], int]:
    rows = [
        {
            "kind": "model",
            "provider": extractor["provider_id"],
            "request_model": row["model"],
            "response_model": None,
            "service_tier": None,
            **{ours: each["usage"].get(name) for ours, name in COLUMNS.items()},
            "started_at": AT,
            "usage": each["usage"],
            "prices": (extractor["input_price"], extractor["output_price"]),
        }
        for row in payloads()
        if row["model"]
        for each in row["expected"]
        for extractor in each["extractors"]
    ]
    told = [(row.pop("usage"), row.pop("prices")) for row in rows]
    schema: dict[str, Any] = {**dict.fromkeys(rows[0], pl.String), **dict.fromkeys(COLUMNS, pl.Int64)}
    calls = pl.DataFrame(rows, schema={**schema, "started_at": pl.Datetime("us")})
    ours = price(calls)[0]["cost_usd"]
    found: Counter[tuple[str, ...]] = Counter()
    for row, (tokens, prices), cost in zip(rows, told, ours, strict=True):
        expected = None if prices == (None, None) else sum(float(part or 0) for part in prices)
        if not _same(cost, expected):
            why = _why_cost(row, tokens, cost, expected)
            found[(why, row["provider"], f"`{row['request_model']}`")] += 1
    return dict(found), len(rows)


def _same(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else one == pytest.approx(other, rel=1e-9, abs=1e-13)


def _library(row: dict[str, Any], tokens: dict[str, int]) -> float | None:
    """What the installed price list asks for all that is known of the tokens, images included."""
    try:
        found = genai_prices.calc_price(
            genai_prices.Usage(**tokens),
            row["request_model"],
            provider_id=row["provider"],
            genai_request_timestamp=AT.replace(tzinfo=UTC),
        )
    except LookupError:
        return None
    return float(found.total_price)


def _why_cost(row: dict[str, Any], tokens: dict[str, int], cost: float | None, expected: float | None) -> str:
    listed_now = _library(row, tokens)
    if not tokens and expected == 0:
        return "no usage reported: unknown, not 0"
    if _same(listed_now, cost):
        return "another version of the price list"
    if expected == 0:
        return "listed without rates: unknown, not 0"
    if "output_image_tokens" in tokens:
        return "images have rates of their own"
    return f"unexplained: ours {cost}, expected {expected}, listed {listed_now}"
