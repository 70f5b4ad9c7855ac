"""What must not be stored is nowhere in the warehouse: secrets in any place of a span, content that a policy keeps out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.contracts.content import CLASSES
from pipelines.settings import Settings
from pipelines.stages.mask import CUT, LONGEST_NAME
from pipelines.stages.rest import MOST
from tests.pipelines.otlp import as_json, as_protobuf, request, span
from tests.pipelines.stages.test_mask import SECRETS
from tests.pipelines.test_late_outcomes import stream, written
from warehouse import Warehouse

HERE = Path(__file__).parents[2]


def everything_stored(home: Path) -> str:
    """Every value of every table, and the catalog's own bytes."""
    settings = Settings(home=home)
    texts: list[str] = []
    with Warehouse.open(settings.warehouse, read_only=True) as warehouse:
        tables = warehouse.query("SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'")["table_name"]
        for table in tables:
            texts.append(repr(warehouse.query(f'SELECT * FROM "{table}"').rows()))
    for file in settings.warehouse.rglob("*.parquet"):
        texts.append(repr(pl.read_parquet(file, hive_partitioning=False).rows()))
    for file in settings.warehouse.glob("catalog*"):
        texts.append(file.read_bytes().decode("latin-1"))
    return "\n".join(texts)


def stored(home: Path, sql: str) -> pl.DataFrame:
    with Warehouse.open(Settings(home=home).warehouse, read_only=True) as warehouse:
        return warehouse.query(sql)


def content_keys() -> list[tuple[str, str, str]]:
    """(event, key, holds) of every row of content.csv, with an index and an ending where it has a pattern."""
    table = pl.read_csv(HERE / "pipelines/contracts/content.csv", comment_prefix="#").fill_null("")
    return [
        (event.replace("*", "user.message"), key.replace(".N", ".0").replace("*", "content"), holds)
        for _, event, key, holds, _ in table.iter_rows()
    ]


def aliased_keys() -> list[str]:
    keys: list[str] = []
    for name in ("aliases.csv", "event_aliases.csv"):
        keys += pl.read_csv(HERE / "pipelines/contracts" / name, comment_prefix="#")["key"].to_list()
    return [key.replace(".N", ".0") for key in keys]


def planted(secret: str, number: int, *, deep: bool) -> dict[str, Any]:
    """A request with the secret in every place that holds text."""
    text = f"see {secret} here"
    keys = {key for event, key, _ in content_keys() if not event} | set(aliased_keys())
    attributes: dict[str, Any] = {
        **dict.fromkeys(sorted(keys), text),
        "gen_ai.operation.name": "execute_tool",
        "list": [text, secret],
        "json": json.dumps({"a": [secret, {"b": text}]}),
        f"key.{secret}": 1,
    }
    if deep:
        attributes["object"] = {"deep": {"er": text}, secret: 1}
    events = [(event, {key: text}) for event, key, _ in content_keys() if event]
    events += [("plumbline.approval", {"plumbline.approval.status": "granted", "plumbline.approval.by": secret})]
    events += [("exception", {"exception.type": secret, "exception.message": text, "exception.stacktrace": text})]
    events += [(text, {"x": text})]
    one = span(attributes, trace_id=f"{number:032x}", name=text, events=events, parent="")
    one["status"] = {"code": 2, "message": text}
    return request(one, resource={"service.name": secret, "plumbline.team": secret, "host": text})


@pytest.mark.parametrize("encode", [as_json, as_protobuf])
def test_no_planted_secret_is_anywhere_in_the_warehouse(encode: Any, tmp_path: Path) -> None:
    names = [name for name in SECRETS if not name.startswith("e-mail-idn")]
    lines = [encode(planted(SECRETS[name], number, deep=encode is as_json)) for number, name in enumerate(names, 1)]
    traces = tmp_path / "traces"
    if encode is as_json:
        written(traces, *lines)
    else:
        traces.write_bytes(b"".join(_varint(len(line)) + line for line in lines))
    told = [{"session_id": SECRETS[n], "status": "success", "name": SECRETS[n], "source": SECRETS[n]} for n in names]
    told += [{"run_id": "x", "status": SECRETS[name]} for name in names]
    progress = stream(
        tmp_path / "home", [traces], [written(tmp_path / "outcomes.jsonl", *told)], keep_dead_letter_payload=False
    )
    assert (progress.spans, progress.outcomes, progress.dead_letters) == (len(names), len(names), len(names))
    everything = everything_stored(tmp_path / "home")
    assert [name for name in names if SECRETS[name] in everything] == []


def _varint(length: int) -> bytes:
    prefix = b""
    while True:
        length, low = length >> 7, length & 0x7F
        prefix += bytes([low | (0x80 if length else 0)])
        if not length:
            return prefix


