-- Months of partitions, made beside the batches and never inside them.
--
-- A function that runs with its owner's rights, so that a binary's role needs no right to create tables. Building the table first
-- and attaching it afterwards needs no lock on the parent that stops writers. Bounds are UTC, whatever zone the session is in.
CREATE FUNCTION ensure_month(parent text, month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    child text := parent || to_char(first, '"_y"YYYY"m"MM');
BEGIN
    IF parent NOT IN ('event_log', 'computed_metrics') THEN
        RAISE invalid_parameter_value USING MESSAGE = format('%s is not partitioned by month', parent);
    END IF;
    IF first < DATE '2000-01-01' OR first > (now() + interval '10 years') THEN
        RAISE invalid_parameter_value USING MESSAGE = format('%s is no plausible month', first);
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('kpiline.months'), hashtext(parent));
    IF EXISTS (SELECT FROM pg_inherits WHERE inhparent = parent::regclass AND inhrelid = to_regclass(child)) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I (LIKE %I INCLUDING ALL) WITH (fillfactor = %s)',
                   child, parent, CASE parent WHEN 'computed_metrics' THEN 90 ELSE 100 END);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   parent, child,
                   to_char(first, 'YYYY-MM-DD') || ' 00:00:00+00',
                   to_char(first + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION ensure_month(text, date) FROM PUBLIC;

-- Retention: drops every month that ended at or before the given day. Returns the tables dropped.
CREATE FUNCTION drop_months_before(parent text, day date) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
DECLARE
    child text;
BEGIN
    IF parent NOT IN ('event_log', 'computed_metrics') THEN
        RAISE invalid_parameter_value USING MESSAGE = format('%s is not partitioned by month', parent);
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('kpiline.months'), hashtext(parent));
    FOR child IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass
          AND c.relname ~ '_y\d{4}m\d{2}$'
          AND to_date(right(c.relname, 7), 'YYYY"m"MM') + interval '1 month' <= day
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE %I', child);
        RETURN NEXT child;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION drop_months_before(text, date) FROM PUBLIC;
