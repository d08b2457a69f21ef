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
    CONSTRAINT live_interactions_phase CHECK (phase IN ('waiting', 'alerting', 'in_progress', 'held', 'wrapping', 'other'))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE live_interactions IS 'Where each open interaction is now. The row goes when it ends or is given up.';
COMMENT ON COLUMN live_interactions.phase IS 'waiting: in a queue. alerting: it rings at an agent. in_progress, held: with one. wrapping: after it. other: an IVR, say.';
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
       count(*) FILTER (WHERE phase = 'wrapping') AS wrapping,
       count(*) FILTER (WHERE phase = 'other') AS other
FROM live_interactions
GROUP BY tenant, queue_id, media;
COMMENT ON VIEW live_queues IS 'Open interactions now, by queue and media. A queue without any has no row.';
COMMENT ON COLUMN live_queues.queue_id IS 'NULL: in no queue yet.';
COMMENT ON COLUMN live_queues.longest_wait_seconds IS 'How long the one who waits longest has waited; NULL: nobody waits.';

DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON live_interactions, live_queues TO %I', who);
        CONTINUE WHEN who <> 'kpiline_compute';
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON live_interactions TO %I', who);
    END LOOP;
END
$$;
