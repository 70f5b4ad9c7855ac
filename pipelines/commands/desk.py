"""Incidents answered by a dashboard that has no API beside it: straight into the warehouse of its home.

Each answer is a short process of its own, because two lakes in one process would not do: the dashboard holds one to read. What
people typed goes to it through a pipe, never as an argument, which everybody on the machine could read. It ends with the answer,
so that nothing listens and nothing is left behind.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from dashboards import text
from dashboards.desk import Desk
from pipelines.alerts import lifecycle
from pipelines.errors import PlumblineError, TerminalError
from warehouse import Limits, Warehouse, WarehouseError

# How long an answer waits for the stream's turn with the warehouse, and how long for all of it, in seconds.
_TURN_SECONDS, _PATIENCE_SECONDS = 20.0, 45.0
_ACTIONS: dict[str, Callable[..., object]] = {
    "acknowledge": lifecycle.acknowledge,
    "silence": lifecycle.silence,
    "unsilence": lifecycle.unsilence,
    "resolve": lifecycle.resolve,
    "reopen": lifecycle.reopen,
}
#: Stands in the history beside who said it, as the name of the API's token does.
_NAME = "dashboard"


class OwnDesk(Desk):
    """The desk of a dashboard on the machine of its home.

    Parameters
    ----------
    warehouse : Path
        Directory of the lakehouse.
    """

    def __init__(self, warehouse: Path) -> None:  # pyright: ignore[reportMissingSuperCall] - there is no API
        self.warehouse = Path(warehouse)

    def __repr__(self) -> str:
        """With the place it writes to."""
        return f"OwnDesk({str(self.warehouse)!r})"

    def _ask(self, action: str, incident_id: str, body: dict[str, Any]) -> str | None:
        told = json.dumps({"action": action, "incident_id": incident_id, **body})
        command = [sys.executable, "-P", "-m", "pipelines.commands.desk", str(self.warehouse.absolute())]
        try:
            done = subprocess.run(
                command, input=told, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return "The warehouse did not answer in time: look below whether it was done."
        except OSError as error:
            return f"Nothing was changed: no process could be started ({type(error).__name__})."
        if done.returncode == 0:
            return None
        said = done.stdout.strip() or "the warehouse could not be written; run `plumbline doctor`"
        return f"Not done: {text.plain(said, 300)}"


def answer(warehouse: Warehouse, told: dict[str, Any]) -> None:
    """Do what was told.

    Parameters
    ----------
    told : dict
        incident_id (whole), action, and what goes with it: who, why, judged, until (ISO 8601, with a zone).

    Raises
    ------
    PlumblineError
        There is no such incident or action, or the incident's state does not allow it.
    """
    given = dict(told)
    incident_id, action, who = str(given.pop("incident_id")), given.pop("action"), given.pop("who", None)
    if action not in _ACTIONS:
        raise TerminalError("no such action", "dashboard", f"use one of {', '.join(_ACTIONS)}")
    if not warehouse.query("SELECT count(*) FROM incidents WHERE incident_id = ?", [incident_id]).item():
        raise TerminalError("no such incident", f"incident {incident_id[:64]}", "open it from the list again")
    if "until" in given:
        given["until"] = datetime.fromisoformat(given["until"])
    _ACTIONS[action](warehouse, incident_id, by=_NAME if who is None else f"{who} (through {_NAME})", **given)


def main(path: Path, told: dict[str, Any]) -> int:
    """Exit code of the process that answers: 0 where it was done; else one line says why not."""
    try:
        with Warehouse.open(path, limits=Limits(turn_wait_s=_TURN_SECONDS)) as warehouse:
            answer(warehouse, told)
    except (PlumblineError, WarehouseError) as error:
        print(f"{error.what}: {error.todo}" if error.todo else error.what)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), json.load(sys.stdin)))
