-- The time of agents: what was stated of it, when they were busy with a leg, and the intervals that both make.

-- One row a statement. Read track by track, so each has an index of its own: the last statement before an instant is one step away.
CREATE TABLE agent_states (
    tenant    text        COLLATE "C" NOT NULL,
    agent_id  text        COLLATE "C" NOT NULL,
    fact_key  text        COLLATE "C" NOT NULL,
    at        timestamptz NOT NULL,
    until     timestamptz,
    presence  text        COLLATE "C",
    routing   text        COLLATE "C",
    scheduled text        COLLATE "C",
    reason    text        COLLATE "C",
    team      text        COLLATE "C",
    rank      smallint    NOT NULL,
    revision  timestamptz,
    PRIMARY KEY (tenant, agent_id, fact_key),
    CONSTRAINT agent_states_rank CHECK (rank BETWEEN 0 AND 2)
) WITH (fillfactor = 90);
CREATE INDEX agent_states_presence ON agent_states (tenant, agent_id, at) WHERE presence IS NOT NULL;
CREATE INDEX agent_states_offline ON agent_states (tenant, agent_id, at) WHERE presence = 'offline';
CREATE INDEX agent_states_routing ON agent_states (tenant, agent_id, at) WHERE routing IS NOT NULL;
CREATE INDEX agent_states_scheduled ON agent_states (tenant, agent_id, at) WHERE scheduled IS NOT NULL;
CREATE INDEX agent_states_team ON agent_states (tenant, agent_id, at) WHERE team IS NOT NULL;
COMMENT ON TABLE agent_states IS 'Statements about agents as platforms made them, the greater of two under one key. interval_states is what they make.';
COMMENT ON COLUMN agent_states.at IS 'From when on it holds.';
COMMENT ON COLUMN agent_states.until IS 'Until when it held, where that was stated; else until the next statement of its track.';
COMMENT ON COLUMN agent_states.presence IS 'Track presence, as are the others tracks of their own; NULL: the statement says nothing of it.';
COMMENT ON COLUMN agent_states.scheduled IS 'The scheduled activity. Empty: nothing is scheduled any more.';
COMMENT ON COLUMN agent_states.rank IS '0: a live event. 1: a metric''s record. 2: a settled record.';

-- One row an agent's leg. What lasts long or is open is told apart, so that a day's rows are found by their beginning.
CREATE TABLE agent_activity (
    tenant         text        COLLATE "C" NOT NULL,
    interaction_id text        COLLATE "C" NOT NULL,
    leg_id         text        COLLATE "C" NOT NULL,
    agent_id       text        COLLATE "C" NOT NULL,
    from_at        timestamptz NOT NULL,
    to_at          timestamptz,
    wrap_until     timestamptz,
    lasting        boolean     NOT NULL,
    PRIMARY KEY (tenant, interaction_id, leg_id)
) WITH (fillfactor = 90);
CREATE INDEX agent_activity_from ON agent_activity (tenant, agent_id, from_at);
CREATE INDEX agent_activity_lasting ON agent_activity (tenant, agent_id, from_at) WHERE lasting;
COMMENT ON TABLE agent_activity IS 'When an agent was busy with a leg of an interaction.';
COMMENT ON COLUMN agent_activity.from_at IS 'The answer; of an outbound leg its start.';
COMMENT ON COLUMN agent_activity.to_at IS 'Until when with the contact. NULL: it goes on.';
COMMENT ON COLUMN agent_activity.wrap_until IS 'Until when with the work after it, which follows without a gap. NULL: none was stated.';
COMMENT ON COLUMN agent_activity.lasting IS 'Open, or longer than a day.';

-- Intervals end at UTC midnight, so that each lies in one month and a day can be computed by itself.
CREATE TABLE interval_states (
    tenant      text        COLLATE "C" NOT NULL,
    agent_id    text        COLLATE "C" NOT NULL,
    from_at     timestamptz NOT NULL,
    to_at       timestamptz NOT NULL,
    presence    text        COLLATE "C",
    routing     text        COLLATE "C",
    reason      text        COLLATE "C",
    scheduled   text        COLLATE "C",
    team        text        COLLATE "C",
    interacting boolean     NOT NULL,
    wrapping    boolean     NOT NULL,
    logged_in   boolean     NOT NULL,
    on_queue    boolean     NOT NULL,
    capped      boolean     NOT NULL,
    open        boolean     NOT NULL,
    PRIMARY KEY (tenant, agent_id, from_at),
    CONSTRAINT interval_states_stretch CHECK (from_at < to_at)
) PARTITION BY RANGE (from_at);
COMMENT ON TABLE interval_states IS 'An agent''s time, cut where the state changes and at UTC midnight: no overlap, and no gap within a day. A day of which nothing is known, or only that the agent was signed out, has no rows.';
COMMENT ON COLUMN interval_states.presence IS 'As stated; NULL: unknown.';
COMMENT ON COLUMN interval_states.routing IS 'As the router stated it; NULL: unknown.';
COMMENT ON COLUMN interval_states.scheduled IS 'What the plan had for this time; NULL: nothing.';
COMMENT ON COLUMN interval_states.team IS 'By the document of places, else as stated.';
COMMENT ON COLUMN interval_states.interacting IS 'Whether the agent had a contact, by the legs of interactions.';
COMMENT ON COLUMN interval_states.wrapping IS 'Whether the agent did after-call work, by the legs.';
COMMENT ON COLUMN interval_states.capped IS 'Unknown because the last statement was without news for too long: a sign-out that nobody stated.';
COMMENT ON COLUMN interval_states.open IS 'It goes on; to_at is when it was computed.';

-- How each agent stands now, and how far its time is computed. Rewritten by the agent worker alone.
CREATE TABLE agents (
    tenant      text        COLLATE "C" NOT NULL,
    agent_id    text        COLLATE "C" NOT NULL,
    team        text        COLLATE "C",
    presence    text        COLLATE "C",
    routing     text        COLLATE "C",
    reason      text        COLLATE "C",
    scheduled   text        COLLATE "C",
    interacting boolean     NOT NULL DEFAULT false,
    wrapping    boolean     NOT NULL DEFAULT false,
    capped      boolean     NOT NULL DEFAULT false,
    since       timestamptz,
    open_until  timestamptz,
    computed_to timestamptz,
    due_at      timestamptz,
    asked       integer[]   NOT NULL DEFAULT '{}',
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, agent_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX agents_due ON agents (due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE agents IS 'Every agent of whom something was stated, as it stands now.';
COMMENT ON COLUMN agents.presence IS 'Now; NULL: unknown.';
COMMENT ON COLUMN agents.since IS 'Since when presence, routing and legs are as they are; NULL: none of them is known.';
COMMENT ON COLUMN agents.open_until IS 'When the state changes if nothing more is heard: a stated end, a cap. NULL: never.';
COMMENT ON COLUMN agents.computed_to IS 'How far its time is computed.';
COMMENT ON COLUMN agents.due_at IS 'When its time is computed further, with or without news.';
COMMENT ON COLUMN agents.asked IS 'Definitions that are switched off and that a job asked for.';

-- Rights, like 0010 idempotent, and to be run once more by hand by who adds the roles later.
DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON agents, agent_states, agent_activity, interval_states TO %I', who);
        CONTINUE WHEN who <> 'kpiline_compute';
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON agents, agent_states, agent_activity, interval_states TO %I', who);
    END LOOP;
END
$$;
