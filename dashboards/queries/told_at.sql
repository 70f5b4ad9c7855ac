-- When somebody was last to be told of something, when that was last settled, and the tries so far. One row.
SELECT max(made_at) AS made_at, max(settled_at) AS settled_at, sum(tries) AS tries
FROM notifications
