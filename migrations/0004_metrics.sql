-- Definitions and their values.
CREATE TABLE kpi_definitions (
    name         text        COLLATE "C" NOT NULL,
    version      integer     NOT NULL,
    unit         text        NOT NULL,
    text         text        NOT NULL DEFAULT '',
    digest       bytea,
    status       text        NOT NULL DEFAULT 'draft',
    created_at   timestamptz NOT NULL DEFAULT now(),
    activated_at timestamptz,
    PRIMARY KEY (name, version),
    CONSTRAINT kpi_definitions_version CHECK (version BETWEEN 1 AND 32767),
    CONSTRAINT kpi_definitions_status CHECK (status IN ('draft', 'candidate', 'current', 'retired'))
);
-- The pointer: at most one current version of each name.
CREATE UNIQUE INDEX kpi_definitions_current ON kpi_definitions (name) WHERE status = 'current';

INSERT INTO kpi_definitions (name, version, unit, status, activated_at)
SELECT name, 1, 'seconds', 'current', now()
FROM unnest(ARRAY['adjusted_aht', 'handle_time', 'talk_time', 'hold_time', 'wrap_time', 'queue_wait']) AS name;

-- One row per (tenant, interaction, metric, version, leg scope). PostgreSQL wants the partition column in the key, so
-- partition_at is there too; it comes from the interaction, where it never changes, and therefore adds nothing to the identity.
CREATE TABLE computed_metrics (
    tenant         text             COLLATE "C" NOT NULL,
    interaction_id text             COLLATE "C" NOT NULL,
    metric_type    text             COLLATE "C" NOT NULL,
    metric_version integer          NOT NULL DEFAULT 1,
    leg_scope      text             COLLATE "C" NOT NULL DEFAULT '',
    partition_at   timestamptz      NOT NULL,
    timestamp_utc  timestamptz      NOT NULL,
    agent_id       text             COLLATE "C",
    queue_id       text             COLLATE "C",
    metric_value   double precision,
    metadata       jsonb            NOT NULL DEFAULT '{}',
    provenance     jsonb            NOT NULL DEFAULT '{}',
    revision       bigint           NOT NULL DEFAULT 1,
    created_at     timestamptz      NOT NULL DEFAULT now(),
    updated_at     timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at),
    -- NaN sorts above infinity in PostgreSQL, so one comparison on each side rejects all three.
    CONSTRAINT computed_metrics_finite CHECK (metric_value > '-Infinity' AND metric_value < 'Infinity')
) PARTITION BY RANGE (partition_at);
CREATE INDEX computed_metrics_type_time ON computed_metrics (metric_type, timestamp_utc);

COMMENT ON COLUMN computed_metrics.metric_value IS 'Seconds for durations. NULL: absent, with the reason in metadata.';
COMMENT ON COLUMN computed_metrics.leg_scope IS 'Empty for the interaction as a whole, else the leg.';
COMMENT ON COLUMN computed_metrics.revision IS 'Rises by one with each real change of value, metadata, timestamp, agent or queue.';
COMMENT ON COLUMN computed_metrics.provenance IS 'How it was computed (zone data version …). No change by itself.';

-- What dashboards see unless they ask for a version.
CREATE VIEW metrics_current AS
SELECT m.tenant, m.interaction_id, m.metric_type, m.metric_version, m.leg_scope, m.timestamp_utc, m.agent_id, m.queue_id,
       m.metric_value, k.unit, m.metadata, m.partition_at, m.revision, m.created_at, m.updated_at
FROM computed_metrics m
JOIN kpi_definitions k ON k.name = m.metric_type AND k.version = m.metric_version AND k.status = 'current';
