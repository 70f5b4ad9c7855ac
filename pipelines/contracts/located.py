"""YAML files that people write, checked whole: an error names the file, the line, what is wrong and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from pipelines.errors import TerminalError


class Entry(BaseModel):
    """A part of such a file: it can't be changed, and has no other keys than these."""

    model_config = ConfigDict(extra="forbid", frozen=True)


#: Kind of the errors that must not repeat what was given.
_UNSAID = "unsaid"


def unsaid(todo: str) -> PydanticCustomError:
    """Return the error of a value that may be a secret: the line that people see does not repeat it."""
    return PydanticCustomError(_UNSAID, "{todo}", {"todo": todo})


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
    where = location[:-1]
    if found["type"] == "extra_forbidden":
        return f"unknown key {name!r}", _allowed(_model_at(model, where))
    if found["type"] == "missing":
        return f"{name!r} is missing", "required: " + ", ".join(
            key for key, field in _model_at(model, where).model_fields.items() if field.is_required()
        )
    if found["type"] == _UNSAID:
        return f"{name} is not given as it must be", str(found["msg"])
    if found["type"].startswith("union_tag_"):
        of = found["ctx"]["discriminator"].strip("'")
        tags = found["ctx"].get("expected_tags") or ", ".join(_tagged(_annotation_at(model, location)))
        return f"{name} has no known {of}", f"{of} is one of {tags.replace(chr(39), '')}"
    if name == "[key]":
        name = f"key of {location[-3]}"
    elif name in _tagged(_annotation_at(model, where)):
        name = str(location[-2])
    given = repr(found["input"])
    wanted = _WANTED.get(found["type"], str(found["msg"]).removeprefix("Value error, "))
    return f"{name} is {given if len(given) <= 80 else given[:77] + '...'}", wanted


_WANTED = {
    "dict_type": "give a mapping of names to entries",
    "model_type": "give a mapping, {} for nothing to say",
    "model_attributes_type": "give a mapping",
    "tuple_type": "give a list of entries",
}


def _model_at(model: type[Entry], location: Sequence[int | str]) -> type[Entry]:
    """Return the entry that stands at a location, without the places in lists."""
    wanted = _annotation_at(model, [part for part in location if isinstance(part, str)])
    while get_origin(wanted) in (dict, tuple):
        wanted = get_args(wanted)[-1] if get_origin(wanted) is dict else get_args(wanted)[0]
    return wanted if isinstance(wanted, type) and issubclass(wanted, Entry) else model


def _annotation_at(model: type[Entry], location: Sequence[int | str]) -> Any:
    """Return the type that stands at a location: keys of the file, and the tags that pydantic puts between them."""
    wanted: Any = model
    for part in location:
        if isinstance(wanted, type) and issubclass(wanted, Entry):
            field = wanted.model_fields.get(str(part))
            # Where a tag tells members apart pydantic keeps it beside the annotation.
            tagged = field is not None and field.discriminator is not None
            wanted = Annotated[field.annotation, field] if field is not None and tagged else field and field.annotation
            while get_origin(wanted) is tuple:
                wanted = get_args(wanted)[0]
        elif tags := _tagged(wanted):
            wanted = tags.get(str(part))
        else:
            wanted = get_args(wanted)[-1] if get_origin(wanted) is dict else None
        members = [each for each in get_args(wanted) if each is not NoneType]
        if len(members) == 1 and get_origin(wanted) in (Union, UnionType):
            wanted = members[0]
    return wanted


def _tagged(annotation: Any) -> dict[str, type[Entry]]:
    """Return the members of a union that a field tells apart, by the field's value; of anything else none."""
    union, *others = get_args(annotation) if get_origin(annotation) is Annotated else (None,)
    of = next((each.discriminator for each in others if isinstance(each, FieldInfo)), None)
    if not isinstance(of, str):
        return {}
    return {tag: member for member in get_args(union) for tag in get_args(member.model_fields[of].annotation)}


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
                continue  # the tag of a union, which is no key; a missing key has nothing below it
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
