-- Our numbers beside the platform's own: what a platform reports of agents' and queues' days, whose clock it goes by, what was planned, and what
-- came of the comparison.
CREATE TABLE native_figures (
    tenant     text        COLLATE "C" NOT NULL,
    platform   text        COLLATE "C" NOT NULL,
    measure    text        COLLATE "C" NOT NULL,
    agent_id   text        COLLATE "C" NOT NULL DEFAULT '',
    queue_id   text        COLLATE "C" NOT NULL DEFAULT '',
    from_at    timestamptz NOT NULL,
    to_at      timestamptz NOT NULL,
    zone       text        COLLATE "C" NOT NULL,
    value      bigint      NOT NULL,
    items      bigint,
    grain_ms   integer     NOT NULL DEFAULT 1,
    fetched_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, platform, measure, agent_id, queue_id, from_at, to_at),
    CONSTRAINT native_figures_subject CHECK (agent_id <> '' OR queue_id <> ''),
    CONSTRAINT native_figures_stretch CHECK (from_at < to_at)
);
CREATE INDEX native_figures_time ON native_figures (tenant, platform, from_at);
COMMENT ON TABLE native_figures IS 'What a platform itself reports of days. Fetched again, a day takes the place of what was there.';
COMMENT ON COLUMN native_figures.measure IS 'offered, answered, abandoned, handled: counts; talk, hold, wrap, dial, contact, handle, logged_in, on_queue: milliseconds.';
COMMENT ON COLUMN native_figures.agent_id IS 'Empty: of all agents.';
COMMENT ON COLUMN native_figures.queue_id IS 'The queue or skill; empty: of all.';
COMMENT ON COLUMN native_figures.zone IS 'Whose clock the day was cut by.';
COMMENT ON COLUMN native_figures.grain_ms IS 'What the platform rounds the time of one contact to.';
COMMENT ON COLUMN native_figures.items IS 'How many contacts a time is the sum of, where the platform says so.';

CREATE TABLE native_zones (
    tenant     text        COLLATE "C" NOT NULL,
    platform   text        COLLATE "C" NOT NULL,
    agent_id   text        COLLATE "C" NOT NULL,
    source     text        COLLATE "C" NOT NULL,
    stated     text        COLLATE "C" NOT NULL,
    from_at    timestamptz NOT NULL,
    to_at      timestamptz NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, platform, agent_id, source, stated),
    CONSTRAINT native_zones_source CHECK (source IN ('management_unit', 'business_unit', 'agent')),
    CONSTRAINT native_zones_stretch CHECK (from_at < to_at)
);
COMMENT ON TABLE native_zones IS 'Whose clock the platform''s workforce management keeps an agent''s plan by.';
COMMENT ON COLUMN native_zones.source IS 'Who states it. The management unit''s goes before the business unit''s, that before the agent''s own.';
COMMENT ON COLUMN native_zones.stated IS 'As it is written there.';
COMMENT ON COLUMN native_zones.from_at IS 'The beginning of the first stretch that it was stated for.';
COMMENT ON COLUMN native_zones.to_at IS 'The end of the last.';

CREATE TABLE wfm_shifts (
    tenant     text        COLLATE "C" NOT NULL,
    platform   text        COLLATE "C" NOT NULL,
    agent_id   text        COLLATE "C" NOT NULL,
    from_at    timestamptz NOT NULL,
    to_at      timestamptz NOT NULL,
    shift_id   text        COLLATE "C" NOT NULL DEFAULT '',
    fetched_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, platform, agent_id, from_at),
    CONSTRAINT wfm_shifts_stretch CHECK (from_at < to_at)
);
CREATE INDEX wfm_shifts_time ON wfm_shifts (tenant, platform, from_at);
COMMENT ON TABLE wfm_shifts IS 'Shifts as workforce management published them last. What a later answer about the same time no longer has is gone.';

