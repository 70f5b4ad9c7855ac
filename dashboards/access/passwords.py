"""Passwords as scrypt hashes (Werkzeug's), and a check whose time does not tell whether a name has an account.

References
----------
OWASP Password Storage Cheat Sheet: scrypt with N = 2^15, r = 8, p = 3 is one of its equal settings. It takes 32 MiB for a check,
the least memory of those settings, because strangers may ask for checks.
"""

from __future__ import annotations

import re
import threading
from functools import cache

from werkzeug.security import check_password_hash, generate_password_hash

METHOD = "scrypt:32768:8:3"
#: NIST SP 800-63B, section 3.1.1.2: at least 15 characters where a password is all there is; any of them, up to 64 and more.
SHORTEST, LONGEST = 15, 1024

_HASH = re.compile(r"scrypt:\d{4,7}:\d{1,2}:\d{1,2}\$[A-Za-z0-9]{8,64}\$[0-9a-f]{128}")

# Checks at once: each takes a core for some tenths of a second, and there are few cores.
_AT_ONCE = threading.BoundedSemaphore(2)


def hashed(password: str) -> str:
    """Hash of a password, with a salt of its own."""
    return generate_password_hash(password, METHOD, salt_length=22)


def is_hash(text: str) -> bool:
    """Whether a text is a hash as `hashed` makes it.

    Examples
    --------
    >>> is_hash("scrypt:32768:8:3$0123456789abcdef$" + 64 * "00"), is_hash("plain:password")
    (True, False)
    """
    return _HASH.fullmatch(text) is not None


def is_password(password: str, known: str | None) -> bool:
    """Whether a password is that of hash `known`; of nobody's (None) it is False, after the same work.

    Parameters
    ----------
    password : str
        As typed; one of more than `LONGEST` characters is none.
    known : str or None
        Hash of the account, None where there is no such account.
    """
    typed = password[:LONGEST]
    with _AT_ONCE:
        is_same = check_password_hash(known or _of_nobody(), typed)
    return is_same and known is not None and len(password) <= LONGEST


@cache
def _of_nobody() -> str:
    return hashed("nobody has this password")
