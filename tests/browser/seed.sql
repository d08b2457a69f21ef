-- Something to look at: two months of an organisation's windows, three days of half hours, jobs, deliveries, what was not understood. Made up,
-- and the same at every run but for the instants, which end now. For a database with the schema and the definitions that ship.
SELECT setseed(0.42);

UPDATE kpi_definitions SET status = 'current', activated_at = now()
WHERE version = 1 AND name IN ('service_level_offered', 'abandoned', 'offered', 'handled', 'occupancy', 'leg_handle_time', 'speed_of_answer');
INSERT INTO kpi_definitions (name, version, unit, text, status, activated_at)
SELECT name, 2, unit, replace(text, 'version = 1', 'version = 2'), 'candidate', now() FROM kpi_definitions WHERE name = 'adjusted_aht' AND version = 1;
UPDATE catalogue_generation SET generation = generation + 1;

SELECT ensure_month(parent, (date_trunc('month', now()) + n * interval '1 month')::date)
FROM unnest(ARRAY['computed_metrics', 'window_metrics']) parent, generate_series(-4, 1) n;

CREATE TEMP TABLE kpi (name text, unit text, scale bigint, base float8, spread float8, version integer);
INSERT INTO kpi VALUES
    ('adjusted_aht', 'seconds', 1000, 305, 40, 1), ('adjusted_aht', 'seconds', 1000, 338, 40, 2), ('handle_time', 'seconds', 1000, 342, 45, 1),
    ('talk_time', 'seconds', 1000, 251, 38, 1), ('hold_time', 'seconds', 1000, 24, 9, 1), ('wrap_time', 'seconds', 1000, 61, 12, 1),
    ('queue_wait', 'seconds', 1000, 38, 22, 1), ('speed_of_answer', 'seconds', 1000, 31, 18, 1), ('leg_handle_time', 'seconds', 1000, 322, 44, 1),
    ('service_level_offered', 'share', 1, 0.82, 0.09, 1), ('abandoned', 'share', 1, 0.046, 0.02, 1), ('occupancy', 'share', 1, 0.74, 0.07, 1),
    ('offered', 'count', 1, 1, 0, 1), ('handled', 'count', 1, 1, 0, 1);

CREATE TEMP TABLE groups (group_by text, group_key text, queue_id text, agent_id text, share float8, shift float8, zone text);
INSERT INTO groups VALUES
    ('', '[]', NULL, NULL, 1, 0, 'Europe/Berlin'),
    ('queue', '["billing"]', 'billing', NULL, 0.22, 0.5, 'Europe/Berlin'), ('queue', '["sales"]', 'sales', NULL, 0.31, -0.7, 'America/New_York'),
    ('queue', '["support"]', 'support', NULL, 0.47, 0.3, 'Europe/Berlin');
INSERT INTO groups
SELECT 'agent', '["' || a || '"]', NULL, a, 0.125, (n - 4) * 0.35, CASE WHEN n % 3 = 0 THEN 'America/New_York' ELSE 'Europe/Berlin' END
FROM unnest(ARRAY['a.keller', 'b.osei', 'c.lindqvist', 'd.moreau', 'e.tanaka', 'f.novak', 'g.silva', 'h.byrne']) WITH ORDINALITY AS x (a, n);

-- Windows by the clock of each group's zone: half hours of three days, days of ten weeks. The last ones have not ended.
CREATE TEMP TABLE slots AS
SELECT g.*, s.size, t.window_start, t.window_end,
       -- Busy in the morning, less so after lunch, nobody at night and few at weekends.
       CASE s.size WHEN '30m' THEN greatest(0, sin(pi() * (extract(hour FROM t.local) + extract(minute FROM t.local) / 60 - 7) / 12)) * 46 ELSE 880 END
           * CASE WHEN extract(isodow FROM t.local) > 5 THEN 0.25 ELSE 1 END AS load
FROM groups g
CROSS JOIN (VALUES ('30m'), ('day')) AS s (size)
CROSS JOIN LATERAL (
    SELECT t AT TIME ZONE g.zone AS local, t AS window_start, t + interval '30 minutes' AS window_end
    FROM generate_series(to_timestamp(floor(extract(epoch FROM now()) / 1800) * 1800) - interval '3 days', now(), interval '30 minutes') t WHERE s.size = '30m'
    UNION ALL
    SELECT d, d AT TIME ZONE g.zone, (d + interval '1 day') AT TIME ZONE g.zone
    FROM generate_series(date_trunc('day', now() AT TIME ZONE g.zone) - interval '70 days', now() AT TIME ZONE g.zone, interval '1 day') d WHERE s.size = 'day') AS t;

INSERT INTO window_metrics (tenant, metric_type, metric_version, group_by, size, group_key, window_start, window_end, zone, zone_source, tzdb,
                            queue_id, agent_id, items, numerator, denominator, scale, value, unit, settles_at)
