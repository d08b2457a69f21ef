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
