"""Settings of more than a type: `retention_days` from the file and the environment, counts of days and backups, addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import TerminalError
from pipelines.settings import load_settings


def load(tmp_path: Path, text: str, **environment: str) -> dict[str, int]:
    file = tmp_path / "plumbline.toml"
    file.write_text(text, encoding="utf-8")
    return dict(load_settings(environment=environment, file=file).retention_days)


def test_without_retention_days_everything_is_kept(tmp_path: Path) -> None:
    assert load(tmp_path, "") == {}


def test_they_come_from_the_file_or_the_environment(tmp_path: Path) -> None:
    text = "[retention_days]\nspans = 400\ndead_letters = 90\n"
    assert load(tmp_path, text) == {"spans": 400, "dead_letters": 90}
    assert load(tmp_path, text, PLUMBLINE_RETENTION_DAYS="runs=800, spans=500") == {"runs": 800, "spans": 500}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("retention_days = 5", "write \\[retention_days\\]"),
        ("[retention_days]\nspan = 5", "no table 'span' .*spans"),
        ("[retention_days]\nprice_list = 5", "no table 'price_list'"),
        ("[retention_days]\nspans = 0", "whole number from 1 on"),
        ("[retention_days]\nspans = -1", "whole number from 1 on"),
        ("[retention_days]\nspans = 1.5", "whole number from 1 on"),
        ("[retention_days]\nspans = true", "whole number from 1 on"),
        ("[retention_days]\nspans = '9 weeks'", "not '9 weeks'"),
        ("snapshot_days = 0", "snapshot_days is no number from 1 on"),
        ("snapshot_days = 1.5", "snapshot_days is no number from 1 on"),
        ("backups_kept = 'all'", "give a whole number, not 'all'"),
    ],
)
def test_what_is_no_retention_or_count_is_one_clear_line(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match=words) as caught:
        load(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_notifications_are_kept_as_long_as_they_are_remembered(tmp_path: Path) -> None:
    from pipelines.notifications.outbox import REMEMBERED

    def loaded(days: int) -> object:
        return load_settings(environment={"PLUMBLINE_RETENTION_DAYS": f"notifications={days}"}, file=tmp_path / "none")

    assert loaded(REMEMBERED.days)
    with pytest.raises(TerminalError, match="would be told again"):
        loaded(REMEMBERED.days - 1)


@pytest.mark.parametrize("url", ["board.example", "ftp://board", "https://", "https://board/?a=1"])
def test_the_dashboard_s_address_is_one(url: str, tmp_path: Path) -> None:
    assert load_settings(environment={"PLUMBLINE_DASHBOARD_URL": "https://b/x"}, file=tmp_path / "none").dashboard_url
    with pytest.raises(TerminalError, match="dashboard_url is no address"):
        load_settings(environment={"PLUMBLINE_DASHBOARD_URL": url}, file=tmp_path / "none")
