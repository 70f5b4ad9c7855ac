"""What the agents' programs share: the OTel SDK with its OTLP/HTTP exporter, and a conversation through OpenAI's client.

Each program is run as ``python PROGRAM.py URL`` with the interpreter of ``.venv-interop``. Its own name is its API key and
stands in the address it exports to. No connection leaves loopback: the first that tries ends the process with status 70.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

URL = sys.argv[1]
NAME = Path(sys.argv[0]).stem
ENDPOINT = f"{URL}/v1/traces/{NAME}"
MODEL = "gpt-4.1"
WORKFLOW, AGENT = "order-support", "support-agent"
INSTRUCTIONS = "You answer questions about orders."
QUESTION, REFUSED = "Where is order A-1001?", "Refuse this one."
TOOL = {
    "name": "get_order_status",
    "description": "The status of an order.",
    "parameters": {
        "type": "object",
        "properties": {"order_id": {"type": "string"}},
        "required": ["order_id"],
        "additionalProperties": False,
    },
}


def _stay_on_loopback(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        place = arguments[1]
    elif event == "socket.getaddrinfo":
        place = arguments[:1]
    else:
        return
    if isinstance(place, tuple) and place[0] not in ("127.0.0.1", "localhost", "::1", None):
        print(f"{NAME} reaches for {place}", file=sys.stderr, flush=True)
        os._exit(70)


sys.addaudithook(_stay_on_loopback)
os.environ.update(
    OPENAI_API_KEY=NAME,
    OPENAI_BASE_URL=f"{URL}/v1",
    OTEL_SERVICE_NAME=f"{NAME}-service",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=ENDPOINT,
    TRACELOOP_TELEMETRY="false",
    TRACELOOP_METRICS_ENABLED="false",
    TRACELOOP_LOGGING_ENABLED="false",
)


def get_order_status(order_id: str) -> str:
    """The status of an order."""
    return json.dumps({"order_id": order_id, "status": "shipped"})


def tracer_provider() -> Any:
    """Return the SDK's provider, exporting each span as it ends."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider


def answered(tool: Any = get_order_status) -> None:
    """Ask through OpenAI's client, call the tool that the model wants, and ask again."""
    from openai import OpenAI

    client = OpenAI(max_retries=0)
    messages: list[Any] = [
        {"role": "system", "content": INSTRUCTIONS},
        {"role": "user", "content": QUESTION},
    ]
    tools: Any = [{"type": "function", "function": TOOL}]
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=tools).choices[0].message
    messages.append(first.model_dump(exclude_none=True))
    for call in first.tool_calls or ():
        result = tool(**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    client.chat.completions.create(model=MODEL, messages=messages, tools=tools)


def refused() -> None:
    """Ask once more, and be refused with 429."""
    from openai import OpenAI, RateLimitError

    try:
        OpenAI(max_retries=0).chat.completions.create(model=MODEL, messages=[{"role": "user", "content": REFUSED}])
    except RateLimitError:
        return
    raise AssertionError("the API did not refuse")


def in_agent_span(work: Any, *, tool: Any = None) -> None:
    """Run `work` below a span of the application's own, as instrumentations of a client alone are used."""
    from opentelemetry import trace

    names = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": AGENT}
    with trace.get_tracer(AGENT).start_as_current_span(f"invoke_agent {AGENT}", attributes=names):
        work() if tool is None else work(tool)


def traced_tool(order_id: str) -> str:
    """The tool below an execute_tool span of the application's own."""
    from opentelemetry import trace

    names = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": TOOL["name"], "gen_ai.tool.call.id": "call_1"}
    with trace.get_tracer(AGENT).start_as_current_span(f"execute_tool {TOOL['name']}", attributes=names):
        return get_order_status(order_id)


def both_runs_with_the_client() -> None:
    """The scenario for instrumentations of OpenAI's client: they know nothing of agents and tools."""
    in_agent_span(answered, tool=traced_tool)
    in_agent_span(refused)


def both_runs_with_the_agents_sdk() -> None:
    """The scenario through the OpenAI Agents SDK, which speaks the Responses API."""
    import agents
    from openai import AsyncOpenAI, RateLimitError

    agents.set_default_openai_client(AsyncOpenAI(max_retries=0), use_for_tracing=False)
    agent = agents.Agent(
        name=AGENT, instructions=INSTRUCTIONS, model=MODEL, tools=[agents.function_tool(get_order_status)]
    )
    config = agents.RunConfig(workflow_name=WORKFLOW)
    agents.Runner.run_sync(agent, QUESTION, run_config=config)
    try:
        agents.Runner.run_sync(agent, REFUSED, run_config=config)
    except RateLimitError:
        return
    raise AssertionError("the API did not refuse")
