-- Operator jobs. A lease names who works on a job; one that ran out may be taken over, and the old holder can no longer write.
CREATE TABLE backfill_jobs (
    job_id         uuid        PRIMARY KEY,
    kind           text        COLLATE "C" NOT NULL,
    tenant         text        COLLATE "C",
    metric_version integer     NOT NULL,
    params         jsonb       NOT NULL DEFAULT '{}',
    state          text        COLLATE "C" NOT NULL DEFAULT 'pending',
    lease_owner    text,
    lease_until    timestamptz,
    cursor         jsonb,
    done           bigint      NOT NULL DEFAULT 0,
    total          bigint,
    report         jsonb,
    error          text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    started_at     timestamptz,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    finished_at    timestamptz,
    CONSTRAINT backfill_jobs_state CHECK (state IN ('pending', 'running', 'done', 'failed', 'cancelled'))
);
CREATE INDEX backfill_jobs_open ON backfill_jobs (created_at) WHERE state IN ('pending', 'running');

CREATE TABLE backfill_chunks (
    job_id      uuid        NOT NULL REFERENCES backfill_jobs ON DELETE CASCADE,
    chunk       integer     NOT NULL,
    from_at     timestamptz NOT NULL,
    to_at       timestamptz NOT NULL,
    state       text        COLLATE "C" NOT NULL DEFAULT 'pending',
    lease_owner text,
    lease_until timestamptz,
    cursor      jsonb,
    done        bigint      NOT NULL DEFAULT 0,
    attempt     integer     NOT NULL DEFAULT 0,
    error       text,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, chunk),
    CONSTRAINT backfill_chunks_state CHECK (state IN ('pending', 'running', 'done', 'failed')),
    CONSTRAINT backfill_chunks_range CHECK (from_at < to_at)
);
COMMENT ON TABLE backfill_chunks IS 'Half-open stretches of time, each pulled on its own.';
