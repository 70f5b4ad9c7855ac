"""Test-only: a fleet that keeps, breaks and can't prove each clause of its contract, with drills, rollbacks and incidents."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.warehouse.fleet import NOW, Fleet, model_call, tool_call
from tests.warehouse.test_marts import drill, release

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
USER = '{"user.id": "u"}'
SOUND: dict[str, Any] = {"attributes": USER, "agent": "a", "prompt_version": "p"}
PAY = tool_call("pay", tool_effect="irreversible")


def decide(it: Fleet, run: str, action: str = "allow", version: str | None = "2", **more: Any) -> None:
    number = len(it.rows.get("policy_decisions", ()))
    it.add(
        "policy_decisions",
        **{
            "trace_id": run, "span_id": str(number), "run_id": run, "policy": "limits", "policy_version": version,
            "action": action, "enforced": True, "at": NOW - HOUR, **more,
        },
    )  # fmt: skip


def approve(it: Fleet, run: str, status: str = "granted") -> None:
    number = len(it.rows.get("approvals", ()))
    it.add("approvals", trace_id=run, span_id=str(number), run_id=run, status=status, at=NOW - HOUR)


def declare(it: Fleet, workflow: str, team: str | None = None, **more: Any) -> None:
    defaults = {"effects_allowed": ["read", "irreversible"], "cost_per_success_usd_objective": 1.0}
    it.add("catalog_workflows", **{"workflow": workflow, "team": team, **defaults, **more})


def fleet() -> Fleet:
    it = Fleet()
    for version, at in (("1", NOW - 90 * DAY), ("2", NOW - 60 * DAY), ("3", NOW + DAY)):
        it.add("catalog_policies", policy="limits", version=version, effective_at=at)
    release(it, "kept", PAY, **SOUND)
    drill(it, "kept")
    decide(it, "kept-new")
    approve(it, "kept-new")
    declare(it, "kept", "blue", budget_usd_per_month=100.0)
    release(it, "undrilled")
    broken(it)
    bare(it)
    weak(it)
    undoing(it)
    exercises(it)
    figures(it)
    for row in it.rows["rollbacks"]:
        row["run_id"] = row["run_id"].replace("-new", "-old-0")  # which is there on the days that a history is asked of
    return it


def broken(it: Fleet) -> None:
    """One run that breaks each clause, beside one that keeps it."""
    for number, root in enumerate(({**SOUND, "release": "1"}, {**SOUND, "release": None, "prompt_version": None})):
        it.run(
            f"broken-{number}", "broken", model_call(9.0), {**PAY, "tool_call_id": f"b{number}"},
            at=NOW - DAY, outcome="success", **root,
        )  # fmt: skip
    approve(it, "broken-0")
    approve(it, "broken-1", "bypassed")
    decide(it, "broken-0", "deny", enforced=False)
    decide(it, "broken-0")
    decide(it, "broken-1", version="1")
    declare(it, "broken", "blue", effects_allowed=["read"])
    it.add("catalog_budgets", scope="workflow", name="broken", budget_usd_per_month=31.0)
    it.add("catalog_budgets", scope="team", name="blue", budget_usd_per_month=31_000.0)


def bare(it: Fleet) -> None:
    """Workflows that send next to nothing, and whose model nobody has priced."""
    it.run("bare-0", "bare", tool_call("mystery"), at=NOW - DAY, outcome="failure")
    it.run("own-0", "own-model", model_call(None, model="own"), at=NOW - 3 * DAY, outcome="success")


def weak(it: Fleet) -> None:
    """Workflows with one weak link each, and one that has spent its budget."""
    release(it, "unsafe", tool_call("writes", tool_effect="write"))
    release(it, "slow")
    release(it, "loose")
    it.run("loose-bare", "loose", at=NOW - HOUR, outcome="success")
    for workflow in ("unsafe", "slow", "loose"):
        drill(it, workflow, 30.0 if workflow == "slow" else 3.0)
    for number, usd in enumerate((1.0, 2.0, 3.0, 4.0)):
        it.run(
            f"overspent-{number}", "overspent", model_call(usd), at=NOW - (9 - number) * DAY, outcome="success",
            release=None if number == 3 else "1", mode="shadow" if number == 1 else None,
        )  # fmt: skip
    declare(it, "overspent", cost_per_success_usd_objective=None, budget_usd_per_month=5.5)


def undoing(it: Fleet) -> None:
    """Writes undone within their run and by a later one, and one whose id another run's undone call has too."""

    def write(tool: str, call: str) -> dict[str, Any]:
        return {**tool_call(tool, tool_effect="write"), "tool_call_id": call}

    def undo(call: str) -> dict[str, Any]:
        return tool_call("undoes", tool_effect="write", compensates=call)

    release(it, "undoing", write("same", "u1"), undo("u1"), write("later", "u2"), write("namesake", "u3"))
    it.run("undoing-later", "undoing", undo("u2"), at=NOW - HOUR, outcome="success", release="2")
    it.run(
        "undoing-namesake", "undoing", write("namesake", "u3"), undo("u3"), at=NOW - DAY, outcome="success", release="2"
    )
    drill(it, "undoing")


