"""Each row of the alias table: a real span that carries its key fills its column; a constructed one where none is recorded."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pipelines.contracts.dialects import all_aliases, dialects, embedded_aliases, gaps, kinds, span_aliases
from pipelines.stages.attributes import Keyed, pivot
from pipelines.stages.decode import decode
from pipelines.stages.embedded import embedded
from pipelines.stages.gaps import _holds
from tests.conftest import SHARED_DATA
from tests.pipelines.otlp import as_json, messages, normalised, one_span, request, span

ROWS = [row for row in all_aliases().iter_rows(named=True) if row["path"] != "*"]
#: Keys that no span in ../shared/data/otlp carries with a value that fits: their rows are tested with constructed spans.
CONSTRUCTED = Path(__file__).parent / "constructed_aliases.txt"


#: A name, and which element of the list below it is meant.
STEPS = re.compile(r"\.(\w+)(?:\[\?\(@\.modality=='(\w+)'\)\])?(?=\.|$)")


def name_of(row: dict[str, Any]) -> str:
    return f"{row['column']} {row['key']}{'#' + row['path'] if row['path'] else ''}"


@cache
def real_spans() -> list[dict[str, Any]]:
    """Every recorded span that is an object with a list of attributes."""
    folder = SHARED_DATA / "otlp"
    if not folder.is_dir():
        return []
    documents = [json.loads(path.read_text()) for path in sorted((folder / "live").glob("*.json"))]
    documents += [json.loads(line) for line in (folder / "langfuse_test_otlp.jsonl").read_text().splitlines() if line]
    found: list[dict[str, Any]] = []
    for resource in (each for document in documents for each in document.get("resourceSpans", [])):
        of_resource = (resource.get("resource") or {}).get("attributes")
        for each in (each for scope in resource.get("scopeSpans") or [] for each in scope.get("spans") or []):
            if isinstance(each, dict) and isinstance(each.get("attributes"), list):
                inherited = of_resource if isinstance(of_resource, list) else []
                found.append({**each, "attributes": each["attributes"] + inherited})
    return found


def said(attributes: list[dict[str, Any]], row: dict[str, Any]) -> Any:
    """What a span says under a row's key and path, by plain Python: the oracle; None for nothing."""
    spelling = "^" + re.escape(row["key"]).replace(r"\.N\.", r"\.\d+\.") + "$"
    for pair in attributes:
        if re.match(spelling, str(pair.get("key"))) and isinstance(pair.get("value"), dict):
            value = pair["value"]
            if "arrayValue" in value:
                items = [next(iter(item.values())) for item in value["arrayValue"].get("values", [])]
                value = {"list": items if row["type"] == "strings" else items[0] if items else None}
            return converted(inside(next(iter(value.values()), None), row["path"]), row["type"])
    return None


def inside(value: Any, path: str) -> Any:
    if not path:
        return value
    try:
        value = json.loads(value)
    except (TypeError, ValueError):
        return value if path == "$" else None
    for name, modality in STEPS.findall(path):
        value = value.get(name) if isinstance(value, dict) else None
        if modality:
            of = [each for each in value or [] if isinstance(each, dict) and each.get("modality") == modality]
            value = of[0] if of else None
    return value


def converted(value: Any, kind: str) -> Any:
    if value is None or kind == "strings":
        return value if value is None or isinstance(value, list) else [value]
    if kind == "int":
        try:
            return float(value)
        except (TypeError, ValueError):
            return None
    return value if isinstance(value, str) else json.dumps(value)


def best_of(attributes: list[dict[str, Any]], column: str) -> dict[str, Any] | None:
    """The row of a column that a span fills first: plain attributes before JSON texts, then by priority."""
    rows = [row for row in ROWS if row["column"] == column and said(attributes, row) is not None]
    return min(rows, key=lambda row: row["priority"], default=None)


def column_of(attributes: list[dict[str, Any]], row: dict[str, Any]) -> Any:
    one = span()
    one["attributes"] = attributes
    keyed = Keyed(decode(messages(as_json(request(one)))).attributes)
    columns = pivot(keyed, 1, span_aliases())[0].to_dict()
    for name, values in embedded(keyed, 1).items():
        columns[name] = columns[name].fill_null(values) if name in columns else values
    value = columns[row["column"]][0]
    return value.to_list() if row["type"] == "strings" else value


def constructed(row: dict[str, Any]) -> list[dict[str, Any]]:
    value: Any = {"int": 41, "strings": ["kb-1"]}.get(row["type"], "some text")
    for name, modality in reversed(STEPS.findall(row["path"])):
        value = {name: [{"modality": "TEXT"}, {"modality": modality, **value}] if modality else value}
    text = value if isinstance(value, list) or not row["path"] else json.dumps(value)
    return span({row["key"].replace(".N.", ".0."): text})["attributes"]


def real(row: dict[str, Any]) -> list[dict[str, Any]] | None:
    for each in real_spans():
        if best_of(each["attributes"], row["column"]) == row and not _odd(each["attributes"]):
            return each["attributes"]
    return None


