"""``plumbline sql`` without a statement: a shell over the same reader, with history and completion.

It only asks: every statement goes through `warehouse.Reader`, as the one of the command line does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer

from warehouse import Reader, WarehouseError, describing, stable

HELP = r"""A statement ends with a semicolon; until then Enter goes on in the next line. Tab completes, arrows recall.
\d          tables and views, and what a row of each is
\d TABLE    its grain, keys, source and columns
\q          leave (or Ctrl-D)"""

_NAMES = """
SELECT table_name AS name FROM duckdb_tables() WHERE database_name = 'lake'
UNION SELECT view_name FROM duckdb_views() WHERE database_name = 'lake' AND NOT internal
UNION SELECT column_name FROM duckdb_columns() WHERE database_name = 'lake'
"""
_WORDS = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "QUALIFY", "LIMIT", "WITH", "JOIN", "LEFT JOIN", "USING", "ON",
    "UNION ALL", "DISTINCT", "CASE", "WHEN", "THEN", "ELSE", "END", "IS NULL", "IS NOT NULL", "BETWEEN", "FILTER", "OVER",
    "PARTITION BY", "DESCRIBE", "SUMMARIZE", "SHOW TABLES", "count(", "sum(", "avg(", "min(", "max(", "quantile_cont(",
    "date_trunc(",
)  # fmt: skip


class NameCompleter(Completer):
    """Completes names of tables, views and columns, and SQL's own words."""

    def __init__(self, reader: Reader) -> None:
        self._names = sorted(reader.select(_NAMES)["name"].to_list())

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield what the word before the cursor may become."""
        word = document.get_word_before_cursor(pattern=None) or ""
        word = word[max(word.rfind(mark) for mark in "(,.=") + 1 :]
        if not word:
            return
        for name in (*self._names, *_WORDS):
            if name.lower().startswith(word.lower()):
                yield Completion(name, start_position=-len(word))


def session_of(reader: Reader, history: Path) -> PromptSession[str]:
    """A prompt that keeps what was asked in `history`, readable for its owner only."""
    history.parent.mkdir(parents=True, exist_ok=True)
    history.touch(mode=0o600)
    return PromptSession(
        history=FileHistory(str(history)),
        completer=NameCompleter(reader),
        complete_while_typing=False,
        auto_suggest=AutoSuggestFromHistory(),
        lexer=PygmentsLexer(SqlLexer),
        multiline=True,
        key_bindings=_keys(),
        prompt_continuation="       ... ",
    )


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @Condition
    def is_complete() -> bool:
        from prompt_toolkit.application import get_app

        return _is_complete(get_app().current_buffer.text)

    @keys.add("enter", filter=is_complete)
    def _accept(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return keys


def _is_complete(text: str) -> bool:
    text = text.strip()
    return not text or text.startswith("\\") or text.endswith(";")


def run(
    reader: Reader,
    session: PromptSession[str],
    show: Callable[[pl.DataFrame], None],
    tell: Callable[[str], None],
) -> None:
    """Answer what is typed until the end of input; an error is told and the shell goes on.

    Parameters
    ----------
    show : callable
        Prints a result.
    tell : callable
        Prints a line.
    """
    while True:
        try:
            typed = session.prompt("plumbline> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if typed in ("\\q", "exit;", "quit;", "exit", "quit"):
            return
        if not typed:
            continue
        try:
            _answer(reader, typed, show, tell)
        except WarehouseError as error:
            tell(f"error: {error}")


def _answer(reader: Reader, typed: str, show: Callable[[pl.DataFrame], None], tell: Callable[[str], None]) -> None:
    if not typed.startswith("\\"):
        frame = reader.select(typed)
        show(frame)
        tell(f"{frame.height:,} {'row' if frame.height == 1 else 'rows'}")
    elif typed.startswith("\\d") and typed[2:3] in ("", " "):
        name = typed[2:].strip().rstrip(";")
        if name:
            tell_table(reader, name, show, tell)
        else:
            show(tables())
    else:
        tell(HELP)


def tables() -> pl.DataFrame:
    """Every documented table, view and mart, and the stable views; and what a row of it is."""
    from warehouse.dictionary import relations

    found = relations()
    found += stable.relations(found)
    return pl.DataFrame([{"name": one.name, "kind": one.kind, "a row is": one.notes[0]} for one in found])


def tell_table(reader: Reader, name: str, show: Callable[[pl.DataFrame], None], tell: Callable[[str], None]) -> None:
    """Print all that is documented of one table.

    Raises
    ------
    WarehouseError
        If there is no such table.
    """
    from warehouse.dictionary import source_of

    relation = describing.find(name)
    for line in (f"{relation.name} ({relation.kind})", *relation.notes, f"Grain: {relation.grain}."):
        tell(line)
    if relation.keys:
        tell(f"Keys: {relation.keys}.")
    tell(f"Source: {source_of(relation)}.")
    show(describing.describe(reader, relation))
