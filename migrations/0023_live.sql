-- What is going on now. Gauges of a moment, never metrics: nothing of it is in computed_metrics or window_metrics.

-- One row an open interaction, rewritten as it moves on: small, on few pages, swept often.
CREATE TABLE live_interactions (
    tenant         text        COLLATE "C" NOT NULL,
    interaction_id text        COLLATE "C" NOT NULL,
    phase          text        COLLATE "C" NOT NULL,
    since          timestamptz NOT NULL,
    queue_id       text        COLLATE "C",
    agent_id       text        COLLATE "C",
    media          text        COLLATE "C",
    direction      text        COLLATE "C",
    PRIMARY KEY (tenant, interaction_id),
    CONSTRAINT live_interactions_phase CHECK (phase IN ('waiting', 'alerting', 'in_progress', 'held', 'other'))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE live_interactions IS 'Where each open interaction is now. The row goes when it ends or is given up.';
COMMENT ON COLUMN live_interactions.phase IS 'waiting: in a queue. alerting: it rings at an agent. in_progress, held: with one. other: an IVR, say.';
COMMENT ON COLUMN live_interactions.since IS 'Since when: of a customer who waits since the wait began, ringing included; of one who was answered since the answer, holds included.';
COMMENT ON COLUMN live_interactions.queue_id IS 'The queue it waits in or came from last.';
COMMENT ON COLUMN live_interactions.agent_id IS 'The agent it is with or offered to.';

CREATE VIEW live_queues AS
SELECT tenant, queue_id, media,
       count(*) FILTER (WHERE phase = 'waiting') AS waiting,
       extract(epoch FROM now() - min(since) FILTER (WHERE phase IN ('waiting', 'alerting')))::double precision AS longest_wait_seconds,
       count(*) FILTER (WHERE phase = 'alerting') AS alerting,
       count(*) FILTER (WHERE phase = 'in_progress') AS in_progress,
       count(*) FILTER (WHERE phase = 'held') AS held,
       count(*) FILTER (WHERE phase = 'other') AS other
FROM live_interactions
GROUP BY tenant, queue_id, media;
COMMENT ON VIEW live_queues IS 'Open interactions now, by queue and media. A queue without any has no row.';
COMMENT ON COLUMN live_queues.queue_id IS 'NULL: in no queue yet.';
COMMENT ON COLUMN live_queues.longest_wait_seconds IS 'How long the one who waits longest has waited; NULL: nobody waits.';

-- An agent's state in one word. What the legs say comes before what was stated, and a state that should have changed by now is unknown: the
-- grace is for the worker that writes it.
CREATE VIEW live_agents AS
SELECT tenant, agent_id, team,
       CASE
           WHEN open_until < now() - interval '5 minutes' THEN 'unknown'
           WHEN interacting THEN 'interacting'
           WHEN wrapping THEN 'wrapping'
           WHEN capped OR coalesce(presence, routing) IS NULL THEN 'unknown'
           WHEN presence = 'offline' THEN 'offline'
           WHEN routing IN ('interacting', 'communicating', 'not_responding', 'wrapping') THEN routing
           WHEN presence = 'on_queue' OR (presence IS NULL AND routing = 'idle') THEN 'on_queue'
           ELSE coalesce(presence, routing)
       END AS state,
       since, extract(epoch FROM now() - since)::double precision AS seconds, presence, routing, reason, scheduled
FROM agents;
COMMENT ON VIEW live_agents IS 'Every agent now.';
COMMENT ON COLUMN live_agents.state IS 'on_queue: waits for a contact. interacting, wrapping: has one, or the work after it. unknown: no news for too long. Else as stated: available, break, offline …';
COMMENT ON COLUMN live_agents.seconds IS 'How long it has been so.';
COMMENT ON COLUMN live_agents.reason IS 'The organisation''s own name of the presence.';
COMMENT ON COLUMN live_agents.scheduled IS 'What the plan has for now.';

CREATE VIEW live_teams AS
SELECT tenant, team, state, count(*) AS agents FROM live_agents GROUP BY tenant, team, state;
COMMENT ON VIEW live_teams IS 'How many agents of each team are in each state now. A state that nobody is in has no row.';
COMMENT ON COLUMN live_teams.team IS 'NULL: in no team.';

CREATE VIEW live_gauges AS
SELECT tenant, 'interactions' AS gauge, queue_id, media, NULL::text AS team, phase AS state, count(*)::double precision AS value
FROM live_interactions GROUP BY tenant, queue_id, media, phase
UNION ALL
SELECT tenant, 'longest_wait_seconds', queue_id, media, NULL, NULL, longest_wait_seconds
FROM live_queues WHERE longest_wait_seconds IS NOT NULL
UNION ALL
SELECT tenant, 'agents', NULL, NULL, team, state, agents::double precision FROM live_teams;
COMMENT ON VIEW live_gauges IS 'Everything live in one shape, for a dashboard that shows what it is given.';
COMMENT ON COLUMN live_gauges.gauge IS 'interactions, by queue, media and phase. longest_wait_seconds, by queue and media. agents, by team and state.';

DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON live_interactions, live_queues, live_agents, live_teams, live_gauges TO %I', who);
        CONTINUE WHEN who <> 'kpiline_compute';
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON live_interactions TO %I', who);
    END LOOP;
END
$$;
