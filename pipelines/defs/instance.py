"""Dagster's own storage: in the home, configured by the ``dagster.yaml`` at the top of the repository."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def dagster_home(home: Path) -> Path:
    """Directory of Dagster's storage in `home` (its ``DAGSTER_HOME``), with the current ``dagster.yaml`` in it."""
    directory = (home / "dagster").absolute()
    directory.mkdir(parents=True, exist_ok=True)
    wanted = (CHECKOUT / "dagster.yaml").read_text(encoding="utf-8")
    file = directory / "dagster.yaml"
    if not file.is_file() or file.read_text(encoding="utf-8") != wanted:
        file.write_text(wanted, encoding="utf-8")
    return directory
