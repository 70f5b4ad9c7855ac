"""OpenLLMetry's instrumentation of the OpenAI Agents SDK."""

import agents
import support
from opentelemetry.instrumentation.openai_agents import OpenAIAgentsInstrumentor

provider = support.tracer_provider()
agents.set_trace_processors([])  # the SDK's own uploads to its vendor
OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)
support.both_runs_with_the_agents_sdk()
provider.shutdown()
