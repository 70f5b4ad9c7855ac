"""The errors of the dashboards: one line each, saying what went wrong, where, and what to do."""

from __future__ import annotations


class DashboardError(Exception):
    """Base of every error the dashboards raise on purpose.

    Parameters
    ----------
    what : str
        What went wrong, in a few words.
    where : str
        The place: an address, a directory, a port.
    todo : str
        What the reader should do next.
    """

    def __init__(self, what: str, where: str = "", todo: str = "") -> None:
        self.what, self.where, self.todo = what, where, todo
        line = what + (f" ({where})" if where else "") + (f": {todo}" if todo else "")
        super().__init__(" ".join(line.split()))
