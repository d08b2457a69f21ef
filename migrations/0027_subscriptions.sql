-- Whether the platforms still deliver. A sender whose deliveries failed for long enough gives up and deletes the subscription, and then
-- nothing comes at all, silently; what is missing since has to be asked for.
CREATE TABLE subscription_status (
    subscription     text COLLATE "C" NOT NULL,
    tenant           text COLLATE "C" NOT NULL,
    watched_since    timestamptz NOT NULL DEFAULT now(),
    last_received_at timestamptz,
    state            text COLLATE "C" NOT NULL DEFAULT 'unknown',
    since            timestamptz NOT NULL DEFAULT now(),
    reason           text NOT NULL DEFAULT '',
    silent_from      timestamptz,
    resumed_at       timestamptz,
    checked_at       timestamptz,
    findings         text NOT NULL DEFAULT '',
    PRIMARY KEY (subscription, tenant),
    CONSTRAINT subscription_status_state CHECK (state IN ('unknown', 'ok', 'quiet', 'disabled', 'missing'))
) WITH (fillfactor = 50);
COMMENT ON TABLE subscription_status IS 'What the watchdog of ingest knows about each subscription. Written every few seconds, never for a delivery.';
COMMENT ON COLUMN subscription_status.last_received_at IS 'When the newest delivery was received, by the clock of ingest receive.';
COMMENT ON COLUMN subscription_status.silent_from IS 'The last delivery before the silence under way.';
COMMENT ON COLUMN subscription_status.resumed_at IS 'The first delivery after it; the silence is over once more follow.';
COMMENT ON COLUMN subscription_status.checked_at IS 'When the platform last said how the subscription is; null where it is not asked.';
COMMENT ON COLUMN subscription_status.findings IS 'What it said that should be otherwise, or why it could not be asked.';

-- One row for the installation.
CREATE TABLE subscription_watch (
    only_row   boolean PRIMARY KEY DEFAULT true,
    worked_off timestamptz,
    CONSTRAINT subscription_watch_only CHECK (only_row)
) WITH (fillfactor = 20);
INSERT INTO subscription_watch DEFAULT VALUES;
COMMENT ON TABLE subscription_watch IS 'What the processes of ingest normalise tell the one that watches: one row.';
COMMENT ON COLUMN subscription_watch.worked_off IS 'Up to when everything received is worked off, as the process has it that sees farthest. It does not move while nobody reaches the broker.';

CREATE TABLE subscription_gaps (
    gap_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription text COLLATE "C" NOT NULL,
    tenant       text COLLATE "C" NOT NULL,
    from_at      timestamptz NOT NULL,
    to_at        timestamptz NOT NULL,
    reason       text NOT NULL DEFAULT '',
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    settled_at   timestamptz,
    CONSTRAINT subscription_gap UNIQUE (subscription, tenant, from_at),
    CONSTRAINT subscription_gap_is_one CHECK (from_at < to_at)
);
CREATE INDEX subscription_gaps_open ON subscription_gaps (gap_id) WHERE settled_at IS NULL;
COMMENT ON TABLE subscription_gaps IS 'Stretches without deliveries, from the last one before to the first one after: to be fetched from the platform''s history. Settled once it was.';

DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON subscription_status, subscription_gaps, subscription_watch TO %I', who);
        CASE who
            WHEN 'kpiline_ingest' THEN
                EXECUTE format('GRANT INSERT, UPDATE ON subscription_status TO %I', who);
                EXECUTE format('GRANT UPDATE ON subscription_watch TO %I', who);
                EXECUTE format('GRANT INSERT ON subscription_gaps TO %I', who);
            WHEN 'kpiline_backfill' THEN
                EXECUTE format('GRANT UPDATE (settled_at) ON subscription_gaps TO %I', who);
            ELSE
                NULL;
        END CASE;
    END LOOP;
END
$$;
