-- A request for a job that cannot be granted is held: whoever takes requests may hold items, and reads as little of them as compute does.
DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_backfill'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT INSERT, UPDATE ON quarantine TO %I', who);
        EXECUTE format('GRANT SELECT (delivery_id, item_index, stage, status, reason, field, value, expected, received_at, '
                       'correlation, job_id, job_version, raw_gone) ON quarantine TO %I', who);
    END LOOP;
END
$$;
