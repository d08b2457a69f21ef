-- KPIs over windows of local time. Marks say what changed, items what each interaction, agent or journey adds, cells are the sums of
-- quarter hours of UTC, and window_metrics is what dashboards read. Windows are recomputed from items, never incremented.

-- A small number for each version of a definition: what items and cells name it by.
ALTER TABLE kpi_definitions ADD COLUMN definition_id integer GENERATED ALWAYS AS IDENTITY;
ALTER TABLE kpi_definitions ADD CONSTRAINT kpi_definitions_definition_id UNIQUE (definition_id);
COMMENT ON COLUMN kpi_definitions.definition_id IS 'Names (name, version) where there are many of it. Never changes, is never used again.';

-- A queue: rows come and go, and what is gone must not stay in the way of whoever looks for the first.
CREATE TABLE dirty_marks (
    mark_id   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind      text        COLLATE "C" NOT NULL,
    tenant    text        COLLATE "C" NOT NULL,
    subject   text        COLLATE "C" NOT NULL DEFAULT '',
    from_at   timestamptz NOT NULL,
    to_at     timestamptz NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT dirty_marks_kind CHECK (kind IN ('cell', 'group', 'agent', 'journey')),
    CONSTRAINT dirty_marks_subject CHECK ((kind = 'cell') = (subject = '')),
    CONSTRAINT dirty_marks_stretch CHECK (from_at <= to_at)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_scale_factor = 0,
        autovacuum_vacuum_insert_threshold = 50000, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);
-- One entry a mark: an entry is passed over once its mark is gone, and one of many marks stays until all of them are.
CREATE INDEX dirty_marks_time ON dirty_marks (kind, tenant, from_at) WITH (deduplicate_items = off);
CREATE INDEX dirty_marks_subject ON dirty_marks (kind, tenant, subject) WITH (deduplicate_items = off) WHERE subject <> '';
CREATE INDEX dirty_marks_group ON dirty_marks (tenant, mark_id) WHERE kind = 'group';
COMMENT ON TABLE dirty_marks IS 'Append only: what has to be computed again. Written with the change; deleted by id with what was computed.';
COMMENT ON COLUMN dirty_marks.kind IS 'cell: a quarter hour of the windows. group: windows of a group, left until their cells are computed. agent: an agent''s time. journey: a customer''s contacts.';
COMMENT ON COLUMN dirty_marks.subject IS 'The agent, the customer key or the group; empty for a cell.';
COMMENT ON COLUMN dirty_marks.from_at IS 'Start of the stretch that changed; of the cell.';

-- Written where a release computes without a definition that it cannot read, read by one that can. Mostly empty.
CREATE TABLE missed_marks (
    definition_id integer     NOT NULL,
    kind          text        COLLATE "C" NOT NULL,
    tenant        text        COLLATE "C" NOT NULL,
    subject       text        COLLATE "C" NOT NULL,
    from_at       timestamptz NOT NULL,
    to_at         timestamptz NOT NULL
);
CREATE INDEX missed_marks_definition ON missed_marks (definition_id);
COMMENT ON TABLE missed_marks IS 'What was computed without a switched-on definition, because the release that did it could not read that one: marked again once a release can.';

