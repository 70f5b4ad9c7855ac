-- Versions of policies as the catalog declares them, the newest first.
-- grain: policy, version
SELECT policy, version, effective_at
FROM catalog_policies
ORDER BY policy, effective_at DESC NULLS LAST, version DESC
