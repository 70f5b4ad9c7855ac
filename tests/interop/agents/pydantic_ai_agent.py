"""Pydantic AI with its own instrumentation, on OpenAI's chat completions."""

import support
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = support.tracer_provider()
Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))
model = OpenAIChatModel(support.MODEL, provider=OpenAIProvider(openai_client=AsyncOpenAI(max_retries=0)))
agent = Agent(model, name=support.AGENT, instructions=support.INSTRUCTIONS, tools=[support.get_order_status])
agent.run_sync(support.QUESTION)
try:
    agent.run_sync(support.REFUSED)
except ModelHTTPError:
    provider.shutdown()
else:
    raise AssertionError("the API did not refuse")
