"""The protocol every source keeps: poll a batch of raw messages, know the position, seek to one."""

from __future__ import annotations

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

#: (topic, partition) to the offset of the next message to read.
Positions = dict[tuple[str, int], int]


class Source(Protocol):
    """A replayable log of messages."""

    @property
    def name(self) -> str:
        """What the operator is told the messages come from."""
        ...

    def seek(self, positions: Positions) -> None:
        """Go on from these offsets; partitions not named start at their beginning."""
        ...

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:
        """Return the next messages (``MESSAGE_SCHEMA``), empty when none came within the timeout.

        Raises
        ------
        pipelines.errors.TransientError
            The log did not answer; try again.
        """
        ...

    def open_partitions(self) -> set[tuple[str, int]]:
        """Return the partitions of which more is there than was polled: they hold back the watermark."""
        ...

    #: Whether partitions are read one after the other, so that only the one being read holds back the watermark.
    sequential: bool

    def behind(self, positions: Positions) -> set[tuple[str, int]]:
        """Return the partitions that hold messages after these positions.

        Raises
        ------
        pipelines.errors.TransientError
            The log did not answer; try again.
        """
        ...

    def at_end(self) -> bool:
        """Return whether all that is there has been polled."""
        ...

    def close(self) -> None:
        """Let go of connections and files."""
        ...
