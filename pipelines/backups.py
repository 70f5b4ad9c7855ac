"""Back up a home: its warehouse, and the detectors' checkpoint beside it. What the command and Dagster's job share."""

from __future__ import annotations

from pathlib import Path

from pipelines import checkpoint
from pipelines.errors import TerminalError
from pipelines.settings import Settings
from warehouse.upkeep.backup import back_up
from warehouse.upkeep.manifest import Manifest


def beside(settings: Settings) -> dict[str, Path]:
    """Return what of a home is kept with its warehouse, by its path in a backup: the detectors' checkpoint."""
    file = checkpoint.file(settings.checkpoints)
    return {f"checkpoints/{file.name}": file}


def run(settings: Settings) -> Manifest:
    """Back up the home's warehouse, and remove backups beyond those to keep.

    Raises
    ------
    TerminalError
        No directory is named for it.
    WarehouseError
        There is no warehouse, a file of it is damaged, or the backup can't be written.
    """
    if settings.backup_directory is None:
        raise TerminalError("no directory for backups", "setting backup_directory", "set it, or `plumbline backup DIR`")
    return back_up(settings.warehouse, settings.backup_directory, beside=beside(settings), keep=settings.backups_kept)
