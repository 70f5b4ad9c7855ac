"""A loopback stand-in for the outer world of an agent: a model API, and an OTLP/HTTP receiver that forwards to the topic.

The API answers as OpenAI's chat completions and responses do, with fixed usage: first a tool call, after the tool's result
the answer, and HTTP 429 to whoever asks to be refused. What it served is the truth that the warehouse is held against.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "gpt-4.1-2025-04-14"
TOOL, ARGUMENTS = "get_order_status", '{"order_id": "A-1001"}'
REFUSE = "Refuse this one."


@dataclass(frozen=True, slots=True)
class Served:
    """One call of the model as the API billed it.

    Attributes
    ----------
    status : int
        HTTP status.
    input_tokens, cached_tokens, output_tokens : int
        ``cached_tokens`` are a part of ``input_tokens``.
    tool_calls : int
        Tool calls in the answer.
    """

    status: int
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    tool_calls: int = 0


TOOL_CALL = Served(200, 1412, 1280, 18, tool_calls=1)
ANSWER = Served(200, 1460, 1408, 12)
REFUSED = Served(429)


@dataclass(slots=True)
class World:
    """What the agents of one test met.

    Attributes
    ----------
    url : str
        ``http://127.0.0.1:port``.
    served : dict of str to list of Served
        By API key, which each agent's program sets to its own name.
    requests : dict of str to int
        OTLP requests by program, which is named in the address.
    unknown : list of str
        Requests that are neither to the model nor OTLP.
    """

    url: str = ""
    served: dict[str, list[Served]] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


@contextmanager
def world(forward: Callable[[str, bytes], None]) -> Iterator[World]:
    """Serve on a free loopback port.

    Parameters
    ----------
    forward : callable
        Gets the program's name and the body of each OTLP trace request, unchanged.
    """
    met = World()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(met, forward))
    met.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield met
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(met: World, forward: Callable[[str, bytes], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            name = self.headers.get("Authorization", "").removeprefix("Bearer ")
            _, _, program = self.path.rpartition("/v1/traces/")
            if self.path.startswith("/v1/traces/") and self.headers.get("Content-Encoding", "identity") == "identity":
                met.requests[program] = met.requests.get(program, 0) + 1
                forward(program, body)
                self._answer(200, b"", "application/x-protobuf")
            elif self.path in ("/v1/chat/completions", "/v1/responses"):
                chat = self.path.endswith("completions")
                asked = json.loads(body)
                call = _decide(asked["messages" if chat else "input"])
                met.served.setdefault(name, []).append(call)
                document = _refusal() if call is REFUSED else _completion(call) if chat else _response(call)
                self._answer(call.status, json.dumps(document).encode(), "application/json")
            else:
                self._unknown()

        def _unknown(self) -> None:
            met.unknown.append(f"{self.command} {self.path}")
            self._answer(404, b"", "text/plain")

        def do_GET(self) -> None:
            self._unknown()

        def do_CONNECT(self) -> None:
            self._unknown()

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


def _decide(conversation: str | list[dict[str, Any]]) -> Served:
    if REFUSE in json.dumps(conversation):
        return REFUSED
    last = conversation[-1] if isinstance(conversation, list) else {}
    return ANSWER if last.get("role") == "tool" or last.get("type") == "function_call_output" else TOOL_CALL


def _refusal() -> dict[str, Any]:
    message = {"message": "Rate limit reached", "type": "rate_limit_error", "code": "rate_limit_exceeded"}
    return {"error": {**message, "param": None}}


def _completion(call: Served) -> dict[str, Any]:
    function = {"name": TOOL, "arguments": ARGUMENTS}
    message: dict[str, Any] = {"role": "assistant", "content": None if call.tool_calls else "It has shipped."}
    if call.tool_calls:
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
    return {
        "id": f"chatcmpl-{call.input_tokens}",
        "object": "chat.completion",
        "created": 1_788_000_000,
        "model": MODEL,
        "choices": [{"index": 0, "finish_reason": "tool_calls" if call.tool_calls else "stop", "message": message}],
        "usage": {
            "prompt_tokens": call.input_tokens,
            "completion_tokens": call.output_tokens,
            "total_tokens": call.input_tokens + call.output_tokens,
            "prompt_tokens_details": {"cached_tokens": call.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
    }


def _response(call: Served) -> dict[str, Any]:
    said = {"type": "output_text", "text": "It has shipped.", "annotations": [], "logprobs": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [said]}
    function = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": TOOL, "arguments": ARGUMENTS}
    return {
        "id": f"resp_{call.input_tokens}",
        "object": "response",
        "created_at": 1_788_000_000,
        "status": "completed",
        "model": MODEL,
        "output": [{**function, "status": "completed"} if call.tool_calls else message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": call.input_tokens,
            "input_tokens_details": {"cached_tokens": call.cached_tokens},
            "output_tokens": call.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": call.input_tokens + call.output_tokens,
        },
    }
