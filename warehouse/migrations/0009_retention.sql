-- What retention has deleted, so that marts know which of their rows can't be computed again.

-- table: retention
-- One row per table from which rows were deleted for their age. Marts keep their rows of the days before as they were.
-- grain: table_name
CREATE TABLE retention (
    table_name VARCHAR NOT NULL,  -- Table.
    kept_since DATE NOT NULL,  -- First UTC day that is kept whole: rows of the days before were deleted.
    rows_deleted BIGINT NOT NULL,  -- Rows deleted so far.
    applied_at TIMESTAMP NOT NULL  -- When rows were last deleted.
);
