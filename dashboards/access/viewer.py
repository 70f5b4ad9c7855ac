"""Who asks for a page: a name, a role, and the teams whose workflows it may see."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a viewer may do, each one more than the one before."""

    VIEWER = "viewer"
    #: Also answers incidents.
    OPERATOR = "operator"
    #: Also sees who has an account and who is signed in, and ends sessions.
    ADMIN = "admin"

    def covers(self, other: Role) -> bool:
        """Whether whoever has this role may do what `other` may.

        Examples
        --------
        >>> Role.ADMIN.covers(Role.OPERATOR), Role.VIEWER.covers(Role.OPERATOR)
        (True, False)
        """
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever asks for a page.

    Parameters
    ----------
    name : str
        As signed in; empty where there is no login.
    role : Role
    teams : frozenset of str or None
        Teams whose workflows it sees; None sees every workflow.
    """

    name: str
    role: Role
    teams: frozenset[str] | None = None

    @property
    def can_operate(self) -> bool:
        """Whether it may answer incidents."""
        return self.role.covers(Role.OPERATOR)


#: Whoever sits at this machine, where the dashboard is served without a login.
LOCAL = Viewer("", Role.ADMIN)
