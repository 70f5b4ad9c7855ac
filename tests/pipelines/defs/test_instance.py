"""Dagster's home, its retention, the retries, and what `plumbline dagster` refuses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from pipelines.defs.home import CONFIGURATION, dagster_home
from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.launch import dagster_dev
from pipelines.defs.retention import prune
from pipelines.defs.retrying import RETRIES, only_when_busy
from pipelines.errors import TerminalError
from warehouse import WarehouseBusyError, WarehouseError


@dg.job(name="nothing")
def nothing() -> None:
    @dg.op(name="nothing_at_all")
    def nothing_at_all() -> None:
        return None

    nothing_at_all()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(dagster_home(tmp_path))) as instance:
        yield instance


def test_the_home_takes_the_top_levels_configuration(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    assert Path(instance.root_directory) == tmp_path / "dagster"
    assert not instance.telemetry_enabled
    assert instance.run_monitoring_enabled
    assert (tmp_path / "dagster" / "dagster.yaml").resolve() == CONFIGURATION


def test_a_stale_link_is_renewed_and_an_owners_file_is_left_alone(tmp_path: Path) -> None:
    link = dagster_home(tmp_path) / "dagster.yaml"
    link.unlink()
    link.symlink_to(tmp_path / "moved" / "dagster.yaml")
    dagster_home(tmp_path)
    assert link.resolve() == CONFIGURATION
    link.unlink()
    link.write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    dagster_home(tmp_path)
    assert not link.is_symlink()
    assert yaml.safe_load(link.read_text(encoding="utf-8")) == {"telemetry": {"enabled": False}}


def test_retention_deletes_old_runs_but_the_latest_success(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    runs = [nothing.execute_in_process(instance=instance).run_id for _ in range(3)]
    assert prune(instance) == 0, "they are new"
    assert prune(instance, keep=timedelta(0)) == 2
    assert [run.run_id for run in instance.get_runs()] == runs[-1:]
    left = {path.stem for path in (tmp_path / "dagster" / "history" / "runs").glob("*.db")}
    assert left & set(runs) == set(runs[-1:]), "their databases are gone too"


def test_only_a_busy_warehouse_is_tried_again(instance: dg.DagsterInstance) -> None:
    errors = [WarehouseBusyError("locked"), WarehouseBusyError("locked"), WarehouseError("broken")]
    tries: list[Exception] = []

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=RETRIES.max_retries))
    def fails() -> None:
        with only_when_busy():
            tries.append(errors[len(tries)])
            raise tries[-1]

    @dg.job
    def failing() -> None:
        fails()

    assert not failing.execute_in_process(instance=instance, raise_on_error=False).success
    assert tries == errors, "two busy ones were tried again, the third error was not"


def test_the_lakehouse_takes_the_home_from_the_settings_when_none_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path))
    assert Lakehouse().directory == tmp_path / "warehouse"
    assert Lakehouse(home="given").directory == Path("given/warehouse")
    with pytest.raises(TerminalError, match="inside a run"):
        _ = Lakehouse().warehouse


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "example.com", ""])
def test_the_ui_listens_on_loopback_alone(host: str, tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="no login"):
        dagster_dev(tmp_path, host, 3000)


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(TerminalError, match="port in use"):
            dagster_dev(tmp_path, "127.0.0.1", taken.getsockname()[1])
