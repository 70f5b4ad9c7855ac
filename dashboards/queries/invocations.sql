-- Component invocations of the fleet since the beginning.
-- One row.
SELECT sum(invocations)::BIGINT AS invocations FROM component_uses_daily
