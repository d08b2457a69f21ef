-- Rights as rows: who may do what with which table, view, sequence or function. kpiline_grant gives the roles exactly these, and `migrate` calls it
-- at its end, so that roles that were made later have them after the next run. What is here stands for all that was granted up to 0049, less
-- what no statement of a role's binary needs. A new table, view, sequence or function brings its rows in its migration.
CREATE TABLE role_rights (
    -- event_log; ensure_month(text, date)
    object text COLLATE "C" NOT NULL,
    -- Without the prefix: ingest, not kpiline_ingest.
    role   text COLLATE "C" NOT NULL,
    -- As GRANT says them.
    rights text NOT NULL,
    PRIMARY KEY (object, role)
);
COMMENT ON TABLE role_rights IS 'Who may do what; given to the roles that exist by kpiline_grant.';

INSERT INTO role_rights (object, role, rights) VALUES
    ('agent_activity',           'compute',  'SELECT, INSERT, UPDATE, DELETE'),
    ('agent_activity',           'read',     'SELECT'),
    ('agent_states',             'compute',  'SELECT, INSERT, UPDATE'),
    ('agent_states',             'read',     'SELECT'),
    ('agent_zones',              'compute',  'SELECT, INSERT, UPDATE'),
    ('agent_zones',              'deliver',  'SELECT'),
    ('agent_zones',              'read',     'SELECT'),
    ('agents',                   'compute',  'SELECT, INSERT, UPDATE'),
    ('agents',                   'read',     'SELECT'),
    ('backfill_chunks',          'backfill', 'SELECT, INSERT, UPDATE, DELETE'),
    ('backfill_chunks',          'deliver',  'SELECT'),
    ('backfill_chunks',          'read',     'SELECT'),
    ('backfill_jobs',            'backfill', 'SELECT, INSERT, UPDATE, DELETE'),
    ('backfill_jobs',            'deliver',  'SELECT'),
    ('backfill_jobs',            'read',     'SELECT'),
    ('backfill_leases',          'backfill', 'SELECT, INSERT, UPDATE'),
    ('backfill_leases',          'deliver',  'SELECT, INSERT, UPDATE'),
    ('backfill_leases',          'read',     'SELECT'),
    ('backfill_notices',         'backfill', 'SELECT, INSERT, UPDATE'),
    ('backfill_notices',         'read',     'SELECT'),
    ('catalogue_generation',     'compute',  'SELECT, UPDATE'),
    ('catalogue_generation',     'backfill', 'SELECT, UPDATE'),
    ('catalogue_generation',     'deliver',  'SELECT'),
    ('catalogue_generation',     'read',     'SELECT'),
    ('computed_metrics',         'compute',  'SELECT, INSERT, UPDATE'),
    ('computed_metrics',         'backfill', 'SELECT'),
    ('computed_metrics',         'deliver',  'SELECT'),
    ('computed_metrics',         'read',     'SELECT'),
    ('deferred_evaluations',     'compute',  'SELECT, INSERT, UPDATE, DELETE'),
    ('deferred_evaluations',     'backfill', 'SELECT'),
    ('deferred_evaluations',     'deliver',  'SELECT'),
    ('deferred_evaluations',     'read',     'SELECT'),
    ('dirty_marks',              'compute',  'SELECT, INSERT, DELETE'),
    ('dirty_marks',              'backfill', 'SELECT'),
    ('dirty_marks',              'deliver',  'SELECT'),
    ('dirty_marks',              'read',     'SELECT'),
    ('dirty_marks',              'erase',    'SELECT, INSERT'),
    ('ensure_month(text, date)', 'ingest',   'EXECUTE'),
    ('ensure_month(text, date)', 'compute',  'EXECUTE'),
    ('erased_interactions',      'ingest',   'SELECT'),
    ('erased_interactions',      'compute',  'SELECT'),
    ('erased_interactions',      'erase',    'INSERT'),
    ('erasures',                 'read',     'SELECT (erasure_id, tenant, subject, subject_digest, requested_by, requested_at, interactions, events, quarantined, finished_at)'),
    ('erasures',                 'erase',    'SELECT, INSERT, UPDATE'),
    ('event_log',                'ingest',   'SELECT, INSERT, UPDATE (raw, raw_key, raw_gone)'),
    ('event_log',                'compute',  'SELECT (occurred_at, log_key, tenant, format)'),
    ('event_log',                'backfill', 'SELECT'),
    ('event_log',                'deliver',  'SELECT (event_id, occurred_at, tenant, subscription, format, interaction_id)'),
    ('event_log',                'erase',    'SELECT (occurred_at, log_key, tenant, interaction_id, received_at, raw_gone), UPDATE (raw, raw_key, raw_gone)'),
    ('feed_deliveries',          'deliver',  'SELECT, INSERT, UPDATE'),
    ('feed_deliveries',          'read',     'SELECT'),
    ('feed_intervals',           'deliver',  'SELECT, INSERT, UPDATE'),
    ('feed_intervals',           'read',     'SELECT'),
    ('feed_layouts',             'deliver',  'SELECT, INSERT'),
    ('feed_layouts',             'read',     'SELECT'),
    ('feeds',                    'deliver',  'SELECT, INSERT, UPDATE'),
    ('feeds',                    'read',     'SELECT'),
    ('history_requests',         'compute',  'SELECT, INSERT, DELETE'),
    ('history_requests',         'backfill', 'SELECT, UPDATE (attempts, due_at, last_error), DELETE'),
    ('history_requests',         'read',     'SELECT'),
    ('history_requests',         'erase',    'SELECT, DELETE'),
    ('ingest_counts',            'ingest',   'SELECT, INSERT, UPDATE'),
    ('ingest_counts',            'backfill', 'SELECT'),
    ('ingest_counts',            'deliver',  'SELECT'),
    ('ingest_counts',            'read',     'SELECT'),
    ('interactions',             'ingest',   'SELECT'),
    ('interactions',             'compute',  'SELECT, INSERT, UPDATE'),
    ('interactions',             'backfill', 'SELECT'),
    ('interactions',             'deliver',  'SELECT'),
    ('interactions',             'read',     'SELECT'),
    ('interactions',             'erase',    'SELECT, UPDATE (state, customer_key, revision, updated_at)'),
    ('interval_states',          'compute',  'SELECT, INSERT, UPDATE, DELETE'),
    ('interval_states',          'read',     'SELECT'),
    ('journeys',                 'compute',  'SELECT, INSERT, UPDATE'),
    ('journeys',                 'read',     'SELECT'),
    ('journeys',                 'erase',    'SELECT, INSERT, UPDATE, DELETE'),
    ('kpi_activations',          'compute',  'USAGE'),
    ('kpi_definitions',          'compute',  'SELECT, INSERT, UPDATE'),
    ('kpi_definitions',          'backfill', 'SELECT, UPDATE (status, activated_at, activated_generation, activation_id)'),
    ('kpi_definitions',          'deliver',  'SELECT'),
    ('kpi_definitions',          'read',     'SELECT'),
    ('kpi_promotions',           'compute',  'SELECT, INSERT'),
    ('kpi_promotions',           'backfill', 'INSERT'),
    ('kpi_promotions',           'read',     'SELECT'),
    ('live_agents',              'read',     'SELECT'),
    ('live_gauges',              'read',     'SELECT'),
    ('live_interactions',        'compute',  'SELECT, INSERT, UPDATE, DELETE'),
    ('live_interactions',        'read',     'SELECT'),
    ('live_queues',              'read',     'SELECT'),
    ('live_teams',               'read',     'SELECT'),
    ('metric_sync_log',          'deliver',  'SELECT, INSERT, DELETE'),
    ('metric_sync_log',          'read',     'SELECT'),
    ('metric_sync_requests',     'deliver',  'SELECT, INSERT, DELETE'),
    ('metric_sync_requests',     'read',     'SELECT'),
    ('metrics_current',          'read',     'SELECT'),
    ('metrics_trust',            'read',     'SELECT'),
    ('missed_marks',             'compute',  'SELECT, INSERT, DELETE'),
    ('missed_marks',             'read',     'SELECT'),
    ('native_figures',           'backfill', 'SELECT, INSERT, UPDATE'),
    ('native_figures',           'deliver',  'SELECT, DELETE'),
    ('native_figures',           'read',     'SELECT'),
    ('native_zones',             'backfill', 'SELECT, INSERT, UPDATE'),
    ('native_zones',             'deliver',  'SELECT, DELETE'),
    ('native_zones',             'read',     'SELECT'),
    ('pipeline_health',          'deliver',  'SELECT'),
    ('pipeline_health',          'read',     'SELECT'),
    ('pipeline_status',          'ingest',   'SELECT, INSERT, UPDATE'),
    ('pipeline_status',          'compute',  'SELECT, INSERT, UPDATE, DELETE'),
    ('pipeline_status',          'backfill', 'SELECT, INSERT, UPDATE, DELETE'),
    ('pipeline_status',          'deliver',  'SELECT, INSERT, UPDATE, DELETE'),
    ('pipeline_status',          'read',     'SELECT'),
    ('places',                   'compute',  'SELECT, INSERT'),
    ('places',                   'read',     'SELECT'),
    ('platform_breakers',        'backfill', 'SELECT, INSERT, UPDATE'),
    ('platform_breakers',        'deliver',  'SELECT, INSERT, UPDATE'),
    ('platform_breakers',        'read',     'SELECT'),
    ('platform_counts',          'backfill', 'SELECT, INSERT, UPDATE, DELETE'),
    ('platform_counts',          'deliver',  'SELECT, UPDATE (ours, compared_at, short)'),
    ('platform_counts',          'read',     'SELECT'),
    ('platform_freshness',       'deliver',  'SELECT'),
    ('platform_freshness',       'read',     'SELECT'),
    ('platform_health',          'deliver',  'SELECT, INSERT, UPDATE'),
    ('platform_health',          'read',     'SELECT'),
    ('platform_state_changes',   'deliver',  'SELECT, INSERT, DELETE'),
    ('platform_state_changes',   'read',     'SELECT'),
    ('platform_states',          'deliver',  'SELECT, INSERT, UPDATE, DELETE'),
    ('platform_states',          'read',     'SELECT'),
    ('quarantine',               'ingest',   'SELECT, INSERT, UPDATE'),
    ('quarantine',               'compute',  'SELECT (delivery_id, item_index, stage, reason, field, value, expected, received_at, correlation, job_id, job_version, status, raw_gone), INSERT, UPDATE'),
    ('quarantine',               'backfill', 'SELECT (delivery_id, item_index, stage, reason, field, value, expected, received_at, correlation, job_id, job_version, status, raw_gone), INSERT, UPDATE'),
    ('quarantine',               'deliver',  'SELECT (quarantine_id, tenant, subscription, stage, field, received_at, status)'),
    ('quarantine',               'erase',    'SELECT, UPDATE'),
    ('rate_budgets',             'ingest',   'SELECT, INSERT, UPDATE'),
    ('rate_budgets',             'backfill', 'SELECT, INSERT, UPDATE'),
    ('rate_budgets',             'deliver',  'SELECT, INSERT, UPDATE'),
    ('rate_budgets',             'read',     'SELECT'),
    ('rate_pauses',              'ingest',   'SELECT, INSERT, UPDATE'),
    ('rate_pauses',              'backfill', 'SELECT, INSERT, UPDATE'),
    ('rate_pauses',              'deliver',  'SELECT, INSERT, UPDATE'),
    ('rate_pauses',              'read',     'SELECT'),
    ('rate_reserve(text, text, bigint, boolean, boolean, bigint, bigint)', 'ingest',   'EXECUTE'),
    ('rate_reserve(text, text, bigint, boolean, boolean, bigint, bigint)', 'backfill', 'EXECUTE'),
    ('rate_reserve(text, text, bigint, boolean, boolean, bigint, bigint)', 'deliver',  'EXECUTE'),
    ('raw_messages',             'ingest',   'SELECT, INSERT, DELETE'),
    ('raw_retention',            'ingest',   'SELECT, INSERT, UPDATE'),
    ('reconciliation_findings',  'deliver',  'SELECT, INSERT'),
    ('reconciliation_findings',  'read',     'SELECT'),
    ('reconciliation_runs',      'deliver',  'SELECT, INSERT, DELETE'),
    ('reconciliation_runs',      'read',     'SELECT'),
    ('redeliveries',             'read',     'SELECT'),
    ('schedules',                'compute',  'SELECT, INSERT'),
    ('schedules',                'deliver',  'SELECT'),
    ('schedules',                'read',     'SELECT'),
    ('schema_migrations',        'ingest',   'SELECT'),
    ('schema_migrations',        'compute',  'SELECT'),
    ('schema_migrations',        'backfill', 'SELECT'),
    ('schema_migrations',        'deliver',  'SELECT'),
    ('schema_migrations',        'read',     'SELECT'),
    ('schema_migrations',        'erase',    'SELECT'),
    ('storm_state',              'compute',  'SELECT, UPDATE'),
    ('storm_state',              'backfill', 'SELECT'),
    ('storm_state',              'deliver',  'SELECT'),
    ('storm_state',              'read',     'SELECT'),
    ('subscription_gaps',        'ingest',   'SELECT, INSERT'),
    ('subscription_gaps',        'backfill', 'SELECT, UPDATE (settled_at)'),
    ('subscription_gaps',        'read',     'SELECT'),
    ('subscription_status',      'ingest',   'SELECT, INSERT, UPDATE'),
    ('subscription_status',      'backfill', 'SELECT'),
    ('subscription_status',      'deliver',  'SELECT'),
    ('subscription_status',      'read',     'SELECT'),
    ('subscription_watch',       'ingest',   'SELECT, UPDATE'),
    ('subscription_watch',       'deliver',  'SELECT'),
    ('subscription_watch',       'read',     'SELECT'),
    ('sync_health',              'deliver',  'SELECT, INSERT, UPDATE'),
    ('sync_health',              'read',     'SELECT'),
    ('sync_minutes',             'deliver',  'SELECT, INSERT, UPDATE, DELETE'),
    ('sync_minutes',             'read',     'SELECT'),
    ('sync_queue',               'compute',  'SELECT, INSERT, UPDATE'),
    ('sync_queue',               'deliver',  'SELECT, INSERT, UPDATE, DELETE'),
    ('sync_queue',               'read',     'SELECT'),
    ('sync_targets',             'compute',  'SELECT'),
    ('sync_targets',             'deliver',  'SELECT, INSERT, UPDATE'),
    ('sync_targets',             'read',     'SELECT'),
    ('untrusted_stretches',      'deliver',  'SELECT'),
    ('untrusted_stretches',      'read',     'SELECT'),
    ('wfm_shifts',               'backfill', 'SELECT, INSERT, UPDATE, DELETE'),
    ('wfm_shifts',               'deliver',  'SELECT, DELETE'),
    ('wfm_shifts',               'read',     'SELECT'),
    ('window_cells',             'compute',  'SELECT, INSERT, UPDATE, DELETE'),
    ('window_cells',             'read',     'SELECT'),
    ('window_items',             'compute',  'SELECT, INSERT, UPDATE, DELETE'),
    ('window_metrics',           'compute',  'SELECT, INSERT, UPDATE, DELETE'),
    ('window_metrics',           'backfill', 'SELECT'),
    ('window_metrics',           'deliver',  'SELECT'),
    ('window_metrics',           'read',     'SELECT'),
    ('window_metrics_all',       'deliver',  'SELECT'),
    ('window_metrics_all',       'read',     'SELECT'),
    ('window_metrics_current',   'read',     'SELECT'),
    ('zone_findings',            'compute',  'SELECT, INSERT, UPDATE'),
    ('zone_findings',            'deliver',  'SELECT, INSERT, UPDATE, DELETE'),
    ('zone_findings',            'read',     'SELECT'),
    ('zones_in_use',             'compute',  'SELECT, INSERT'),
    ('zones_in_use',             'read',     'SELECT');

