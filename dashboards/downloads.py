"""Files of what a page shows: CSV for spreadsheets, Parquet for everything else.

The served app answers ``/download/NAME.KIND`` under the page's own filters, through the reader of whoever asks; a static report
carries the files in itself, as ``data:`` addresses. Parquet holds the values exactly as they were computed; in CSV no cell
starts a formula.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping

import duckdb
import polars as pl
from flask import Flask, Response, abort, request

from dashboards.data import Reader, State
from dashboards.elements import html
from dashboards.filters import Filters
from dashboards.pages.asked import Asked
from warehouse import WarehouseError
from warehouse.spreadsheets import unarmed

# Name of a file → the rows that it holds.
Tables = Mapping[str, Callable[[Asked], pl.DataFrame]]

KINDS = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}

# A report is mailed: a larger file than this stays in the app.
_MOST_EMBEDDED = 300_000


def written(frame: pl.DataFrame, kind: str) -> bytes:
    """`frame` as a file of one of `KINDS`."""
    target = io.BytesIO()
    if kind == "csv":
        texts = [name for name, of in frame.schema.items() if of == pl.String]
        frame.with_columns(unarmed(name) for name in texts).write_csv(target)
    else:
        frame.write_parquet(target)
    return target.getvalue()


def links(asked: Asked, tables: Tables) -> html.Div:
    """A line with a link per file and kind."""
    parts = []
    for name, rows in tables.items():
        frame = rows(asked) if asked.is_report else None
        offered = []
        for kind, mime in KINDS.items():
            file = f"{name}.{kind}"
            if frame is None:
                href = f"/download/{file}{asked.filters.search()}"
            else:
                content = written(frame, kind)
                if len(content) > _MOST_EMBEDDED:
                    continue
                href = f"data:{mime.replace(' ', '')};base64,{base64.b64encode(content).decode()}"
            offered.append(
                html.A(kind.upper() if kind == "csv" else "Parquet", href=href, download=f"plumbline-{file}")
            )
        if offered:
            parts.append(html.Span([f"{name.replace('-', ' ').capitalize()}: ", *_spaced(offered)]))
    return html.Div([html.Span("Take along what is shown:"), *parts], className="files")


def _spaced(offered: list[html.A]) -> list[html.A | str]:
    return [part for link in offered for part in (link, " ")][:-1]


def install(server: Flask, reader_for: Callable[[], Reader], tables: Tables) -> None:
    """Let `server` answer with the files of `tables`.

    Parameters
    ----------
    server : Flask
    reader_for : callable
        The reader of whoever asks; it sees no more than that person may.
    tables : mapping
        Name of a file → its rows.
    """

    @server.get("/download/<name>.<kind>")
    def download(name: str, kind: str) -> Response:
        if name not in tables or kind not in KINDS:
            abort(404)
        reader = reader_for()
        try:
            view = reader.view(Filters.parse(request.query_string.decode())) if reader.state() is State.READY else None
            if view is None:
                abort(404)
            content = written(tables[name](Asked(view, reader)), kind)
        except (WarehouseError, duckdb.Error):
            abort(503)
        answer = Response(content, content_type=KINDS[kind])
        answer.headers["Content-Disposition"] = f'attachment; filename="plumbline-{name}.{kind}"'
        answer.headers["Cache-Control"] = "no-store"
        return answer
