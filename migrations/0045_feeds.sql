-- Interval feeds: files of the windows for planning tools and clients. What is to be sent is a row an interval with a lease, as everywhere;
-- what was sent is a row a revision, and a revision is one content for ever.

CREATE TABLE feeds (
    feed          text        COLLATE "C" PRIMARY KEY,
    tenant        text        COLLATE "C" NOT NULL,
    size          text        COLLATE "C" NOT NULL,
    zone          text        COLLATE "C" NOT NULL,
    layout        integer     NOT NULL,
    planned_until timestamptz NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT feeds_size CHECK (size IN ('15m', '30m', '60m', 'day')),
    CONSTRAINT feeds_layout CHECK (layout BETWEEN 1 AND 32767)
) WITH (fillfactor = 20);
COMMENT ON TABLE feeds IS 'Feeds as deliver last started with them.';
COMMENT ON COLUMN feeds.zone IS 'The receiver''s clock, by which intervals begin.';
COMMENT ON COLUMN feeds.planned_until IS 'Intervals that begin before it have a row in feed_intervals, from the first one on.';

CREATE TABLE feed_layouts (
    feed     text        COLLATE "C" NOT NULL,
    layout   integer     NOT NULL,
    text     text        NOT NULL,
    first_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (feed, layout)
);
COMMENT ON TABLE feed_layouts IS 'What the columns of a feed were under each version of its layout: a version never changes.';

-- due_at says when a row may be taken, as in sync_queue: a lease whose holder died is due again by itself.
CREATE TABLE feed_intervals (
    feed           text        COLLATE "C" NOT NULL,
    interval_start timestamptz NOT NULL,
    interval_end   timestamptz NOT NULL,
    state          text        COLLATE "C" NOT NULL DEFAULT 'pending',
    wanted         text        COLLATE "C" NOT NULL DEFAULT 'first',
    due_at         timestamptz NOT NULL DEFAULT now(),
    lease_id       uuid,
    attempt        integer     NOT NULL DEFAULT 0,
    stamp          text        COLLATE "C",
    error          text,
    queued_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (feed, interval_start),
    CONSTRAINT feed_intervals_stretch CHECK (interval_start < interval_end),
    CONSTRAINT feed_intervals_state CHECK (state IN ('pending', 'leased', 'sent', 'empty')),
    CONSTRAINT feed_intervals_wanted CHECK (wanted IN ('first', 'correction', 'replay'))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX feed_intervals_due ON feed_intervals (feed, due_at) WHERE state IN ('pending', 'leased');
COMMENT ON TABLE feed_intervals IS 'One row an interval of a feed: what is still to be sent, and which figures the last file was made of.';
COMMENT ON COLUMN feed_intervals.state IS 'pending: to be sent. leased: being sent. sent: nothing to do. empty: there is nothing in it, and the feed sends no empty files.';
COMMENT ON COLUMN feed_intervals.wanted IS 'Why it was put here last. first: its time had come. correction: the windows have changed. replay: an operator asked for it.';
COMMENT ON COLUMN feed_intervals.attempt IS 'Failures since it was put here.';
COMMENT ON COLUMN feed_intervals.stamp IS 'Of the windows that it was made of last: whether they differ now tells whether to make it up again.';
COMMENT ON COLUMN feed_intervals.error IS 'Why it could not be sent last.';

CREATE TABLE feed_deliveries (
    feed           text        COLLATE "C" NOT NULL,
    interval_start timestamptz NOT NULL,
    revision       integer     NOT NULL,
    layout         integer     NOT NULL,
    digest         bytea       NOT NULL,
    correction     boolean     NOT NULL,
    file           text        NOT NULL,
    rows           bigint      NOT NULL,
    bytes          bigint      NOT NULL,
    state          text        COLLATE "C" NOT NULL,
    doubtful       boolean     NOT NULL DEFAULT false,
    attempts       integer     NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    sent_at        timestamptz,
    error          text,
    PRIMARY KEY (feed, interval_start, revision),
    CONSTRAINT feed_deliveries_revision CHECK (revision >= 1),
    CONSTRAINT feed_deliveries_digest CHECK (length(digest) = 32),
    CONSTRAINT feed_deliveries_state CHECK (state IN ('sending', 'failed', 'sent', 'unknown'))
) WITH (fillfactor = 90);
CREATE INDEX feed_deliveries_sent ON feed_deliveries (feed, sent_at);
COMMENT ON TABLE feed_deliveries IS 'Every file of a feed: one row an interval and revision. Written before the file is sent, and again after.';
COMMENT ON COLUMN feed_deliveries.digest IS 'SHA-256 of the content, without what tells of the sending.';
COMMENT ON COLUMN feed_deliveries.correction IS 'It corrects an earlier revision, which the receiver has or may have.';
COMMENT ON COLUMN feed_deliveries.state IS 'sending: under way, or broken off: it goes again. failed: the receiver does not have it. sent: it has. unknown: broken off, and a later revision has taken its place.';
COMMENT ON COLUMN feed_deliveries.doubtful IS 'The receiver may have it, whatever the state.';
COMMENT ON COLUMN feed_deliveries.attempts IS 'How often it was sent or tried; a replay of the same content is another one.';

DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON feeds, feed_layouts, feed_intervals, feed_deliveries TO %I', who);
        IF who = 'kpiline_deliver' THEN
            EXECUTE format('GRANT INSERT, UPDATE ON feeds, feed_intervals, feed_deliveries TO %I', who);
            EXECUTE format('GRANT INSERT ON feed_layouts TO %I', who);
        END IF;
    END LOOP;
END
$$;
