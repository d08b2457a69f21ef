-- The zone that events state for an agent: whose clock the windows of agents go by, unless the document of places knows better.
--
-- By days, so that a row is written once a day and not once a call; of two zones stated on one day the greater name holds, so that the order
-- of arrival decides nothing.
CREATE TABLE agent_zones (
    tenant    text COLLATE "C" NOT NULL,
    agent_id  text COLLATE "C" NOT NULL,
    zone      text COLLATE "C" NOT NULL,
    stated_on date NOT NULL,
    moved     boolean NOT NULL DEFAULT true,
    PRIMARY KEY (tenant, agent_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE agent_zones IS 'The zone stated for each agent on the latest day on which one was. As it was written, known or not.';
COMMENT ON COLUMN agent_zones.stated_on IS 'Of UTC, by the platform''s clock.';
COMMENT ON COLUMN agent_zones.moved IS 'Whether what was written last named another zone than what was there before.';

DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON agent_zones TO %I', who);
        CONTINUE WHEN who <> 'kpiline_compute';
        EXECUTE format('GRANT INSERT, UPDATE ON agent_zones TO %I', who);
    END LOOP;
END
$$;
