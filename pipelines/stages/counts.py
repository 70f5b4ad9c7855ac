"""Token counts in OTel's meaning, whatever the dialect's: on model calls only, cached tokens a part of the input."""

from __future__ import annotations

import polars as pl

TOKENS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "cached_input_audio_tokens",
    "output_audio_tokens",
)
_MOST = 1e12


def counted(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with whole token counts on model calls, null elsewhere: agent spans repeat their children's.

    Cached tokens are reported beside the input where they and the written ones exceed it, or where the total is the sum of
    all four; the input is then made the sum, flagged ``cached_beside_input``. Some keys are known to hold the input without
    cached tokens (``uncached_input_tokens``) or the output without reasoning (``visible_output_tokens``), or input beside the
    prompt (``tool_input_tokens``): they are added up. Reasoning that makes up the total with the input is all the output.
    Audio tokens are a part of the input or output too; where the total is the sum of all, they are added, flagged
    ``audio_beside_text``.

    Parameters
    ----------
    frame : pl.DataFrame
        kind, the columns ``TOKENS`` and total_tokens as Float64; uncached_input_tokens, visible_output_tokens and
        tool_input_tokens if any span has them.

    Returns
    -------
    pl.DataFrame
        ``TOKENS`` as Int64, and the bool columns invalid_tokens, cached_beside_input and audio_beside_text.
    """
    model = pl.col("kind") == "model"

    def valid(name: str) -> pl.Expr:
        return pl.col(name).is_finite() & pl.col(name).is_between(0, _MOST)

    frame = _added_up(frame)
    frame = frame.with_columns(
        invalid_tokens=pl.any_horizontal(~valid(name) & pl.col(name).is_not_null() for name in TOKENS),
    ).with_columns(
        pl.when(model & valid(name)).then(pl.col(name).cast(pl.Int64, strict=False)).alias(name) for name in TOKENS
    )
    frame = _with_audio(frame)
    cached = pl.col("cached_input_tokens").fill_null(0) + pl.col("cache_write_tokens").fill_null(0)
    beside = cached > pl.col("input_tokens")
    if frame["total_tokens"].null_count() < len(frame):
        whole = pl.col("input_tokens") + cached + pl.col("output_tokens").fill_null(0)
        beside |= (cached > 0) & (pl.col("total_tokens") == whole).fill_null(False)
    if "was_uncached" in frame.columns:
        beside &= ~pl.col("was_uncached")
    frame = frame.with_columns(cached_beside_input=beside.fill_null(False))
    frame = frame.with_columns(
        input_tokens=pl.when("cached_beside_input").then(pl.col("input_tokens") + cached).otherwise("input_tokens")
    )
    if "was_uncached" in frame.columns:
        frame = frame.with_columns(
            cached_beside_input=pl.col("cached_beside_input") | (pl.col("was_uncached") & (cached > 0))
        )
    return frame


def _with_audio(frame: pl.DataFrame) -> pl.DataFrame:
    heard, said = pl.col("input_audio_tokens").fill_null(0), pl.col("output_audio_tokens").fill_null(0)
    if frame.select(((heard + said) == 0).all()).item():
        return frame.with_columns(audio_beside_text=False)
    parts = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens")
    whole = pl.sum_horizontal(pl.col(name).fill_null(0) for name in parts) + heard + said
    beside = ((heard + said > 0) & (pl.col("total_tokens") == whole)).fill_null(False)
    return frame.with_columns(audio_beside_text=beside).with_columns(
        # What is cached beside the input then is audio or text, which the caller adds.
        input_tokens=pl.when("audio_beside_text").then(pl.col("input_tokens") + heard).otherwise("input_tokens"),
        output_tokens=pl.when("audio_beside_text").then(pl.col("output_tokens") + said).otherwise("output_tokens"),
    )


def _added_up(frame: pl.DataFrame) -> pl.DataFrame:
    if "visible_output_tokens" in frame.columns:
        frame = frame.with_columns(
            output_tokens=pl.coalesce(
                "output_tokens", pl.col("visible_output_tokens") + pl.col("reasoning_tokens").fill_null(0)
            )
        )
    if "tool_input_tokens" in frame.columns:
        frame = frame.with_columns(
            input_tokens=pl.col("input_tokens") + pl.col("tool_input_tokens").fill_null(0),
        )
    thought_only = pl.col("input_tokens") + pl.col("reasoning_tokens") == pl.col("total_tokens")
    frame = frame.with_columns(
        output_tokens=pl.coalesce("output_tokens", pl.when(thought_only).then("reasoning_tokens"))
    )
    if "uncached_input_tokens" in frame.columns:
        parts = pl.col("cached_input_tokens").fill_null(0) + pl.col("cache_write_tokens").fill_null(0)
        frame = frame.with_columns(
            was_uncached=pl.col("uncached_input_tokens").is_not_null(),
            input_tokens=pl.coalesce(pl.col("uncached_input_tokens") + parts, "input_tokens"),
        )
    return frame
