"""One frozen object of settings: command-line flag, then environment, then ``plumbline.toml``, then the default."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import TerminalError

if TYPE_CHECKING:
    from warehouse import Bounds

#: What was told is remembered so long: `pipelines.notifications.outbox.REMEMBERED`.
_LEAST_DAYS_TOLD = 32


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of the product.

    Attributes
    ----------
    home : Path
        Holds warehouse, checkpoints, broker and Dagster storage.
    bootstrap_servers : str
        ``host:port[,host:port]`` of Kafka. Empty: the broker that ``plumbline broker start`` left in ``home``.
    topic, outcomes_topic, alerts_topic, dead_letter_topic : str
        Topics read (spans, late outcomes) and written (alerts, unreadable messages).
    group_id : str
        Consumer group, named for lag monitoring; positions come from the warehouse.
    catalog : Path or None
        ``catalog.yaml``; everything works without one.
    subscriptions : Path or None
        ``subscriptions.yaml``: who is told of what; without one the console and the alerts topic hear of every incident.
    dashboard_url : str
        Address of the dashboard as its readers reach it, ``https://host/path``: messages link to it, and the dashboard answers
        to its host. Empty: no links.
    dashboard_login : str
        How people sign in: ``users`` (name and password), ``headers`` (a proxy says who they are), or empty: nobody does, and it
        is served to this machine only.
    dashboard_users : Path or None
        File of accounts; None is ``users.yaml`` in ``home``.
    dashboard_hosts : str
        More names that the dashboard answers to, by comma.
    dashboard_proxies : str
        Addresses of the proxies before the dashboard, or ranges of them, by comma.
    dashboard_user_header, dashboard_role_header, dashboard_teams_header : str
        Headers in which such a proxy says who asks, and which roles (or groups) and teams it has, by comma. Without the second
        everybody is a viewer, without the third everybody sees every workflow.
    dashboard_roles : str
        Roles of the proxy's groups: ``on-call=operator,platform=admin``.
    dashboard_idle_minutes, dashboard_session_hours : float
        How long a session lasts that nobody uses, in minutes, and at most, in hours.
    batch_spans : int
        About how many spans one warehouse transaction holds.
    batch_seconds : float
        The longest a span waits for its transaction, in seconds.
    open_spans : int
        With more spans than this in runs that wait for the slowest partition, the partitions ahead of it are held.
    allowed_lateness_seconds : float
        How far behind the newest event time the watermark stays, in seconds.
    run_timeout_seconds : float
        A run without a finished root span closes this long (event time) after its last span, in seconds.
    checkpoint_seconds : float
        Time between checkpoints of the detectors, in seconds.
    outage_seconds : float
        How long a worker tries again while the broker does not answer or the catalog stays locked, in seconds.
    stall_seconds : float
        A partition whose position stands still this long while its end is ahead raises an operational alert, and the
        fetch is begun again, in seconds.
    session_seconds : float
        How long a dead worker keeps its partitions from the others, in seconds; Kafka takes 6 and more.
    alarm_budget_per_week : float or None
        False alarms accepted a week over the whole fleet; None takes the detectors' default.
    retire_after_days : int
        A stream is forgotten when the fleet has completed so many days (event time) without anything from it.
    second_opinion : bool
        Also run River's ADWIN and note its verdict on each signal.
    max_attribute_bytes : int
        Longer attribute values are cut and the span flagged, in bytes.
    retention_days : dict of str to int
        Whole days that the rows of a table are kept, by table; one not named keeps them for ever. In the environment
        ``spans=400,dead_letters=90``.
    snapshot_days : int
        Days that snapshots are kept: so far back time travel reaches, and so long deleted rows stay on disk.
    backup_directory : Path or None
        Where ``plumbline backup`` and its daily job put backups, and ``plumbline doctor --repair`` looks for whole files.
    backups_kept : int
        Backups kept there; earlier ones are removed after the next.
    reports_kept : int
        How many published reports stay in ``home/reports``, the newest, 1 or more.
    hash_key : str
        Keys the digests that stand in for hashed content and for ids that are e-mail addresses or the like. Without it
        the digest of a guessed text can be compared.
    keep_dead_letter_payload : bool
        Store and publish the original bytes of messages that could not be read; they can't be masked.
    metrics_port : int
        ``plumbline stream`` serves its metrics to Prometheus on this port; 0: it does not.
    metrics_host : str
        Address that they are served on; beyond loopback only with a token of ``api_token_file``.
    api_token_file : Path or None
        Tokens of ``plumbline api``, lines of ``NAME ROLE TOKEN``. The dashboard takes the one named ``dashboard``.
    api_tokens : str
        The same lines themselves, for the environment; semicolons may stand for ends of lines.
    api_url : str
        Where ``plumbline api`` answers, for the dashboard: ``http://127.0.0.1:8060``. Empty: it writes to the home itself.
    query_memory_mb, query_spill_mb : int
        What one analyst's statement may use of memory, and of the disk beyond that while it runs, in MiB.
    query_rows, query_result_mb : int
        How many rows a result may have, and how large it may be in memory, in MiB.
    query_seconds : float
        How long a statement may take, in seconds.
    query_slots : int
        Statements that the SQL server answers at once; others wait.
    query_process_mb : int
        Memory that a process may take which answers analysts (``sql``, ``sql-server``, ``export``), beyond what it takes to
        start, in MiB, on Linux. 0: ``query_memory_mb`` of each slot, ``query_result_mb`` and 1,024.
    query_nice : int
        How nice such a process is at least, 0 to 19: the stream comes first. At 19 it takes, on Linux, only what others
        leave (``SCHED_IDLE``), on all cores but one.
    sql_token : str
        What clients of the SQL server show as their password or bearer token; without it one is made in ``home``.
    writer : str
        Noted with each snapshot of the warehouse as what wrote it; empty: the command, ``plumbline stream``.
    """

    home: Path = Path(".plumbline")
    bootstrap_servers: str = ""
    topic: str = "otlp_spans"
    outcomes_topic: str = "agent_outcomes"
    alerts_topic: str = "drift_alerts"
    dead_letter_topic: str = "otlp_spans.dead_letter"
    group_id: str = "plumbline"
    catalog: Path | None = None
    subscriptions: Path | None = None
    dashboard_url: str = ""
    dashboard_login: str = ""
    dashboard_users: Path | None = None
    dashboard_hosts: str = ""
    dashboard_proxies: str = ""
    dashboard_user_header: str = "X-Forwarded-User"
    dashboard_role_header: str = ""
    dashboard_teams_header: str = ""
    dashboard_roles: str = ""
    dashboard_idle_minutes: float = 60.0
    dashboard_session_hours: float = 12.0
    batch_spans: int = 12_000
    batch_seconds: float = 1.0
    open_spans: int = 100_000
    allowed_lateness_seconds: float = 1.0
    run_timeout_seconds: float = 3600.0
    checkpoint_seconds: float = 30.0
    outage_seconds: float = 300.0
    stall_seconds: float = 60.0
    session_seconds: float = 15.0
    alarm_budget_per_week: float | None = None
    retire_after_days: int = 60
    second_opinion: bool = False
    max_attribute_bytes: int = 16_384
    retention_days: Mapping[str, int] = field(default_factory=dict)
    snapshot_days: int = 7
    backup_directory: Path | None = None
    backups_kept: int = 7
    reports_kept: int = 30
    hash_key: str = ""
    keep_dead_letter_payload: bool = True
    metrics_port: int = 0
    metrics_host: str = "127.0.0.1"
    api_token_file: Path | None = None
    api_tokens: str = field(default="", repr=False)
    api_url: str = ""
    query_memory_mb: int = 2048
    query_spill_mb: int = 4096
    query_rows: int = 5_000_000
    query_result_mb: int = 1024
    query_seconds: float = 300.0
    query_slots: int = 4
    query_process_mb: int = 0
    query_nice: int = 19
    sql_token: str = ""
    writer: str = ""

    @property
    def bounds(self) -> Bounds:
        """What one analyst's statement may use."""
        from warehouse import Bounds

        return Bounds(
            memory_mb=self.query_memory_mb,
            spill_mb=self.query_spill_mb,
            rows=self.query_rows,
            result_mb=self.query_result_mb,
            seconds=self.query_seconds,
        )

    @property
    def warehouse(self) -> Path:
        """Directory of the lakehouse."""
        return self.home / "warehouse"

    @property
    def checkpoints(self) -> Path:
        """Directory of the detectors' checkpoints."""
        return self.home / "checkpoints"


