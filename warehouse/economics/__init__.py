"""What the money figures rest on, as pure functions: arrays and numbers in, numbers out; no warehouse, no clock."""
