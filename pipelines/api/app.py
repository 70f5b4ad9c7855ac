"""The API's paths: incidents read and answered, health, and metrics of the warehouse.

Requests are answered by threads that share one warehouse object, whose lock gives them turns: DuckLake 1.5.5 corrupts memory
where one lake of a process is flushed while another of the same process is in use.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Security
from fastapi import Path as PathPart
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from pydantic import AwareDatetime
from starlette.responses import Response

from pipelines.alerts import lifecycle
from pipelines.api import problems, reading
from pipelines.api.guard import Guard
from pipelines.api.models import (
    Acknowledgement,
    Detail,
    Family,
    Health,
    Incident,
    Page,
    Saying,
    Severity,
    Silence,
    State,
)
from pipelines.api.standing import Standing
from pipelines.tokens import Role, Token, Tokens
from warehouse import Warehouse

_DESCRIPTION = """Incidents of Plumbline, for programs and for its dashboard.

Every request carries `Authorization: Bearer TOKEN`. Tokens of role `read` read, those of role `operate` also change the state
of incidents, and their name is noted with what they did. Times are RFC 3339. Errors are RFC 9457 problem details."""

_Id = Annotated[str, PathPart(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of the incident, whole.")]
_PROBLEM = {"model": problems.Problem, "content": {problems.MEDIA_TYPE: {}}}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {**_PROBLEM, "description": _MEANING[status]} for status in (401, *statuses, 503)}


_MEANING = {
    401: "No token, or one that is not known",
    403: "The token may only read",
    404: "No such incident",
    409: "The incident's state does not allow it",
    413: "The body is too large",
    422: "A value that is none",
    503: "The warehouse is locked or does not answer",
}


def create_api(warehouse: Warehouse, tokens: Tokens, checkpoints: Path) -> Guard:
    """Return the API on a warehouse that is open for writing, as an ASGI application.

    Parameters
    ----------
    tokens : Tokens
        Who may ask; without one nobody.
    checkpoints : Path
        Directory of the detectors' checkpoints, for their age.
    """
    app = FastAPI(
        title="Plumbline",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,  # pages that would load scripts from another host
        redoc_url=None,
        dependencies=[Security(HTTPBearer(auto_error=False, description="A line of `api_token_file`."))],
    )
    problems.install(app)
    _reading(app, warehouse, checkpoints)
    _answering(app, warehouse)
    return Guard(app, tokens)


def _reading(app: FastAPI, warehouse: Warehouse, checkpoints: Path) -> None:
    @app.get("/v1/incidents", summary="List incidents, the latest first", responses=_problems(422))
    def incidents(
        state: Annotated[list[State] | None, Query(description="Repeat for several.")] = None,
        workflow: Annotated[str | None, Query(max_length=500, description="Name, or a glob: refund-*.")] = None,
        family: Annotated[list[Family] | None, Query(description="Any of the incident's.")] = None,
        severity: Annotated[list[Severity] | None, Query(description="Repeat for several.")] = None,
        since: Annotated[AwareDatetime | None, Query(description="Opened (event time) then or later.")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=200, description="`next` of the page before.")] = None,
    ) -> Page:
        wanted = reading.Wanted(_texts(state), workflow, _texts(family), _texts(severity), since)
        try:
            return reading.page(warehouse, wanted, cursor, limit)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None

    @app.get("/v1/incidents/{incident_id}", summary="One incident with all about it", responses=_problems(404))
    def incident(incident_id: _Id) -> Detail:
        found = reading.detail(warehouse, incident_id)
        if found is None:
            raise _missing()
        return found

    @app.get("/v1/health", summary="Whether the warehouse answers, and how it stands", responses=_problems())
    def health() -> Health:
        return reading.health(warehouse, checkpoints)

    registry = CollectorRegistry()
    registry.register(Standing(warehouse, checkpoints))
    ProcessCollector(registry=registry)

    @app.get(
        "/metrics",
        summary="Metrics of the warehouse, for Prometheus",
        response_class=Response,
        responses={**_problems(), 200: {"description": "Prometheus text format", "content": {"text/plain": {}}}},
    )
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _texts(chosen: list[Any] | None) -> list[str] | None:
    return None if chosen is None else [str(each) for each in chosen]


def _missing() -> HTTPException:
    return HTTPException(404, "no such incident: take an id from /v1/incidents")


def _operator(request: Request) -> Token:
    token: Token = request.state.token
    if token.role is not Role.OPERATE:
        raise HTTPException(403, f"token {token.name} may only read: use one of role {Role.OPERATE}")
    return token


_Operator = Annotated[Token, Depends(_operator)]


def _answering(app: FastAPI, warehouse: Warehouse) -> None:
    said = _problems(403, 404, 409, 413, 422)

    def answered(incident_id: str, act: Callable[..., object], words: Saying | Silence, token: Token) -> Incident:
        if reading.incident(warehouse, incident_id) is None:
            raise _missing()
        given = words.model_dump(exclude={"who"})
        act(warehouse, incident_id, by=_by(words.who, token), **given)
        found = reading.incident(warehouse, incident_id)
        if found is None:  # retention took it meanwhile
            raise _missing()
        return found

    @app.post("/v1/incidents/{incident_id}/acknowledge", summary="Take an incident on", responses=said)
    def acknowledge(incident_id: _Id, token: _Operator, words: Acknowledgement) -> Incident:
        return answered(incident_id, lifecycle.acknowledge, words, token)

    @app.post("/v1/incidents/{incident_id}/silence", summary="Let nobody hear of it for a time", responses=said)
    def silence(incident_id: _Id, token: _Operator, words: Silence) -> Incident:
        return answered(incident_id, lifecycle.silence, words, token)

    @app.post("/v1/incidents/{incident_id}/unsilence", summary="End a silence before its time", responses=said)
    def unsilence(incident_id: _Id, token: _Operator, words: Saying) -> Incident:
        return answered(incident_id, lifecycle.unsilence, words, token)

    @app.post("/v1/incidents/{incident_id}/resolve", summary="Say that it is over", responses=said)
    def resolve(incident_id: _Id, token: _Operator, words: Saying) -> Incident:
        return answered(incident_id, lifecycle.resolve, words, token)

    @app.post("/v1/incidents/{incident_id}/reopen", summary="Open it again", responses=said)
    def reopen(incident_id: _Id, token: _Operator, words: Saying) -> Incident:
        return answered(incident_id, lifecycle.reopen, words, token)


def _by(who: str | None, token: Token) -> str:
    """Return whose word it is: always with the name of the token, which nobody can choose."""
    return token.name if who is None else f"{who} (through {token.name})"
