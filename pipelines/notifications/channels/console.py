"""Lines on the console: what an operator sees without any other channel."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.notifications.answers import answer, never_raises
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.notifications.rendering import render


class ConsoleChannel:
    """Prints one line for each message, and one for each item of a digest.

    Parameters
    ----------
    write : callable
        Gets each line, as text without a line break.
    """

    def __init__(self, name: str, write: Callable[[str], None]) -> None:
        self.name = name
        self._write = write

    @never_raises
    def send(self, message: Message) -> Answer:
        """Print the message."""
        rendered = render(message)
        self._write(f"{message.kind} {message.subject_id} {message.state} · {rendered.title}")
        for item in rendered.items:
            self._write(f"  {item}")
        if rendered.more:
            self._write(f"  {rendered.more}")
        return answer(Verdict.DELIVERED, "printed")

    def close(self) -> None:
        """Nothing to let go of."""
