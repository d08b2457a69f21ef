-- What is known of a customer's contacts taken together. The contacts themselves are interactions with the customer's key; this row is
-- what a worker locks while it evaluates them, after interactions and in key order.
CREATE TABLE journeys (
    tenant       text        COLLATE "C" NOT NULL,
    customer_key text        COLLATE "C" NOT NULL,
    contacts     integer     NOT NULL DEFAULT 0,
    longest_ms   bigint      NOT NULL DEFAULT 0,
    due_at       timestamptz,
    gone         text[]      COLLATE "C" NOT NULL DEFAULT '{}',
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, customer_key),
    CONSTRAINT journeys_longest CHECK (longest_ms >= 0)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX journeys_due_at ON journeys (due_at) WHERE due_at IS NOT NULL;

COMMENT ON TABLE journeys IS 'One row a customer key: what evaluating its contacts together has to remember. No personal data.';
COMMENT ON COLUMN journeys.contacts IS 'How many contacts the last evaluation found to be one matter, at most. Very many: the key is of a shared number.';
COMMENT ON COLUMN journeys.longest_ms IS 'No contact seen lasted longer: how far back one may have begun that still matters.';
COMMENT ON COLUMN journeys.due_at IS 'When time alone makes the next verdict final. NULL: nothing waits.';
COMMENT ON COLUMN journeys.gone IS 'Interactions that had this key and lost it since the last evaluation.';

DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        CASE who
            WHEN 'kpiline_compute' THEN
                EXECUTE format('GRANT SELECT, INSERT, UPDATE ON journeys TO %I', who);
            WHEN 'kpiline_read' THEN
                EXECUTE format('GRANT SELECT ON journeys TO %I', who);
            ELSE NULL;
        END CASE;
    END LOOP;
END
$$;