def _odd(attributes: list[dict[str, Any]]) -> bool:
    return any(not isinstance(next(iter(pair["value"].values()), ""), str | int | float | dict) for pair in attributes)


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_each_alias_fills_its_column(row: dict[str, Any]) -> None:
    attributes = real(row) or constructed(row)
    expected = said(attributes, row)
    assert expected is not None
    found = column_of(attributes, row)
    assert found == expected or (row["path"] and json.loads(found) == json.loads(expected))


def test_the_rows_without_a_recorded_span_are_the_listed_ones(shared_data: Path) -> None:
    assert shared_data.is_dir()
    assert sorted(name_of(row) for row in ROWS if real(row) is None) == CONSTRUCTED.read_text().splitlines()


def test_a_value_inside_a_json_text_never_beats_an_attribute_of_its_own() -> None:
    for column, priority in embedded_aliases().select("column", "priority").iter_rows():
        plain = span_aliases().filter(span_aliases()["column"] == column)["priority"]
        assert plain.is_empty() or priority > plain.max(), column  # pyright: ignore[reportOperatorIssue]


def test_no_column_has_two_rows_of_one_priority() -> None:
    table = all_aliases()
    assert table.select("column", "priority").is_unique().all()


def test_every_dialect_and_kind_names_a_column_that_the_alias_table_fills() -> None:
    columns = set(all_aliases()["column"])
    assert set(kinds()) <= columns
    assert set(dialects()["column"]) <= columns | {"scope"}


KINDS = [(column, value, kind) for column, table in kinds().items() for value, kind in table.items()]


@pytest.mark.parametrize(("column", "value", "kind"), KINDS)
def test_each_value_of_a_classifying_key_means_its_kind(column: str, value: str, kind: str) -> None:
    key = all_aliases().filter(all_aliases()["column"] == column)["key"][0]
    assert one_span({key: value})["kind"] == kind
    assert one_span({key: value.upper()})["kind"] == kind


@pytest.mark.parametrize(
    ("attributes", "kind", "dialect"),
    [
        ({"mlflow.spanType": '"CHAT_MODEL"'}, "model", "mlflow"),
        ({"langfuse.observation.type": "generation"}, "model", "langfuse"),
        ({"langsmith.span.kind": "llm"}, "model", "langsmith"),
        ({"ai.operationId": "ai.streamText.doStream"}, "model", "vercel"),
        ({"operation.name": "ai.toolCall checkout"}, "tool", "unknown"),
        ({"gcp.vertex.agent.llm_request": "{}", "gen_ai.request.model": "gemini-2.5-pro"}, "model", "google-adk"),
        ({"gen_ai.usage.cost": 0.1, "gen_ai.operation.name": "chat"}, "model", "openlit"),
        ({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}, "model", "otel"),
        ({"gen_ai.operation.name": "chat", "gen_ai.system": "openai"}, "model", "otel-old"),
        ({"llm.request.type": "chat", "gen_ai.system": "OpenAI"}, "model", "openllmetry-old"),
        ({"traceloop.span.kind": "workflow"}, "run", "openllmetry"),
        ({"openinference.span.kind": "LLM"}, "model", "openinference"),
    ],
)
def test_the_dialect_of_a_span_is_told_by_its_signs(attributes: dict[str, Any], kind: str, dialect: str) -> None:
    row = one_span(attributes)
    assert (row["kind"], row["dialect"]) == (kind, dialect)


@pytest.mark.parametrize("row", list(gaps().iter_rows(named=True)), ids=lambda row: f"{row['scope']} {row['flag']}")
def test_each_known_gap_is_seen_in_the_file_that_it_names(row: dict[str, str], shared_data: Path) -> None:
    path = shared_data / "otlp" / "live" / row["evidence"]
    spans = normalised(path.read_bytes()).spans
    own = spans.filter(spans["scope"] == row["scope"])
    assert own.height and own["package_gaps"].list.contains(row["flag"]).all()
    calls = own.filter(own["kind"] == "model")
    seen = {
        "cached_tokens_not_reported": calls["cached_input_tokens"].null_count() == calls.height,
        "response_model_not_reported": calls["response_model"].null_count() == calls.height,
        # the truth has one call refused with HTTP 429 and two answered
        "failed_calls_not_reported": calls.height == 2,
        "errors_not_reported": calls["quality_flags"].list.contains("error_reported_ok").sum() == 1,
    }
    assert seen[row["flag"]]


def test_a_gap_holds_for_the_versions_that_it_names() -> None:
    assert _holds("0.33.12", "", "0.34") and not _holds("0.62.4", "", "0.34")
    assert _holds("1.2", "1.2", "2") and not _holds("1.1.9", "1.2", "2")
    assert _holds("", "unstated", "") and not _holds("0.62.4", "unstated", "")
    assert not _holds("", "", "0.34") and _holds("", "", "") and _holds("9", "", "")
