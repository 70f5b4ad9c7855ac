"""Model calls of the small fleet, and what they are priced at."""

from __future__ import annotations

import polars as pl


def model_calls(runs: pl.DataFrame) -> pl.DataFrame:
    """One call of each run, that has all its tokens and all its cost."""
    return runs.select(
        *("run_id", "workflow", "release", "environment", "started_at", "input_tokens", "cached_input_tokens"),
        "output_tokens",
        trace_id=pl.col("run_id"),
        span_id=pl.col("run_id").str.slice(0, 16),
        request_model=pl.col("model"),
        response_model=pl.col("model"),
        cache_write_tokens=pl.lit(0),
        cost_usd=pl.col("model_cost_usd"),
        price_id=pl.when(pl.col("model_cost_usd").is_not_null()).then("price-" + pl.col("model")),
    )


def prices(models: list[str]) -> pl.DataFrame:
    """The same price for each of them."""
    return pl.DataFrame({"price_id": [f"price-{model}" for model in models], "model": models}).with_columns(
        input_usd_per_mtok=pl.lit(1.0), cached_input_usd_per_mtok=pl.lit(0.25), output_usd_per_mtok=pl.lit(4.0)
    )
