"""The narrative of one run: who asked, under which versions, what was read, decided and changed, what it cost, how it ended.

From the marts alone, so that it says what every other figure rests on. What is missing is said by the clauses of mart
``audit_by_run``, each with what to send.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from warehouse import snapshots
from warehouse.lake import Warehouse
from warehouse.queries import sql as query
from warehouse.snapshots import Snapshot

Row = dict[str, Any]

#: The attribute to send for a column: of the names that are read for it, the first (a test holds it to the dialects' tables).
SENT_AS = {
    "agent": "gen_ai.agent.name",
    "session_id": "gen_ai.conversation.id",
    "release": "plumbline.release",
    "agent_version": "gen_ai.agent.version",
    "prompt_version": "plumbline.prompt.version",
    "response_model": "gen_ai.response.model",
    "request_model": "gen_ai.request.model",
    "tool_effect": "plumbline.tool.effect",
}


@dataclass(frozen=True, slots=True)
class Narrative:
    """One run, told.

    Attributes
    ----------
    run : dict
        Row of mart ``runs``, with requester, missing and is_complete.
    events : list of dict
        at, kind, what, result, seconds, cost_usd (null where unknown), note; in order of time.
    missing : list of (str, str)
        What is missing, and what to send.
    as_of : Snapshot
        The state of the warehouse that it is told from.
    """

    run: Row
    events: list[Row]
    missing: list[tuple[str, str]]
    as_of: Snapshot


def narrative(warehouse: Warehouse, run_id: str) -> Narrative | None:
    """Return what the warehouse knows of a run as of its last refresh; None where there is no such run.

    Of a warehouse that is open as of an earlier moment, it is what was known then, as of the last refresh before.
    """
    given = {"run": run_id}
    found = warehouse.connection.execute(query("audited_run"), given).pl()
    if found.is_empty():
        return None
    run = found.row(0, named=True)
    events = warehouse.connection.execute(query("audited_events"), given).pl().to_dicts()
    return Narrative(run, events, list(_missing(run, events)), snapshots.current(warehouse.connection))


def _missing(run: Row, events: list[Row]) -> list[tuple[str, str]]:
    """What each clause that is false lacks."""
    lacks: list[tuple[str, str]] = []
    clauses = set(run["missing"] or [])
    if "identity" in clauses:
        if run["agent"] is None:
            lacks.append(("which agent acted", f"send {SENT_AS['agent']}"))
        if run["requester"] is None and run["session_id"] is None:
            lacks.append(("who asked", f"send user.id on the root span, or {SENT_AS['session_id']}"))
    if "versions" in clauses:
        if run["release"] is None and run["agent_version"] is None:
            lacks.append(("its release", f"send {SENT_AS['release']} or {SENT_AS['agent_version']}"))
        if run["model_calls"] and run["prompt_version"] is None:
            lacks.append(("the prompt's version", f"send {SENT_AS['prompt_version']}"))
        if any(event["kind"] == "model call" and event["what"] is None for event in events):
            lacks.append(("a call's model", f"send {SENT_AS['response_model']} or {SENT_AS['request_model']}"))
    if "tool results" in clauses:
        lacks.append(("how a tool call ended", "send a span of its own for each (gen_ai.operation.name: execute_tool)"))
    if "policy decisions" in clauses:
        unknown = [name for name in run["of_unknown_effect"] or [] if name is not None]
        if run["of_unknown_effect"]:
            names = ", ".join(sorted(unknown)[:5]) or "tools without a name"
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            todo = f"state the effect in the catalog (tools:), or send {SENT_AS['tool_effect']}"
            lacks.append((f"whether these change anything: {names}{more}", todo))
        else:
            lacks.append(("a policy decision for each change", "send a span event plumbline.policy.decision"))
    if "approvals" in clauses:
        lacks.append(("the approval of an irreversible change", "send a span event plumbline.approval"))
    if "outcome" in clauses:
        lacks.append(("how it ended", "send a span event plumbline.outcome, or a message on topic agent_outcomes"))
    return lacks


def facts(story: Narrative) -> list[tuple[str, str]]:
    """Return what the run was, in pairs of a heading and words, times in UTC; the words are as traces have them."""
    run = story.run
    models = sorted({str(event["what"]) for event in story.events if event["kind"] == "model call" and event["what"]})
    sources = sorted({str(event["what"]) for event in story.events if event["kind"] == "source"})
    changes = [event for event in story.events if event["kind"] in ("change", "irreversible change")]
    versions = [
        f"{name} {run[column]}"
        for name, column in (
            ("release", "release"), ("agent", "agent_version"), ("prompt", "prompt_version"), ("policy", "policy_version"),
        )
        if run[column] is not None
    ]  # fmt: skip
    asked = [
        f"{name} {run[column]}" for name, column in (("user", "requester"), ("session", "session_id")) if run[column]
    ]
    acted = f"{', '.join(asked) or _UNKNOWN}; acted as agent {run['agent'] or _UNKNOWN}, {run['mode'] or 'live'}"
    return [
        ("Asked by", acted + (f", in {run['environment']}" if run["environment"] else "")),
        ("When", f"{_moment(run['started_at'])} to {_moment(run['ended_at'])} UTC"),
        ("Versions", f"{', '.join(versions) or _UNKNOWN}; models {', '.join(models) or _UNKNOWN}"),
        ("Sources", _listed(sources)),
        ("Changes", _changes(changes)),
        ("Cost", _cost(run)),
        ("Outcome", _outcome(run)),
        ("As of", f"{_moment(story.as_of.at)} UTC, snapshot {story.as_of.id}"),
    ]


def told(story: Narrative) -> list[str]:
    """Return the narrative as lines of plain text, times in UTC; what comes from traces has its control signs replaced."""
    run = story.run
    head = [f"Run {run['run_id']} of {run['workflow']}", *(f"{name:<10} {words}" for name, words in facts(story)), ""]
    lines = [_line(event) for event in story.events] or ["(no events)"]
    gaps = [f"  - {what}: {todo}" for what, todo in story.missing]
    verdict = ["", "Missing", *gaps] if gaps else ["", "Nothing is missing: the decision path can be rebuilt."]
    if run["is_pending"]:
        verdict.append("Its outcome is still awaited.")
    return [_clean(line) for line in head + lines + verdict]


_UNKNOWN = "unknown"


def _line(event: Row) -> str:
    took = "" if event["seconds"] is None else f" ({event['seconds']:,.2f} s)"
    cost = "" if event["cost_usd"] is None else f", ${event['cost_usd']:,.6f}"
    note = "" if event["note"] is None else f"; {event['note']}"
    what = event["what"] if event["what"] is not None else _UNKNOWN
    return f"{_moment(event['at'])}  {event['kind']:<19}  {what}: {event['result'] or _UNKNOWN}{took}{cost}{note}"


def _moment(at: datetime | None) -> str:
    return "no time".ljust(23) if at is None else at.isoformat(" ", "milliseconds")


def _listed(names: list[str]) -> str:
    if not names:
        return "none recorded"
    return ", ".join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")


def _changes(changes: list[Row]) -> str:
    if not changes:
        return "none recorded"
    final = sum(event["kind"] == "irreversible change" for event in changes)
    names = sorted({str(event["what"]) for event in changes})
    return f"{len(changes)} ({final} irreversible): {_listed(names)}"


def _cost(run: Row) -> str:
    calls = run["model_calls"] - run["costless_model_calls"]
    if run["cost_usd"] is None:
        return f"{_UNKNOWN}: {run['priced_model_calls']} of {calls} model calls have a known price"
    parts = [f"model ${run['model_cost_usd']:,.6f}"]
    for name in ("tool", "escalation"):
        part = run[f"{name}_cost_usd"]
        parts.append(f"{name} {_UNKNOWN}" if part is None else f"{name} ${part:,.6f}")
    return f"${run['cost_usd']:,.6f} ({', '.join(parts)}); {run['priced_model_calls']} of {calls} model calls priced"


def _outcome(run: Row) -> str:
    if run["outcome"] is None:
        return "pending" if run["is_pending"] else _UNKNOWN
    name = f" ({run['outcome_name']})" if run["outcome_name"] else ""
    if run["outcome_at"] is None or run["ended_at"] is None:
        return f"{run['outcome']}{name}"
    late = (run["outcome_at"] - run["ended_at"]).total_seconds()
    known = "by its end" if late <= 0 else f"{late:,.0f} s after its end"
    return f"{run['outcome']}{name}, known {known}"


def _clean(line: str) -> str:
    """A line of a terminal: what could move its cursor, turn its direction or break it is replaced."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)[:1000]
