-- Rights on what came with the catalogue; like 0010 idempotent, and to be run once more by hand by who adds the roles later.
DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON catalogue_generation, schedules, places, kpi_promotions, zone_findings, zones_in_use, '
                       'history_requests TO %I', who);
        CASE who
            WHEN 'kpiline_compute' THEN
                -- Its kpi commands change the catalogue; nobody removes a definition or a document.
                EXECUTE format('GRANT UPDATE ON catalogue_generation TO %I', who);
                EXECUTE format('GRANT INSERT, UPDATE ON kpi_definitions TO %I', who);
                EXECUTE format('GRANT INSERT ON schedules, places, kpi_promotions, zones_in_use, history_requests TO %I', who);
                EXECUTE format('GRANT INSERT, UPDATE ON zone_findings TO %I', who);
            WHEN 'kpiline_backfill' THEN
                EXECUTE format('GRANT DELETE ON history_requests TO %I', who);
                -- It only reads which versions there are.
                EXECUTE format('REVOKE UPDATE ON kpi_definitions FROM %I', who);
            ELSE NULL;
        END CASE;
    END LOOP;
END
$$;
