"""What an observation says only beside the runs before it: runs an hour, cost of a success, a multiple of the usual.

Stands between the observations of closed runs and the detectors, takes them in their order and keeps what it needs of the
past in the checkpoint. How observations are cut into calls changes nothing.
"""

from __future__ import annotations

import polars as pl

from pipelines.history.arrivals import ARRIVALS_SCHEMA, runs_per_hour
from pipelines.history.levels import LEVELS_SCHEMA, beside_others
from pipelines.history.successes import SUCCESSES_SCHEMA, per_success
from pipelines.stages.observation import ARRIVAL
from pipelines.stages.observe import BY_ENVIRONMENT, PER_SUCCESS, TO_USUAL


class History:
    """What is remembered of earlier runs.

    Attributes
    ----------
    arrivals : pl.DataFrame
        Per workflow: the hour under way and its runs so far (``pipelines.history.arrivals``).
    levels : pl.DataFrame
        Per workflow, metric and environment, or model and task: how many there were, and the usual value
        (``pipelines.history.levels``).
    successes : pl.DataFrame
        Per workflow: what was spent since its last success (``pipelines.history.successes``).
    """

    def __init__(
        self,
        arrivals: pl.DataFrame | None = None,
        levels: pl.DataFrame | None = None,
        successes: pl.DataFrame | None = None,
    ) -> None:
        self.arrivals = pl.DataFrame(schema=ARRIVALS_SCHEMA) if arrivals is None else arrivals
        self.levels = pl.DataFrame(schema=LEVELS_SCHEMA) if levels is None else levels
        self.successes = pl.DataFrame(schema=SUCCESSES_SCHEMA) if successes is None else successes

    def update(self, observations: pl.DataFrame) -> pl.DataFrame:
        """Return what the detectors are to see of observations, in order of time.

        Parameters
        ----------
        observations : pl.DataFrame
            ``OBSERVATION_SCHEMA``, in the order of closed runs, those of a run together.

        Returns
        -------
        pl.DataFrame
            The same columns: without kind ``ARRIVAL``, with an observation per workflow and completed hour in its place;
            metrics ``BY_ENVIRONMENT`` only where there are several; metrics ``TO_USUAL`` as multiples of the usual;
            metric ``PER_SUCCESS`` at successes only.
        """
        is_arrival = pl.col("kind") == ARRIVAL
        is_spent = pl.col("metric") == PER_SUCCESS
        is_level = pl.col("metric").is_in([*BY_ENVIRONMENT, *TO_USUAL])
        placed = observations.with_row_index("row")
        hours, self.arrivals = runs_per_hour(placed.filter(is_arrival), self.arrivals)
        judged, self.levels = beside_others(placed.filter(is_level), self.levels)
        successes, self.successes = per_success(placed.filter(is_spent), self.successes)
        # An hour stands right before the run that completed it.
        parts = [hours.select(placed.columns), judged, successes, placed.filter(~is_arrival & ~is_level & ~is_spent)]
        return pl.concat(parts).sort("row", maintain_order=True).drop("row")
