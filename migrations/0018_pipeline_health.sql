-- What has to be seen to in the facts themselves: zones that nobody could resolve, and interactions that never ended.
CREATE OR REPLACE VIEW pipeline_health AS
SELECT 'events_received' AS measure, '' AS scope, coalesce(sum(received), 0)::double precision AS value,
       max(hour) AS at FROM ingest_counts
UNION ALL
SELECT 'events_duplicate', '', coalesce(sum(duplicates), 0)::double precision, max(hour) FROM ingest_counts
UNION ALL
SELECT 'quarantine_held', '', count(*)::double precision, max(created_at) FROM quarantine WHERE status = 'held'
UNION ALL
SELECT 'sync_' || state, target, count(*)::double precision, min(queued_at) FROM sync_queue GROUP BY state, target
UNION ALL
SELECT 'sync_oldest_seconds', target, extract(epoch FROM now() - min(queued_at))::double precision, min(queued_at)
FROM sync_queue WHERE state <> 'rejected' GROUP BY target
UNION ALL
SELECT 'backfill_open', kind, count(*)::double precision, min(created_at)
FROM backfill_jobs WHERE state IN ('pending', 'running') GROUP BY kind
UNION ALL
SELECT 'component_silent_seconds', component || '/' || instance, extract(epoch FROM now() - updated_at)::double precision, updated_at
FROM pipeline_status
UNION ALL
SELECT 'zones_unknown', tenant, count(*)::double precision, max(last_seen) FROM zone_findings GROUP BY tenant
UNION ALL
SELECT 'history_requests', tenant, count(*)::double precision, min(requested_at) FROM history_requests GROUP BY tenant;
