-- What tells, of a stream that has drifted, that it is back.

ALTER TABLE signals ADD COLUMN return_test VARCHAR;  -- JSON text: what tells runs after the onset from runs before it (cut: values above it; or within: categories that did not gain; usual: medians by covariate that values are divided by), before and after: mean share of a run beyond that, threshold: logarithm of the mean runs to a false return; null for rules, spikes, streams that no run carries, and where the samples are too few or too much alike.
