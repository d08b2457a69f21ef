-- Each binary's role gets only what it needs, if the operator has created the role; without roles the owner runs everything.
-- An operator who adds the roles later runs the body of this file once more by hand: it is idempotent.
DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON schema_migrations, kpi_definitions, pipeline_status, ingest_counts, interactions, '
                       'computed_metrics, metrics_current, sync_targets, sync_queue, metric_sync_log, backfill_jobs, '
                       'pipeline_health TO %I', who);
        CONTINUE WHEN who = 'kpiline_read';
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON pipeline_status TO %I', who);
        CASE who
            WHEN 'kpiline_ingest' THEN
                EXECUTE format('GRANT SELECT, INSERT ON event_log TO %I', who);
                EXECUTE format('GRANT SELECT, INSERT, DELETE ON raw_messages TO %I', who);
                EXECUTE format('GRANT INSERT, UPDATE ON ingest_counts TO %I', who);
                -- The raw bytes in it hold personal data: who works off the quarantine reads them, and nobody else.
                EXECUTE format('GRANT SELECT, INSERT, UPDATE ON quarantine TO %I', who);
                EXECUTE format('GRANT EXECUTE ON FUNCTION ensure_month(text, date) TO %I', who);
            WHEN 'kpiline_compute' THEN
                EXECUTE format('GRANT INSERT, UPDATE ON interactions, computed_metrics, sync_queue, quarantine TO %I', who);
                -- What holding an item once more reads; not the bytes.
                EXECUTE format('GRANT SELECT (delivery_id, item_index, stage, status, reason, field, value, expected, received_at, '
                               'correlation, job_id, job_version) ON quarantine TO %I', who);
                EXECUTE format('GRANT EXECUTE ON FUNCTION ensure_month(text, date) TO %I', who);
            WHEN 'kpiline_backfill' THEN
                EXECUTE format('GRANT SELECT ON event_log TO %I', who);
                EXECUTE format('GRANT INSERT, UPDATE, DELETE ON backfill_jobs TO %I', who);
                EXECUTE format('GRANT UPDATE ON kpi_definitions TO %I', who);
            WHEN 'kpiline_deliver' THEN
                EXECUTE format('GRANT INSERT, UPDATE, DELETE ON sync_targets, sync_queue TO %I', who);
                EXECUTE format('GRANT INSERT, DELETE ON metric_sync_log TO %I', who);
        END CASE;
    END LOOP;
END
$$;
