-- Redeliveries by subscription and hour, for capacity planning: how much of what arrives is a copy, how much revises what was known.
ALTER TABLE ingest_counts ADD COLUMN revisions bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN ingest_counts.revisions IS 'Of logged: events met before with other content, as far as the process that counted remembered.';

CREATE VIEW redeliveries AS
SELECT subscription, tenant, hour, sum(received)::bigint AS received, sum(duplicates)::bigint AS duplicates, sum(revisions)::bigint AS revisions
FROM ingest_counts
GROUP BY subscription, tenant, hour
HAVING sum(duplicates) > 0 OR sum(revisions) > 0;
COMMENT ON VIEW redeliveries IS 'Copies and revisions by subscription and UTC hour of reception.';

DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON redeliveries TO %I', who);
    END LOOP;
END
$$;