def exercises(it: Fleet) -> None:
    """Release 2 of each workflow runs every minute until it is stopped; release 1 takes over where it does."""
    began = NOW - 3 * HOUR

    def row(workflow: str, **more: Any) -> None:
        it.add(
            "drills",
            **{
                "drill_id": workflow, "workflow": workflow, "release": "2", "started_at": began,
                "stopped_at": began + HOUR, "said_by": None, "note": None, **more,
            },
        )  # fmt: skip

    def runs(workflow: str, version: str, first: int, last: int) -> None:
        for minute in range(first, last):
            name = f"{workflow}-{version}-{minute}"
            it.run(name, workflow, model_call(0.1), at=began + minute * MINUTE, outcome="success", release=version)

    for workflow, stops, takes_over in (("halted", 4, 7), ("heedless", 61, 70), ("ongoing", 2, 99)):
        runs(workflow, "2", -10, stops)
        runs(workflow, "1", takes_over, 60)
        row(workflow, stopped_at=None if workflow == "ongoing" else began + HOUR)
    runs("idle", "2", -200, -190)
    row("idle")


def figures(it: Fleet) -> None:
    at = datetime(2025, 8, 10, 9)
    it.add("catalog_workflows", workflow="west", team="red", effects_allowed=None, cost_per_success_usd_objective=None)
    for number in range(4):
        it.run(f"west-{number}", "west", tool_call("free"), tool_call("free"), at=at, outcome="success", release="1")
    it.run("east-0", "east", PAY, at=at, outcome="failure", release="1")
    it.run("east-1", "east", at=at + 30 * HOUR, outcome="failure", release="1")
    it.run("east-2", "east", at=at + 26 * HOUR, outcome="success", release="2")
    rolled = {"trace_id": "t", "run_id": "west-0", "kind": "version", "drill": False}
    it.add("rollbacks", **rolled, span_id="a", at=at, completed_at=at + 8 * MINUTE, status="success")
    it.add("rollbacks", **rolled, span_id="b", at=at, completed_at=at + 90 * MINUTE, status="failed")
    for number, (workflow, hours) in enumerate((("west", 1), ("east", 1.5), ("west", 5))):
        it.add("incidents", incident_id=f"i{number}", workflow=workflow, opened_at=at + hours * HOUR)
        it.add("signals", signal_id=f"s{number}", incident_id=f"i{number}", created_at=at + hours * HOUR)
    it.add("acknowledgements", acknowledgement_id="k", incident_id="i0", judgement="real", stated_at=at + 2 * HOUR)
    it.add("acknowledgements", acknowledgement_id="l", incident_id="i0", judgement="resolved", stated_at=at + 9 * HOUR)
