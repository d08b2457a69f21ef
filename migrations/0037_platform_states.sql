-- Whether each platform's numbers are to be trusted now: the state that deliver keeps, what it was before, and the stretches of time whose
-- numbers are doubtful, so that a dashboard marks a dip that is none.

CREATE TABLE platform_states (
    tenant        text             COLLATE "C" NOT NULL,
    platform      text             COLLATE "C" NOT NULL,
    state         text             COLLATE "C" NOT NULL,
    since         timestamptz      NOT NULL,
    code          text             COLLATE "C" NOT NULL DEFAULT '',
    reason        text             NOT NULL DEFAULT '',
    doubtful_from timestamptz,
    lag_seconds   double precision NOT NULL DEFAULT 0,
    count_gap     bigint           NOT NULL DEFAULT 0,
    causes        jsonb            NOT NULL DEFAULT '[]',
    memory        jsonb            NOT NULL DEFAULT '{}',
    looked_at     timestamptz      NOT NULL,
    PRIMARY KEY (tenant, platform),
    CONSTRAINT platform_states_state CHECK (state IN ('live', 'syncing', 'stale', 'maintenance'))
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE platform_states IS 'One row a platform, written at every look by the process of deliver that watches. Read platform_freshness, which knows when nobody looks.';
COMMENT ON COLUMN platform_states.platform IS 'Its name in the file that deliver watches by, the same as in the platforms file of backfill.';
COMMENT ON COLUMN platform_states.code IS 'The worst cause in one word; empty: live.';
COMMENT ON COLUMN platform_states.reason IS 'Why, for people; empty: live.';
COMMENT ON COLUMN platform_states.doubtful_from IS 'From when on numbers may be too small. NULL: of no time but what platform_counts says is short.';
COMMENT ON COLUMN platform_states.lag_seconds IS 'How far behind now the numbers are, as far as anything tells.';
COMMENT ON COLUMN platform_states.count_gap IS 'Interactions that the platform counts and that are not here.';
COMMENT ON COLUMN platform_states.causes IS 'All causes: code, state, text, and whether it is over already.';
COMMENT ON COLUMN platform_states.memory IS 'What the next look goes on with, whoever looks.';

CREATE TABLE platform_state_changes (
    change_id     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant        text        COLLATE "C" NOT NULL,
    platform      text        COLLATE "C" NOT NULL,
    before        text        COLLATE "C" NOT NULL,
    state         text        COLLATE "C" NOT NULL,
    at            timestamptz NOT NULL,
    code          text        COLLATE "C" NOT NULL DEFAULT '',
    reason        text        NOT NULL DEFAULT '',
    doubtful_from timestamptz,
    CONSTRAINT platform_state_changes_before CHECK (before IN ('live', 'syncing', 'stale', 'maintenance')),
    CONSTRAINT platform_state_changes_state CHECK (state IN ('live', 'syncing', 'stale', 'maintenance'))
);
CREATE INDEX platform_state_changes_at ON platform_state_changes (tenant, platform, at);
COMMENT ON TABLE platform_state_changes IS 'Every change of a platform''s state, written with it.';

-- The platform's own word, asked for by one process at a time.
CREATE TABLE platform_health (
    tenant      text        COLLATE "C" NOT NULL,
    platform    text        COLLATE "C" NOT NULL,
    word        text        COLLATE "C",
    said        text        NOT NULL DEFAULT '',
    answered_at timestamptz,
    asked_at    timestamptz NOT NULL,
    failure     text        NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, platform),
    CONSTRAINT platform_health_word CHECK (word IN ('up', 'trouble', 'maintenance'))
) WITH (fillfactor = 50);
COMMENT ON TABLE platform_health IS 'What each platform said about itself last, where it has a status page or a health endpoint that is asked.';
COMMENT ON COLUMN platform_health.word IS 'NULL: it never answered anything that could be read.';
COMMENT ON COLUMN platform_health.said IS 'The platform''s words.';
COMMENT ON COLUMN platform_health.failure IS 'Why the last question had no answer that could be read; empty: it had one.';

-- The tables are small; the columns have constant defaults or none.
ALTER TABLE platform_counts
    ADD COLUMN ours        bigint,
    ADD COLUMN compared_at timestamptz,
    ADD COLUMN short       boolean NOT NULL DEFAULT false;
CREATE INDEX platform_counts_short ON platform_counts (tenant, from_at) WHERE short;
COMMENT ON COLUMN platform_counts.ours IS 'How many are here, of the same meaning, when they were last compared. NULL: they never were.';
COMMENT ON COLUMN platform_counts.short IS 'Too few are here, and were for long enough not to be on their way.';