-- What one subject adds to one cell in one group. Indexed columns never change, so that an update stays on its page (HOT).
CREATE TABLE window_items (
    tenant     text        COLLATE "C" NOT NULL,
    source     text        COLLATE "C" NOT NULL,
    subject    text        COLLATE "C" NOT NULL,
    cell       timestamptz NOT NULL,
    ordinal    smallint    NOT NULL,
    agent_id   text        COLLATE "C",
    queue_id   text        COLLATE "C",
    media      text        COLLATE "C",
    direction  text        COLLATE "C",
    team       text        COLLATE "C",
    attributes text        COLLATE "C",
    measures   bytea       NOT NULL,
    PRIMARY KEY (tenant, source, subject, cell, ordinal),
    CONSTRAINT window_items_source CHECK (source IN ('interaction', 'agent', 'journey')),
    CONSTRAINT window_items_ordinal CHECK (ordinal >= 0)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
-- With a condition that always holds: only who states it can be planned along this index. Without statistics the planner would take it for
-- as good as the key where a row is looked up by its whole key.
CREATE INDEX window_items_cell ON window_items (tenant, cell) WHERE ordinal >= 0;
COMMENT ON TABLE window_items IS 'What each interaction, agent or journey adds to the windows, by quarter hour of UTC.';
COMMENT ON COLUMN window_items.subject IS 'The interaction or the agent.';
COMMENT ON COLUMN window_items.cell IS 'Start of the quarter hour.';
COMMENT ON COLUMN window_items.ordinal IS 'Tells apart what one subject adds to one cell in several groups.';
COMMENT ON COLUMN window_items.attributes IS 'A JSON object as it was written, byte for byte, so that it can be compared.';
COMMENT ON COLUMN window_items.measures IS 'Definition, scaled sum and weight of each, packed: a third of what arrays of them take.';

CREATE TABLE window_cells (
    tenant     text        COLLATE "C" NOT NULL,
    day        date        NOT NULL,
    group_by   text        COLLATE "C" NOT NULL,
    group_key  text        COLLATE "C" NOT NULL,
    filled     bit(96)     NOT NULL,
    quarters   bytea       NOT NULL,
    total      bytea       NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, day, group_by, group_key)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
-- The groups of one agent, whatever else they are by: the agent stands first in the key.
CREATE INDEX window_cells_agent ON window_cells (tenant, group_key, day) WHERE group_by >= 'agent' AND group_by < 'agent-';
COMMENT ON TABLE window_cells IS 'The sums of a group over each quarter hour of a UTC day: from these, windows of every size are made.';
COMMENT ON COLUMN window_cells.group_by IS 'The dimensions, sorted, with commas; empty for the whole organisation.';
COMMENT ON COLUMN window_cells.group_key IS 'Their values, as a JSON array; null: absent.';
COMMENT ON COLUMN window_cells.filled IS 'One bit a quarter hour, the first on the left: whether there is anything in it.';
COMMENT ON COLUMN window_cells.quarters IS 'By quarter hour and definition, packed.';
COMMENT ON COLUMN window_cells.total IS 'The whole day by definition, packed: what windows of days and more read.';

-- One KPI in one group by one size: contiguous in the key, group by group.
CREATE TABLE window_metrics (
    tenant         text             COLLATE "C" NOT NULL,
    metric_type    text             COLLATE "C" NOT NULL,
    metric_version integer          NOT NULL,
    group_by       text             COLLATE "C" NOT NULL,
    size           text             COLLATE "C" NOT NULL,
    group_key      text             COLLATE "C" NOT NULL,
    window_start   timestamptz      NOT NULL,
    window_end     timestamptz      NOT NULL,
    zone           text             COLLATE "C" NOT NULL,
    zone_source    text             COLLATE "C" NOT NULL,
    tzdb           text             COLLATE "C" NOT NULL,
    queue_id       text             COLLATE "C",
    media          text             COLLATE "C",
    direction      text             COLLATE "C",
    agent_id       text             COLLATE "C",
    team           text             COLLATE "C",
    platform       text             COLLATE "C",
    attributes     jsonb,
    items          bigint           NOT NULL,
    numerator      bigint           NOT NULL,
    denominator    bigint           NOT NULL,
    scale          bigint           NOT NULL,
    minimum        double precision,
    maximum        double precision,
    percentiles    jsonb,
    value          double precision,
    unit           text             COLLATE "C" NOT NULL,
    settles_at     timestamptz      NOT NULL,
    revision       bigint           NOT NULL DEFAULT 1,
    computed_at    timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, metric_type, metric_version, group_by, size, group_key, window_start),
    CONSTRAINT window_metrics_window CHECK (window_start < window_end),
    CONSTRAINT window_metrics_version CHECK (metric_version BETWEEN 1 AND 32767),
    CONSTRAINT window_metrics_scale CHECK (scale > 0),
    CONSTRAINT window_metrics_finite CHECK (value > '-Infinity' AND value < 'Infinity'
                                            AND minimum > '-Infinity' AND minimum < 'Infinity'
                                            AND maximum > '-Infinity' AND maximum < 'Infinity')
) PARTITION BY RANGE (window_start);
-- All groups of a day: one short entry for many rows, since none of its columns tells groups apart. For the views, which state its condition;
-- see window_items_cell.
CREATE INDEX window_metrics_time ON window_metrics (tenant, metric_type, metric_version, group_by, size, window_start)
    WHERE metric_version > 0;
