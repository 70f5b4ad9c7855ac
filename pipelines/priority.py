"""Processes that answer analysts give way to others from their first moment: to load takes as long as many an answer.

Imports next to nothing, so that it comes first.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from pipelines.errors import TerminalError
from pipelines.settings import load_settings

#: Commands that answer analysts, one statement a process some of them.
COMMANDS = frozenset({"sql", "sql-server"})
#: Options of every command that take a value.
_WITH_VALUE = frozenset({"--home", "--bootstrap-servers"})
_LOWEST = 19


def give_way(nice: int) -> None:
    """Make this process as nice as `nice` at least, for good; at 19, the lowest, let it take only what others leave.

    That is, on Linux, the idle class, on all cores but one.
    """
    with contextlib.suppress(OSError):  # it is as low as it can be, or a container forbids it
        os.nice(max(0, nice - os.nice(0)))
        # A process that wakes up waits for the time slice of a nicer one, some milliseconds each time; not for an idle one's.
        # Beside eight readers that cost a stream a third of its speed.
        if nice == _LOWEST and hasattr(os, "SCHED_IDLE") and os.sched_getscheduler(0) != os.SCHED_IDLE:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            # Threads of Polars that wait for work offer their core around instead of sleeping. An idle process that takes it
            # keeps it for some milliseconds, with work there or not; where a core has no such process, they are moved there.
            _, *others = sorted(os.sched_getaffinity(0))
            if others:
                os.sched_setaffinity(0, others)


def give_way_early(arguments: Sequence[str]) -> None:
    """Give way as the settings say, if these are the arguments of a command that answers analysts."""
    if command(arguments) in COMMANDS:
        with contextlib.suppress(TerminalError, OSError):  # the command itself tells of it
            give_way(load_settings().query_nice)


def command(arguments: Sequence[str]) -> str | None:
    """The command of a command line: its first argument that is no option, nor the value of one.

    Examples
    --------
    >>> command(["--home", "sql", "--debug", "stream"]), command(["--home=h", "sql", "SELECT 1"]), command(["--help"])
    ('stream', 'sql', None)
    """
    given = iter(arguments)
    for argument in given:
        if argument in _WITH_VALUE:
            next(given, None)
        elif not argument.startswith("-"):
            return argument
    return None