@pytest.mark.parametrize("treatment", ["drop", "hash", "mask", "keep"])
@pytest.mark.parametrize("kind", ["model", "tool"])
def test_content_is_treated_as_the_workflow_s_policy_says_under_every_key(
    treatment: str, kind: str, tmp_path: Path
) -> None:
    catalog = tmp_path / "catalog.yaml"
    said = ", ".join(f"{name}: {treatment}" for name in CLASSES)
    catalog.write_text(f"content: {{{said}}}\nworkflows:\n  open: {{content: {{messages: keep}}}}\n", encoding="utf-8")
    attributes = {key: f"words under {key}" for event, key, _ in content_keys() if not event}
    attributes.pop("events")  # the document's own events go under this key
    attributes |= {"gen_ai.operation.name": {"model": "chat", "tool": "execute_tool"}[kind]}
    attributes |= {"plumbline.workflow": "closed", "other": "words elsewhere"}
    events = [(event, {key: f"words under {event} {key}"}) for event, key, _ in content_keys() if event]
    written(tmp_path / "t.jsonl", as_json(request(span(attributes, events=events))))
    stream(tmp_path / "home", [tmp_path / "t.jsonl"], [], catalog=catalog, hash_key="k")
    (row,) = stored(tmp_path / "home", "SELECT attributes FROM spans")["attributes"].to_list()
    document = json.loads(row)
    assert document["other"] == "words elsewhere"
    keys = [key for event, key, _ in content_keys() if not event and key != "events"]
    values = {key: document.get(key) for key in keys} | {
        f"{number}": next((value for key, value in event.items() if key != "name"), None)
        for number, event in enumerate(document["events"])
    }
    assert len(values) > 80
    looks = {
        "drop": lambda value: value is None,
        "hash": lambda value: value.startswith("[hash "),
        "mask": lambda value: value.startswith("[masked ") and value.endswith(" characters]"),
        "keep": lambda value: value.startswith("words under"),
    }[treatment]
    assert [key for key, value in values.items() if not looks(value)] == []


def test_a_document_of_several_classes_is_treated_as_the_strictest_and_each_workflow_by_its_own(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text(
        "content: {messages: mask}\nworkflows:\n  open: {content: {messages: keep, tool_results: drop}}\n",
        encoding="utf-8",
    )
    both = {"input.value": "asked", "gen_ai.prompt.0.content": "said", "gen_ai.tool.call.result": "found"}
    written(
        tmp_path / "t.jsonl",
        as_json(
            request(
                span({**both, "plumbline.workflow": "open"}, span_id="1" * 16),
                span({**both, "plumbline.workflow": "open", "gen_ai.operation.name": "execute_tool"}, span_id="2" * 16),
                span(both, span_id="3" * 16),  # named after its service, so the default holds
            )
        ),
    )
    stream(tmp_path / "home", [tmp_path / "t.jsonl"], [], catalog=catalog)
    found = [
        {key: value for key, value in json.loads(text).items() if key in both}
        for text in stored(tmp_path / "home", "SELECT attributes FROM spans ORDER BY span_id")["attributes"]
    ]
    assert found == [
        {},  # documents may hold tool results: dropped with them
        {"input.value": "asked"},  # on a tool span this is its arguments
        {
            "input.value": "[masked 5 characters]",
            "gen_ai.prompt.0.content": "[masked 4 characters]",
            "gen_ai.tool.call.result": "found",
        },
    ]


def test_what_is_too_large_is_cut_and_the_cut_is_marked(tmp_path: Path) -> None:
    long = "x" * 1_000_000
    secret = SECRETS["github"]
    spans = [
        span({"gen_ai.tool.name": long, "session.id": long, "note": long * 10}, span_id="1" * 16, name=long),
        span({f"k{number}": number for number in range(100_000)}, span_id="2" * 16),
        span(span_id="3" * 16, events=[(f"e{number}", {}) for number in range(10_000)]),
        # The cut goes through the secret: no part of it is left.
        span({"note": "y" * (16_384 - 10) + " " + secret + " " + long}, span_id="4" * 16),
        span({"k" * 5000: 1, "list": [long]}, span_id="5" * 16),
    ]
    written(tmp_path / "t.jsonl", as_json(request(*spans)))
    stream(tmp_path / "home", [tmp_path / "t.jsonl"], [])
    rows = stored(tmp_path / "home", "SELECT * FROM spans ORDER BY span_id").rows(named=True)
    first = rows[0]
    assert all(len(first[name]) <= LONGEST_NAME and CUT in first[name] for name in ("name", "tool_name", "session_id"))
    assert all(len(row["attributes"]) < 120_000 for row in rows)
    documents = [json.loads(row["attributes"]) for row in rows]
    assert documents[0]["note"].endswith(CUT)
    assert (len(documents[1]), documents[1][CUT]) == (MOST + 1, 100_000 - MOST)
    assert (len(documents[2]["events"]), documents[2]["events"][-1]["left_out"]) == (MOST + 1, 10_000 - MOST)
    assert secret[:8] not in rows[3]["attributes"]
    assert any(key.endswith(CUT) for key in documents[4]) and documents[4]["list"][0].endswith(CUT)
    assert all("attribute_cut" in row["quality_flags"] for row in rows[:4])


def test_a_value_named_a_credential_is_masked_whatever_it_looks_like(tmp_path: Path) -> None:
    attributes = {
        "db.password": "tulip",
        "x.api_key": 1234,
        "http.request.header.authorization": ["tulip"],
        "tokens": 3,
    }
    written(tmp_path / "t.jsonl", as_json(request(span(attributes), resource={"service.secret": "tulip"})))
    stream(tmp_path / "home", [tmp_path / "t.jsonl"], [])
    (text,) = stored(tmp_path / "home", "SELECT attributes FROM spans")["attributes"]
    document = json.loads(text)
    assert "tulip" not in text and document["x.api_key"] == "[masked]" and document["tokens"] == 3


def test_dead_letters_can_be_kept_without_their_bytes(tmp_path: Path) -> None:
    written(tmp_path / "t.jsonl", b'{"secret": "tulip"')
    stream(tmp_path / "home", [tmp_path / "t.jsonl"], [], keep_dead_letter_payload=False)
    assert stored(tmp_path / "home", "SELECT payload FROM dead_letters")["payload"].to_list() == [b""]
