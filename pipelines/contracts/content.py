"""What may be stored of what people and tools said: the catalog's policy, and ``content.csv``, which keys hold such text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

from pipelines.contracts.catalog import Catalog, ContentEntry, load_catalog

#: From the mildest to the strictest: a document of several classes is treated as the strictest of theirs.
TREATMENTS = ("keep", "hash", "mask", "drop")
CLASSES = ("messages", "tool_arguments", "tool_results")
#: Bit sets of ``CLASSES``.
_HOLDS = {"messages": 1, "tool_arguments": 2, "tool_results": 4, "everything": 7}


@dataclass(frozen=True, slots=True)
class ContentPolicy:
    """How strictly each class of content is treated, per workflow.

    Attributes
    ----------
    default : tuple of int
        For every workflow that is not named: a place in ``TREATMENTS`` per class of ``CLASSES``.
    by_workflow : dict of str to tuple of int
        The same for named ones.
    """

    default: tuple[int, int, int] = (0, 0, 0)
    by_workflow: dict[str, tuple[int, int, int]] | None = None

    @property
    def keeps_everything(self) -> bool:
        """Whether there is nothing to do."""
        return not any(self.default) and not any(any(levels) for levels in (self.by_workflow or {}).values())


def content_policy(catalog: Catalog) -> ContentPolicy:
    """Return the policy that a catalog states.

    Examples
    --------
    >>> strict = ContentEntry(messages="drop", tool_results="mask")
    >>> desk = {"desk": {"content": {"messages": "keep"}}}
    >>> content_policy(Catalog.model_validate({"content": strict, "workflows": desk}))
    ContentPolicy(default=(3, 0, 2), by_workflow={'desk': (0, 0, 2)})
    """
    default = _levels(catalog.content, (0, 0, 0))
    own = {
        name: _levels(entry.content, default)
        for now, entry in catalog.workflows.items()
        for name in (now, *(entry.formerly or ()))
    }
    return ContentPolicy(default, {name: levels for name, levels in own.items() if levels != default})


@cache
def policy_of(path: Path | None) -> ContentPolicy:
    """Return the policy of a catalog file, read once by this process; without a file everything is kept."""
    return ContentPolicy() if path is None else content_policy(load_catalog(path))


def _levels(entry: ContentEntry, default: tuple[int, int, int]) -> tuple[int, int, int]:
    stated = (entry.messages, entry.tool_arguments, entry.tool_results)
    first, second, third = (
        fallback if said is None else TREATMENTS.index(said) for said, fallback in zip(stated, default, strict=True)
    )
    return first, second, third


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str], int, int], ...]:
    """Event pattern (empty: anywhere), key pattern, classes, classes on tool spans."""
    table = pl.read_csv(Path(__file__).parent / "content.csv", comment_prefix="#").fill_null("")
    return tuple(
        (event, _pattern(key), _HOLDS[holds], _HOLDS[on_tools or holds])
        for _, event, key, holds, on_tools in table.iter_rows()
    )


def _pattern(text: str) -> re.Pattern[str]:
    parts = (
        "".join(r"\d+" if word == "N" else re.escape(word) for word in re.split(r"\b(N)\b", part))
        for part in text.split("*")
    )
    return re.compile(".*".join(parts), re.DOTALL)


def classes(keys: Iterable[str], event: str = "") -> dict[str, tuple[int, int]]:
    """Return the bit sets of content classes that keys hold, and hold on tool spans; keys without any are left out.

    Parameters
    ----------
    keys : iterable of str
        Attribute keys as sent, each looked at once.
    event : str
        Name of the event that they stand on; empty for a span's own.

    Examples
    --------
    >>> classes(["input.value", "llm.input_messages.0.message.content", "gen_ai.usage.input_tokens"])
    {'input.value': (7, 2), 'llm.input_messages.0.message.content': (7, 7)}
    >>> classes(["content", "role"], event="gen_ai.user.message")
    {'content': (1, 1)}
    """
    rows = [
        (pattern, holds, on_tools)
        for event_pattern, pattern, holds, on_tools in _patterns()
        if not event_pattern or (event and _pattern(event_pattern).fullmatch(event))
    ]
    found: dict[str, tuple[int, int]] = {}
    for key in keys:
        for pattern, holds, on_tools in rows:
            if pattern.fullmatch(key):
                found[key] = (holds, on_tools)
                break
    return found
