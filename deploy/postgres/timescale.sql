-- Makes hypertables of TimescaleDB of the four tables that are partitioned by month. Run once in the database by whoever owns the tables, while
-- everything but `ingest receive` is stopped:
--
--   psql "$KPILINE_DATABASE_URL" -f deploy/postgres/timescale.sql
--   compute migrate                   gives the roles their rights to the new tables
--
-- A partitioned table cannot become a hypertable, so its rows are copied. All in one transaction: whatever goes wrong, nothing has changed, and no
-- release is ever met by a database that is half of each. That takes room for both copies of all four until it is over.
--
-- Where the server has no TimescaleDB it ends with an error. A test that has none either says `-v stand_ins=on` and brings functions of its own.

\set ON_ERROR_STOP on
\if :{?stand_ins}
    \echo 'create_hypertable and by_range are whatever this database has under these names'
\else
    DO $$
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') THEN
            RAISE feature_not_supported USING
                MESSAGE = 'this server has no TimescaleDB; nothing was changed',
                HINT = 'Install its package, name timescaledb in shared_preload_libraries and restart the server; or keep the months as they are.';
        END IF;
    END
    $$;
    CREATE EXTENSION IF NOT EXISTS timescaledb;
\endif

BEGIN;
-- Somebody who still reads or writes is not stopped, but told of.
SET LOCAL lock_timeout = '10s';

DO $$
DECLARE
    tables    text[] := ARRAY['event_log', 'computed_metrics', 'interval_states', 'window_metrics'];
    instants  text[] := ARRAY['occurred_at', 'partition_at', 'from_at', 'window_start'];
    parent    text;
    native    text;
    statement text;
    columns   text;
    storage   text;
    said      text;
    views     text[];
    indexes   text[];
    copied    bigint;
BEGIN
    FOREACH parent IN ARRAY tables LOOP
        IF NOT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(quote_ident(parent)) AND relkind = 'p') THEN
            RAISE wrong_object_type USING MESSAGE = format('%s is not partitioned by month here: was it converted before?', parent);
        END IF;
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent);
        -- None has these today, and LIKE would number anew and forget triggers.
        IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = parent::regclass AND attidentity <> '')
            OR EXISTS (SELECT FROM pg_trigger WHERE tgrelid = parent::regclass AND NOT tgisinternal) THEN
            RAISE feature_not_supported USING MESSAGE = format('%s has an identity column or a trigger, which this script does not carry over', parent);
        END IF;
    END LOOP;

    -- Their texts while the old tables have these names: run again, they are of the new ones, and keep comments, rights and what is above them.
    SELECT array_agg(format('CREATE OR REPLACE VIEW %s%s AS %s', c.oid::regclass,
                            ' WITH (' || array_to_string(c.reloptions, ', ') || ')', pg_get_viewdef(c.oid)))
    INTO views
    FROM pg_class c
    WHERE c.oid IN (SELECT r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
                    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
                      AND d.refobjid IN (SELECT to_regclass(quote_ident(t)) FROM unnest(tables) t));

    FOR n IN 1..array_length(tables, 1) LOOP
        parent := tables[n];
        native := parent || '_native';
        -- As the months have it; the table above them stores nothing.
        SELECT ' WITH (' || array_to_string(c.reloptions, ', ') || ')' INTO storage
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = parent::regclass ORDER BY c.relname DESC LIMIT 1;
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
        FROM pg_attribute WHERE attrelid = parent::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
        SELECT obj_description(parent::regclass, 'pg_class') INTO said;
        -- Under their names, by which migrations know them; LIKE would think of others.
        SELECT array_agg(CASE WHEN k.oid IS NULL THEN replace(pg_get_indexdef(x.indexrelid), ' ON ONLY ', ' ON ')
                              ELSE format('ALTER TABLE %I ADD CONSTRAINT %I %s', parent, k.conname, pg_get_constraintdef(k.oid)) END)
        INTO indexes
        FROM pg_index x LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.conrelid = x.indrelid
        WHERE x.indrelid = parent::regclass;

        FOR statement IN SELECT format('ALTER INDEX %s RENAME TO %I', indexrelid::regclass, 'native_' || indexrelid)
                         FROM pg_index WHERE indrelid = parent::regclass LOOP
            EXECUTE statement;
        END LOOP;
        EXECUTE format('ALTER TABLE %I RENAME TO %I', parent, native);
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING INDEXES)%s', parent, native, storage);
        EXECUTE format('COMMENT ON TABLE %I IS %L', parent, said);
        FOREACH statement IN ARRAY indexes LOOP
            EXECUTE statement;
        END LOOP;
        EXECUTE format('SELECT create_hypertable(%L, by_range(%L, INTERVAL %L), create_default_indexes => false)', parent, instants[n], '1 month');
        EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM %I', parent, columns, columns, native);
        GET DIAGNOSTICS copied = ROW_COUNT;
        RAISE NOTICE '%: % rows', parent, copied;
    END LOOP;

    FOREACH statement IN ARRAY views LOOP
        EXECUTE statement;
    END LOOP;
    -- Fails where something that is not known here is still made of them.
    FOREACH parent IN ARRAY tables LOOP
        EXECUTE format('DROP TABLE %I', parent || '_native');
    END LOOP;
END
$$;

-- Chunks make themselves.
CREATE OR REPLACE FUNCTION ensure_month(parent text, month date) RETURNS boolean LANGUAGE sql AS 'SELECT false';
COMMIT;

ANALYZE event_log, computed_metrics, interval_states, window_metrics;
\echo 'Converted. Now run compute migrate: it gives the roles their rights to the new tables.'
