"""OpenTelemetry's GenAI instrumentation of OpenAI's client, the successor of openai-v2."""

import support
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

provider = support.tracer_provider()
OpenAIInstrumentor().instrument(tracer_provider=provider)
support.both_runs_with_the_client()
provider.shutdown()
