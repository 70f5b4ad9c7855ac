-- Dead letters are read again after a fix.

ALTER TABLE dead_letters ADD COLUMN replayed_at TIMESTAMP;  -- When it could be read after all (`plumbline dead-letters replay`); null until then.
ALTER TABLE dead_letters ADD COLUMN replayed_spans BIGINT;  -- Spans that its replay added; 0 when all of them were there already.
