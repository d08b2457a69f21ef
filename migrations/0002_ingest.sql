-- What normalise decides beside the log: which broker messages were counted, how many events met which fate, and what rests in
-- quarantine. All three are written in the transaction that appends to the log.
CREATE TABLE raw_messages (
    message_id   uuid        PRIMARY KEY,
    committed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX raw_messages_committed_at ON raw_messages USING brin (committed_at);
COMMENT ON TABLE raw_messages IS 'Broker messages whose events are in the log. Prunable once the broker can no longer redeliver them.';

-- Sharded by backend, because every batch of a subscription meets the same hour: one row would be a queue for all replicas.
CREATE TABLE ingest_counts (
    subscription text        COLLATE "C" NOT NULL,
    tenant       text        COLLATE "C" NOT NULL,
    hour         timestamptz NOT NULL,
    shard        smallint    NOT NULL,
    received     bigint      NOT NULL,
    logged       bigint      NOT NULL,
    duplicates   bigint      NOT NULL,
    quarantined  bigint      NOT NULL,
    ignored      bigint      NOT NULL,
    PRIMARY KEY (subscription, tenant, hour, shard),
    CONSTRAINT ingest_counts_add_up CHECK (received = logged + duplicates + quarantined + ignored)
) WITH (fillfactor = 50);
COMMENT ON TABLE ingest_counts IS 'Events per subscription and UTC hour of reception; sum over shard.';

CREATE TABLE quarantine (
    quarantine_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant        text        COLLATE "C" NOT NULL,
    subscription  text        COLLATE "C" NOT NULL,
    delivery_id   uuid        NOT NULL,
    item_index    integer     NOT NULL,
    stage         text        COLLATE "C" NOT NULL,
    format        text        NOT NULL,
    reason        text        NOT NULL,
    field         text,
    value         text,
    expected      text,
    raw           bytea       NOT NULL,
    received_at   timestamptz NOT NULL,
    correlation   text        NOT NULL,
    job_id        uuid,
    job_version   integer,
    status        text        NOT NULL DEFAULT 'held',
    created_at    timestamptz NOT NULL DEFAULT now(),
    settled_at    timestamptz,
    CONSTRAINT quarantine_item UNIQUE (delivery_id, item_index, stage),
    CONSTRAINT quarantine_job CHECK ((job_id IS NULL) = (job_version IS NULL)),
    CONSTRAINT quarantine_status CHECK (status IN ('held', 'released', 'discarded'))
);
CREATE INDEX quarantine_held ON quarantine (quarantine_id) WHERE status = 'held';
COMMENT ON COLUMN quarantine.item_index IS 'Position in the delivery from 0; -1 for the body as a whole.';
COMMENT ON COLUMN quarantine.job_id IS 'The backfill job that brought it, so that it goes back to the history lane.';
