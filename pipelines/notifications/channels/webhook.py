"""A signed POST of JSON to an address of the receiver's own.

References
----------
Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks): headers, signature scheme and payload.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time

from pipelines.contracts.channels import WebhookEntry
from pipelines.errors import TerminalError
from pipelines.notifications.answers import never_raises
from pipelines.notifications.channels.credentials import Credentials
from pipelines.notifications.channels.http import Http, host_of
from pipelines.notifications.documents import encoded, notification, utc
from pipelines.notifications.message import Answer, Message

#: The longest body, in bytes: receivers behind common gateways take this much.
LIMIT = 128 * 1024
_PREFIX = "whsec_"


class WebhookChannel:
    """Posts each message as ``{type, timestamp, data}``, signed.

    Raises
    ------
    TerminalError
        A secret that is missing or is no webhook secret; a token over clear text.
    """

    def __init__(self, name: str, entry: WebhookEntry, credentials: Credentials) -> None:
        self.name = name
        self._url = entry.url
        host_of(entry.url, f"channel {name}, url", secret=entry.token is not None)
        given = {"secret": entry.secret, "previous_secret": entry.previous_secret}
        secrets = {what: credentials.reveal(secret, what) for what, secret in given.items() if secret is not None}
        self._keys = [_key(secret, f"channel {name}, {what}") for what, secret in secrets.items()]
        token = credentials.reveal(entry.token, "token") if entry.token else None
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = Http(entry, [*secrets.values(), token or ""], f"channel {name}")

    @never_raises
    def send(self, message: Message) -> Answer:
        """Post the message once."""
        event = {
            "type": f"plumbline.{message.kind}.{message.occasion}",
            "timestamp": utc(message.changed_at),
            "data": notification(message),
        }
        body = encoded(event, LIMIT)
        at = str(int(time.time()))
        headers = {
            "webhook-id": message.notification_id,
            "webhook-timestamp": at,
            "webhook-signature": " ".join(signature(key, message.notification_id, at, body) for key in self._keys),
        }
        return self._http.post(self._url, body, {**headers, **self._headers}).answer

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()


def signature(key: bytes, name: str, timestamp: str, body: bytes) -> str:
    """Return the signature of one message: HMAC-SHA256 over id, timestamp and body, joined by full stops."""
    signed = f"{name}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _key(secret: str, where: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        todo = "make one: whsec_ and the base64 of 24 to 64 random bytes, as `openssl rand -base64 32` prints"
        raise TerminalError("not a webhook secret", where, todo)
    return key