COMMENT ON TABLE window_metrics IS 'KPIs over windows of local time, all versions. Dashboards read window_metrics_current.';

-- The earliest waiting mark of a group, an agent or a customer is looked up once a tenant: what it will change is not known before it is
-- computed.
CREATE VIEW window_metrics_all AS
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
                                (SELECT min(m.from_at) FROM dirty_marks m WHERE m.kind = 'journey' AND m.tenant = w.tenant)) AS since
                   OFFSET 0) p ON true
WHERE w.metric_version > 0;

CREATE VIEW window_metrics_current AS
SELECT a.* FROM window_metrics_all a
JOIN kpi_definitions k ON k.name = a.metric_type AND k.version = a.metric_version AND k.status = 'current';

COMMENT ON VIEW window_metrics_all IS 'As window_metrics_current, in all versions: say which metric_version.';
COMMENT ON VIEW window_metrics_current IS 'KPIs over windows of local time, each in its current version. Name tenant, metric_type, group_by, size and a stretch of window_start; of one group its group_key too, which is what the index knows.';
DO $$
DECLARE
    view_name text;
    said      text[];
BEGIN
    FOREACH view_name IN ARRAY ARRAY['window_metrics_all', 'window_metrics_current'] LOOP
        FOREACH said SLICE 1 IN ARRAY ARRAY[
            ['tenant', 'The organisation.'],
            ['metric_type', 'The name of the definition.'],
            ['metric_version', 'The version of the definition.'],
            ['group_by', 'The dimensions, sorted, with commas: queue, agent, media,queue … Empty for the whole organisation.'],
            ['size', '15m 30m 60m day week month shift, of local time.'],
            ['window_start', 'Its first instant.'],
            ['window_end', 'The first instant after it.'],
            ['group_key', 'The values of the dimensions, as a JSON array; null: absent, an abandoned contact has no agent.'],
            ['queue_id', 'Of the group; NULL where it is no dimension of it, or absent.'],
            ['attributes', 'Of the group, by name.'],
            ['value', 'The first of the definition''s aggregations, in the unit. NULL: absent, which is not zero.'],
            ['reason', 'Why there is no value. no_denominator: nothing to divide by.'],
            ['items', 'How many values it is made of; of agents'' time: agents times quarter hours.'],
            ['numerator', 'The sum of the values, times scale. A mean is numerator / scale / denominator.'],
            ['denominator', 'How many there are; for a share of time: milliseconds; of a time without a denominator: 0.'],
            ['scale', 'What values were multiplied by to be whole numbers: 1000 for seconds.'],
            ['maximum', 'The greatest value, in the unit; NULL where the definition asks for none.'],
            ['unit', 'Of value, minimum, maximum and percentiles: seconds, count, share or number.'],
            ['computed_at', 'When it last changed.'],
            ['media', 'Of the group; NULL where it is no dimension of it, or absent.'],
            ['direction', 'Of the group; NULL where it is no dimension of it, or absent.'],
            ['agent_id', 'Of the group; NULL where it is no dimension of it, or absent.'],
            ['team', 'Of the group; NULL where it is no dimension of it, or absent.'],
            ['platform', 'Of the group; NULL where it is no dimension of it, or absent.'],
            ['minimum', 'The least value, in the unit; NULL where the definition asks for none.'],
            ['percentiles', 'By name, in the unit: {"p50": 12.5}. Within one per cent.'],
            ['state', 'open: the window has not ended. settling: it may still change. settled: nothing more is expected.'],
            ['zone', 'Whose clock the window goes by.'],
            ['zone_source', 'Who named it: agent, schedule, team, attribute, queue, organisation; none: UTC for want of any.'],
            ['tzdb', 'The version of the zone data.'],
            ['settles_at', 'When changes are no longer expected.'],
            ['revision', 'Rises by one with each real change.']
        ] LOOP
            EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', view_name, said[1], said[2]);
        END LOOP;
    END LOOP;
END
$$;

