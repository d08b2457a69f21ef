-- A storm: more waits in the events queues than compute can do at once. What is critical is computed as ever, the rest is owed and computed
-- when the storm is over.

-- One row for the installation. Whoever holds the lease measures and decides; all others read, so that no two replicas differ for longer than
-- they take to look.
CREATE TABLE storm_state (
    only_row         boolean     PRIMARY KEY DEFAULT true,
    mode             text        COLLATE "C" NOT NULL DEFAULT 'calm',
    since            timestamptz NOT NULL DEFAULT now(),
    turning_since    timestamptz,
    observed_at      timestamptz,
    waiting_messages bigint      NOT NULL DEFAULT 0,
    waiting_facts    bigint      NOT NULL DEFAULT 0,
    oldest_seconds   double precision,
    reason           text        NOT NULL DEFAULT '',
    deferred         bigint      NOT NULL DEFAULT 0,
    deferred_since   timestamptz,
    ordered_mode     text        COLLATE "C",
    ordered_at       timestamptz,
    ordered_until    timestamptz,
    holder           text        COLLATE "C",
    lease_until      timestamptz,
    CONSTRAINT storm_state_only CHECK (only_row),
    CONSTRAINT storm_state_mode CHECK (mode IN ('calm', 'storm')),
    CONSTRAINT storm_state_ordered CHECK (ordered_mode IN ('calm', 'storm'))
) WITH (fillfactor = 20);
INSERT INTO storm_state DEFAULT VALUES;
COMMENT ON TABLE storm_state IS 'Whether compute is in a storm: one row. `compute storm status` reads it, `compute storm on` and `off` order.';
COMMENT ON COLUMN storm_state.mode IS 'As it was measured; an order goes before it.';
COMMENT ON COLUMN storm_state.turning_since IS 'Since when what is measured speaks for the other mode. NULL: it does not.';
COMMENT ON COLUMN storm_state.observed_at IS 'When it was last measured. Long ago: nobody does, and it counts as calm.';
COMMENT ON COLUMN storm_state.waiting_facts IS 'Of the messages that wait, by how many facts the messages taken lately had.';
COMMENT ON COLUMN storm_state.oldest_seconds IS 'How long the messages taken lately had waited, at most. NULL: none was taken lately.';
COMMENT ON COLUMN storm_state.deferred IS 'Interactions in deferred_evaluations, as counted lately.';
COMMENT ON COLUMN storm_state.ordered_mode IS 'What a person ordered. NULL: nothing.';
COMMENT ON COLUMN storm_state.ordered_until IS 'Until when the order holds. NULL: until another one.';

-- Written in the transaction that folds the facts, deleted in the one that evaluates what is owed.
CREATE TABLE deferred_evaluations (
    tenant         text        COLLATE "C" NOT NULL,
    interaction_id text        COLLATE "C" NOT NULL,
    definitions    integer[]   NOT NULL,
    generation     bigint,
    revision       bigint      NOT NULL,
    from_at        timestamptz NOT NULL,
    deferred_at    timestamptz NOT NULL DEFAULT now(),
    due_at         timestamptz NOT NULL DEFAULT now(),
    refusals       integer     NOT NULL DEFAULT 0,
    refused_for    text,
    written_off    boolean     NOT NULL GENERATED ALWAYS AS (refusals >= 3) STORED,
    PRIMARY KEY (tenant, interaction_id),
    FOREIGN KEY (tenant, interaction_id) REFERENCES interactions (tenant, interaction_id) ON DELETE CASCADE
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX deferred_evaluations_due ON deferred_evaluations (due_at);
CREATE INDEX deferred_evaluations_from ON deferred_evaluations (tenant, from_at) WHERE NOT written_off;
COMMENT ON TABLE deferred_evaluations IS 'Interactions that were folded in a storm and are still to be evaluated by definitions that are not critical.';
COMMENT ON COLUMN deferred_evaluations.definitions IS 'By which (kpi_definitions.definition_id).';
COMMENT ON COLUMN deferred_evaluations.generation IS 'The catalogue''s generation of which these and what was evaluated at once are everything. NULL: not everything.';
COMMENT ON COLUMN deferred_evaluations.revision IS 'The interaction''s revision that they are owed to since last.';
COMMENT ON COLUMN deferred_evaluations.from_at IS 'When the interaction began: windows from then on are not settled, unless it is written off.';
COMMENT ON COLUMN deferred_evaluations.due_at IS 'Not before. Later than deferred_at: it was refused and is tried again.';
COMMENT ON COLUMN deferred_evaluations.refusals IS 'How often evaluating it was refused since it last had other facts.';
COMMENT ON COLUMN deferred_evaluations.refused_for IS 'Why, the last time.';
COMMENT ON COLUMN deferred_evaluations.written_off IS 'It was refused so often that windows settle without it. It is tried again all the same, and changes them when it succeeds.';

-- As before, and what is owed keeps windows settling. What is refused again and again does not: one interaction must not keep all windows of
-- its organisation from ever settling.
CREATE OR REPLACE VIEW window_metrics_all AS
SELECT w.tenant, w.metric_type, w.metric_version, w.group_by, w.size, w.window_start, w.window_end, w.group_key,
       w.queue_id, w.media, w.direction, w.agent_id, w.team, w.platform, w.attributes,
       w.value, w.unit, CASE WHEN w.value IS NULL THEN 'no_denominator' END AS reason,
       w.items, w.numerator, w.denominator, w.scale, w.minimum, w.maximum, w.percentiles,
       CASE
           WHEN now() < w.window_end THEN 'open'
           WHEN now() < w.settles_at OR w.window_end > p.since
             OR EXISTS (SELECT FROM dirty_marks m WHERE m.kind = 'cell' AND m.tenant = w.tenant
                           AND m.from_at >= w.window_start AND m.from_at < w.window_end) THEN 'settling'
           ELSE 'settled'
       END AS state,
       w.zone, w.zone_source, w.tzdb, w.settles_at, w.revision, w.computed_at
FROM window_metrics w
LEFT JOIN LATERAL (SELECT least((SELECT min(m.from_at) FROM dirty_marks m WHERE m.kind = 'group' AND m.tenant = w.tenant),
                                (SELECT min(m.from_at) FROM dirty_marks m WHERE m.kind = 'agent' AND m.tenant = w.tenant),
                                (SELECT min(m.from_at) FROM dirty_marks m WHERE m.kind = 'journey' AND m.tenant = w.tenant),
                                (SELECT min(d.from_at) FROM deferred_evaluations d WHERE d.tenant = w.tenant AND NOT d.written_off)) AS since
                   OFFSET 0) p ON true
WHERE w.metric_version > 0;

DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON storm_state, deferred_evaluations TO %I', who);
        CONTINUE WHEN who <> 'kpiline_compute';
        EXECUTE format('GRANT UPDATE ON storm_state TO %I', who);
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON deferred_evaluations TO %I', who);
    END LOOP;
END
$$;
