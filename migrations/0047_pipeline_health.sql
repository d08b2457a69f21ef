-- Zones that are not the platform's are told apart from unknown ones; what the last reconciliation left to look at.
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
FROM sync_queue WHERE state NOT IN ('rejected', 'held') GROUP BY target
UNION ALL
SELECT 'sync_failing', target, 1::double precision, since FROM sync_health WHERE failing
UNION ALL
SELECT 'backfill_open', kind, count(*)::double precision, min(created_at)
FROM backfill_jobs WHERE state IN ('pending', 'running', 'settling') GROUP BY kind
UNION ALL
SELECT 'component_silent_seconds', component || '/' || instance, extract(epoch FROM now() - updated_at)::double precision, updated_at
FROM pipeline_status
UNION ALL
SELECT 'zones_unknown', tenant, count(*)::double precision, max(last_seen) FROM zone_findings WHERE platform IS NULL GROUP BY tenant
UNION ALL
SELECT 'zones_differ', tenant || '/' || platform, count(*)::double precision, max(last_seen)
FROM zone_findings WHERE platform IS NOT NULL GROUP BY tenant, platform
UNION ALL
SELECT 'reconciliation_findings', tenant || '/' || platform, findings::double precision, run_at
FROM (SELECT DISTINCT ON (tenant, platform) tenant, platform, findings, run_at FROM reconciliation_runs ORDER BY tenant, platform, run_at DESC) newest
UNION ALL
SELECT 'history_requests', tenant, count(*)::double precision, min(requested_at) FROM history_requests GROUP BY tenant
UNION ALL
SELECT 'marks_waiting', kind, count(*)::double precision, min(queued_at) FROM dirty_marks GROUP BY kind
UNION ALL
SELECT 'marks_oldest_seconds', kind, extract(epoch FROM now() - min(queued_at))::double precision, min(queued_at)
FROM dirty_marks GROUP BY kind
UNION ALL
SELECT 'redelivered', subscription, sum(duplicates)::double precision, max(hour) FROM redeliveries GROUP BY subscription
UNION ALL
SELECT 'subscription_' || state, subscription, 1::double precision, since FROM subscription_status WHERE state IN ('quiet', 'disabled', 'missing')
UNION ALL
SELECT 'subscription_gaps', subscription, count(*)::double precision, min(from_at) FROM subscription_gaps WHERE settled_at IS NULL GROUP BY subscription
UNION ALL
SELECT 'storm', '', (coalesce(CASE WHEN ordered_until IS NULL OR ordered_until > now() THEN ordered_mode END,
                              CASE WHEN observed_at > now() - interval '1 minute' THEN mode END, 'calm') = 'storm')::int::double precision, since
FROM storm_state
UNION ALL
SELECT 'events_waiting_facts', '', waiting_facts::double precision, observed_at FROM storm_state
UNION ALL
SELECT 'deferred_evaluations', tenant, count(*)::double precision, min(deferred_at) FROM deferred_evaluations GROUP BY tenant
UNION ALL
SELECT 'deferred_refused', tenant, count(*)::double precision, min(deferred_at) FROM deferred_evaluations WHERE written_off GROUP BY tenant
UNION ALL
SELECT 'erasures_open', tenant, count(*)::double precision, min(requested_at) FROM erasures WHERE finished_at IS NULL GROUP BY tenant
UNION ALL
SELECT 'backfill_paused', kind, count(*)::double precision, min(updated_at) FROM backfill_jobs WHERE state = 'paused' GROUP BY kind
UNION ALL
SELECT 'backfill_chunks_' || c.what, j.kind, sum(c.chunks)::double precision, min(c.since)
FROM backfill_jobs j
CROSS JOIN LATERAL (SELECT 'waiting' AS what, count(*) AS chunks, min(due_at) AS since
                    FROM backfill_chunks WHERE job_id = j.job_id AND state IN ('open', 'fetched') AND lease_owner IS NULL
                    UNION ALL
                    SELECT 'failed', count(*), min(updated_at) FROM backfill_chunks WHERE job_id = j.job_id AND state = 'failed') c
WHERE j.chunked AND j.state IN ('pending', 'running', 'paused', 'settling') AND c.chunks > 0
GROUP BY c.what, j.kind
UNION ALL
SELECT 'rate_paused_seconds', credential || CASE WHEN route = '' THEN '' ELSE '/' || route END,
       extract(epoch FROM until - now())::double precision, until
FROM rate_pauses WHERE until > now()
UNION ALL
SELECT 'breaker_' || state, credential, 1::double precision, since FROM platform_breakers WHERE state <> 'closed'
UNION ALL
SELECT 'notices_waiting', '', count(*)::double precision, min(created_at)
FROM backfill_notices WHERE (queued_at IS NULL OR posted_at IS NULL) AND given_up_at IS NULL
UNION ALL
SELECT 'platform_' || state, tenant || '/' || platform, 1::double precision, since FROM platform_freshness
UNION ALL
SELECT 'platform_lag_seconds', tenant || '/' || platform, lag_seconds, looked_at FROM platform_freshness
UNION ALL
SELECT 'platform_count_gap', tenant || '/' || platform, count_gap::double precision, looked_at FROM platform_freshness WHERE count_gap > 0;
