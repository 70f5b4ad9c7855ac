"""Checkpoints of the detectors: their state, the open runs, and the offsets both have seen, in one file.

A checkpoint is a zip archive of ``meta.json``, Arrow IPC frames and the detectors' own versioned bytes. It is written
beside and renamed over the old one, so there is always a whole one. It only saves time: without it (or with one of another
version) the stream re-reads the warehouse and arrives at the same state.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.alerts.recovery import Returns
from pipelines.errors import TerminalError
from pipelines.history import History
from pipelines.latches import Latches
from pipelines.runs import FACTS, OpenRuns
from pipelines.sources.base import Positions
from warehouse.errors import is_full

#: 2: open runs hold finish_reason and overrides. 3: the memory of rules; open runs hold tool_effect. 4: history; open runs hold
#: environment and name. 5: how far alarmed streams are back.
VERSION = 5
_NAME = "detectors.zip"
_LATCHES = ("known", "learning")
_HISTORY = ("arrivals", "levels", "successes")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the detectors knew when every message before ``positions`` had gone through them, and the judgements so far."""

    positions: Positions
    monitor: bytes
    runs: dict[str, Any]
    judgements: tuple[str, ...] = ()
    latches: dict[str, pl.DataFrame] = field(default_factory=dict)
    history: dict[str, pl.DataFrame] = field(default_factory=dict)
    returns: tuple[dict[str, Any], ...] = ()


def save(
    directory: Path,
    positions: Positions,
    monitor: bytes,
    runs: OpenRuns,
    judgements: Sequence[str] = (),
    latches: Latches | None = None,
    history: History | None = None,
    returns: Returns | None = None,
) -> Path:
    """Write the checkpoint and return its path; a crash, or a disk without room, leaves the one before.

    Raises
    ------
    TerminalError
        It can't be written.
    """
    state = runs.state()
    meta = {
        "version": VERSION,
        "positions": [[topic, partition, offset] for (topic, partition), offset in positions.items()],
        "seen": [[topic, partition, time.isoformat()] for (topic, partition), time in state["seen"].items()],
        "watermark": state["watermark"].isoformat() if state["watermark"] else None,
        "late_spans": state["late_spans"],
        "judgements": list(judgements),
        "returns": [] if returns is None else returns.state(),
    }
    path = directory / _NAME
    beside = directory / f"{_NAME}.new"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        said, past = latches or Latches(), history or History()
        memory = {name: getattr(said, name) for name in _LATCHES} | {name: getattr(past, name) for name in _HISTORY}
        _write(beside, meta, monitor, {**state, **memory})
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        what = "the disk is full" if is_full(error) else "the checkpoint can't be written"
        todo = "nothing is lost: free some space and start again" if is_full(error) else str(error.strerror)
        raise TerminalError(what, str(path), todo) from error
    return path


def _write(beside: Path, meta: dict[str, Any], monitor: bytes, state: dict[str, Any]) -> None:
    with zipfile.ZipFile(beside, "w") as archive:
        archive.writestr("meta.json", json.dumps(meta))
        archive.writestr("monitor.bin", monitor)
        frames = {name: state[name] for name in ("spans", "released", *_LATCHES, *_HISTORY)}
        for name, frame in {**frames, **state["facts"]}.items():
            if frame is not None:
                archive.writestr(f"{name}.arrow", _ipc(frame))
    with beside.open("rb+") as file:
        os.fsync(file.fileno())


def load(directory: Path) -> Checkpoint | None:
    """Return the checkpoint, or None where there is none, it is of another version, or it can't be read."""
    path = directory / _NAME
    try:
        with zipfile.ZipFile(path) as archive:
            meta = json.loads(archive.read("meta.json"))
            if meta["version"] != VERSION:
                return None
            frames = {
                name.removesuffix(".arrow"): pl.read_ipc(io.BytesIO(archive.read(name)))
                for name in archive.namelist()
                if name.endswith(".arrow")
            }
            monitor = archive.read("monitor.bin")
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, pl.exceptions.PolarsError):
        return None
    runs = {
        "spans": frames.get("spans"),
        "released": frames.get("released"),
        "facts": {name: frames[name] for name in FACTS if name in frames},
        "seen": {(topic, partition): datetime.fromisoformat(time) for topic, partition, time in meta["seen"]},
        "watermark": datetime.fromisoformat(meta["watermark"]) if meta["watermark"] else None,
        "late_spans": meta["late_spans"],
    }
    positions = {(topic, partition): offset for topic, partition, offset in meta["positions"]}
    latches = {name: frames[name] for name in _LATCHES if name in frames}
    history = {name: frames[name] for name in _HISTORY if name in frames}
    judgements, returns = tuple(meta.get("judgements", ())), tuple(meta["returns"])
    return Checkpoint(positions, monitor, runs, judgements, latches, history, returns)


def _ipc(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def file(directory: Path) -> Path:
    """Return where the checkpoint of that directory is."""
    return directory / _NAME


def saved_at(directory: Path) -> float | None:
    """Return when the checkpoint was written, as Unix time in seconds; None where there is none."""
    try:
        return (directory / _NAME).stat().st_mtime
    except OSError:
        return None
