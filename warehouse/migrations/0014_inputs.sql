-- What inputs and arguments look like, for the data family of drift detection.

ALTER TABLE spans ADD COLUMN tool_argument_fields INTEGER;  -- Named fields of the tool call's arguments, nested ones included; null without arguments.
ALTER TABLE spans ADD COLUMN tool_argument_nulls INTEGER;  -- How many of them are null or empty.
ALTER TABLE spans ADD COLUMN input_format VARCHAR;  -- Form of the input of a run, agent or model call and the script it is written in, or a digest of its fields; never its words.
