-- What pages depend on besides their filters, in one row: it changes when the marts were built anew, or an incident changed.
SELECT
    (SELECT max(table_id) FROM ducklake_table_info('lake') WHERE table_name IN ('runs', 'reuse_daily', 'rollback_readiness'))
        AS mart_id,
    (SELECT count(*) FROM incidents) AS incidents,
    (SELECT max(opened_at) FROM incidents) AS opened_at,
    (SELECT max(updated_at) FROM incidents) AS updated_at