-- Gives the roles of this prefix exactly the rights of role_rights and says which of them there are. Whoever owns the tables calls it. Repeatable.
CREATE FUNCTION kpiline_grant(prefix text DEFAULT 'kpiline') RETURNS TABLE (role_name text, is_there boolean)
LANGUAGE plpgsql
AS $$
DECLARE
    who text;
    one record;
BEGIN
    -- A function is everybody's until that is taken back. Here all belong to us: those of an operator have a schema of their own.
    FOR one IN
        SELECT p.oid::regprocedure AS what FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace AND pg_has_role(current_user, p.proowner, 'USAGE')
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
            AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0))
    LOOP
        EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', one.what);
    END LOOP;
    -- One that runs with the owner's rights looks for tables in this schema, and for temporary ones last: they would be first where nothing is
    -- said, and anybody may make one that is called event_log.
    FOR one IN
        SELECT p.oid::regprocedure AS what FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace AND p.prosecdef AND pg_has_role(current_user, p.proowner, 'USAGE')
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
            AND NOT coalesce(format('search_path=%I, pg_temp', current_schema()) = ANY (p.proconfig), false)
    LOOP
        EXECUTE format('ALTER ROUTINE %s SET search_path = %I, pg_temp', one.what, current_schema());
    END LOOP;
    FOR who IN SELECT DISTINCT r.role FROM role_rights r ORDER BY r.role LOOP
        role_name := prefix || '_' || who;
        is_there := EXISTS (SELECT FROM pg_roles WHERE rolname = role_name);
        RETURN NEXT;
        CONTINUE WHEN NOT is_there;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role_name);
        FOR one IN
            SELECT DISTINCT ON (r.object) k.kind, k.what, mine.rights
            FROM role_rights r
            LEFT JOIN role_rights mine ON mine.object = r.object AND mine.role = who
            CROSS JOIN LATERAL (
                SELECT 'FUNCTION' AS kind, p.oid::regprocedure::text AS what FROM pg_proc p
                WHERE r.object LIKE '%)' AND p.oid = to_regprocedure(r.object)
                UNION ALL
                SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass::text FROM pg_class c
                WHERE r.object NOT LIKE '%)' AND c.oid = to_regclass(quote_ident(r.object))) k
            ORDER BY r.object
        LOOP
            EXECUTE format('REVOKE ALL ON %s %s FROM %I', one.kind, one.what, role_name);
            IF one.rights IS NOT NULL THEN
                EXECUTE format('GRANT %s ON %s %s TO %I', one.rights, one.kind, one.what, role_name);
            END IF;
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION kpiline_grant(text) IS 'Gives the roles of a prefix exactly the rights of role_rights.';

-- The function itself likewise; those that are there already are seen to when it is called. In a schema where everybody may make functions, that
-- would not help.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION kpiline_grant(text) SET search_path = %I, pg_temp', current_schema());
    BEGIN
        EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
    EXCEPTION
        WHEN insufficient_privilege THEN
            RAISE WARNING 'everybody may create objects in schema %, and % may not take that back: see deploy/postgres/roles.sql',
                current_schema(), current_user;
    END;
END
$$;
