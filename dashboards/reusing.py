"""From component uses and clone candidates to what the page on reuse shows. Pure; no components, no figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Component:
    """One component that was used.

    Parameters
    ----------
    kind, name : str
    is_certified : bool
        The catalog certifies a version that was used.
    uses : dict
        Invocations by workflow.
    """

    kind: str
    name: str
    is_certified: bool
    uses: dict[str, int]

    @property
    def invocations(self) -> int:
        """Of all workflows."""
        return sum(self.uses.values())

    @property
    def is_shared(self) -> bool:
        """Whether two workflows or more use it."""
        return len(self.uses) > 1


def components(uses: pl.DataFrame) -> list[Component]:
    """The components of ``queries/component_uses.sql``: those most widely used first, then by invocations."""
    found: dict[tuple[str, str], Component] = {}
    for row in uses.iter_rows(named=True):
        key = (row["component_kind"], row["name"])
        one = found.setdefault(key, Component(*key, bool(row["is_certified"]), {}))
        one.uses[row["workflow"]] = one.uses.get(row["workflow"], 0) + row["invocations"]
    return sorted(found.values(), key=_order)


def _order(one: Component) -> tuple[int, bool, int, str, str]:
    return -len(one.uses), not one.is_certified, -one.invocations, one.kind, one.name


@dataclass(frozen=True, slots=True)
class Family:
    """Tools whose usual arguments have one shape, and what having one of them would save.

    Parameters
    ----------
    keep : str
        The tool that the others could be replaced by: the certified one called most, else the one called most.
    is_certified : bool
        Whether that one is certified already.
    others : list of mapping
        The other rows of ``clone_candidates``.
    workflows : tuple of str
        Who calls any of them.
    calls_moved : int
        Calls of the others.
    reuse_gained : float | None
        What the reuse rate would rise by if all calls of the family went to a certified tool, as a share; None without a rate.
    cost_saved_usd : float | None
        Calls moved × (their cost per call − that of the one kept), in US dollars; None where a cost per call is unknown.
    """

    keep: str
    is_certified: bool
    others: list[Row]
    workflows: tuple[str, ...]
    calls_moved: int
    reuse_gained: float | None
    cost_saved_usd: float | None


def families(clones: Sequence[Row], invocations: int) -> list[Family]:
    """The shapes of ``queries/clones.sql`` as families, those with most calls to move first.

    Parameters
    ----------
    clones : sequence of mapping
    invocations : int
        All component invocations of the fleet since the beginning: what a share of calls is measured by.
    """
    shapes: dict[str, list[Row]] = {}
    for row in clones:
        shapes.setdefault(row["arguments_shape"], []).append(row)
    found = [_family(rows, invocations) for rows in shapes.values()]
    return sorted(found, key=lambda one: (-one.calls_moved, one.keep))


def _family(rows: list[Row], invocations: int) -> Family:
    keep = next((row for row in rows if row["use_instead"] is None), rows[0])
    others = [row for row in rows if row is not keep]
    workflows = tuple(sorted({name for row in rows for name in row["called_by"] or ()}))
    moved = sum(row["calls"] for row in others)
    # Counted as reuse already where the one to keep is certified and shared.
    counted = keep["calls"] if keep["is_certified"] and keep["workflows"] > 1 else 0
    counted += sum(row["calls"] for row in others if row["is_certified"] and row["workflows"] > 1)
    gained = moved + keep["calls"] - counted if len(workflows) > 1 else 0
    return Family(
        keep=keep["tool_name"],
        is_certified=bool(keep["is_certified"]),
        others=others,
        workflows=workflows,
        calls_moved=moved,
        reuse_gained=gained / invocations if invocations else None,
        cost_saved_usd=_saved(keep, others),
    )


def _saved(keep: Row, others: list[Row]) -> float | None:
    price = keep["cost_usd_per_call"]
    if price is None or any(row["cost_usd_per_call"] is None for row in others):
        return None
    return sum(row["calls"] * (row["cost_usd_per_call"] - price) for row in others)
