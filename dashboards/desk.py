"""What a page asks of the API: that an incident be acknowledged, silenced, resolved or opened again.

The dashboard itself only reads; whatever changes an incident goes over HTTP to ``plumbline api``, with a token of the
dashboard's own. Each answer becomes one line for the page.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from dashboards import text
from dashboards.errors import DashboardError
from dashboards.security import is_loopback

#: Longer than the API waits for the warehouse, in seconds.
_PATIENCE_SECONDS = 20.0
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Act:
    """Something that can be done with an incident: its path in the API, what goes with it, and what was done then."""

    action: str
    name: str
    done: str
    body: tuple[tuple[str, str], ...] = ()


ACTS = {
    "real": Act("acknowledge", "It is real", "Acknowledged as real", (("judged", "real"),)),
    "false": Act("acknowledge", "False alarm", "Judged a false alarm", (("judged", "false"),)),
    "take": Act("acknowledge", "Take it on", "Acknowledged"),
    "silence": Act("silence", "Silence", "Silenced"),
    "unsilence": Act("unsilence", "End the silence", "No longer silenced"),
    "resolve": Act("resolve", "Resolve", "Resolved"),
    "reopen": Act("reopen", "Reopen", "Open again"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """What became of it, in one line."""

    is_done: bool
    line: str


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        """None: the token is for this address alone."""


class Desk:
    """The API as the pages use it.

    Parameters
    ----------
    url : str
        ``http://127.0.0.1:8060``; of another machine only with ``https``.
    token : str
        Of role ``operate``.

    Raises
    ------
    DashboardError
        The address is none, or a token would cross a network in the clear.
    """

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise DashboardError("api_url is no address", text.plain(url), "write it like http://127.0.0.1:8060")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise DashboardError(
                "the token would cross the network in the clear", f"api_url {text.plain(url)}", "use https"
            )
        self.url, self._token = url.rstrip("/"), token
        # Nor is it for a proxy that the environment names, where the API is on this machine.
        direct = (ProxyHandler({}),) if is_loopback(parts.hostname) else ()
        self._opener = build_opener(_NoRedirect(), *direct)

    def __repr__(self) -> str:
        """Without the token."""
        return f"Desk({self.url!r})"

    def act(self, name: str, incident_id: str, *, who: str = "", why: str = "", hours: float | None = None) -> Said:
        """Ask for it once.

        Parameters
        ----------
        name : str
            Key of `ACTS`.
        who, why : str
            As typed; nothing where nothing was.
        hours : float, optional
            How long to be silent.
        """
        act = ACTS[name]
        body: dict[str, Any] = dict(act.body)
        body |= {key: typed for key, value in (("who", who), ("why", why)) if (typed := value.strip())}
        if act.action == "silence":
            if "why" not in body:
                return Said(False, "A silence needs a reason: say why.")
            until = datetime.now(UTC) + timedelta(hours=hours or 1)
            body["until"] = until.isoformat()
        refused = self._ask(act.action, incident_id, body)
        return Said(True, f"{act.done}.") if refused is None else Said(False, refused)

    def _ask(self, action: str, incident_id: str, body: dict[str, Any]) -> str | None:
        """None where it was done, else why not, in one line."""
        request = Request(  # noqa: S310 - the scheme was checked
            f"{self.url}/v1/incidents/{quote(incident_id, safe='')}/{action}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=_PATIENCE_SECONDS) as answer:
                answer.read(_MOST_BYTES)
        except HTTPError as error:
            with error:
                return self._refusal(error)
        except TimeoutError:
            return f"The API at {self.url} did not answer in time: look below whether it was done."
        except (URLError, OSError, ValueError):
            return f"The API does not answer at {self.url}: nothing was changed. Is `plumbline api` running?"
        return None

    def _refusal(self, error: HTTPError) -> str:
        if error.code in (401, 403):
            return "The API does not let the dashboard do this: its token must be there, with role operate."
        try:
            said = json.loads(error.read(_MOST_BYTES))["detail"]
        except (OSError, ValueError, KeyError, TypeError):
            return f"The API at {self.url} answered {error.code}: nothing was changed."
        return f"Not done: {text.plain(said, 300)}"