-- As in 0008, for two tables more. A window may begin before the first instant that is kept.
CREATE OR REPLACE FUNCTION ensure_month(parent text, month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    child text := parent || to_char(first, '"_y"YYYY"m"MM');
BEGIN
    IF parent NOT IN ('event_log', 'computed_metrics', 'interval_states', 'window_metrics') THEN
        RAISE invalid_parameter_value USING MESSAGE = format('%s is not partitioned by month', parent);
    END IF;
    IF first < DATE '1999-10-01' OR first > (now() + interval '10 years') THEN
        RAISE invalid_parameter_value USING MESSAGE = format('%s is no plausible month', first);
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('kpiline.months'), hashtext(parent));
    IF EXISTS (SELECT FROM pg_inherits WHERE inhparent = parent::regclass AND inhrelid = to_regclass(child)) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I (LIKE %I INCLUDING ALL) WITH (fillfactor = %s)', child, parent,
                   CASE parent WHEN 'event_log' THEN 100 WHEN 'window_metrics' THEN 80 ELSE 90 END);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   parent, child,
                   to_char(first, 'YYYY-MM-DD') || ' 00:00:00+00',
                   to_char(first + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
    RETURN true;
END
$$;

CREATE OR REPLACE FUNCTION drop_months_before(parent text, day date) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
DECLARE
    child text;
BEGIN
    IF parent NOT IN ('event_log', 'computed_metrics', 'interval_states', 'window_metrics') THEN
        RAISE invalid_parameter_value USING MESSAGE = format('%s is not partitioned by month', parent);
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('kpiline.months'), hashtext(parent));
    FOR child IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass
          AND c.relname ~ '_y\d{4}m\d{2}$'
          AND to_date(right(c.relname, 7), 'YYYY"m"MM') + interval '1 month' <= day
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE %I', child);
        RETURN NEXT child;
    END LOOP;
END
$$;

-- What waits to be computed again, beside what waits elsewhere.
CREATE OR REPLACE VIEW pipeline_health AS
SELECT 'events_received' AS measure, '' AS scope, coalesce(sum(received), 0)::double precision AS value,
       max(hour) AS at FROM ingest_counts
UNION ALL
SELECT 'events_duplicate', '', coalesce(sum(duplicates), 0)::double precision, max(hour) FROM ingest_counts
UNION ALL
SELECT 'quarantine_held', '', count(*)::double precision, max(created_at) FROM quarantine WHERE status = 'held'
UNION ALL
SELECT 'sync_' || state, target, count(*)::double precision, min(queued_at) FROM sync_queue GROUP BY state, target
UNION ALL
SELECT 'sync_oldest_seconds', target, extract(epoch FROM now() - min(queued_at))::double precision, min(queued_at)
FROM sync_queue WHERE state <> 'rejected' GROUP BY target
UNION ALL
SELECT 'backfill_open', kind, count(*)::double precision, min(created_at)
FROM backfill_jobs WHERE state IN ('pending', 'running') GROUP BY kind
UNION ALL
SELECT 'component_silent_seconds', component || '/' || instance, extract(epoch FROM now() - updated_at)::double precision, updated_at
FROM pipeline_status
UNION ALL
SELECT 'zones_unknown', tenant, count(*)::double precision, max(last_seen) FROM zone_findings GROUP BY tenant
UNION ALL
SELECT 'history_requests', tenant, count(*)::double precision, min(requested_at) FROM history_requests GROUP BY tenant
UNION ALL
SELECT 'marks_waiting', kind, count(*)::double precision, min(queued_at) FROM dirty_marks GROUP BY kind
UNION ALL
SELECT 'marks_oldest_seconds', kind, extract(epoch FROM now() - min(queued_at))::double precision, min(queued_at)
FROM dirty_marks GROUP BY kind;

-- Where the server was built with it; see 0009.
DO $$
BEGIN
    ALTER TABLE window_cells ALTER COLUMN quarters SET COMPRESSION lz4;
    ALTER TABLE window_cells ALTER COLUMN total SET COMPRESSION lz4;
EXCEPTION
    WHEN feature_not_supported THEN NULL;
END
$$;

-- Rights, like 0010 idempotent, and to be run once more by hand by who adds the roles later. Items are compute's alone.
DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON dirty_marks, missed_marks, window_cells, window_metrics, window_metrics_all, window_metrics_current TO %I', who);
        CONTINUE WHEN who <> 'kpiline_compute';
        EXECUTE format('GRANT INSERT, DELETE ON dirty_marks, missed_marks TO %I', who);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON window_items, window_cells, window_metrics TO %I', who);
    END LOOP;
END
$$;
