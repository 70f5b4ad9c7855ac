"""The real instrumentation packages, through the real OTel SDK and the real Kafka, into the warehouse.

Each program of ``agents`` runs two runs of one agent against a loopback model API: two calls with a tool call between them,
and a call refused with 429. The SDK exports OTLP over HTTP; what arrives is forwarded to the topic unchanged, as a
Collector does; then `plumbline stream` reads the topic, and SQL must say what the API served.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from pipelines.sources.kafka import SOURCE_FILE_HEADER
from tests.conftest import Kafka
from tests.interop.model_api import TOOL, World, world

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-interop" / "bin" / "python"
AGENTS = Path(__file__).parent / "agents"
# US dollars per million tokens: gpt-4.1's list price, input, input read from the cache, output.
PRICES = (2.00, 0.50, 8.00)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a package tells besides the API's truth, which all of them tell whole.

    Attributes
    ----------
    dialect : str
        Of its calls of the model.
    error : str or None
        What the refused call's error is named; None where the package says no more than that it failed.
    workflow : str
        The best name that it gives a run.
    """

    dialect: str
    error: str | None = "RateLimitError"
    workflow: str = "support-agent"


# OpenAI's client knows no workflow: the agent's name, which the program sets, is the best there is.
PACKAGES = {
    "openinference_openai": Expected("openinference", "openai.RateLimitError"),
    "openinference_openai_agents": Expected("openinference", None),
    "openllmetry_openai": Expected("otel"),
    # Whatever the SDK's run is named, the package calls it so.
    "openllmetry_openai_agents": Expected("otel", None, workflow="Agent Workflow"),
    "otel_genai_openai": Expected("otel", "openai.RateLimitError"),
    "otel_genai_openai_agents": Expected("otel", "openai.RateLimitError", workflow="order-support"),
    "pydantic_ai_agent": Expected("pydantic-ai", "pydantic_ai.exceptions.ModelRateLimitError"),
    "traceloop_sdk": Expected("openllmetry", workflow="order-support"),
}

CALLS = """
SELECT
    source_file AS package, count(*) AS calls, count(*) FILTER (status = 'error') AS failed,
    sum(input_tokens) AS input, sum(cached_input_tokens) AS cached, sum(output_tokens) AS output,
    sum(cost_usd) AS cost_usd, list(DISTINCT dialect) AS dialects,
    list(DISTINCT response_model) AS answered, min(error_type) AS error
FROM spans WHERE kind = 'model' GROUP BY ALL
"""
TOOLS = """
SELECT source_file AS package, list(tool_name) AS tools, count(tool_arguments_shape) AS shapes
FROM spans WHERE kind = 'tool' GROUP BY ALL
"""
RUNS = """
WITH runs AS (
    SELECT source_file AS package, run_id, arg_min(workflow, workflow_rank) AS workflow, min(agent) AS agent
    FROM spans GROUP BY ALL
)
SELECT package, count(*) AS runs, list(DISTINCT workflow) AS workflows, list(DISTINCT agent) AS agents
FROM runs GROUP BY ALL
"""
DOUBTS = """
SELECT source_file AS package, flag, count(*) AS spans
FROM (SELECT source_file, unnest(quality_flags) AS flag FROM spans) GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the API served, what the programs said, and what the warehouse says, per package."""

    met: World
    programs: dict[str, subprocess.CompletedProcess[str]]
    dead_letters: int
    tables: dict[str, dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def outcome(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    if not PYTHON.exists():
        pytest.skip("no .venv-interop: `make interop` makes it and runs these tests")
    home, topic = tmp_path_factory.mktemp("interop"), kafka.topic(partitions=4, prefix="interop")
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all")

    def forward(program: str, body: bytes) -> None:
        producer.send(topic, value=body, headers=[(SOURCE_FILE_HEADER, program.encode())]).get(timeout=30)

    try:
        with world(forward) as met, ThreadPoolExecutor(2) as pool:
            ran = dict(zip(PACKAGES, pool.map(lambda name: _run(name, met.url), PACKAGES), strict=True))
    finally:
        producer.close(timeout=10)

    def plumbline(*arguments: str) -> str:
        command = [
            sys.executable,
            "-P",
            "-m",
            "pipelines",
            "--home",
            home,
            "--bootstrap-servers",
            kafka.bootstrap_servers,
        ]
        settings = {"TOPIC": topic, "GROUP_ID": topic, "ALERTS_TOPIC": f"{topic}.alerts"}
        settings["DEAD_LETTER_TOPIC"] = f"{topic}.dead"
        environment = {"PATH": "/usr/bin:/bin"} | {f"PLUMBLINE_{name}": value for name, value in settings.items()}
        done = subprocess.run(
            [*command, *arguments], env=environment, cwd=home, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(sql: str) -> list[dict[str, Any]]:
        return json.loads(plumbline("sql", sql, "--format", "json"))

    plumbline("stream", "--until-end")
    queries = {"calls": CALLS, "tools": TOOLS, "runs": RUNS, "doubts": DOUBTS}
    tables = {name: {row["package"]: row for row in rows(sql)} for name, sql in queries.items()}
    return Outcome(met, ran, rows("SELECT count(*) AS n FROM dead_letters")[0]["n"], tables)


def _run(name: str, url: str) -> subprocess.CompletedProcess[str]:
    # No proxy or setting of this machine's is passed on.
    return subprocess.run(
        [PYTHON, AGENTS / f"{name}.py", url],
        env={"PATH": "/usr/bin:/bin", "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_every_program_has_its_expectations() -> None:
    assert {path.stem for path in AGENTS.glob("*.py")} - {"support"} == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_program_ran_and_met_only_loopback(package: str, outcome: Outcome) -> None:
    program = outcome.programs[package]
    assert program.returncode == 0, program.stderr  # 70: it reached for another host
    assert outcome.met.requests[package] >= 5
    assert outcome.met.unknown == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_warehouse_says_what_the_api_served(package: str, outcome: Outcome) -> None:
    served = outcome.met.served[package]
    found, expected = outcome.tables["calls"][package], PACKAGES[package]
    assert (found["calls"], found["failed"]) == (len(served), sum(call.status != 200 for call in served)) == (3, 1)
    tokens = {
        "input": sum(call.input_tokens for call in served),
        "cached": sum(call.cached_tokens for call in served),
        "output": sum(call.output_tokens for call in served),
    }
    assert {name: found[name] for name in tokens} == tokens
    usage = (tokens["input"] - tokens["cached"], tokens["cached"], tokens["output"])
    cost = sum(price * count for price, count in zip(PRICES, usage, strict=True)) / 1e6
    assert found["cost_usd"] == pytest.approx(cost, rel=1e-9)
    assert (found["error"], found["dialects"]) == (expected.error, [expected.dialect])


@pytest.mark.parametrize("package", PACKAGES)
def test_tool_calls_and_runs_are_those_of_the_agent(package: str, outcome: Outcome) -> None:
    served = outcome.met.served[package]
    assert outcome.tables["tools"][package]["tools"] == [TOOL] * sum(call.tool_calls for call in served)
    runs = outcome.tables["runs"][package]
    assert (runs["runs"], runs["workflows"]) == (2, [PACKAGES[package].workflow])
    assert runs["agents"] == ["support-agent"]


def test_nothing_was_set_aside_or_doubted(outcome: Outcome) -> None:
    assert outcome.dead_letters == 0
    assert outcome.tables["doubts"] == {}
