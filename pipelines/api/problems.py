"""Errors of the API as RFC 9457 problem details: one line that says what, where and what to do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

import duckdb
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from pipelines.errors import PlumblineError
from warehouse import WarehouseBusyError, WarehouseError
from warehouse.errors import is_contention

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_LONGEST = 500


class Problem(BaseModel):
    """An error, as RFC 9457 describes it."""

    type: str = Field("about:blank", description="The status says it all.")
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="One line: what, where, and what to do.")


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer that says what is wrong."""
    line = " ".join(detail.split())
    shown = line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
    content = Problem(type="about:blank", title=HTTPStatus(status).phrase, status=status, detail=shown)
    return JSONResponse(content.model_dump(), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every error of the app become a problem."""

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        # Where and what is wrong, never what was sent.
        said = (f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()[:5])
        return problem(422, "; ".join(said))

    @app.exception_handler(PlumblineError)
    async def _refused(_: Request, error: PlumblineError) -> Response:
        return problem(409, str(error))

    @app.exception_handler(WarehouseError)
    async def _warehouse(_: Request, error: WarehouseError) -> Response:
        busy = isinstance(error, WarehouseBusyError)
        return problem(503, str(error) if busy else error.what, {"Retry-After": "2"} if busy else None)

    @app.exception_handler(duckdb.Error)
    async def _database(_: Request, error: duckdb.Error) -> Response:
        if is_contention(error):
            return problem(503, "the warehouse is locked: try again", {"Retry-After": "2"})
        return _unknown(error)

    @app.exception_handler(Exception)
    async def _anything(_: Request, error: Exception) -> Response:
        return _unknown(error)


def _unknown(error: Exception) -> Response:
    # Not its text: it may carry names from traces, which are no log format.
    log.error("a request failed: %s", type(error).__name__, exc_info=error)
    return problem(500, "this can't be answered; the log of the server has the details")