def _typed(name: str, value: Any, source: str) -> Any:
    if name in ("home", "catalog", "api_token_file", "subscriptions", "backup_directory", "dashboard_users"):
        return Path(value)
    if name == "dashboard_url":
        return _address(str(value), source)
    if name == "retention_days":
        return _retention_days(value, source)
    if name in ("snapshot_days", "backups_kept"):
        return _count(name, value, source)
    kind = str(next(each.type for each in fields(Settings) if each.name == name))
    try:
        if "bool" in kind:
            if str(value).lower() not in ("true", "false", "1", "0"):
                raise ValueError
            return str(value).lower() in ("true", "1")
        return int(value) if kind == "int" else float(value) if "float" in kind else str(value)
    except ValueError:
        raise TerminalError(f"{name} is not a valid {kind}", source, f"got {str(value)[:80]!r}") from None


def _count(name: str, value: Any, source: str) -> int:
    if isinstance(value, (bool, float)) or not str(value).isdecimal() or int(value) < 1:
        raise TerminalError(f"{name} is no number from 1 on", source, f"give a whole number, not {str(value)[:80]!r}")
    return int(value)


def _address(value: str, source: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment):
        raise TerminalError(
            "dashboard_url is no address", source, f"give one like https://host/path, not {value[:80]!r}"
        )
    return value


