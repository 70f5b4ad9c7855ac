"""The catalog: what the users of Plumbline declare about workflows, tools, shared components and policies.

Read once when a command starts, checked whole, and written to the ``catalog_*`` tables. Everything works without a
catalog; an entry makes a figure sharper. An error names the file, the line, what is wrong and what is allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
import yaml
from pydantic import BeforeValidator, Field

from pipelines.contracts import located
from pipelines.contracts.drift_section import DriftEntry
from pipelines.contracts.located import Entry
from pipelines.contracts.money_section import RATES, CurrencyEntry, Instant, Name, PriceEntry


def _format_version(value: object) -> object:
    if value != "1":
        raise ValueError("this Plumbline reads version 1")
    return 1


#: Name of the one budget of scope ``fleet``, and of the fleet's rows in the marts.
FLEET = "(fleet)"
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False, description="US dollars")]
Hours = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Minutes = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=0, le=1)]


class Objectives(Entry):
    """What a workflow is meant to reach; each is optional."""

    success_ratio: Ratio | None = None
    cost_per_success_usd: Usd | None = None
    escalation_ratio: Ratio | None = None
    policy_adherence_ratio: Ratio | None = None


Treatment = Literal["keep", "drop", "hash", "mask"]


class ContentEntry(Entry):
    """What is stored of what people and tools said; what is not named follows the catalog's default, else is kept."""

    messages: Treatment | None = None
    tool_arguments: Treatment | None = None
    tool_results: Treatment | None = None


Containment = Literal["throttle", "route_to_person", "disable_tool", "roll_back"]


Effect = Literal["read", "write", "irreversible"]


class WorkflowEntry(Entry):
    """A workflow: who answers for it, what counts as done and by when, what it may cost, and what it may do."""

    owner: Name | None = None
    team: Name | None = None
    cost_center: Name | None = None
    outcome_name: Name | None = None
    outcome_window_hours: Hours | None = None
    budget_usd_per_month: Usd | None = None
    escalation_cost_usd: Usd | None = None
    rollback_objective_minutes: Minutes | None = None
    baseline_release: Name | None = None
    objectives: Objectives = Objectives()
    content: ContentEntry = ContentEntry()
    containment: tuple[Containment, ...] | None = None
    models: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    effects_allowed: tuple[Effect, ...] | None = None
    drift: DriftEntry = DriftEntry()
    formerly: tuple[Name, ...] | None = None


class ToolEntry(Entry):
    """A tool: what it does to the world, what a call costs, and the tool that undoes it."""

    effect: Effect | None = None
    cost_per_call_usd: Usd | None = None
    compensation: Name | None = None
    certified: bool = False


class ComponentEntry(Entry):
    """A shared component in one version."""

    kind: Literal["prompt", "agent", "policy", "tool"]
    name: Name
    version: Name
    certified: bool = False


class PolicyEntry(Entry):
    """A policy in one version, in force from ``effective_at`` until the next version is."""

    policy: Name
    version: Name
    effective_at: Instant


class BudgetsEntry(Entry):
    """Monthly budgets of the fleet, of teams and cost centers; a workflow's stands with the workflow."""

    fleet: Usd | None = None
    teams: dict[Name, Usd] = Field(default_factory=dict)
    cost_centers: dict[Name, Usd] = Field(default_factory=dict)


