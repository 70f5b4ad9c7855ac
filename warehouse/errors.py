"""The errors of the warehouse: one line each, saying what went wrong, where, and what to do."""

from __future__ import annotations


class WarehouseError(Exception):
    """Base of every error the warehouse raises on purpose.

    Parameters
    ----------
    what : str
        What went wrong, in a few words.
    where : str
        The place: a directory, a table, a statement.
    todo : str
        What the reader should do next.
    """

    def __init__(self, what: str, where: str = "", todo: str = "") -> None:
        self.what, self.where, self.todo = what, where, todo
        line = what + (f" ({where})" if where else "") + (f": {todo}" if todo else "")
        super().__init__(" ".join(line.split()))


class WarehouseBusyError(WarehouseError):
    """Another process held the catalog through every retry: nothing was written, trying again later is safe."""


class StatementRefusedError(WarehouseError):
    """A statement that is not one plain SELECT was given to the reader: nothing was run."""
