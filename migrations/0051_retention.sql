-- Retention of whole months: what there is, what is still needed of it, and a proof of what was dropped.
--
-- One month at a time, so that the lock on its table is held for a moment and given up where somebody else is in the way. The checks are
-- made here, in the transaction that drops: whoever may call this cannot take away what the line still needs.

CREATE TABLE retention_log (
    entry      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dropped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    dropped_by text        COLLATE "C" NOT NULL DEFAULT session_user,
    parent     text        COLLATE "C" NOT NULL,
    part       text        COLLATE "C" NOT NULL DEFAULT '',
    from_at    timestamptz,
    to_at      timestamptz NOT NULL,
    rows       bigint      NOT NULL,
    bytes      bigint,
    CONSTRAINT retention_log_stretch CHECK (from_at < to_at)
);
CREATE INDEX retention_log_parent ON retention_log (parent, dropped_at);
COMMENT ON TABLE retention_log IS 'What retention took away: one row a month that was dropped, and one a transaction for rows that were deleted. Kept for ever.';
COMMENT ON COLUMN retention_log.dropped_by IS 'The database role that did it.';
COMMENT ON COLUMN retention_log.parent IS 'The table.';
COMMENT ON COLUMN retention_log.part IS 'The month''s own table; empty: single rows of a table without months.';
COMMENT ON COLUMN retention_log.from_at IS 'The stretch, half-open, UTC. NULL: everything before to_at.';
COMMENT ON COLUMN retention_log.rows IS 'How many: of a month as last estimated by the server.';

