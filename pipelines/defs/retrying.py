"""What a step may try again: a warehouse that another process kept busy, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from warehouse import WarehouseBusyError

#: About 2, 4 and 8 s apart: each attempt has already waited for its turn, and nothing of a failed one was written.
RETRIES = dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@contextmanager
def only_when_busy() -> Iterator[None]:
    """Let `WarehouseBusyError` through to the retry policy; any other error fails the step at once.

    Raises
    ------
    dagster.Failure
        The same error again would follow from another try.
    """
    try:
        yield
    except WarehouseBusyError:
        raise
    except Exception as error:
        raise dg.Failure(" ".join(str(error).split()) or type(error).__name__, allow_retries=False) from error
