"""YAML files that people write, checked whole: an error names the file, the line, what is wrong and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.errors import TerminalError


class Entry(BaseModel):
    """A part of such a file: it can't be changed, and has no other keys than these."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Loader(yaml.SafeLoader):
    """YAML whose numbers and dates stay text until a field says what they are: version 2.10 must not become 2.1."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rsplit(":", 1)[-1] in ("bool", "null", "merge")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

_Model = TypeVar("_Model", bound=Entry)


def load(path: Path, model: type[_Model], what: str) -> tuple[_Model, yaml.Node | None]:
    """Read a file and check it against its model; an empty file is an empty one.

    Parameters
    ----------
    path : Path
        The file, in UTF-8.
    model : type of Entry
        What the whole file is.
    what : str
        How people call it.

    Returns
    -------
    Entry
        The whole file.
    yaml.Node or None
        Its tree, for :func:`error`; None of an empty file.

    Raises
    ------
    TerminalError
        One line with file and line: a file that can't be read, no YAML, a key given twice, a key or value that is not allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as raised:
        raise TerminalError(
            f"cannot read the {what}", str(path), f"give a readable UTF-8 file ({type(raised).__name__})"
        ) from None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return model(), None
        _refuse_repeats(root, path)
        document: object = loader.construct_document(root)  # pyright: ignore  # untyped in the stubs
    except yaml.YAMLError as raised:
        mark = getattr(raised, "problem_mark", None) or getattr(raised, "context_mark", None)
        problem = getattr(raised, "problem", None) or str(raised)
        raise TerminalError("not valid YAML", f"{path}:{mark.line + 1}" if mark else str(path), problem) from None
    if not isinstance(document, dict):
        raise error(path, root, (), f"a {what} is a mapping", _allowed(model))
    try:
        return model.model_validate(document), root
    except ValidationError as raised:
        first = raised.errors(include_url=False)[0]
        raise error(path, root, first["loc"], *_explain(first, model, what)) from None


def _explain(found: Any, model: type[Entry], what: str) -> tuple[str, str]:
    """Say what is wrong and what is allowed, for one finding of pydantic."""
    location: tuple[int | str, ...] = found["loc"]
    name = str(location[-1]) if location else what
    where = [part for part in location[:-1] if isinstance(part, str)]
    if found["type"] == "extra_forbidden":
        return f"unknown key {name!r}", _allowed(_model_at(model, where))
    if found["type"] == "missing":
        return f"{name!r} is missing", "required: " + ", ".join(
            key for key, field in _model_at(model, where).model_fields.items() if field.is_required()
        )
    given = repr(found["input"])
    wanted = _WANTED.get(found["type"], str(found["msg"]).removeprefix("Value error, "))
    return f"{name} is {given if len(given) <= 80 else given[:77] + '...'}", wanted


_WANTED = {
    "dict_type": "give a mapping of names to entries",
    "model_type": "give a mapping, {} for nothing to say",
    "tuple_type": "give a list of entries",
}


def _model_at(model: type[Entry], location: Sequence[str]) -> type[Entry]:
    """Return the entry that stands at a location: keys of the file, without the places in lists."""
    wanted: Any = model
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
    return wanted if isinstance(wanted, type) and issubclass(wanted, Entry) else model


def _allowed(model: type[Entry]) -> str:
    return f"allowed: {', '.join(model.model_fields)}"


def error(path: Path, root: yaml.Node, location: Sequence[int | str], what: str, todo: str) -> TerminalError:
    """Return the error of one place of a file: keys and places in lists from its root on."""
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