-- The months of a table with what they take.
CREATE FUNCTION months_of(parent text)
RETURNS TABLE (part text, begins timestamptz, ends timestamptz, estimate bigint, bytes bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    SELECT c.relname::text,
           to_date(right(c.relname::text, 7), 'YYYY"m"MM')::timestamp AT TIME ZONE 'UTC',
           (to_date(right(c.relname::text, 7), 'YYYY"m"MM') + interval '1 month')::timestamp AT TIME ZONE 'UTC',
           greatest(c.reltuples, 0)::bigint, coalesce(pg_total_relation_size(c.oid), 0)
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE months_of.parent IN ('event_log', 'computed_metrics', 'interval_states', 'window_metrics')
      AND i.inhparent = to_regclass(months_of.parent) AND c.relname ~ '_y\d{4}m\d{2}$'
    ORDER BY 2
$$;
REVOKE ALL ON FUNCTION months_of(text) FROM PUBLIC;

-- Why a stretch of a table must not go yet. No row: it may.
CREATE FUNCTION month_in_use(parent text, begins timestamptz, ends timestamptz) RETURNS TABLE (reason text, detail text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
AS $$
    -- Open, or changed since it ended: more facts or another evaluation may come, and both read or write here.
    -- Values are in the month that their interaction begins in. Events are in their own: of one that began earlier, later ones may be here.
    SELECT 'unsettled', format('%s interactions of it have not settled, such as %s', count(*), min(i.interaction_id))
    FROM interactions i
    WHERE i.settled_at IS NULL AND i.partition_at < month_in_use.ends
      AND CASE month_in_use.parent WHEN 'computed_metrics' THEN i.partition_at >= month_in_use.begins
                                   WHEN 'event_log' THEN i.updated_at >= month_in_use.begins ELSE false END
    HAVING count(*) > 0
    UNION ALL
    SELECT 'deferred', format('%s interactions of it are still to be evaluated by what a storm deferred', count(*))
    FROM deferred_evaluations d JOIN interactions i USING (tenant, interaction_id)
    WHERE i.partition_at < month_in_use.ends
      AND CASE month_in_use.parent WHEN 'computed_metrics' THEN i.partition_at >= month_in_use.begins
                                   WHEN 'event_log' THEN i.updated_at >= month_in_use.begins ELSE false END
    HAVING count(*) > 0
    UNION ALL
    SELECT 'history_request', format('%s interactions of it are still to be asked for at the platform', count(*))
    FROM history_requests h JOIN interactions i USING (tenant, interaction_id)
    WHERE i.partition_at < month_in_use.ends
      AND CASE month_in_use.parent WHEN 'computed_metrics' THEN i.partition_at >= month_in_use.begins
                                   WHEN 'event_log' THEN i.updated_at >= month_in_use.begins ELSE false END
    HAVING count(*) > 0
    UNION ALL
    -- A job that computes a version of the past, or that fetches it. One without a stretch is about everything.
    SELECT 'job', format('job %s (%s, %s) is about it', j.job_id, j.kind, j.state)
    FROM backfill_jobs j
    WHERE j.state IN ('pending', 'running', 'paused', 'settling') AND NOT j.standing
      AND coalesce(j.from_at, '-infinity') < month_in_use.ends AND coalesce(j.to_at, 'infinity') > month_in_use.begins
    UNION ALL
    SELECT 'job', format('job %s (%s, %s) has %s chunks about it that are not done', j.job_id, j.kind, j.state, count(*))
    FROM backfill_jobs j JOIN backfill_chunks c USING (job_id)
    WHERE j.standing AND j.state IN ('pending', 'running', 'paused', 'settling') AND c.state IN ('open', 'fetched')
      AND c.from_at < month_in_use.ends AND c.to_at > month_in_use.begins
    GROUP BY j.job_id, j.kind, j.state
    UNION ALL
    -- A day is by its agent's clock: at most a day apart from UTC's.
    SELECT 'unsent', format('%s values of it wait to be pushed to %s', count(*), q.target)
    FROM sync_queue q
    WHERE q.state <> 'rejected'
      AND CASE month_in_use.parent
              WHEN 'computed_metrics' THEN q.partition_at >= month_in_use.begins AND q.partition_at < month_in_use.ends
              WHEN 'window_metrics' THEN q.workday >= (month_in_use.begins AT TIME ZONE 'UTC')::date - 1
                                     AND q.workday <= (month_in_use.ends AT TIME ZONE 'UTC')::date
              ELSE false END
    GROUP BY q.target
    UNION ALL
    SELECT 'unsent', format('%s intervals of it wait to be sent as feed %s', count(*), f.feed)
    FROM feed_intervals f
    WHERE month_in_use.parent = 'window_metrics' AND f.state IN ('pending', 'leased')
      AND f.interval_start < month_in_use.ends AND f.interval_end > month_in_use.begins
    GROUP BY f.feed
    UNION ALL
    SELECT 'marks', format('%s marks of it (%s) wait to be computed', count(*), m.kind)
    FROM dirty_marks m
    WHERE m.from_at < month_in_use.ends AND m.to_at >= month_in_use.begins
      AND CASE month_in_use.parent WHEN 'window_metrics' THEN true WHEN 'interval_states' THEN m.kind = 'agent'
                                   WHEN 'computed_metrics' THEN m.kind = 'journey' ELSE false END
    GROUP BY m.kind
$$;
REVOKE ALL ON FUNCTION month_in_use(text, timestamptz, timestamptz) FROM PUBLIC;

-- Drops one month. False: it is not there (any more). What is still needed is refused as object_in_use, with the reasons.
CREATE FUNCTION drop_month(parent text, part text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
DECLARE
    it  record;
    why text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('kpiline.months'), hashtext(drop_month.parent));
    SELECT m.* INTO it FROM months_of(drop_month.parent) m WHERE m.part = drop_month.part;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- Whatever ages are asked for: a month that ended a moment ago is still being written.
    IF it.ends > now() - interval '31 days' THEN
        RAISE invalid_parameter_value USING MESSAGE = format('%s ended less than 31 days ago', drop_month.part);
    END IF;
    -- Looked at twice: before, so that nothing waits for a month that stays; and once nobody else can write to it any more, as what was
    -- still being written the first time has been committed by then. An error takes the DROP back.
    FOR turn IN 1..2 LOOP
        SELECT string_agg(u.detail, '; ') INTO why FROM month_in_use(drop_month.parent, it.begins, it.ends) u;
        IF why IS NOT NULL THEN
            RAISE object_in_use USING MESSAGE = format('%s is still needed: %s', drop_month.part, why);
        END IF;
        IF turn = 1 THEN
            EXECUTE format('DROP TABLE %I', drop_month.part);
        END IF;
    END LOOP;
    IF drop_month.parent = 'computed_metrics' THEN
        -- The revisions of its values are forgotten with them, and receivers are not to see one again with other content. See after_restore().
        EXECUTE format('ALTER TABLE computed_metrics ALTER COLUMN revision SET DEFAULT %s',
                       extract(epoch FROM clock_timestamp() - timestamptz '2020-01-01 00:00:00+00')::bigint);
    END IF;
    INSERT INTO retention_log (parent, part, from_at, to_at, rows, bytes)
    VALUES (drop_month.parent, drop_month.part, it.begins, it.ends, it.estimate, it.bytes);
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION drop_month(text, text) FROM PUBLIC;

-- kpiline_retention is the role of `ingest retention`: it may drop months through the function above, and reads no content.
INSERT INTO role_rights (object, role, rights) VALUES
    ('drop_month(text, text)',                         'retention', 'EXECUTE'),
    ('metric_sync_log',                                'retention', 'SELECT (log_id, logged_at), DELETE'),
    ('metric_sync_requests',                           'retention', 'SELECT (request_id, sent_at), DELETE'),
    ('month_in_use(text, timestamptz, timestamptz)',   'retention', 'EXECUTE'),
    ('months_of(text)',                                'retention', 'EXECUTE'),
    ('retention_log',                                  'read',      'SELECT'),
    ('retention_log',                                  'retention', 'INSERT'),
    ('schema_migrations',                              'retention', 'SELECT');
