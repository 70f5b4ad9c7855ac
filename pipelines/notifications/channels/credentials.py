"""Secrets of channels, read from where their entries say; a missing one is one clear line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.contracts.channels import Secret
from pipelines.errors import TerminalError

_LONGEST = 8_192


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one channel reads its secrets with.

    Parameters
    ----------
    channel : str
        Its name, for errors.
    environment : mapping
        ``os.environ`` unless a test says otherwise.
    """

    channel: str
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def reveal(self, secret: Secret, what: str) -> str:
        """Return the secret.

        Raises
        ------
        TerminalError
            The variable is not set, the file can't be read, it is empty or holds more than one line.
        """
        where = f"channel {self.channel}, {what}"
        if secret.file is not None:
            place = f"file {secret.file}"
            try:
                with secret.file.open(encoding="utf-8") as file:
                    value = file.read(_LONGEST + 1).rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                todo = f"make {place} readable UTF-8 ({type(error).__name__})"
                raise TerminalError("a secret can't be read", where, todo) from None
        else:
            place = f"environment variable {secret.env}"
            value = self.environment.get(secret.env or "", "")
        if not value.strip():
            raise TerminalError("a secret is missing", where, f"put it into {place}")
        if len(value) > _LONGEST or any(ord(character) < 32 for character in value):
            raise TerminalError("a secret is not one line of text", where, f"put it alone into {place}")
        return value

    def address(self, secret: Secret, what: str) -> str:
        """Return a secret that is an address of HTTP.

        Raises
        ------
        TerminalError
            As :meth:`reveal`; no address, or one that would carry the secret in clear text beyond this machine.
        """
        from pipelines.notifications.channels.http import host_of

        url = self.reveal(secret, what)
        host_of(url, f"channel {self.channel}, {what}", secret=True)
        return url
