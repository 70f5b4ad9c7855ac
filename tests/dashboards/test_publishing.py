"""Published reports: whole or not there, the newest kept, nothing else touched; and Dagster's job that does it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dashboards.errors import DashboardError
from dashboards.export import FILES
from dashboards.publishing import publish
from pipelines.definitions import defs

AT = datetime(2026, 3, 9, 5, 12)


def test_the_newest_are_kept_and_what_is_no_report_is_left_alone(own_home: Path) -> None:
    folder = own_home / "reports"
    (folder / "notes").mkdir(parents=True)
    (folder / ".unfinished-2026-03-01T051200Z").mkdir()
    for day in range(3):
        made, deleted = publish(own_home, keep=2, at=AT + timedelta(days=day))
        assert sorted(file.name for file in made.iterdir()) == sorted(FILES.values())
        assert [each.name for each in deleted] == (["2026-03-09T051200Z"] if day == 2 else [])
    assert sorted(each.name for each in folder.iterdir()) == ["2026-03-10T051200Z", "2026-03-11T051200Z", "notes"]


def test_where_there_is_nothing_to_report_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(DashboardError, match="nothing to report"):
        publish(tmp_path, keep=1, at=AT)
    assert not (tmp_path / "reports").exists() or not list((tmp_path / "reports").iterdir())


def test_a_report_that_fails_leaves_the_one_before(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = publish(own_home, keep=1, at=AT)

    def fail(_home: Path, out: Path) -> None:
        out.mkdir(parents=True)
        raise OSError("no space left")

    monkeypatch.setattr("dashboards.publishing.export", fail)
    with pytest.raises(DashboardError, match="no space left"):
        publish(own_home, keep=1, at=AT + timedelta(days=1))
    assert [each.name for each in (own_home / "reports").iterdir()] == [first.name]


def test_the_job_publishes(own_home: Path) -> None:
    result = defs.resolve_job_def("reports").execute_in_process(
        run_config={"ops": {"publish_reports": {"config": {"home": str(own_home)}}}}
    )
    assert result.success
    (made,) = (own_home / "reports").iterdir()
    assert (made / "scorecard.html").stat().st_size > 10_000
