-- What tests/browser/seed.sql leaves out and a panel shows. Of the same organisation, made up, and of now.
INSERT INTO ingest_counts (subscription, tenant, hour, shard, received, logged, duplicates, quarantined, ignored)
SELECT 'genesys-live', 'acme', date_trunc('hour', now()) - n * interval '1 hour', 0, 1000 + n, 900, 60 + n, 30, 10 FROM generate_series(0, 70) n;

INSERT INTO platform_state_changes (tenant, platform, before, state, at, code, reason, doubtful_from) VALUES
    ('acme', 'genesys-main', 'live', 'syncing', now() - interval '30 hours', 'silence', 'nothing has come for 40 s', now() - interval '31 hours'),
    ('acme', 'genesys-main', 'syncing', 'live', now() - interval '29 hours', '', '', NULL),
    ('acme', 'genesys-main', 'live', 'syncing', now() - interval '12 minutes', 'silence', 'nothing has come for 19 minutes', now() - interval '2 hours');
INSERT INTO platform_counts (tenant, platform, measure, from_at, to_at, value, ours, compared_at, short)
SELECT 'acme', 'genesys-main', 'conversations', at, at + interval '30 minutes', 120 + n, 118, now(), n = 3
FROM generate_series(1, 20) n, LATERAL (SELECT to_timestamp(floor(extract(epoch FROM now()) / 1800) * 1800) - n * interval '30 minutes' AS at) t;
INSERT INTO reconciliation_runs (tenant, platform, from_at, to_at, run_id, tzdb, findings, report)
VALUES ('acme', 'genesys-main', now() - interval '8 days', now() - interval '1 day', '0199c1f0-0000-7000-8000-00000000000a', '2025b', 1, '{}');
INSERT INTO reconciliation_findings (run_id, line, kind, verdict, finding, queue_id, day, measure, ours, native, difference, detail)
VALUES ('0199c1f0-0000-7000-8000-00000000000a', 1, 'figure', 'differs', true, 'support', '2026-11-20', 'offered', 410, 422, -12, 'twelve conversations are not here');

INSERT INTO live_interactions (tenant, interaction_id, phase, since, queue_id, media)
SELECT 'acme', 'open-' || n, CASE WHEN n % 3 = 0 THEN 'waiting' ELSE 'in_progress' END, now() - n * interval '20 seconds', 'support', 'voice' FROM generate_series(1, 9) n;
INSERT INTO agents (tenant, agent_id, team, presence, routing, since)
SELECT 'acme', a, 'one', 'on_queue', CASE a WHEN 'b.osei' THEN 'interacting' ELSE 'idle' END, now() - interval '4 minutes' FROM unnest(ARRAY['a.keller', 'b.osei', 'c.lindqvist']) a;

INSERT INTO sync_minutes (target, minute, requests, failed_requests, accepted, rejected, unknown, retried, snoozed, waited, waited_sum, waited_longest)
SELECT 'genesys-main', date_trunc('minute', now()) - n * interval '1 minute', 40 + n, 1, 3900, 4, 1, 0, 0, '{}', 900, 12 FROM generate_series(1, 60) n;
INSERT INTO rate_budgets (credential, refill_us, refill_at, next_at, deliver_at, refused, updated_at)
VALUES ('client@127.0.0.1:9', 250000, now(), now() + interval '2 seconds', now(), 'busy', now());
INSERT INTO pipeline_status (component, instance, status) VALUES ('compute storm', 'a', '{"mode": "calm"}');
