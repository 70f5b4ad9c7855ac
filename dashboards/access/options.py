"""How the dashboard is served, and the rule of what may be served at all.

The rule: to this machine without a login; to any other only with one, under names that are stated, and encrypted: by a
certificate given here, or by a proxy that is named.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from dashboards.access.users import Users
from dashboards.access.viewer import Role
from dashboards.errors import DashboardError
from dashboards.security import HOSTS, is_loopback

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ANY = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to


class Login(StrEnum):
    """How people sign in."""

    #: Not at all: whoever sits at this machine.
    NONE = "none"
    #: By name and password, from the file of accounts.
    USERS = "users"
    #: By headers that a proxy sets.
    HEADERS = "headers"


@dataclass(frozen=True, slots=True)
class Headers:
    """What a trusted proxy says about who asks.

    Parameters
    ----------
    user : str
        Header with the person's name.
    role : str
        Header with its roles or groups, by comma; empty: everybody is a viewer.
    teams : str
        Header with its teams, by comma; empty: everybody sees every workflow.
    roles : dict of str to Role
        Role of a group, beside the names of the roles themselves.
    """

    user: str = "X-Forwarded-User"
    role: str = ""
    teams: str = ""
    roles: dict[str, Role] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Access:
    """How the dashboard is served.

    Parameters
    ----------
    login : Login
    users : Path or None
        File of accounts; None is ``users.yaml`` in the home.
    hosts : tuple of str
        Names under which it is asked for, beside those of this machine.
    proxies : tuple of networks
        Addresses of the proxies before it.
    is_behind_proxy : bool
        Whether one of them ends TLS; whoever else asks directly is refused.
    certificate, key : Path or None
        Certificate chain and private key, PEM.
    headers : Headers
    idle_minutes, session_hours : float
        How long a session lasts unused, and at most.
    """

    login: Login = Login.NONE
    users: Path | None = None
    hosts: tuple[str, ...] = ()
    proxies: tuple[Network, ...] = ()
    is_behind_proxy: bool = False
    certificate: Path | None = None
    key: Path | None = None
    headers: Headers = field(default_factory=Headers)
    idle_minutes: float = 60.0
    session_hours: float = 12.0

    @property
    def is_https(self) -> bool:
        """Whether a browser reaches it by https."""
        return self.certificate is not None or self.is_behind_proxy

    def users_of(self, home: Path) -> Users:
        """The accounts."""
        return Users(self.users or Path(home) / "users.yaml")

    def names(self, host: str) -> list[str]:
        """Hosts that a request may name, for a server that listens on `host`."""
        own = [] if host in _ANY else [f"[{host}]" if ":" in host else host]
        return list(dict.fromkeys([*HOSTS, *own, *self.hosts]))


def networks(text: str) -> tuple[Network, ...]:
    """Networks of a text of addresses and ranges, by comma.

    Raises
    ------
    ValueError
        A part is none.

    Examples
    --------
    >>> [str(network) for network in networks("10.0.0.5, 10.1.0.0/16")]
    ['10.0.0.5/32', '10.1.0.0/16']
    """
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def check(access: Access, home: Path, host: str) -> None:
    """Refuse what may not be served.

    Raises
    ------
    DashboardError
        With what to do about it.
    """
    where = f"host {host or '(none)'}"
    is_local = is_loopback(host)
    if (access.certificate is None) != (access.key is None):
        what = "a certificate without its key, or a key alone"
        raise DashboardError(what, "dashboard", "give --tls-cert and --tls-key")
    if access.login is Login.NONE and (not is_local or access.is_behind_proxy):
        raise DashboardError(
            "without a login the dashboard is served to this machine only",
            where if not is_local else "--behind-proxy",
            "give --login users (accounts: `plumbline dashboard user add`) or --login headers; or use --host 127.0.0.1 and a "
            "tunnel such as `ssh -L`",
        )
    if access.login is Login.HEADERS and not access.is_behind_proxy:
        what, todo = (
            "headers can be trusted from a proxy only",
            "give --behind-proxy, and its address in dashboard_proxies",
        )
        raise DashboardError(what, "--login headers", todo)
    if access.is_behind_proxy and not access.proxies:
        todo = 'name them, such as dashboard_proxies = "10.0.0.5": whoever else asks is refused'
        raise DashboardError("the proxy has no address", "setting dashboard_proxies", todo)
    if not is_local and not access.is_https:
        raise DashboardError(
            "passwords would cross the network in the clear",
            where,
            "give --tls-cert and --tls-key, or --behind-proxy where a proxy ends TLS",
        )
    if not is_local and host in _ANY and not access.hosts:
        todo = "name the host that people type, in dashboard_hosts or dashboard_url"
        raise DashboardError("the dashboard does not know its name", where, todo)
    if access.login is Login.USERS and not access.users_of(home).all():
        file = access.users_of(home).path
        raise DashboardError("nobody has an account", str(file), "make one: plumbline dashboard user add NAME")
