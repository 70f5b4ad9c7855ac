"""What can be wrong with what a caller hands to the detectors: a frame, a state, a setting."""

from __future__ import annotations


class DetectorError(Exception):
    """Base: says what is wrong, where, and what to do, in one line.

    Parameters
    ----------
    what, where, todo : str
        As in ``what (where): todo``.
    """

    def __init__(self, what: str, where: str = "", todo: str = "") -> None:
        self.what, self.where, self.todo = what, where, todo
        line = what + (f" ({where})" if where else "") + (f": {todo}" if todo else "")
        super().__init__(" ".join(line.split()))


class StateError(DetectorError):
    """The bytes are not a state that this version and these settings can go on from."""


class ObservationError(DetectorError):
    """The frame lacks a column or has one of another type: a fault of the program, never of the traffic."""


class SettingsError(DetectorError):
    """A setting is outside its range."""
