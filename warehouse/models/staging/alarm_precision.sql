-- view: alarm_precision
-- What people have said about the alarms: per family how many were real, and the false ones beside the alarm budget.
-- grain: family
-- An incident counts once per family of its signals, by the latest judgement 'real' or 'false' about it ('resolved' says
-- nothing of that). The budget is stated in alarms of single streams, so false alarms are the signals of incidents judged false.
-- columns:
--   family: 'data', 'behavior', 'tool', 'cost', 'policy', and '(all)'.
--   incidents: Incidents with a signal of the family.
--   acknowledged: Those of them judged real or false.
--   judged_real: Those judged real.
--   judged_false: Those judged false.
--   precision_ratio: judged_real ÷ acknowledged; null while none is acknowledged.
--   precision_low_ratio: Lower end of its 95 % interval (Wilson); null as well.
--   precision_high_ratio: Upper end of it.
--   false_alarms: Signals of the incidents judged false.
--   weeks: Event time watched, from the first span to the last, in weeks, at least 1.
--   false_alarms_per_week: false_alarms ÷ weeks.
--   budget_per_week: False alarms allowed in a week for the whole fleet, all families together; null when not noted.

WITH judged AS (
    SELECT incident_id, arg_max(judgement, (stated_at, acknowledgement_id)) AS judgement
    FROM acknowledgements
    WHERE judgement IN ('real', 'false')
    GROUP BY incident_id
),
alarm AS (
    SELECT incident_id, family FROM signals WHERE incident_id IS NOT NULL
    UNION ALL
    SELECT incident_id, '(all)' FROM signals WHERE incident_id IS NOT NULL
),
incident AS (
    SELECT a.family, a.incident_id, count(*) AS signals, any_value(j.judgement) AS judgement
    FROM alarm AS a
    LEFT JOIN judged AS j USING (incident_id)
    GROUP BY a.family, a.incident_id
),
counted AS (
    SELECT
        family,
        count(*) AS incidents,
        count(judgement) AS acknowledged,
        count(*) FILTER (judgement = 'real') AS judged_real,
        count(*) FILTER (judgement = 'false') AS judged_false,
        coalesce(sum(signals) FILTER (judgement = 'false'), 0)::BIGINT AS false_alarms
    FROM incident
    GROUP BY family
),
watched AS (
    SELECT
        greatest((epoch_us(k.latest_at) - epoch_us(min(s.started_at))) / 6.048e11, 1.0)::DOUBLE AS weeks,
        (SELECT max(alarm_budget_per_week) FROM stream_settings) AS budget_per_week
    FROM stg_clock AS k
    LEFT JOIN spans AS s ON NOT list_has_any(coalesce(s.quality_flags, []), ['time_missing', 'time_out_of_range'])
    GROUP BY k.latest_at
),
-- 1.959964 is the normal quantile of a two-sided 95 %.
scored AS (
    SELECT
        *,
        nullif(acknowledged, 0) AS n,
        (judged_real + 1.959964 ^ 2 / 2) / (n + 1.959964 ^ 2) AS middle,
        1.959964 / (n + 1.959964 ^ 2) * sqrt(judged_real * judged_false / n + 1.959964 ^ 2 / 4) AS half
    FROM counted
)
SELECT
    c.family,
    c.incidents,
    c.acknowledged,
    c.judged_real,
    c.judged_false,
    c.judged_real / c.n AS precision_ratio,
    greatest(c.middle - c.half, 0.0) AS precision_low_ratio,
    least(c.middle + c.half, 1.0) AS precision_high_ratio,
    c.false_alarms,
    w.weeks,
    c.false_alarms / w.weeks AS false_alarms_per_week,
    w.budget_per_week
FROM scored AS c
CROSS JOIN watched AS w
ORDER BY c.family
