"""Answers of channels: one line each for the delivery log, without secrets."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Sequence
from typing import ParamSpec

import polars as pl

from pipelines.notifications.message import Answer, Verdict
from pipelines.stages.mask import MASK, masked_texts

#: The longest line of the delivery log, in characters.
LONGEST = 500
_Said = ParamSpec("_Said")


def answer(
    verdict: Verdict, said: str, secrets: Sequence[str] = (), retry_after_seconds: float | None = None
) -> Answer:
    r"""Return an answer whose line holds none of the secrets, nor anything that looks like one.

    Examples
    --------
    >>> answer(Verdict.REJECTED, "HTTP 403: key 5f7a\nis wrong", ["5f7a"]).said
    'HTTP 403: key [masked] is wrong'
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        said = said.replace(secret, MASK)
    # Four times as much as is kept: cut shorter, a secret could be broken in two, so that no rule knew its first half.
    plain = "".join(" " if unicodedata.category(each)[0] in "CZ" else each for each in said[: 4 * LONGEST])
    line = " ".join(str(masked_texts(pl.Series([plain]))[0]).split())
    return Answer(verdict, line if len(line) <= LONGEST else line[: LONGEST - 1] + "…", retry_after_seconds)


def never_raises(send: Callable[_Said, Answer]) -> Callable[_Said, Answer]:
    """Let a channel's ``send`` answer whatever happens: a message that can't be said must not stop the channel's thread."""

    @functools.wraps(send)
    def guarded(*args: _Said.args, **kwargs: _Said.kwargs) -> Answer:
        try:
            return send(*args, **kwargs)
        except Exception as error:
            # The error's own text may hold anything, a secret included; its type does not.
            said = f"the message can't be put into this channel's form ({type(error).__name__})"
            return answer(Verdict.REJECTED, said)

    return guarded
