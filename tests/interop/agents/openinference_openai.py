"""OpenInference's instrumentation of OpenAI's client."""

import support
from openinference.instrumentation.openai import OpenAIInstrumentor

provider = support.tracer_provider()
OpenAIInstrumentor().instrument(tracer_provider=provider)
support.both_runs_with_the_client()
provider.shutdown()
