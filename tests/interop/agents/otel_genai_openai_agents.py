"""OpenTelemetry's GenAI instrumentation of the OpenAI Agents SDK, the successor of openai-agents-v2.

It tells of workflow, agents and tools; the calls of the model are the client instrumentation's.
"""

import support
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.genai.openai_agents import OpenAIAgentsInstrumentor

provider = support.tracer_provider()
OpenAIInstrumentor().instrument(tracer_provider=provider)
OpenAIAgentsInstrumentor().instrument(tracer_provider=provider, disable_openai_trace_export=True)
support.both_runs_with_the_agents_sdk()
provider.shutdown()
