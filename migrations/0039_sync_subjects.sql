-- What is pushed is of an interaction, of one of its legs, or of an agent's day: one queue, one log. And a target says whether it wants
-- values at once or when they have settled.
ALTER TABLE sync_targets
    ADD COLUMN grains     text[] COLLATE "C" NOT NULL DEFAULT '{interaction,leg}',
    ADD COLUMN not_before text   COLLATE "C" NOT NULL DEFAULT 'at_once',
    ADD CONSTRAINT sync_targets_grains CHECK (grains <@ '{interaction,leg,agent_day}' AND grains <> '{}'),
    ADD CONSTRAINT sync_targets_not_before CHECK (not_before IN ('at_once', 'settled'));
COMMENT ON COLUMN sync_targets.grains IS 'What its values are of: interaction, leg, agent_day. Others are not queued for it.';
COMMENT ON COLUMN sync_targets.not_before IS 'at_once, or settled: when the interaction or the window has come to rest.';

-- The key of an interaction or leg stays as it was, for the release before queues by it; NULLs are distinct, so it says nothing of days.
ALTER TABLE sync_queue DROP CONSTRAINT sync_queue_pkey;
ALTER TABLE sync_queue
    ALTER COLUMN interaction_id DROP NOT NULL,
    ALTER COLUMN leg_scope DROP NOT NULL,
    ALTER COLUMN partition_at DROP NOT NULL,
    ADD COLUMN row_id      bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ADD COLUMN agent_id    text    COLLATE "C",
    ADD COLUMN workday     date,
    ADD COLUMN grain       text    COLLATE "C" NOT NULL GENERATED ALWAYS AS
                                   (CASE WHEN workday IS NOT NULL THEN 'agent_day' WHEN leg_scope = '' THEN 'interaction' ELSE 'leg' END) STORED,
    ADD COLUMN zone        text    COLLATE "C",
    ADD COLUMN from_at     timestamptz,
    ADD COLUMN to_at       timestamptz,
    ADD COLUMN settles_at  timestamptz,
    ADD COLUMN items       bigint,
    ADD COLUMN numerator   bigint,
    ADD COLUMN denominator bigint,
    ADD COLUMN scale       bigint,
    ADD COLUMN unit        text    COLLATE "C",
    ADD COLUMN value       double precision,
    ADD COLUMN again       boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT sync_queue_subject CHECK (
        CASE WHEN workday IS NULL
             THEN interaction_id IS NOT NULL AND leg_scope IS NOT NULL AND partition_at IS NOT NULL AND agent_id IS NULL
             ELSE agent_id IS NOT NULL AND interaction_id IS NULL AND leg_scope IS NULL AND partition_at IS NULL END),
    DROP CONSTRAINT sync_queue_state,
    ADD CONSTRAINT sync_queue_state CHECK (state IN ('held', 'pending', 'leased', 'unknown', 'rejected'));
CREATE UNIQUE INDEX sync_queue_interaction ON sync_queue (target, tenant, interaction_id, metric_type, metric_version, leg_scope);
CREATE UNIQUE INDEX sync_queue_agent_day ON sync_queue (target, tenant, agent_id, workday, metric_type, metric_version)
    WHERE workday IS NOT NULL;
COMMENT ON COLUMN sync_queue.grain IS 'interaction, leg or agent_day.';
COMMENT ON COLUMN sync_queue.agent_id IS 'Of an agent''s day. The agent of an interaction or leg is in computed_metrics.';
COMMENT ON COLUMN sync_queue.workday IS 'The agent''s local day, by the clock of its window; resolved by compute.';
COMMENT ON COLUMN sync_queue.zone IS 'Of an agent''s day: whose clock it goes by. NULL: nothing is in the window any more, and what was pushed is to be taken back.';
COMMENT ON COLUMN sync_queue.from_at IS 'The first instant of the day''s window.';
COMMENT ON COLUMN sync_queue.value IS 'Of an agent''s day, as window_metrics had it when it last changed. Values of interactions and legs are read from computed_metrics.';
COMMENT ON COLUMN sync_queue.again IS 'An operator asked for it: it is pushed also where the platform has just this by our log.';
COMMENT ON COLUMN sync_queue.state IS 'held: waits until the interaction or the window has settled; looked at again when due.';
COMMENT ON COLUMN sync_queue.queued_at IS 'Since when it could have been sent: queued, or settled where the target waits for that.';

ALTER TABLE metric_sync_log
    ALTER COLUMN interaction_id DROP NOT NULL,
    ALTER COLUMN leg_scope DROP NOT NULL,
    ADD COLUMN agent_id text COLLATE "C",
    ADD COLUMN workday  date,
    ADD COLUMN value    double precision,
    ADD COLUMN points   bigint,
    DROP CONSTRAINT metric_sync_log_fate,
    ADD CONSTRAINT metric_sync_log_fate
        CHECK (fate IN ('sent', 'accepted', 'rejected', 'unknown', 'retry', 'snoozed', 'expired', 'retracted')) NOT VALID;
COMMENT ON COLUMN metric_sync_log.workday IS 'Of an agent''s day: whose and which; interaction_id and leg_scope are NULL then.';
COMMENT ON COLUMN metric_sync_log.value IS 'What was pushed, as the target has it: rounded, in its unit. NULL: it was taken back, or an earlier release pushed it.';
COMMENT ON COLUMN metric_sync_log.points IS 'How many values it is the sum of, where the target wants to know.';
COMMENT ON COLUMN metric_sync_log.fate IS 'expired: older than the platform takes, given up. retracted: the platform took it back.';
