"""OTLP files as a source: JSON lines, one JSON document, or length-delimited protobuf. Offsets are byte positions."""

from __future__ import annotations

import glob
import mmap
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from pipelines.errors import TerminalError
from pipelines.sources.base import MESSAGE_SCHEMA, OUTCOME_FILES, Positions

#: A length prefix beyond this is no length: the stream of records is out of step from here.
LONGEST_RECORD_BYTES = 256 * 2**20
_LET_GO_BYTES = 32 * 2**20


def expand(patterns: Sequence[str]) -> list[Path]:
    """Return the files that globs or paths name, sorted within each pattern, each once.

    Raises
    ------
    TerminalError
        A pattern that names no file.
    """
    files: dict[Path, None] = {}
    for pattern in patterns:
        found = [Path(name) for name in sorted(glob.glob(pattern, recursive=True)) if Path(name).is_file()]
        if not found:
            raise TerminalError("no such OTLP file", pattern, "give the path of a file or a glob that matches some")
        files.update(dict.fromkeys(path.resolve() for path in found))
    return list(files)


def records(path: Path, start: int = 0) -> Iterator[tuple[int, int, bytes]]:
    """Yield (byte position, position of the next record, bytes) of each message in an OTLP file from `start` on.

    The form is told from the content: a file that begins with a brace is JSON (one document if the brace stands alone on
    its line, else one document a line), any other is protobuf records each behind a varint length. What is out of step or
    cut short at the end is yielded as one last record, to become a dead letter.
    """
    with path.open("rb") as file:
        head = file.readline(4096)
        if head.lstrip()[:1] not in (b"{", b"["):
            if path.stat().st_size > start:
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    yield from _delimited(content, start)
        elif head.strip() in (b"{", b"["):
            file.seek(start)
            content = file.read()
            if content:
                yield start, start + len(content), content
        else:
            file.seek(start)
            position = start
            for line in file:
                following = position + len(line)
                if line.strip():
                    yield position, following, line.rstrip(b"\r\n")
                position = following


def _delimited(content: mmap.mmap, start: int) -> Iterator[tuple[int, int, bytes]]:
    position, end = start, len(content)
    let_go = start - start % mmap.PAGESIZE
    while position < end:
        length = shift = 0
        cursor = position
        while cursor < end and shift < 63:
            byte = content[cursor]
            cursor += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if length > LONGEST_RECORD_BYTES or cursor + length > end:
            yield position, end, content[position : min(end, position + LONGEST_RECORD_BYTES)]
            return
        yield position, cursor + length, content[cursor : cursor + length]
        position = cursor + length
        if position - let_go >= _LET_GO_BYTES:
            # Else a large file, read once, stands in the process's resident memory to its end.
            until = position - position % mmap.PAGESIZE
            content.madvise(mmap.MADV_DONTNEED, let_go, until - let_go)
            let_go = until


class FileSource:
    """Files read one after the other in the order given; each is a topic ``file:PATH`` with one partition.

    Parameters
    ----------
    patterns, outcomes : sequence of str
        Globs or paths of trace files, and of outcome files: those come last, as topics ``outcomes:PATH``.
    """

    sequential = True

    def __init__(self, patterns: Sequence[str], outcomes: Sequence[str] = ()) -> None:
        self._paths = expand(patterns)
        of_outcomes = expand(outcomes)
        self._topics = {path: f"file:{path}" for path in self._paths}
        self._topics |= {path: f"{OUTCOME_FILES}{path}" for path in of_outcomes}
        self._paths += of_outcomes
        self._positions: dict[Path, int] = {}
        self._current: Iterator[tuple[int, int, bytes]] | None = None
        self._index = 0

    @property
    def name(self) -> str:
        """What the operator is told."""
        return f"{len(self._paths)} file{'s' if len(self._paths) != 1 else ''}"

    def seek(self, committed: Callable[[], Positions]) -> None:
        """Go on from the committed byte positions; files not named start at their beginning."""
        positions = committed()
        self._positions = {path: positions.get((self._topic(path), 0), 0) for path in self._paths}
        self._index, self._current = 0, None

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:
        """Return the next messages; waits when every file is read to its end."""
        columns: dict[str, list[object]] = {name: [] for name in MESSAGE_SCHEMA}
        while len(columns["value"]) < max_messages and self._index < len(self._paths):
            path = self._paths[self._index]
            if self._current is None:
                self._current = records(path, self._positions.get(path, 0))
            self._take(path, columns, max_messages)
        if not columns["value"]:
            time.sleep(timeout_seconds)
        return pl.DataFrame(columns, schema=MESSAGE_SCHEMA)

    def _take(self, path: Path, columns: dict[str, list[object]], max_messages: int) -> None:
        assert self._current is not None
        modified = datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None)
        topic = self._topic(path)
        for position, following, value in self._current:
            self._positions[path] = following
            for name, cell in zip(
                columns, (topic, 0, position, following, modified, path.name, None, value), strict=True
            ):
                columns[name].append(cell)
            if len(columns["value"]) >= max_messages:
                return
        self._current = None
        self._index += 1

    def _topic(self, path: Path) -> str:
        return self._topics[path]

    def open_partitions(self, taken: Positions) -> set[tuple[str, int]]:
        """The first file not wholly taken in: the others follow it and hold back no watermark."""
        for place, path in enumerate(self._paths):
            key = (self._topic(path), 0)
            if place >= self._index or taken.get(key, 0) < self._positions.get(path, 0):
                return {key}
        return set()

    def skipped(self, committed: Positions) -> Positions:
        """Nothing: every byte of a file belongs to a record."""
        return {}

    def lag(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Nothing: a file that can't be read is an error at once."""
        return {}

    def on_hold(self) -> set[tuple[str, int]]:
        """None: files are read one after the other."""
        return set()

    def expired(self) -> list[tuple[str, int, int, int]]:
        """Nothing: a file that is shorter than what was read of it has no more records."""
        return []

    def hold(self, partitions: set[tuple[str, int]]) -> None:
        """Nothing: files are read one after the other."""

    def restart(self) -> None:
        """Nothing: there is no connection."""

    def at_end(self) -> bool:
        """Whether every file has been read to its end."""
        return self._index >= len(self._paths)

    def close(self) -> None:
        """Nothing stays open between polls but the file being read."""
        self._current = None
