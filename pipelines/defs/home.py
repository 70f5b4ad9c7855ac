"""Dagster's home below ours: HOME/dagster, with the top level's dagster.yaml linked into it."""

from __future__ import annotations

import shutil
from pathlib import Path

CONFIGURATION = Path(__file__).resolve().parents[2] / "dagster.yaml"


def dagster_home(home: Path) -> Path:
    """Return the absolute path of ``HOME/dagster``, made ready.

    A link is renewed, so that a moved checkout does no harm; a regular ``dagster.yaml`` is its owner's and stays. Where the
    file system has no links the file is copied.
    """
    directory = home.absolute() / "dagster"
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / CONFIGURATION.name
    if file.is_symlink():
        if file.resolve() == CONFIGURATION:
            return directory
        file.unlink()
    if not file.exists():
        try:
            file.symlink_to(CONFIGURATION)
        except OSError:
            shutil.copyfile(CONFIGURATION, file)
    return directory
