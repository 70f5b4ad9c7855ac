"""OpenLLMetry's instrumentation of OpenAI's client, without Traceloop's SDK."""

import support
from opentelemetry.instrumentation.openai import OpenAIInstrumentor

provider = support.tracer_provider()
OpenAIInstrumentor().instrument(tracer_provider=provider)
support.both_runs_with_the_client()
provider.shutdown()
