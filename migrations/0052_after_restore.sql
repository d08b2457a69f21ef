-- What a database that was restored from a backup has forgotten: which revisions of values and files were sent after the backup was taken.
-- A receiver knows a value by its key and revision and may ignore one that it has had, so none may be used for other content.
--
-- Called once after a restore, by the owner, before anything is started: new revisions then begin above all that can have been used. They
-- count real changes and so stay far below the seconds since 2020.
CREATE FUNCTION after_restore() RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
DECLARE
    above bigint := extract(epoch FROM clock_timestamp() - timestamptz '2020-01-01 00:00:00+00')::bigint;
BEGIN
    -- Rows that are there rise to it when they change next: see upsert in crates/store/src/metrics.rs. Agents' days are numbered by the clock.
    EXECUTE format('ALTER TABLE computed_metrics ALTER COLUMN revision SET DEFAULT %s', above);
    -- Whatever the receiver of a feed has of an interval, the next file of it is a correction with a higher number.
    INSERT INTO feed_deliveries (feed, interval_start, revision, layout, digest, correction, file, rows, bytes, state, doubtful, error)
    SELECT i.feed, i.at, above, i.layout, decode(repeat('00', 32), 'hex'), true, '', 0, 0, 'unknown', true,
           'restored from a backup: what was sent meanwhile is not known'
    FROM (SELECT f.feed, f.layout, n.interval_start AS at FROM feed_intervals n JOIN feeds f USING (feed)
          UNION
          SELECT f.feed, f.layout, CASE f.size WHEN 'day' THEN s.local AT TIME ZONE f.zone ELSE s.local AT TIME ZONE 'UTC' END
          FROM feeds f
          CROSS JOIN LATERAL (SELECT CASE f.size WHEN 'day' THEN f.zone ELSE 'UTC' END AS zone) z
          CROSS JOIN LATERAL generate_series(f.planned_until AT TIME ZONE z.zone, now() AT TIME ZONE z.zone,
                                             CASE f.size WHEN 'day' THEN interval '1 day' WHEN '15m' THEN interval '15 minutes'
                                                         WHEN '30m' THEN interval '30 minutes' ELSE interval '1 hour' END) AS s (local)) i
    ON CONFLICT (feed, interval_start, revision) DO NOTHING;
    RETURN above;
END
$$;
REVOKE ALL ON FUNCTION after_restore() FROM PUBLIC;
COMMENT ON FUNCTION after_restore() IS 'Once after a restore from a backup, before anything is started: revisions of what is sent begin above all that were used before.';
