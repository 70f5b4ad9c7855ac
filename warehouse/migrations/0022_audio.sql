-- Tokens of audio, and what they cost. Null in rows of before: whether there were any is not known.

ALTER TABLE spans ADD COLUMN input_audio_tokens BIGINT;  -- The part of input_tokens that is audio, cached ones included; null where the modalities are not told apart.
ALTER TABLE spans ADD COLUMN cached_input_audio_tokens BIGINT;  -- The part of cached_input_tokens that is audio; null where not told.
ALTER TABLE spans ADD COLUMN output_audio_tokens BIGINT;  -- The part of output_tokens that is audio; null where not told.
ALTER TABLE price_list ADD COLUMN input_audio_usd_per_mtok DOUBLE;  -- US dollars per million tokens of audio input that were not cached; null where they are billed as input.
ALTER TABLE price_list ADD COLUMN cached_input_audio_usd_per_mtok DOUBLE;  -- US dollars per million tokens of audio input read from the cache; null where they are billed as cached input.
ALTER TABLE price_list ADD COLUMN output_audio_usd_per_mtok DOUBLE;  -- US dollars per million tokens of audio output; null where they are billed as output.
ALTER TABLE catalog_prices ADD COLUMN input_audio_per_mtok DOUBLE;  -- Per million tokens of audio input; null for the rate of input.
ALTER TABLE catalog_prices ADD COLUMN cached_input_audio_per_mtok DOUBLE;  -- Per million tokens of audio input read from the cache; null for the rate of cached input, else of audio input.
ALTER TABLE catalog_prices ADD COLUMN output_audio_per_mtok DOUBLE;  -- Per million tokens of audio output; null for the rate of output.