SELECT 'acme', k.name, k.version, s.group_by, s.size, s.group_key, s.window_start, s.window_end, s.zone,
       CASE s.group_by WHEN '' THEN 'organisation' ELSE s.group_by END, '2025b', s.queue_id, s.agent_id, m.items,
       CASE WHEN m.items = 0 THEN 0 ELSE round(m.mean * k.scale * m.items)::bigint END, m.items, k.scale,
       CASE WHEN k.unit = 'count' THEN m.items WHEN m.items > 0 THEN m.mean END, k.unit, s.window_end + interval '2 days'
FROM slots s
CROSS JOIN kpi k
CROSS JOIN LATERAL (SELECT round(s.load * s.share * (0.85 + 0.3 * random()))::bigint AS items,
                           greatest(0.0, k.base + k.spread * (s.shift + 1.3 * (random() - 0.5) + CASE WHEN k.unit = 'share' THEN -1 ELSE 1 END * (CASE s.size WHEN 'day' THEN 0.5 ELSE s.load / 46 END - 0.4) * 0.6)) AS raw) r
CROSS JOIN LATERAL (SELECT r.items, CASE k.unit WHEN 'share' THEN least(1, r.raw) ELSE r.raw END AS mean) m
WHERE s.load > 0;

INSERT INTO interactions (tenant, interaction_id, partition_at, started_at, status, state, facts, settled_at)
SELECT t, 'conversation-' || n, now() - n * interval '3 minutes', now() - n * interval '3 minutes', 'terminal', '{}', 3, CASE WHEN n > 50 THEN now() END
FROM unnest(ARRAY['acme', 'globex']) t, generate_series(1, 300) n;
INSERT INTO computed_metrics (tenant, interaction_id, metric_type, metric_version, partition_at, timestamp_utc, agent_id, queue_id, metric_value, metadata)
SELECT i.tenant, i.interaction_id, k.name, k.version, i.partition_at, i.started_at, 'b.osei', 'support', CASE WHEN random() > 0.05 THEN round((k.base * (0.5 + random()))::numeric, 3) END,
       '{"zone": "Europe/Berlin"}'
FROM interactions i CROSS JOIN kpi k WHERE k.unit = 'seconds' AND k.name NOT LIKE 'leg%';

INSERT INTO backfill_jobs (job_id, kind, tenant, platform, metric_version, state, from_at, to_at, kpis, done, total, chunked, created_at, started_at, finished_at, paused_for, error)
VALUES
    ('0199c1f0-0000-7000-8000-000000000001', 'genesys-conversations', 'acme', 'genesys-main', 2, 'running', '2026-05-01Z', '2026-08-01Z', '{adjusted_aht}', 57, 92, true, now() - interval '50 minutes', now() - interval '49 minutes', NULL, NULL, NULL),
    ('0199c1f0-0000-7000-8000-000000000002', 'cxone-contacts', 'acme', 'cxone-emea', 1, 'paused', '2026-10-01Z', '2026-11-01Z', '{}', 4, 31, true, now() - interval '5 hours', now() - interval '5 hours', NULL, 'the platform refused the credential: 403', NULL),
    ('0199c1f0-0000-7000-8000-000000000003', 'replay', 'acme', NULL, 2, 'done', '2026-04-01Z', '2026-05-01Z', '{}', 812000, 812000, false, now() - interval '2 days', now() - interval '2 days', now() - interval '47 hours', NULL, NULL),
    ('0199c1f0-0000-7000-8000-000000000004', 'cxone-report', 'acme', 'cxone-emea', 1, 'failed', '2026-09-01Z', '2026-09-08Z', '{}', 3, 7, true, now() - interval '6 days', now() - interval '6 days', now() - interval '6 days', NULL, 'report 524 of 2026-09-04 cannot be read: column 12 is missing'),
    ('0199c1f0-0000-7000-8000-000000000005', 'replay', NULL, NULL, 2, 'pending', '2026-01-01Z', '2026-04-01Z', '{}', 0, NULL, false, now() - interval '3 minutes', NULL, NULL, NULL, NULL);
INSERT INTO backfill_jobs (job_id, kind, tenant, metric_version, state, done, total, created_at, finished_at)
SELECT ('0199c1f0-0000-7000-8000-0000000001' || lpad(n::text, 2, '0'))::uuid, 'replay', 'acme', 1, 'done', 1000 * n, 1000 * n, now() - interval '20 days' - n * interval '1 day', now() - interval '20 days' - n * interval '1 day'
FROM generate_series(1, 30) n;
INSERT INTO backfill_chunks (job_id, chunk, from_at, to_at, state, records, calls, pages)
SELECT job_id, c, from_at + c * interval '1 day', from_at + (c + 1) * interval '1 day', CASE WHEN c < done THEN 'done' WHEN state = 'failed' THEN 'failed' ELSE 'open' END,
       CASE WHEN c < done THEN 4200 + c * 13 ELSE 0 END, CASE WHEN c < done THEN 43 ELSE 0 END, CASE WHEN c < done THEN 43 ELSE 0 END
FROM backfill_jobs, generate_series(0, (total - 1)::integer) c WHERE chunked;

INSERT INTO sync_targets (target, tenant, platform, metrics) VALUES
    ('genesys-main', 'acme', 'genesys-custom-report', '{adjusted_aht,handle_time}'), ('cxone-emea', 'acme', 'cxone-import', '{adjusted_aht}'),
    ('globex-main', 'globex', 'genesys-custom-report', '{adjusted_aht}');
