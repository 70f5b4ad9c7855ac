"""What ``plumbline doctor`` examines: each part of the product on this machine, and how to mend it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Literal

import polars as pl

from pipelines.settings import Settings

#: More false alarms than a budget allows are a finding where chance gives as many less often than this.
_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Check:
    """The finding about one part; ``mend`` says what to do and is empty where nothing is wrong."""

    part: str
    state: Literal["ok", "warning", "failed"]
    finding: str
    mend: str = ""


def examine(settings: Settings) -> Iterator[Check]:
    """Yield one finding per part; a part that breaks on being looked at is a finding too."""
    for part, check in (
        ("python", _python),
        ("home", _home),
        ("warehouse", _warehouse),
        ("files", _files),
        ("dead letters", _dead_letters),
        ("kafka", _kafka),
        ("catalog", _catalog),
        ("detectors", _detectors),
        ("alarm budget", _alarm_budget),
        ("dagster", _dagster),
        ("dashboard", _dashboard),
    ):
        yield _guarded(part, check, settings)


def _guarded(part: str, check: Callable[[Settings], Check], settings: Settings) -> Check:
    try:
        return check(settings)
    except Exception as error:
        return Check(part, "failed", " ".join(str(error).split())[:300], "see the message; --debug shows more")


def _python(_: Settings) -> Check:
    version = platform.python_version()
    return Check("python", "ok", f"Python {version}, {os.cpu_count()} cores")


def _home(settings: Settings) -> Check:
    settings.home.mkdir(parents=True, exist_ok=True)
    probe = settings.home / ".write-probe"
    probe.write_text("", encoding="utf-8")
    probe.unlink()
    free = shutil.disk_usage(settings.home).free / 2**30
    if free < 2:
        return Check("home", "warning", f"{settings.home}: {free:.1f} GiB free", "free some space, or move --home")
    return Check("home", "ok", f"{settings.home}: writable, {free:.0f} GiB free")


def _warehouse(settings: Settings) -> Check:
    from warehouse import run_select

    if not (settings.warehouse / "catalog.sqlite").exists():
        return Check("warehouse", "warning", "empty: nothing was streamed yet", "run `plumbline demo`")
    row = run_select(
        settings.warehouse,
        "SELECT (SELECT count(*) FROM spans), (SELECT count(*) FROM dead_letters), (SELECT count(*) FROM incidents)",
    ).row(0)
    return Check("warehouse", "ok", f"{row[0]:,} spans, {row[1]:,} dead letters, {row[2]:,} incidents")


def _files(settings: Settings) -> Check:
    """Look at every file that the catalog refers to; the warehouse is not opened for it, nor a row read."""
    from warehouse.upkeep.inspection import inspect

    if not (settings.warehouse / "catalog.sqlite").exists():
        return Check("files", "ok", "none")
    found = inspect(settings.warehouse)
    mend = "`plumbline doctor --repair` says what can be done about it, before it does it"
    if found.is_behind:
        ends = f"it ends at snapshot {found.snapshot:,} of {found.snapshot_at} UTC, and {found.noted:,} was committed"
        return Check("files", "failed", f"the catalog is an earlier one: {ends}", mend)
    if found.faulty:
        first = found.faulty[0]
        finding = f"{len(found.faulty):,} of {found.files:,} missing or damaged"
        first_of_them = f"first {first.file.path}: {first.fault}; {first.rows}"
        return Check("files", "failed", f"{finding}, {first_of_them}", mend)
    if found.aside:
        return Check("files", "warning", f"{len(found.aside):,} files were set aside by a repair", mend)
    orphans = f"; {len(found.unknown):,} that no snapshot knows wait for clean-up" if found.unknown else ""
    return Check("files", "ok", f"{found.files:,} files, each as the catalog says{orphans}")


def _dead_letters(settings: Settings) -> Check:
    from pipelines.dead_letters import sql
    from warehouse import Reader

    if not (settings.warehouse / "catalog.sqlite").exists():
        return Check("dead letters", "ok", "none")
    with Reader(settings.warehouse) as reader:
        counted = reader.select(sql("counted"), [None, None])
    waiting = (
        counted.filter(pl.col("waiting") > 0)
        .group_by("reason")
        .agg(pl.col("waiting").sum())
        .sort("waiting", "reason", descending=[True, False])
    )
    if waiting.is_empty():
        return Check("dead letters", "ok", f"none waits, {counted['replayed'].sum():,} were replayed")
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in waiting.iter_rows())
    return Check(
        "dead letters", "warning", f"not replayed: {reasons}", "look at them with `plumbline dead-letters list`"
    )


def _kafka(settings: Settings) -> Check:
    from pipelines.broker import Broker, answers, available

    if settings.bootstrap_servers:
        if answers(settings.bootstrap_servers):
            return Check("kafka", "ok", f"{settings.bootstrap_servers} answers")
        return Check("kafka", "failed", f"{settings.bootstrap_servers} does not answer", "check --bootstrap-servers")
    status = Broker(settings.home).status()
    if status.state == "running":
        return Check("kafka", "ok", f"Apache Kafka {status.version} on {status.bootstrap_servers}")
    can = available()
    if can.ok:
        return Check("kafka", "ok", f"not running; {can.how} can be started with `plumbline broker start`")
    return Check("kafka", "warning", can.reason, "or read files: `plumbline stream --source files --files GLOB`")


def _catalog(settings: Settings) -> Check:
    from pipelines.contracts.catalog import load_catalog

    if settings.catalog is None:
        return Check("catalog", "ok", "none given; catalog.example.yaml shows what one makes sharper")
    catalog = load_catalog(settings.catalog)
    return Check("catalog", "ok", f"{settings.catalog}: {len(catalog.workflows)} workflows")


def _detectors(settings: Settings) -> Check:
    from detectors import Monitor
    from pipelines import checkpoint
    from pipelines.monitoring import monitor_settings

    saved = checkpoint.load(settings.checkpoints)
    if saved is None:
        return Check("detectors", "ok", "no checkpoint yet")
    streams = Monitor.decode(saved.monitor, monitor_settings(settings)).streams()
    states = dict(streams.group_by("state").len().sort("state").iter_rows())
    return Check(
        "detectors", "ok", f"{len(streams)} streams: " + ", ".join(f"{n} {name}" for name, n in states.items())
    )


def _alarm_budget(settings: Settings) -> Check:
    from scipy.stats import poisson

    from pipelines.commands.alerts import against_budget, precision_of

    if not (settings.warehouse / "catalog.sqlite").exists():
        return Check("alarm budget", "ok", "nothing was streamed yet")
    rows = precision_of(settings).filter(family="(all)").to_dicts()
    if not rows or not rows[0]["acknowledged"]:
        waiting = rows[0]["incidents"] if rows else 0
        return Check(
            "alarm budget", "ok", f"no incident of {waiting:,} is acknowledged, so nothing is known to be false"
        )
    fleet = rows[0]
    finding = f"{fleet['judged_real']:,} of {fleet['acknowledged']:,} acknowledged incidents were real; {against_budget(fleet)}"
    allowed = (fleet["budget_per_week"] or inf) * fleet["weeks"]
    if poisson.sf(fleet["false_alarms"] - 1, allowed) < _CHANCE:
        mend = (
            "read their evidence; the same streams again and again mean a season or a dependence that they do not model"
        )
        return Check("alarm budget", "warning", finding, mend)
    return Check("alarm budget", "ok", finding)


def _dagster(_: Settings) -> Check:
    from importlib.metadata import version

    versions = {version("dagster"), version("dagster-webserver")}
    if len(versions) > 1:
        return Check(
            "dagster", "failed", f"dagster and dagster-webserver differ: {sorted(versions)}", "run `make` again"
        )
    return Check("dagster", "ok", f"dagster {versions.pop()}")


def _dashboard(_: Settings) -> Check:
    from importlib.metadata import version

    return Check("dashboard", "ok", f"dash {version('dash')}, plotly {version('plotly')}")
