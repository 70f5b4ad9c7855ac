"""Traceloop's SDK with its decorators, and the instrumentation of OpenAI's client that it switches on."""

import support
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import agent, tool, workflow
from traceloop.sdk.instruments import Instruments

Traceloop.init(
    app_name=support.AGENT,
    exporter=OTLPSpanExporter(),
    disable_batch=True,
    telemetry_enabled=False,
    instruments={Instruments.OPENAI},
)


@tool(name=support.TOOL["name"])
def look_up(order_id: str) -> str:
    """The tool."""
    return support.get_order_status(order_id)


@agent(name=support.AGENT)
def support_agent(work) -> None:
    """The agent."""
    work()


@workflow(name=support.WORKFLOW)
def order_support(work) -> None:
    """The workflow."""
    support_agent(work)


Traceloop.set_association_properties({"session_id": "conversation-1"})
order_support(lambda: support.answered(look_up))
order_support(support.refused)