INSERT INTO sync_queue (target, tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at, revision, state, queued_at, due_at, attempt, last_status, last_message)
SELECT CASE WHEN n % 5 = 0 THEN 'cxone-emea' ELSE 'genesys-main' END, 'acme', 'conversation-' || n, 'adjusted_aht', 1, '', now(), 1,
       CASE WHEN n <= 12 THEN 'rejected' WHEN n % 17 = 0 THEN 'unknown' ELSE 'pending' END, now() - n * interval '11 seconds', now() + interval '1 hour', CASE WHEN n <= 12 THEN 4 ELSE 0 END,
       CASE WHEN n <= 12 THEN 400 END, CASE WHEN n <= 12 THEN 'conversationId is not known to this organisation' END
FROM generate_series(1, 240) n;
INSERT INTO metric_sync_log (logged_at, target, tenant, interaction_id, metric_type, metric_version, leg_scope, revision, attempt, fate, request_id, idempotency_key, status, message, value)
SELECT now() - n * interval '7 seconds', CASE WHEN n % 5 = 0 THEN 'cxone-emea' ELSE 'genesys-main' END, 'acme', 'conversation-' || n, 'adjusted_aht', 1, '', 1, 1,
       CASE WHEN n <= 12 THEN 'rejected' WHEN n % 17 = 0 THEN 'unknown' ELSE 'accepted' END, ('0199c1f0-0000-7000-8000-00000001' || lpad((n / 20)::text, 4, '0'))::uuid, 'k' || n,
       CASE WHEN n <= 12 THEN 400 WHEN n % 17 <> 0 THEN 200 END, CASE WHEN n <= 12 THEN 'conversationId is not known to this organisation' END, 300 + n
FROM generate_series(400, 1, -1) n;
INSERT INTO platform_breakers (credential, state, failures, opened, since, until, reason)
VALUES ('client@127.0.0.1:9/genesys-custom-report', 'open', 5, 2, now() - interval '4 minutes', now() + interval '1 minute', '503 Service Unavailable'),
       ('client@127.0.0.1:9/cxone-import', 'closed', 0, 0, now() - interval '3 days', NULL, '');
INSERT INTO rate_pauses (credential, route, until, reason) VALUES ('client@127.0.0.1:9', 'analytics', now() + interval '90 minutes', '429 Too Many Requests, Retry-After: 5400');

INSERT INTO quarantine (tenant, subscription, delivery_id, item_index, stage, format, reason, field, raw, received_at, correlation)
SELECT 'acme', s, gen_random_uuid(), n, 'normalise', 'genesys_webhook', 'r', f, '', now() - n * interval '9 minutes', 'c'
FROM (VALUES ('genesys-live', 'participants[].sessions[].segments[].segmentEnd', 41), ('genesys-live', 'data.state', 17), ('cxone-digital', NULL, 3)) AS q (s, f, many),
     generate_series(1, many) n;
INSERT INTO zone_findings (tenant, source, stated, interaction_id, first_seen, last_seen)
VALUES ('acme', 'agent', 'Mitteleuropa', 'conversation-17', now() - interval '9 days', now() - interval '2 hours'),
       ('acme', 'queue', '(GMT+01:00) Local', 'conversation-221', now() - interval '3 days', now() - interval '26 hours');
INSERT INTO zone_findings (tenant, source, stated, interaction_id, first_seen, last_seen, kind, platform, agent_id, platform_zone, ahead_seconds, since, confidence, detail)
VALUES ('acme', 'reconciliation/genesys-main/b.osei', 'America/New_York', '', now() - interval '3 days', now() - interval '3 days', 'constant_difference', 'genesys-main', 'b.osei',
        'Europe/Berlin', -21600, NULL, 'certain', 'days are cut 6 hours later here than on the platform');
INSERT INTO sync_health (target, breaker, failing, since, tried, failed, threshold, window_seconds, reason)
VALUES ('genesys-main', 'client@127.0.0.1:9/genesys-custom-report', true, now() - interval '8 minutes', 412, 197, 0.1, 900, 'HTTP 503: Service Unavailable');

-- Looked at in the future, so that it stays as it is: nobody watches these.
INSERT INTO platform_states (tenant, platform, state, since, code, reason, doubtful_from, lag_seconds, count_gap, causes, looked_at) VALUES
    ('acme', 'genesys-main', 'syncing', now() - interval '12 minutes', 'silent', 'the subscription genesys-live has delivered nothing for 19 minutes', now() - interval '2 hours', 1140, 37,
     '[{"code": "silent", "state": "syncing", "text": "the subscription genesys-live has delivered nothing for 19 minutes", "calm": false}]', now() + interval '1 day'),
    ('acme', 'cxone-emea', 'live', now() - interval '3 days', '', '', NULL, 41, 0, '[]', now() + interval '1 day');
INSERT INTO subscription_gaps (subscription, tenant, from_at, to_at, reason) VALUES ('genesys-live', 'acme', now() - interval '20 hours', now() - interval '18 hours', 'nothing was delivered');
