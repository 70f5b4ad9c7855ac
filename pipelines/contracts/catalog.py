"""The catalog: what the users of Plumbline declare about workflows, tools, shared components and policies.

Read once when a command starts, checked whole, and written to the ``catalog_*`` tables. Everything works without a
catalog; an entry makes a figure sharper. An error names the file, the line, what is wrong and what is allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import polars as pl
import yaml
from pydantic import BeforeValidator, Field, ValidationError

from pipelines.contracts.drift_section import DriftEntry, Entry
from pipelines.errors import TerminalError


class _Loader(yaml.SafeLoader):
    """YAML whose numbers and dates stay text until a field says what they are: version 2.10 must not become 2.1."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rsplit(":", 1)[-1] in ("bool", "null", "merge")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _instant(value: object) -> object:
    """Read an ISO date as its midnight, and take a time without a zone as UTC."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("give a date or a time, like 2026-03-01 or 2026-03-01T09:00:00Z") from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _format_version(value: object) -> object:
    if value != "1":
        raise ValueError("this Plumbline reads version 1")
    return 1


Name = Annotated[str, Field(min_length=1, max_length=200)]
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False, description="US dollars")]
Hours = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Minutes = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=0, le=1)]
Instant = Annotated[datetime, BeforeValidator(_instant)]


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
    """Monthly budgets of teams and cost centers; a workflow's stands with the workflow."""

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

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the rows of the warehouse's ``catalog_*`` tables, by table name; unknown is null.

        Grain: ``catalog_workflows`` one per workflow, ``catalog_tools`` one per tool, ``catalog_components`` one per
        (kind, name, version), ``catalog_policies`` one per (policy, version), ``catalog_budgets`` one per (scope, name).
        """
        budgets = {
            "workflow": {name: entry.budget_usd_per_month for name, entry in self.workflows.items()},
            "team": self.budgets.teams,
            "cost_center": self.budgets.cost_centers,
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
            "catalog_policies": pl.DataFrame(
                [
                    {**entry.model_dump(), "effective_at": entry.effective_at.replace(tzinfo=None)}
                    for entry in self.policies
                ],
                schema=_POLICIES,
            ),
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


_Schema = dict[str, pl.DataType | type[pl.DataType]]

_WORKFLOWS: _Schema = {
    **dict.fromkeys(("workflow", "owner", "team", "cost_center", "outcome_name"), pl.String),
    **dict.fromkeys(("outcome_window_hours", "budget_usd_per_month", "escalation_cost_usd"), pl.Float64),
    "rollback_objective_minutes": pl.Float64,
    "containment": pl.List(pl.String),
    "baseline_release": pl.String,
    **dict.fromkeys(("models", "effects_allowed"), pl.List(pl.String)),
    "drift": pl.String,
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


def load_catalog(path: Path) -> Catalog:
    """Read and check a catalog file; an empty file is an empty catalog.

    Raises
    ------
    TerminalError
        One line with file and line: a file that can't be read, no YAML, a key given twice, a key or value that is not
        allowed, a compensation that is no declared tool, two entries for the same version.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TerminalError(
            "cannot read the catalog", str(path), f"give a readable UTF-8 file ({type(error).__name__})"
        ) from None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return Catalog()
        _refuse_repeats(root, path)
        document: object = loader.construct_document(root)  # pyright: ignore  # untyped in the stubs
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise TerminalError("not valid YAML", f"{path}:{mark.line + 1}" if mark else str(path), problem) from None
    if not isinstance(document, dict):
        raise _error(path, root, (), "a catalog is a mapping", _allowed(Catalog))
    try:
        catalog = Catalog.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _error(path, root, first["loc"], *_explain(first)) from None
    _check_references(catalog, path, root)
    return catalog


def _check_references(catalog: Catalog, path: Path, root: yaml.Node) -> None:
    for name, tool in catalog.tools.items():
        if tool.compensation is not None and tool.compensation not in catalog.tools:
            what = f"compensation {tool.compensation!r} is no declared tool"
            raise _error(
                path, root, ("tools", name, "compensation"), what, f"declare it, or use one of {_listed(catalog.tools)}"
            )
    for section, keys in (
        ("components", [(entry.kind, entry.name, entry.version) for entry in catalog.components]),
        ("policies", [(entry.policy, entry.version) for entry in catalog.policies]),
    ):
        seen: dict[tuple[str, ...], int] = {}
        for index, key in enumerate(keys):
            if key in seen:
                what = f"{' '.join(key)} is declared twice"
                raise _error(
                    path, root, (section, index), what, f"keep one entry (the first is {section}[{seen[key]}])"
                )
            seen[key] = index


def _explain(error: Any) -> tuple[str, str]:
    """Say what is wrong and what is allowed, for one finding of pydantic."""
    location: tuple[int | str, ...] = error["loc"]
    name = str(location[-1]) if location else "catalog"
    where = [part for part in location[:-1] if isinstance(part, str)]
    if error["type"] == "extra_forbidden":
        return f"unknown key {name!r}", _allowed(_model_at(where))
    if error["type"] == "missing":
        return f"{name!r} is missing", "required: " + ", ".join(
            key for key, field in _model_at(where).model_fields.items() if field.is_required()
        )
    given = repr(error["input"])
    wanted = _WANTED.get(error["type"], str(error["msg"]).removeprefix("Value error, "))
    return f"{name} is {given if len(given) <= 80 else given[:77] + '...'}", wanted


_WANTED = {
    "dict_type": "give a mapping of names to entries",
    "model_type": "give a mapping, {} for nothing to say",
    "tuple_type": "give a list of entries",
}


def _model_at(location: Sequence[str]) -> type[Entry]:
    """Return the entry that stands at a location: keys of the file, without the places in lists."""
    wanted: Any = Catalog
    for part in location:
        if isinstance(wanted, type) and issubclass(wanted, Entry):
            field = wanted.model_fields.get(part)
            wanted = field.annotation if field else None
            while get_origin(wanted) is tuple:
                wanted = get_args(wanted)[0]
        else:
            wanted = get_args(wanted)[-1] if get_origin(wanted) is dict else None
    while get_origin(wanted) in (dict, tuple):
        wanted = get_args(wanted)[-1] if get_origin(wanted) is dict else get_args(wanted)[0]
    return wanted if isinstance(wanted, type) and issubclass(wanted, Entry) else Catalog


def _allowed(model: type[Entry]) -> str:
    return f"allowed: {', '.join(model.model_fields)}"


def _listed(names: dict[str, Any]) -> str:
    return ", ".join(sorted(names))


def _error(path: Path, root: yaml.Node, location: Sequence[int | str], what: str, todo: str) -> TerminalError:
    trail = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location[:-1]).lstrip(".")
    return TerminalError(what, f"{path}:{_line(root, location)}" + (f", {trail}" if trail else ""), todo)


def _line(root: yaml.Node, location: Sequence[int | str]) -> int:
    """Return the line of the deepest part of the location that the file has."""
    node, line = root, root.start_mark.line
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if str(key.value) == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return line + 1


def _refuse_repeats(root: yaml.Node, path: Path) -> None:
    """Refuse a key given twice in one mapping: YAML would silently keep the last."""
    waiting: list[yaml.Node] = [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                name = str(key.value)
                if name in lines:
                    place = f"{path}:{key.start_mark.line + 1}"
                    raise TerminalError(
                        f"key {name!r} is given twice", place, f"keep one (the other is on line {lines[name]})"
                    )
                lines[name] = key.start_mark.line + 1
                waiting.append(value)