ALTER TABLE subscription_status
    ADD COLUMN newest_event_at timestamptz,
    ADD COLUMN news_at         timestamptz;
COMMENT ON COLUMN subscription_status.newest_event_at IS 'The newest event''s own instant, no later than its reception. Copies say nothing here.';
COMMENT ON COLUMN subscription_status.news_at IS 'When the newest delivery was received that had anything new in it.';

CREATE VIEW platform_freshness AS
SELECT s.tenant, s.platform,
       CASE WHEN a.away THEN 'stale' ELSE s.state END AS state,
       CASE WHEN a.away THEN s.looked_at ELSE s.since END AS since,
       CASE WHEN a.away THEN 'unwatched' ELSE s.code END AS code,
       CASE WHEN a.away THEN 'nobody has looked for two minutes or longer: is deliver running?' ELSE s.reason END AS reason,
       CASE WHEN a.away THEN least(s.doubtful_from, s.looked_at) ELSE s.doubtful_from END AS doubtful_from,
       a.away OR s.state <> 'live' AS alerts_inhibited,
       s.lag_seconds, s.count_gap, s.causes, s.looked_at
FROM platform_states s
CROSS JOIN LATERAL (SELECT s.looked_at < now() - interval '2 minutes' AS away) a;
COMMENT ON VIEW platform_freshness IS 'The state of each platform now: live, syncing, stale or maintenance.';
COMMENT ON COLUMN platform_freshness.alerts_inhibited IS 'Alerts on business KPIs mean nothing now.';

CREATE VIEW untrusted_stretches AS
SELECT tenant, platform, doubtful_from AS from_at, NULL::timestamptz AS to_at, state, code, reason
FROM platform_freshness WHERE state <> 'live' AND doubtful_from IS NOT NULL
UNION ALL
SELECT tenant, platform, from_at, to_at, 'syncing', 'counts', format('the platform counts %s, and %s are here', value, ours)
FROM platform_counts WHERE short
UNION ALL
SELECT tenant, '', from_at, to_at, 'syncing', 'gap', format('%s delivered nothing, and its history was not fetched yet', subscription)
FROM subscription_gaps WHERE settled_at IS NULL;
COMMENT ON VIEW untrusted_stretches IS 'Stretches of time whose numbers are doubtful, half-open, UTC. A window that one of them overlaps is to be marked.';
COMMENT ON COLUMN untrusted_stretches.platform IS 'Empty: not told apart.';
COMMENT ON COLUMN untrusted_stretches.to_at IS 'NULL: it is not over yet.';

-- The worst of each quarter hour of the last two days, for a dashboard that draws a band behind its curves. Quarter hours are UTC's, as the
-- cells are that every window is made of.
CREATE VIEW metrics_trust AS
SELECT t.tenant, q.from_at, q.from_at + interval '15 minutes' AS to_at, u.state IS NULL AS trusted, coalesce(u.state, 'live') AS state,
       coalesce(u.platform, '') AS platform, coalesce(u.code, '') AS code, coalesce(u.reason, '') AS reason
FROM (SELECT DISTINCT tenant FROM platform_states) t
CROSS JOIN (SELECT to_timestamp(floor(extract(epoch FROM now()) / 900) * 900 - n * 900) AS from_at FROM generate_series(0, 191) AS n) q
LEFT JOIN LATERAL (
    SELECT s.platform, s.state, s.code, s.reason FROM untrusted_stretches s
    WHERE s.tenant = t.tenant AND s.from_at < q.from_at + interval '15 minutes' AND (s.to_at IS NULL OR s.to_at > q.from_at)
    ORDER BY array_position(ARRAY['maintenance', 'stale', 'syncing'], s.state), s.platform, s.from_at LIMIT 1
) u ON true;
COMMENT ON VIEW metrics_trust IS 'Whether the numbers of each quarter hour of the last two days are to be trusted, and why not.';

DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON platform_states, platform_state_changes, platform_health, platform_freshness, untrusted_stretches, '
                       'metrics_trust TO %I', who);
        CASE who
            WHEN 'kpiline_deliver' THEN
                EXECUTE format('GRANT INSERT, UPDATE, DELETE ON platform_states, platform_health TO %I', who);
                EXECUTE format('GRANT INSERT, DELETE ON platform_state_changes TO %I', who);
                EXECUTE format('GRANT UPDATE (ours, compared_at, short) ON platform_counts TO %I', who);
                -- One process watches, one asks each platform how it is.
                EXECUTE format('GRANT INSERT, UPDATE ON backfill_leases TO %I', who);
            ELSE NULL;
        END CASE;
    END LOOP;
END
$$;