def _retention_days(value: Any, source: str) -> dict[str, int]:
    from warehouse import retention

    if isinstance(value, str):
        value = {name.strip(): days.strip() for name, _, days in (part.partition("=") for part in value.split(","))}
    if not isinstance(value, dict):
        raise TerminalError("retention_days is no table", source, "write [retention_days] and lines like spans = 400")
    known = retention.tables()
    for name, days in value.items():
        if name not in known:
            what = f"retention_days: no table {str(name)[:80]!r}"
            raise TerminalError(what, source, f"use one of {', '.join(sorted(known))}")
        if isinstance(days, (bool, float)) or not str(days).isdecimal() or int(days) < 1:
            what = f"retention_days: {name} is not a number of days"
            raise TerminalError(what, source, f"give a whole number from 1 on, not {str(days)[:80]!r}")
        if name == "notifications" and int(days) < _LEAST_DAYS_TOLD:
            what = f"retention_days: notifications can't go after {int(days)} days"
            raise TerminalError(what, source, f"give {_LEAST_DAYS_TOLD} or more: what was told would be told again")
    return {name: int(days) for name, days in value.items()}


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    file: Path = Path("plumbline.toml"),
) -> Settings:
    """Return the settings from flags (None is "not given"), ``PLUMBLINE_*`` variables and a TOML file.

    Raises
    ------
    TerminalError
        A file that is no TOML, a name that is no setting, a value of the wrong type.
    """
    names = {each.name for each in fields(Settings)}
    values: dict[str, Any] = {}
    if file.exists():
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise TerminalError("not valid TOML", str(file), str(error)) from None
        for name, value in document.items():
            if name not in names:
                raise TerminalError(f"unknown setting {name!r}", str(file), f"use one of {', '.join(sorted(names))}")
            values[name] = _typed(name, value, str(file))
    for name in names:
        variable = f"PLUMBLINE_{name.upper()}"
        given = (environment if environment is not None else os.environ).get(variable)
        if given:
            values[name] = _typed(name, given, variable)
    for name, value in (flags or {}).items():
        if value is not None:
            values[name] = _typed(name, value, f"--{name.replace('_', '-')}")
    return Settings(**values)
