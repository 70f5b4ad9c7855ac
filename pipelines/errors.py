"""The errors an operator sees: one line each, saying what went wrong, where, and what to do."""

from __future__ import annotations


class PlumblineError(Exception):
    """Base of every error this product raises on purpose.

    Parameters
    ----------
    what : str
        What went wrong, in a few words.
    where : str
        The place: ``topic[partition]@offset``, a workflow, ``file:line``, an address.
    todo : str
        What the reader should do next.
    """

    def __init__(self, what: str, where: str = "", todo: str = "") -> None:
        self.what, self.where, self.todo = what, where, todo
        line = what + (f" ({where})" if where else "") + (f": {todo}" if todo else "")
        super().__init__(" ".join(line.split()))


class TransientError(PlumblineError):
    """Worth another try as it is: a broker that is starting, a catalog that is locked."""


class TerminalError(PlumblineError):
    """Stops the command: trying again without a change gives the same answer."""
