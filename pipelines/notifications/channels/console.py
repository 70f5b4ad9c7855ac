"""Lines on the console: what an operator sees without any other channel."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.notifications.answers import answer, never_raises
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.notifications.rendering import TITLE, clean, render


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
        self._write(_line(message))
        rendered = render(message)
        for item in rendered.items:
            self._write(f"  {item}")
        if rendered.more:
            self._write(f"  {rendered.more}")
        return answer(Verdict.DELIVERED, "printed")

    def close(self) -> None:
        """Nothing to let go of."""


def _line(message: Message) -> str:
    workflow = f" · {clean(message.workflow, TITLE)}" if message.workflow else ""
    # What the state does not say.
    again = f" · {message.occasion}" if message.occasion in ("renotified", "escalated", "reopened") else ""
    what = f"{message.kind} {message.subject_id} {message.severity} {message.state}"
    return f"{what}{workflow} · {clean(message.headline, TITLE)}{again}"
