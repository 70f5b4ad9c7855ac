-- What rules of drift detection are about, as the catalog says it.

ALTER TABLE catalog_workflows ADD COLUMN models VARCHAR[];  -- Models that may serve it; null when the catalog does not say.
ALTER TABLE catalog_workflows ADD COLUMN effects_allowed VARCHAR[];  -- Effects its tool calls may have: 'read', 'write', 'irreversible'; null when the catalog does not say.
ALTER TABLE catalog_workflows ADD COLUMN drift VARCHAR;  -- JSON text: how it is watched for drift, where that is not the default; null when the catalog does not say.
