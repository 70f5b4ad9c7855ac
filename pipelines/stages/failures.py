"""Calls that failed although their span does not say so: status ok or unset beside an error that is plain to see.

What the span said stays findable: it gets the flag ``error_reported_ok`` or ``error_status_unset``.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipelines.stages.attributes import Keyed

#: HTTP codes from here on are errors.
_HTTP_ERROR = 400
_ANSWER = ("gen_ai.output.messages", "gen_ai.completion", "llm.output_messages", "output.value", "gen_ai.choice")
_CALLS = ("model", "tool")


def with_failures(frame: pl.DataFrame, keyed: Keyed) -> pl.DataFrame:
    """Return the frame with ``status`` and ``error_type`` put right and the bool columns of the two flags.

    A model or tool call has failed where it carries ``error.type`` or an HTTP code of 400 or more; any span where Langfuse's
    level is ERROR; a model call with an exception event and no output tokens; and, for packages known to report errors as
    ok (``errors_not_reported`` in ``gaps.csv``), a model call with neither usage nor output.

    Parameters
    ----------
    frame : pl.DataFrame
        status, kind, error_type, exception_type, http_status, level, output_tokens, input_tokens, response_model,
        package_gaps.
    keyed : Keyed
        The attributes of the spans.
    """
    call = pl.col("kind").is_in(_CALLS)
    refused = call & (pl.col("http_status") >= _HTTP_ERROR)
    unanswered = pl.Series("unanswered", _unanswered(frame, keyed))
    signs = [
        call & pl.col("error_type").is_not_null(),
        refused,
        pl.col("level").str.to_uppercase() == "ERROR",
        (pl.col("kind") == "model") & pl.col("exception_type").is_not_null() & pl.col("output_tokens").is_null(),
        pl.lit(unanswered),
    ]
    frame = frame.with_columns(failed=pl.any_horizontal(sign.fill_null(False) for sign in signs))
    return frame.with_columns(
        error_reported_ok=pl.col("failed") & (pl.col("status") == "ok"),
        error_status_unset=pl.col("failed") & (pl.col("status") == "unset"),
        status=pl.when("failed").then(pl.lit("error")).otherwise("status"),
        error_type=pl.coalesce(
            "error_type",
            "exception_type",
            pl.when(refused).then(pl.col("http_status").cast(pl.Int64, strict=False).cast(pl.String)),
            pl.when(pl.lit(unanswered)).then(pl.lit("unanswered")),
        ),
    )


def _unanswered(frame: pl.DataFrame, keyed: Keyed) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    if frame["package_gaps"].null_count() == len(frame):
        return np.zeros(len(frame), dtype=np.bool_)
    answered = np.zeros(len(frame), dtype=np.bool_)
    for spelling, codes in keyed.spellings.items():
        if spelling.startswith(_ANSWER):
            for code in codes:
                answered[keyed.owner[keyed.rows(code)]] = True
    silent = frame.select(
        (pl.col("kind") == "model")
        & pl.col("package_gaps").list.contains("errors_not_reported").fill_null(False)
        & pl.all_horizontal(pl.col(n).is_null() for n in ("input_tokens", "output_tokens", "response_model"))
    ).to_series()
    return silent.to_numpy() & ~answered
