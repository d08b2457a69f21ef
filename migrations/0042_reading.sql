-- What the read API reads along, and the rights of who serves it.
CREATE INDEX backfill_jobs_created ON backfill_jobs (created_at, job_id);

-- Like 0010 idempotent, and to be run once more by hand by who adds the roles later. Of what quarantine holds, how much and for what: not the
-- items, and nothing that was found in them.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'kpiline_deliver') THEN
        GRANT SELECT (quarantine_id, tenant, subscription, stage, field, status, received_at) ON quarantine TO kpiline_deliver;
    END IF;
END
$$;