class Catalog(Entry):
    """A whole catalog; every section may be absent."""

    version: Annotated[int, BeforeValidator(_format_version)] = 1
    content: ContentEntry = ContentEntry()
    budgets: BudgetsEntry = BudgetsEntry()
    workflows: dict[Name, WorkflowEntry] = Field(default_factory=dict)
    tools: dict[Name, ToolEntry] = Field(default_factory=dict)
    components: tuple[ComponentEntry, ...] = ()
    policies: tuple[PolicyEntry, ...] = ()
    currencies: tuple[CurrencyEntry, ...] = ()
    prices: tuple[PriceEntry, ...] = ()

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the rows of the warehouse's ``catalog_*`` tables, by table name; unknown is null.

        Grain: ``catalog_workflows`` one per workflow, ``catalog_tools`` one per tool, ``catalog_components`` one per
        (kind, name, version), ``catalog_policies`` one per (policy, version), ``catalog_budgets`` one per (scope, name),
        ``catalog_currencies`` one per (currency, effective_at), ``catalog_prices`` one per (provider, model, service_tier,
        effective_at).
        """
        budgets = {
            "workflow": {name: entry.budget_usd_per_month for name, entry in self.workflows.items()},
            "team": self.budgets.teams,
            "cost_center": self.budgets.cost_centers,
            "fleet": {FLEET: self.budgets.fleet},
        }
        return {
            "catalog_workflows": pl.DataFrame(
                [
                    {
                        "workflow": name,
                        **entry.model_dump(exclude={"objectives", "content", "drift"}),
                        **{f"{what}_objective": aim for what, aim in entry.objectives.model_dump().items()},
                        "drift": entry.drift.model_dump_json(exclude_defaults=True)
                        if entry.drift != DriftEntry()
                        else None,
                    }
                    for name, entry in self.workflows.items()
                ],
                schema=_WORKFLOWS,
            ),
            "catalog_tools": pl.DataFrame(
                [{"tool_name": name, **entry.model_dump()} for name, entry in self.tools.items()], schema=_TOOLS
            ),
            "catalog_components": pl.DataFrame(
                [{"component_kind": entry.kind, **entry.model_dump(exclude={"kind"})} for entry in self.components],
                schema=_COMPONENTS,
            ),
            "catalog_policies": _dated(self.policies, _POLICIES),
            "catalog_currencies": _dated(self.currencies, _CURRENCIES),
            "catalog_prices": _dated(self.prices, _PRICES),
            "catalog_budgets": pl.DataFrame(
                [
                    (scope, name, usd)
                    for scope, entries in budgets.items()
                    for name, usd in entries.items()
                    if usd is not None
                ],
                schema=_BUDGETS,
                orient="row",
            ),
        }


def _dated(entries: Sequence[PolicyEntry | CurrencyEntry | PriceEntry], schema: _Schema) -> pl.DataFrame:
    rows = [{**entry.model_dump(), "effective_at": entry.effective_at.replace(tzinfo=None)} for entry in entries]
    return pl.DataFrame(rows, schema=schema)


_Schema = dict[str, pl.DataType | type[pl.DataType]]

_WORKFLOWS: _Schema = {
    **dict.fromkeys(("workflow", "owner", "team", "cost_center", "outcome_name"), pl.String),
    **dict.fromkeys(("outcome_window_hours", "budget_usd_per_month", "escalation_cost_usd"), pl.Float64),
    "rollback_objective_minutes": pl.Float64,
    "containment": pl.List(pl.String),
    "baseline_release": pl.String,
    **dict.fromkeys(("models", "effects_allowed"), pl.List(pl.String)),
    "drift": pl.String,
    "formerly": pl.List(pl.String),
    **{f"{what}_objective": pl.Float64 for what in Objectives.model_fields},
}
_TOOLS: _Schema = {
    "tool_name": pl.String,
    "effect": pl.String,
    "cost_per_call_usd": pl.Float64,
    "compensation": pl.String,
    "certified": pl.Boolean,
}
_COMPONENTS: _Schema = {
    "component_kind": pl.String,
    "name": pl.String,
    "version": pl.String,
    "certified": pl.Boolean,
}
_BUDGETS: _Schema = {"scope": pl.String, "name": pl.String, "budget_usd_per_month": pl.Float64}
_POLICIES: _Schema = {"policy": pl.String, "version": pl.String, "effective_at": pl.Datetime("us")}
_CURRENCIES: _Schema = {"currency": pl.String, "effective_at": pl.Datetime("us"), "usd_per_unit": pl.Float64}
_PRICES: _Schema = {
    **dict.fromkeys(("provider", "model", "service_tier"), pl.String),
    "effective_at": pl.Datetime("us"),
    "list_price_ratio": pl.Float64,
    "currency": pl.String,
    **dict.fromkeys(RATES, pl.Float64),
}


def load_catalog(path: Path) -> Catalog:
    """Read and check a catalog file; an empty file is an empty catalog.

    Raises
    ------
    TerminalError
        One line with file and line: a file that can't be read, no YAML, a key given twice, a key or value that is not
        allowed, a compensation that is no declared tool, two entries for the same version, a price in a currency that has no
        rate, a former name of a workflow that another one has.
    """
    catalog, root = located.load(path, Catalog, "catalog")
    if root is not None:
        _check_references(catalog, path, root)
    return catalog


def _check_references(catalog: Catalog, path: Path, root: yaml.Node) -> None:
    for name, tool in catalog.tools.items():
        if tool.compensation is not None and tool.compensation not in catalog.tools:
            what = f"compensation {tool.compensation!r} is no declared tool"
            raise located.error(
                path,
                root,
                ("tools", name, "compensation"),
                what,
                f"declare it, or use one of {', '.join(sorted(catalog.tools))}",
            )
    owners: dict[str, str] = {}
    for name, workflow in catalog.workflows.items():
        for former in workflow.formerly or ():
            other = former if former in catalog.workflows else owners.get(former)
            if other is not None:
                what = f"{former!r} can't be a former name of {name!r}"
                todo = f"a run counts once: take it out here, or from {other!r}"
                raise located.error(path, root, ("workflows", name, "formerly"), what, todo)
            owners[former] = name
    for section, keys in (
        ("components", [(entry.kind, entry.name, entry.version) for entry in catalog.components]),
        ("policies", [(entry.policy, entry.version) for entry in catalog.policies]),
        ("currencies", [(entry.currency, entry.effective_at.isoformat()) for entry in catalog.currencies]),
        ("prices", [entry.key for entry in catalog.prices]),
    ):
        seen: dict[tuple[str, ...], int] = {}
        for index, key in enumerate(keys):
            if key in seen:
                what = f"{' '.join(key)} is declared twice"
                raise located.error(
                    path, root, (section, index), what, f"keep one entry (the first is {section}[{seen[key]}])"
                )
            seen[key] = index
    for index, price in enumerate(catalog.prices):
        known = [entry.effective_at for entry in catalog.currencies if entry.currency == price.currency]
        if price.currency != "USD" and not any(at <= price.effective_at for at in known):
            what = f"currency {price.currency!r} has no rate on {price.effective_at:%Y-%m-%d}"
            declared = ", ".join(sorted({entry.currency for entry in catalog.currencies})) or "none"
            todo = f"give it one in currencies from that day on or earlier, or use USD (declared: {declared})"
            raise located.error(path, root, ("prices", index, "currency"), what, todo)
