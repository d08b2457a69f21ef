-- Delivery work is rows with leases, written in the transaction that changed the metric; never "updated since".
CREATE TABLE sync_targets (
    target     text        COLLATE "C" PRIMARY KEY,
    tenant     text        COLLATE "C" NOT NULL,
    platform   text        NOT NULL,
    metrics    text[]      NOT NULL,
    versions   integer[]   NOT NULL DEFAULT '{}',
    enabled    boolean     NOT NULL DEFAULT true,
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN sync_targets.tenant IS 'The organisation whose metrics go there; no other''s do.';
COMMENT ON COLUMN sync_targets.versions IS 'Versions wanted; empty: whatever is current when the row changes.';

-- due_at says when a row may be taken: for a waiting row its time, for a leased one the end of the lease. So a lease whose holder
-- died is due again without anyone rescuing it.
CREATE TABLE sync_queue (
    target         text        COLLATE "C" NOT NULL,
    tenant         text        COLLATE "C" NOT NULL,
    interaction_id text        COLLATE "C" NOT NULL,
    metric_type    text        COLLATE "C" NOT NULL,
    metric_version integer     NOT NULL,
    leg_scope      text        COLLATE "C" NOT NULL,
    partition_at   timestamptz NOT NULL,
    revision       bigint      NOT NULL,
    state          text        COLLATE "C" NOT NULL DEFAULT 'pending',
    due_at         timestamptz NOT NULL DEFAULT now(),
    lease_id       uuid,
    attempt        integer     NOT NULL DEFAULT 0,
    queued_at      timestamptz NOT NULL DEFAULT now(),
    last_status    integer,
    last_message   text,
    PRIMARY KEY (target, tenant, interaction_id, metric_type, metric_version, leg_scope),
    CONSTRAINT sync_queue_state CHECK (state IN ('pending', 'leased', 'unknown', 'rejected'))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1);
CREATE INDEX sync_queue_due ON sync_queue (target, due_at) WHERE state <> 'rejected';
COMMENT ON COLUMN sync_queue.revision IS 'The newest revision waiting. A push of an older one does not settle the row.';

-- Append only: one row per metric and attempt.
CREATE TABLE metric_sync_log (
    log_id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    logged_at       timestamptz NOT NULL DEFAULT now(),
    target          text        COLLATE "C" NOT NULL,
    tenant          text        COLLATE "C" NOT NULL,
    interaction_id  text        COLLATE "C" NOT NULL,
    metric_type     text        COLLATE "C" NOT NULL,
    metric_version  integer     NOT NULL,
    leg_scope       text        COLLATE "C" NOT NULL,
    revision        bigint      NOT NULL,
    attempt         integer     NOT NULL,
    fate            text        COLLATE "C" NOT NULL,
    request_id      uuid        NOT NULL,
    idempotency_key text        NOT NULL,
    status          integer,
    message         text,
    CONSTRAINT metric_sync_log_fate CHECK (fate IN ('sent', 'accepted', 'rejected', 'unknown', 'retry', 'snoozed'))
);
CREATE INDEX metric_sync_log_metric ON metric_sync_log (tenant, interaction_id, metric_type);
CREATE INDEX metric_sync_log_logged_at ON metric_sync_log USING brin (logged_at);
COMMENT ON COLUMN metric_sync_log.status IS 'The HTTP status of the answer; NULL when there was none.';
