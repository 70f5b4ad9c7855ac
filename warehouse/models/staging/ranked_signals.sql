-- view: ranked_signals
-- How sure each signal is among those of its week, by e-BH: the share of false ones to expect down to it.
-- grain: signal_id
-- A stream's statistic M is an e-detector: stopped at any time, its mean without change is at most the mean number n of the stream's
-- observations until then (Shin, Ramdas and Rinaldo, E-detectors, 2022). So M/n is an e-value. Weighted by n ÷ N, N being the
-- fleet's observations of a week, e-BH (Wang and Ramdas, False discovery rate control with e-values, 2022) keeps the k greatest
-- signals at level a where M ≥ N/(a·k) for the least of them, however the streams depend on each other: N/(k·M) is the share of
-- false ones to expect, over a week of patience (Dandapanthula and Ramdas, Multiple testing in multi-stream sequential change
-- detection, 2025). N ÷ allowed false alarms a week is the threshold, so N/M is allowed·exp(threshold − log_e). A rule needs no
-- statistics and is certain.
-- columns:
--   signal_id: The signal.
--   incident_id: Incident it belongs to.
--   week: Monday of its week of event time, UTC.
--   false_alarms_expected: N/M: false alarms of this evidence or more that chance would give in a week; 0 for a rule, null where the
--     alarm budget was not noted.
--   false_ratio: Least level at which e-BH keeps the signal: the expected share of false ones among the signals of its week with at
--     least its evidence, at most 1; 0 for a rule, null as above.
--   rank: Place among the signals of its week, the surest first; ties by time and id.

WITH signal AS (
    SELECT
        s.signal_id,
        s.incident_id,
        s."at",
        date_trunc('week', s."at")::DATE AS week,
        -- A tenth of the budget is the spikes' (detectors/spikes.py).
        CASE
            WHEN s.kind = 'rule' THEN 0.0
            ELSE (SELECT max(alarm_budget_per_week) FROM stream_settings)
                * CASE WHEN s.kind = 'spike' THEN 0.1 ELSE 0.9 END * exp(s.threshold - s.log_e)
        END AS false_alarms_expected
    FROM signals AS s
),
placed AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY week ORDER BY false_alarms_expected NULLS LAST, "at", signal_id) AS rank
    FROM signal
)
SELECT
    signal_id,
    incident_id,
    week,
    false_alarms_expected,
    CASE
        WHEN false_alarms_expected IS NOT NULL THEN least(
            min(false_alarms_expected / rank) OVER (
                PARTITION BY week ORDER BY rank DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ),
            1.0
        )
    END AS false_ratio,
    rank
FROM placed
