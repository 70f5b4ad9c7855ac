"""Commands on what could not be read: dead-letters list, show, replay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from pipelines.commands.context import err, existing_warehouse, open_warehouse, out, settings_of
from pipelines.commands.reading import write
from pipelines.dead_letters import sql
from pipelines.errors import TerminalError

dead_letters = typer.Typer(
    help="Messages that could not be read: list, show, replay after a fix.", no_args_is_help=True
)

#: So much of a payload is shown, in bytes.
_PREVIEW_BYTES = 2048
_LINE_BYTES = 16


@dead_letters.command("list")
def dead_letters_list(
    context: typer.Context,
    reason: Annotated[str | None, typer.Option(help="Only those with this reason.")] = None,
    topic: Annotated[str | None, typer.Option(help="Only those of this topic or file.")] = None,
    replayed: Annotated[bool, typer.Option("--replayed", help="Also those that were replayed.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest.")] = 50,
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """List what could not be read and still waits, latest first; the table begins with counts by reason and topic."""
    if form not in ("table", "csv", "json"):
        raise TerminalError(f"unknown format {form!r}", "dead-letters list", "use table, csv or json")
    only = {"reason": reason, "topic": topic}
    frame = _read(context, "listed", [reason, topic, replayed, limit])
    if form != "table":
        write(frame, form)
        return
    counted = _read(context, "counted", [reason, topic])
    if counted.is_empty():
        asked = ", ".join(f"{name} {text!r}" for name, text in only.items() if text)
        out.print("no dead letters" + (f" with {asked}" if asked else ""), markup=False, soft_wrap=True)
        return
    write(counted, form)
    if frame.is_empty():
        out.print("none waits: all were replayed")
        return
    out.print()
    write(frame if replayed else frame.drop("replayed_at", "replayed_spans"), form)
    total = int(counted["waiting"].sum()) + (int(counted["replayed"].sum()) if replayed else 0)
    if total > len(frame):
        err.print(f"{len(frame):,} of {total:,}; --limit shows more")


@dead_letters.command("show")
def dead_letters_show(
    context: typer.Context,
    identity: Annotated[str, typer.Argument(metavar="ID", help="Id, or its beginning.")],
    raw: Annotated[Path | None, typer.Option(help="Write the message's bytes to this new file.")] = None,
) -> None:
    """Show one dead letter: place, reason, headers, and its content as text or bytes."""
    letter = _one(context, identity)
    payload: bytes = letter["payload"]
    if raw is not None:
        _write_new(raw, payload)
        out.print(f"{len(payload):,} bytes written to {raw}", markup=False, soft_wrap=True)
        return
    replayed = f"{letter['replayed_at']} UTC, {letter['replayed_spans']} spans" if letter["replayed_at"] else "no"
    lines = {
        "dead letter": letter["dead_letter_id"],
        "place": f"{letter['topic']}[{letter['partition']}]@{letter['offset']}",
        "reason": letter["reason"],
        "detail": letter["detail"],
        "message time": f"{letter['message_at']} UTC",
        "read here": f"{letter['seen_at']} UTC",
        "replayed": replayed,
        "bytes": f"{len(payload):,}",
        **{f"header {name}": text for name, text in _headers(letter["headers"]).items()},
    }
    for name, text in lines.items():
        out.print(escaped(f"{name}: {text}"), markup=False, soft_wrap=True)
    out.print()
    for line in preview(payload[:_PREVIEW_BYTES]):
        out.print(line, markup=False, soft_wrap=True)
    if len(payload) > _PREVIEW_BYTES:
        out.print(f"… {len(payload) - _PREVIEW_BYTES:,} bytes more: --raw FILE writes all of them")


def _headers(text: str | None) -> dict[str, Any]:
    headers = json.loads(text) if text else {}
    return headers if isinstance(headers, dict) else {"": text}


def escaped(text: str) -> str:
    r"""Return text as it may be shown: what would drive a terminal or turn the direction of writing is spelled out.

    Examples
    --------
    >>> escaped("a\x1b[31mb\u202ec\n")
    'a\\x1b[31mb\\u202ec\\n'
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def preview(content: bytes) -> Sequence[str]:
    r"""Return the lines that show the beginning of a payload: text where it is text, else a hex dump.

    Examples
    --------
    >>> preview(b'{"a":\n1}')
    ['{"a":', '1}']
    >>> preview(b"\n\x01\xffA")
    ['00000000  0a 01 ff 41                                      ...A']
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        # Cut in the middle of a character, it is still text.
        text = content[: error.start].decode() if len(content) - error.start < 4 and error.start else ""
    control = sum(not character.isprintable() and character not in "\r\n\t" for character in text)
    if text and control * 20 <= len(text):
        return [escaped(line) for line in text.split("\n")]
    return [_hex_line(start, content[start : start + _LINE_BYTES]) for start in range(0, len(content), _LINE_BYTES)]


def _hex_line(start: int, part: bytes) -> str:
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
    return f"{start:08x}  {part.hex(' '):<{3 * _LINE_BYTES}} {text}"


def _write_new(path: Path, content: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise TerminalError("there is such a file", str(path), "name a new one") from None
    except OSError as error:
        raise TerminalError("cannot write there", str(path), error.strerror or "choose another file") from None


@dead_letters.command("replay")
def dead_letters_replay(
    context: typer.Context,
    identities: Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help="Ids, or their beginnings.")] = None,
    reason: Annotated[str | None, typer.Option(help="All that wait with this reason.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
) -> None:
    """Read dead letters again, after a fix: what can be read is stored once, the rest stays; exits with 1 if any does."""
    from pipelines.dead_letters.replay import replay

    if sum((bool(identities), reason is not None, every)) != 1:
        raise TerminalError("name what to replay", "dead-letters replay", "give ids, or --reason, or --all")
    chosen = (
        [_one(context, identity)["dead_letter_id"] for identity in identities]
        if identities
        else _read(context, "chosen", [reason])["dead_letter_id"].to_list()
    )
    letters = spans = failed = 0
    settings = settings_of(context)
    with open_warehouse(settings) as warehouse:
        for one in replay(warehouse, settings, chosen):
            if one.spans is None:
                failed += 1
                err.print(escaped(f"{one.dead_letter_id} {one.place} stays: {one.why}"), markup=False, soft_wrap=True)
            else:
                letters, spans = letters + 1, spans + one.spans
    before = len(chosen) - letters - failed
    out.print(
        f"dead letters replayed: {letters:,}, spans added: {spans:,}; still not readable: {failed:,}"
        + (f"; replayed before: {before:,}" if before else ""),
        soft_wrap=True,
    )
    if letters:
        out.print("`plumbline refresh` brings the marts up to date")
    if failed:
        raise typer.Exit(1)


def _one(context: typer.Context, identity: str) -> dict[str, Any]:
    found = _read(context, "starting_with", [identity])
    if len(found) != 1:
        what = "no such dead letter" if found.is_empty() else "several dead letters begin so"
        raise TerminalError(what, identity[:80], "`plumbline dead-letters list --replayed` shows their ids")
    return found.row(0, named=True)


def _read(context: typer.Context, query: str, parameters: Sequence[Any]) -> pl.DataFrame:
    from warehouse import Reader

    with Reader(existing_warehouse(settings_of(context))) as reader:
        return reader.select(sql(query), parameters)
