-- When an interaction was given up, and when its numbers came to rest.
CREATE TABLE history_requests (
    tenant         text        COLLATE "C" NOT NULL,
    interaction_id text        COLLATE "C" NOT NULL,
    reason         text        NOT NULL,
    requested_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, interaction_id)
);
CREATE INDEX history_requests_requested_at ON history_requests (requested_at);
COMMENT ON TABLE history_requests IS 'Interactions to be asked for by id at the platform''s history API; whoever has asked removes the row.';

-- Neither column rewrites the table. What is there already counts as settled as of now, without a write a row: the default is kept once
-- beside the table for all of them and then taken away for those to come. The next file takes it back where it is not true.
ALTER TABLE interactions
    ADD COLUMN swept_at   timestamptz,
    ADD COLUMN settled_at timestamptz DEFAULT now();
ALTER TABLE interactions ALTER COLUMN settled_at DROP DEFAULT;
COMMENT ON COLUMN interactions.swept_at IS 'When it was given up: open, and no news for the longest time its kind may last. Stays, also when it ends after all.';
COMMENT ON COLUMN interactions.settled_at IS 'Since when nothing more is expected. NULL: open, just ended, or changed since.';
