"""Commands for the accounts of the dashboard, and the settings by which it lets people in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from pipelines.commands.context import err, out, settings_of
from pipelines.errors import TerminalError
from pipelines.settings import Settings

if TYPE_CHECKING:
    from dashboards.access.options import Access, Login
    from dashboards.access.users import Users
    from dashboards.access.viewer import Role

user = typer.Typer(
    help="Accounts of the dashboard: who may sign in, with which role, for which teams.", no_args_is_help=True
)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name to sign in with.")]
_RoleOption = Annotated[str | None, typer.Option("--role", metavar="ROLE", help="viewer, operator or admin.")]
_TeamOption = Annotated[
    list[str] | None, typer.Option("--team", metavar="TEAM", help="Team whose workflows it sees; may be given again.")
]
_AllTeams = Annotated[bool, typer.Option("--all-teams", help="It sees every workflow.")]


def access_of(
    settings: Settings,
    *,
    login: str | None = None,
    is_behind_proxy: bool = False,
    certificate: Path | None = None,
    key: Path | None = None,
) -> Access:
    """Return how the dashboard lets people in.

    Parameters
    ----------
    login : str or None
        In place of the setting.
    is_behind_proxy : bool
        Whether a proxy before it ends TLS.
    certificate, key : Path or None
        Of the server's own TLS, PEM.

    Raises
    ------
    TerminalError
        A setting that says nothing.
    """
    from dashboards.access.options import Access, Headers, networks

    hosts = [part.strip() for part in settings.dashboard_hosts.split(",") if part.strip()]
    if named := urlsplit(settings.dashboard_url).hostname:
        hosts.append(named)
    try:
        proxies = networks(settings.dashboard_proxies)
    except ValueError as error:
        todo = "give addresses or ranges by comma: 10.0.0.5,10.1.0.0/16"
        raise TerminalError(f"no address of a proxy: {error}", "setting dashboard_proxies", todo) from None
    if settings.dashboard_idle_minutes <= 0 or settings.dashboard_session_hours <= 0:
        where = "settings dashboard_idle_minutes, dashboard_session_hours"
        raise TerminalError("a session can't last no time", where, "give numbers above 0")
    return Access(
        login=_login(settings.dashboard_login if login is None else login),
        users=settings.dashboard_users,
        hosts=tuple(hosts),
        proxies=proxies,
        is_behind_proxy=is_behind_proxy,
        certificate=certificate,
        key=key,
        headers=Headers(
            user=settings.dashboard_user_header,
            role=settings.dashboard_role_header,
            teams=settings.dashboard_teams_header,
            roles=_roles(settings.dashboard_roles),
        ),
        idle_minutes=settings.dashboard_idle_minutes,
        session_hours=settings.dashboard_session_hours,
    )


def _login(text: str) -> Login:
    from dashboards.access.options import Login

    try:
        return Login(text or "none")
    except ValueError:
        todo = f"use one of {', '.join(Login)}"
        raise TerminalError(f"there is no login {text[:40]!r}", "--login or dashboard_login", todo) from None


def _role(text: str, where: str) -> Role:
    from dashboards.access.viewer import Role

    try:
        return Role(text)
    except ValueError:
        raise TerminalError(f"there is no role {text[:40]!r}", where, f"use one of {', '.join(Role)}") from None


def _roles(text: str) -> dict[str, Role]:
    where, found = "setting dashboard_roles", {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        group, equals, role = part.rpartition("=")
        if not equals or not group.strip():
            raise TerminalError(f"no role of a group: {part[:60]!r}", where, "write on-call=operator,platform=admin")
        found[group.strip()] = _role(role.strip(), where)
    return found


@user.command("add")
def user_add(context: typer.Context, name: _Name, role: _RoleOption = "viewer", team: _TeamOption = None) -> None:
    """Make an account; its password is asked for, or read from stdin. Without --team it sees every workflow."""
    from dashboards.access.passwords import hashed
    from dashboards.access.users import NAME, User

    users = _users(context)
    if not NAME.fullmatch(name):
        raise TerminalError("no name of an account", name[:80], "letters, digits and . _ @ + -, at most 64 characters")
    given = _role(role or "viewer", "--role")
    if users.get(name) is not None:
        todo = f"change it with `plumbline dashboard user set {name}` or `passwd {name}`"
        raise TerminalError(f"account {name} is there already", str(users.path), todo)
    made = User(name, hashed(_password()), given, tuple(dict.fromkeys(team or ())))

    def work(known: dict[str, User]) -> None:
        known.setdefault(name, made)

    users.change(work)
    out.print(f"{name} may sign in as {given}, and sees {_seen(made.teams)}", markup=False, soft_wrap=True)


@user.command("set")
def user_set(
    context: typer.Context,
    name: _Name,
    role: _RoleOption = None,
    team: _TeamOption = None,
    all_teams: _AllTeams = False,
) -> None:
    """Give an account another role or other teams; whoever is signed in with it signs in again."""
    from dataclasses import replace

    if (role is None and not team and not all_teams) or (team and all_teams):
        raise TerminalError("nothing to set, or both", name[:80], "give --role, and --team or --all-teams")
    given = _role(role, "--role") if role is not None else None

    def work(known: dict) -> None:
        account = known[name]
        teams = () if all_teams else tuple(dict.fromkeys(team)) if team else account.teams
        known[name] = replace(account, role=given or account.role, teams=teams)

    users = _having(context, name)
    users.change(work)
    account = users.all()[name]
    out.print(f"{name} is {account.role}, and sees {_seen(account.teams)}", markup=False, soft_wrap=True)


@user.command("passwd")
def user_passwd(context: typer.Context, name: _Name) -> None:
    """Set the password of an account, asked for or read from stdin; its sessions end."""
    from dataclasses import replace

    from dashboards.access.passwords import hashed

    users = _having(context, name)
    password = hashed(_password())

    def work(known: dict) -> None:
        known[name] = replace(known[name], password=password)

    users.change(work)
    out.print(f"the password of {name} is set; whoever was signed in with the old one is not any more", markup=False)


@user.command("remove")
def user_remove(context: typer.Context, name: _Name) -> None:
    """Take an account away; its sessions end."""
    users = _having(context, name)

    def work(known: dict) -> None:
        known.pop(name, None)

    users.change(work)
    out.print(f"{name} has no account any more", markup=False)


@user.command("list")
def user_list(context: typer.Context) -> None:
    """Accounts, with their roles and teams."""
    users = _users(context)
    found = users.all()
    if not found:
        err.print(f"nobody has an account in {users.path}", markup=False, soft_wrap=True)
    for name, account in sorted(found.items()):
        out.print(f"{name}  {account.role}  {', '.join(account.teams) or 'every team'}", markup=False, soft_wrap=True)


def _users(context: typer.Context) -> Users:
    settings = settings_of(context)
    return access_of(settings, login="").users_of(settings.home)


def _having(context: typer.Context, name: str) -> Users:
    users = _users(context)
    if users.get(name) is None:
        raise TerminalError(
            f"there is no account {name[:80]!r}", str(users.path), "see `plumbline dashboard user list`"
        )
    return users


def _password() -> str:
    """Return a password from the terminal, typed twice and not shown, or the first line of stdin."""
    from dashboards.access.passwords import LONGEST, SHORTEST

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not SHORTEST <= len(password) <= LONGEST:
        todo = f"take {SHORTEST} characters or more, such as four words"
        raise TerminalError(f"the password has {len(password)} characters", "password", todo)
    return password


def _seen(teams: tuple[str, ...]) -> str:
    return f"workflows of {', '.join(teams)}" if teams else "every workflow"
