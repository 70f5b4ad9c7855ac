-- Ids of the outcomes stated between two times: a batch's transaction looks here for those that it holds once more.
-- grain: outcome_id
SELECT outcome_id
FROM outcomes
WHERE "at" BETWEEN $earliest AND $latest
