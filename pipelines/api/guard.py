"""The outer ring of the API: who asks, how much they send, and the headers of every answer.

Before routing, so that no path answers without a token, whether it exists or not. There are no cookies and no CORS headers: a
web page of another origin can neither send a token nor read an answer.
"""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.api.problems import problem
from pipelines.tokens import Tokens

#: The largest body that is read, in bytes: a reason and a name need a tenth of it.
MOST_BYTES = 32_768
_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


class Guard:
    """Lets requests through that carry a token and are small enough; the token goes along as ``request.state.token``."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app, self._tokens = app, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return  # the server offers neither websockets nor a lifespan

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        headers: dict[bytes, bytes] = dict(scope["headers"])
        token = self._tokens.bearer(headers.get(b"authorization", b"").decode("latin-1"))
        if token is None:
            refused = problem(401, "a token is needed: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})
            await refused(scope, receive, marked)
            return
        body = await _body(receive, headers)
        if body is None:
            await problem(413, f"the body is larger than {MOST_BYTES:,} bytes", {"Connection": "close"})(
                scope, receive, marked
            )
            return
        scope.setdefault("state", {})["token"] = token
        await self._app(scope, _replayed(body, receive), marked)


async def _body(receive: Receive, headers: dict[bytes, bytes]) -> bytes | None:
    """Return the body, None where it is too large or its sender has hung up."""
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit() or int(declared) > MOST_BYTES:
        return None
    body = b""
    while True:
        message: dict[str, Any] = dict(await receive())
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            return None
        if not message.get("more_body", False):
            return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