CREATE TABLE reconciliation_runs (
    tenant      text        COLLATE "C" NOT NULL,
    platform    text        COLLATE "C" NOT NULL,
    from_at     timestamptz NOT NULL,
    to_at       timestamptz NOT NULL,
    run_id      uuid        NOT NULL UNIQUE,
    run_at      timestamptz NOT NULL DEFAULT now(),
    tzdb        text        COLLATE "C" NOT NULL,
    findings    bigint      NOT NULL,
    report      jsonb       NOT NULL,
    PRIMARY KEY (tenant, platform, from_at, to_at)
);
CREATE INDEX reconciliation_runs_newest ON reconciliation_runs (tenant, platform, run_at);
COMMENT ON TABLE reconciliation_runs IS 'Comparisons with a platform. One of the same stretch takes the place of the earlier one.';
COMMENT ON COLUMN reconciliation_runs.findings IS 'How many of its findings somebody has to look at.';
COMMENT ON COLUMN reconciliation_runs.report IS 'The head and the sums; the lines are in reconciliation_findings.';

CREATE TABLE reconciliation_findings (
    run_id      uuid        NOT NULL REFERENCES reconciliation_runs (run_id) ON DELETE CASCADE,
    line        integer     NOT NULL,
    kind        text        COLLATE "C" NOT NULL,
    verdict     text        COLLATE "C" NOT NULL,
    finding     boolean     NOT NULL,
    agent_id    text        COLLATE "C",
    queue_id    text        COLLATE "C",
    from_at     timestamptz,
    to_at       timestamptz,
    day         text        COLLATE "C",
    measure     text        COLLATE "C",
    ours        bigint,
    native      bigint,
    difference  bigint,
    our_zone    text        COLLATE "C",
    native_zone text        COLLATE "C",
    confidence  text        COLLATE "C",
    detail      text        COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, line),
    CONSTRAINT reconciliation_findings_kind CHECK (kind IN ('zone', 'figure', 'shift'))
);
CREATE INDEX reconciliation_findings_agent ON reconciliation_findings (agent_id, run_id) WHERE finding;
COMMENT ON TABLE reconciliation_findings IS 'Everything of a comparison that is not simply equal, in the order of its report.';
COMMENT ON COLUMN reconciliation_findings.finding IS 'Whether somebody has to look; otherwise a difference that a stated cause explains.';
COMMENT ON COLUMN reconciliation_findings.day IS 'The date, by the clock that cut the day.';
COMMENT ON COLUMN reconciliation_findings.difference IS 'Ours less the platform''s; of a zone the seconds that our clock is ahead; of a shift the milliseconds outside of business hours.';

-- Zones that are known names and not the platform's. What has been in the table is about unknown names.
ALTER TABLE zone_findings
    ADD COLUMN kind           text COLLATE "C" NOT NULL DEFAULT 'unknown_zone',
    ADD COLUMN platform       text COLLATE "C",
    ADD COLUMN agent_id       text COLLATE "C",
    ADD COLUMN platform_zone  text COLLATE "C",
    ADD COLUMN ahead_seconds  bigint,
    ADD COLUMN since          timestamptz,
    ADD COLUMN confidence     text COLLATE "C",
    ADD COLUMN detail         text COLLATE "C";
COMMENT ON TABLE zone_findings IS 'Zones that could not be used (kind unknown_zone, without platform), and agents whose clock here is not the platform''s (with platform): those as the last reconciliation found them.';
COMMENT ON COLUMN zone_findings.kind IS 'unknown_zone, declared_differs, constant_difference, appears_at_change.';
COMMENT ON COLUMN zone_findings.platform_zone IS 'The zone that the platform states.';
COMMENT ON COLUMN zone_findings.ahead_seconds IS 'By how much our clock is ahead of the platform''s: from since on, where there is one.';
COMMENT ON COLUMN zone_findings.since IS 'The change of the clocks from which on they differ so.';

DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON native_figures, native_zones, wfm_shifts, reconciliation_runs, reconciliation_findings TO %I', who);
        IF who = 'kpiline_backfill' THEN
            EXECUTE format('GRANT INSERT, UPDATE ON native_figures, native_zones TO %I', who);
            EXECUTE format('GRANT INSERT, UPDATE, DELETE ON wfm_shifts TO %I', who);
        ELSIF who = 'kpiline_deliver' THEN
            EXECUTE format('GRANT INSERT, DELETE ON reconciliation_runs, reconciliation_findings TO %I', who);
            EXECUTE format('GRANT INSERT, UPDATE, DELETE ON zone_findings TO %I', who);
            EXECUTE format('GRANT DELETE ON native_figures, native_zones, wfm_shifts TO %I', who);
        END IF;
    END LOOP;
END
$$;
