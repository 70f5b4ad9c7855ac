"""The protocol every source keeps: poll a batch of raw messages, know the position, seek to one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import polars as pl

#: One row per message. ``offset`` increases within (topic, partition); ``next_offset`` is where to go on after this row.
MESSAGE_SCHEMA: dict[str, pl.DataType] = {
    "topic": pl.String(),
    "partition": pl.Int32(),
    "offset": pl.Int64(),
    "next_offset": pl.Int64(),
    "message_at": pl.Datetime("us"),
    "source_file": pl.String(),
    "headers": pl.String(),
    "value": pl.Binary(),
}

#: Topic names of files that hold outcomes begin so; those of trace files with ``file:``.
OUTCOME_FILES = "outcomes:"

#: (topic, partition) to the offset of the next message to read.
Positions = dict[tuple[str, int], int]


class Source(Protocol):
    """A replayable log of messages."""

    @property
    def name(self) -> str:
        """What the operator is told the messages come from."""
        ...

    def seek(self, committed: Callable[[], Positions]) -> None:
        """Go on from the offsets that the warehouse holds; partitions not named there start at their beginning.

        ``committed`` is asked whenever a partition is handed over: another worker may have committed since.
        """
        ...

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:
        """Return the next messages (``MESSAGE_SCHEMA``), empty when none came within the timeout.

        Raises
        ------
        pipelines.errors.TransientError
            The log did not answer; try again.
        """
        ...

    #: Whether partitions are read one after the other, so that only the one being read holds back the watermark.
    sequential: bool

    def open_partitions(self, taken: Positions) -> set[tuple[str, int]]:
        """Return the partitions, whoever reads them, that hold back the watermark of detection at these positions.

        Those with messages after them, and those that had some a moment ago.

        Raises
        ------
        pipelines.errors.TransientError
            The log did not answer; try again.
        """
        ...

    def skipped(self, committed: Positions) -> Positions:
        """Return the positions beyond the committed ones to which this reader came without a message on the way."""
        ...

    def lag(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Return (position, end) of every partition that is this reader's now.

        Raises
        ------
        pipelines.errors.TransientError
            The log did not answer; try again.
        """
        ...

    def on_hold(self) -> set[tuple[str, int]]:
        """Return those of this reader's partitions that nothing is read of for now."""
        ...

    def expired(self) -> list[tuple[str, int, int, int]]:
        """Return (topic, partition, offset, first offset that is left) where the log lost messages before they were read."""
        ...

    def hold(self, partitions: set[tuple[str, int]]) -> None:
        """Read nothing of these partitions for now, and on in all others."""
        ...

    def restart(self) -> None:
        """Let go of the connection and read on through a new one, from the warehouse's positions.

        Raises
        ------
        pipelines.errors.TransientError
            The log did not answer; try again.
        """
        ...

    def at_end(self) -> bool:
        """Return whether all that was there at the first call has been polled, here or by another worker.

        Raises
        ------
        pipelines.errors.TransientError
            The log did not answer; try again.
        """
        ...

    def close(self) -> None:
        """Let go of connections and files."""
        ...
