-- Identity and folded state of each interaction. Not partitioned: this row owns uniqueness, fixes partition_at at first sight
-- and is what workers lock. Only columns that never change are indexed, so that an update stays on its page (HOT).
CREATE TABLE interactions (
    tenant          text        COLLATE "C" NOT NULL,
    interaction_id  text        COLLATE "C" NOT NULL,
    partition_at    timestamptz NOT NULL,
    started_at      timestamptz,
    ended_at        timestamptz,
    status          text        COLLATE "C" NOT NULL,
    state           jsonb       NOT NULL,
    customer_key    text        COLLATE "C",
    facts           integer     NOT NULL,
    metric_versions smallint[]  NOT NULL DEFAULT '{}',
    revision        bigint      NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, interaction_id),
    CONSTRAINT interactions_status CHECK (status IN ('open', 'terminal', 'overfull'))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX interactions_partition_at ON interactions USING brin (partition_at);

COMMENT ON COLUMN interactions.partition_at IS 'Fixed when the interaction was first seen: the month its metrics live in, whatever is learnt later.';
COMMENT ON COLUMN interactions.metric_versions IS 'Versions that jobs asked for, besides the switched-on ones.';
