-- The immutable event log: every event once, with the exact bytes it came in.
--
-- Partitioned by month of the event's own instant, which a redelivery repeats, so that the key catches a copy however late.
-- There is no default partition: a row that landed there would forbid the creation of its month later.
CREATE TABLE event_log (
    occurred_at    timestamptz NOT NULL,
    log_key        uuid        NOT NULL,
    tenant         text        COLLATE "C" NOT NULL,
    subscription   text        COLLATE "C" NOT NULL,
    event_id       text        COLLATE "C" NOT NULL,
    interaction_id text        COLLATE "C" NOT NULL,
    format         text        COLLATE "C" NOT NULL,
    delivery_id    uuid        NOT NULL,
    received_at    timestamptz NOT NULL,
    digest         bytea       NOT NULL,
    raw            bytea       NOT NULL,
    PRIMARY KEY (occurred_at, log_key)
) PARTITION BY RANGE (occurred_at);

COMMENT ON TABLE event_log IS 'Every event once, raw bytes kept. Key: digest over subscription, event id, instant and content.';
COMMENT ON COLUMN event_log.format IS 'How raw is to be read: the JSON text of the body format.';
COMMENT ON COLUMN event_log.delivery_id IS 'The delivery that brought the event first.';
COMMENT ON COLUMN event_log.digest IS 'Digest of the canonical content without the stamps that a re-send renews.';
