-- kpiline: no transaction
-- How many records of a platform's history arrived, to compare with what it counts: of one source, whatever else is logged of the time. Only
-- formats that platforms count are in it, so that logging what webhooks bring costs nothing more. One month after the other, each for itself:
-- writers wait while the index of their month is built, and a month where it was built beside the writers before is taken as it is.
DO $$
DECLARE
    month regclass;
BEGIN
    CREATE INDEX IF NOT EXISTS event_log_history ON ONLY event_log (tenant, subscription, format, occurred_at) INCLUDE (event_id, interaction_id)
        WHERE format IN ('"genesys_details"', '"cxone_contacts"');
    COMMIT;
    FOR month IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'event_log'::regclass ORDER BY 1 LOOP
        IF NOT EXISTS (SELECT FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indexrelid
                       WHERE i.indrelid = month AND h.inhparent = 'event_log_history'::regclass) THEN
            EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %s (tenant, subscription, format, occurred_at) INCLUDE (event_id, interaction_id) '
                           'WHERE format IN (''"genesys_details"'', ''"cxone_contacts"'')',
                           (SELECT relname FROM pg_class WHERE oid = month) || '_history', month);
            EXECUTE format('ALTER INDEX event_log_history ATTACH PARTITION %I',
                           (SELECT relname FROM pg_class WHERE oid = month) || '_history');
            COMMIT;
        END IF;
    END LOOP;
END
$$;
