-- Jobs that any number of workers share chunk by chunk, and what all processes that call a platform agree on: the pace, pauses, breakers.

-- The table is small and written seldom, so that the check may be tightened and widened in one step.
ALTER TABLE backfill_jobs
    ADD COLUMN platform   text    COLLATE "C",
    ADD COLUMN from_at    timestamptz,
    ADD COLUMN to_at      timestamptz,
    ADD COLUMN kpis       text[]  NOT NULL DEFAULT '{}',
    ADD COLUMN purpose    text    COLLATE "C" NOT NULL DEFAULT 'job',
    ADD COLUMN lane       text    COLLATE "C" NOT NULL DEFAULT 'history',
    ADD COLUMN promote    text    COLLATE "C" NOT NULL DEFAULT 'offer',
    ADD COLUMN chunked    boolean NOT NULL DEFAULT false,
    ADD COLUMN standing   boolean NOT NULL DEFAULT false,
    ADD COLUMN request_id text    COLLATE "C",
    ADD COLUMN paused_for text,
    ADD CONSTRAINT backfill_jobs_request UNIQUE (request_id),
    ADD CONSTRAINT backfill_jobs_purpose CHECK (purpose IN ('job', 'follow', 'settlement', 'lookup', 'gap')),
    ADD CONSTRAINT backfill_jobs_lane CHECK (lane IN ('history', 'live')),
    ADD CONSTRAINT backfill_jobs_promote CHECK (promote IN ('offer', 'auto', 'never')),
    ADD CONSTRAINT backfill_jobs_range CHECK (from_at <= to_at),
    DROP CONSTRAINT backfill_jobs_state,
    ADD CONSTRAINT backfill_jobs_state CHECK (state IN ('pending', 'running', 'paused', 'settling', 'done', 'failed', 'cancelled'));
CREATE INDEX backfill_jobs_chunked ON backfill_jobs (created_at) WHERE chunked AND state IN ('pending', 'running', 'settling');
COMMENT ON COLUMN backfill_jobs.state IS 'settling: all chunks have ended, what follows from them is under way.';
COMMENT ON COLUMN backfill_jobs.platform IS 'Which entry of the platforms file it asks. NULL: none is asked.';
COMMENT ON COLUMN backfill_jobs.from_at IS 'The stretch it is for, half-open, UTC. NULL: no stretch, or no end yet.';
COMMENT ON COLUMN backfill_jobs.kpis IS 'Which KPIs its results are wanted of; empty: all.';
COMMENT ON COLUMN backfill_jobs.chunked IS 'Worked on by any number of workers, chunk by chunk. False: by one command in the foreground.';
COMMENT ON COLUMN backfill_jobs.standing IS 'It is given further chunks for as long as nobody cancels it, and so never settles.';
COMMENT ON COLUMN backfill_jobs.request_id IS 'Of the message that asked for it: asked twice is one job.';
COMMENT ON COLUMN backfill_jobs.paused_for IS 'Why it is paused: by whom, or what the platform refused.';
COMMENT ON COLUMN backfill_jobs.done IS 'Of a chunked job: chunks that are done.';
COMMENT ON COLUMN backfill_jobs.total IS 'Of a chunked job: chunks it was given so far; the next one has this number.';

-- due_at stays while a chunk is leased, so that writing a page's cursor changes no indexed column and stays on its page (HOT).
CREATE TABLE backfill_chunks (
    job_id      uuid        NOT NULL REFERENCES backfill_jobs (job_id) ON DELETE CASCADE,
    chunk       integer     NOT NULL,
    from_at     timestamptz NOT NULL,
    to_at       timestamptz NOT NULL,
    state       text        COLLATE "C" NOT NULL DEFAULT 'open',
    due_at      timestamptz NOT NULL DEFAULT now(),
    lease_owner text        COLLATE "C",
    lease_until timestamptz,
    cursor      jsonb,
    attempt     integer     NOT NULL DEFAULT 0,
    pages       bigint      NOT NULL DEFAULT 0,
    records     bigint      NOT NULL DEFAULT 0,
    bytes       bigint      NOT NULL DEFAULT 0,
    calls       bigint      NOT NULL DEFAULT 0,
    expected    bigint,
    arrived     bigint,
    reopened    integer     NOT NULL DEFAULT 0,
    waiting_for text,
    last_error  text,
    started_at  timestamptz,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    fetched_at  timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (job_id, chunk),
    CONSTRAINT backfill_chunks_state CHECK (state IN ('open', 'fetched', 'done', 'failed')),
    CONSTRAINT backfill_chunks_range CHECK (from_at <= to_at)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
-- Begun or not are looked for apart: what was begun goes first, however many wait that were not.
CREATE INDEX backfill_chunks_begun ON backfill_chunks (job_id, due_at) WHERE state IN ('open', 'fetched') AND started_at IS NOT NULL;
CREATE INDEX backfill_chunks_fresh ON backfill_chunks (job_id, due_at) WHERE state IN ('open', 'fetched') AND started_at IS NULL;
CREATE INDEX backfill_chunks_leased ON backfill_chunks (job_id) WHERE lease_owner IS NOT NULL;
CREATE INDEX backfill_chunks_failed ON backfill_chunks (job_id) WHERE state = 'failed';
COMMENT ON TABLE backfill_chunks IS 'Stretches of a job. A row says everything a worker needs to go on with it.';
COMMENT ON COLUMN backfill_chunks.from_at IS 'Half-open, UTC.';
COMMENT ON COLUMN backfill_chunks.state IS 'fetched: every page was confirmed, and what came of it is to be compared with what the platform counts.';
COMMENT ON COLUMN backfill_chunks.due_at IS 'Not before.';
COMMENT ON COLUMN backfill_chunks.lease_owner IS 'Who works on it, until lease_until. After that anybody may take it over.';
COMMENT ON COLUMN backfill_chunks.cursor IS 'Where the page after the last confirmed one begins; the kind of job knows how to read it.';
COMMENT ON COLUMN backfill_chunks.attempt IS 'Failures in a row.';
COMMENT ON COLUMN backfill_chunks.calls IS 'Requests to the platform.';
COMMENT ON COLUMN backfill_chunks.expected IS 'How many the platform counts.';
COMMENT ON COLUMN backfill_chunks.arrived IS 'How many the store has.';
COMMENT ON COLUMN backfill_chunks.reopened IS 'How often it was fetched anew because some were missing.';
COMMENT ON COLUMN backfill_chunks.waiting_for IS 'What it waits for, where it is no failure.';
COMMENT ON COLUMN backfill_chunks.started_at IS 'When its first cursor was written. NULL: nothing was done yet.';
COMMENT ON COLUMN backfill_chunks.fetched_at IS 'When its last page was confirmed.';

-- One row a credential. Requests have slots, evenly spaced, given out in one order to all processes by this server's clock.
CREATE TABLE rate_budgets (
    credential          text        COLLATE "C" PRIMARY KEY,
    refill_us           bigint      NOT NULL,
    refill_at           timestamptz NOT NULL,
    next_at             timestamptz NOT NULL,
    history_next_at     timestamptz,
    history_wants_until timestamptz,
    deliver_wants_until timestamptz,
    deliver_at          timestamptz,
    deliver_slot_at     timestamptz,
    granted             integer     NOT NULL DEFAULT 0,
    refused             text        COLLATE "C",
    updated_at          timestamptz NOT NULL,
    CONSTRAINT rate_budgets_refill CHECK (refill_us > 0)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE rate_budgets IS 'The pace of requests with one credential, shared by all processes.';
COMMENT ON COLUMN rate_budgets.refill_us IS 'Microseconds from one slot to the next: the longest that was stated in the last minutes.';
COMMENT ON COLUMN rate_budgets.refill_at IS 'When so long a refill was last stated; -infinity: never, it is a default.';
COMMENT ON COLUMN rate_budgets.next_at IS 'The first slot that nobody has.';
COMMENT ON COLUMN rate_budgets.history_next_at IS 'The earliest slot for backfill while deliver waits: one in five.';
COMMENT ON COLUMN rate_budgets.history_wants_until IS 'Until when backfill is waited for, that was refused while deliver had slots.';
COMMENT ON COLUMN rate_budgets.deliver_wants_until IS 'Until when deliver is waited for, that was refused and has not come back yet.';
COMMENT ON COLUMN rate_budgets.deliver_at IS 'When deliver last asked.';
COMMENT ON COLUMN rate_budgets.deliver_slot_at IS 'The last slot that deliver got.';
COMMENT ON COLUMN rate_budgets.granted IS 'How many slots were given last.';
COMMENT ON COLUMN rate_budgets.refused IS 'Why somebody was given none since: busy, yields.';
COMMENT ON COLUMN rate_budgets.updated_at IS 'When that was.';

CREATE TABLE rate_pauses (
    credential text        COLLATE "C" NOT NULL,
    route      text        COLLATE "C" NOT NULL DEFAULT '',
    until      timestamptz NOT NULL,
    reason     text        NOT NULL DEFAULT '',
    PRIMARY KEY (credential, route)
) WITH (fillfactor = 50);
COMMENT ON TABLE rate_pauses IS 'Until when nothing may be sent, because the platform said so.';
COMMENT ON COLUMN rate_pauses.route IS 'Empty: nothing at all with this credential.';

-- Asks for slots: as many as there are up to the horizon, at most as many as wanted, or none and why, and when to ask again.
--
-- A slot is never in the past, and so idle time earns nothing; a new row's first one is a refill away, and so neither does a new name.
-- Whoever is given none is waited for when its turn comes, but for no longer than a refill or half a second: who never comes back costs
-- the others one slot at most.
--
-- Most of those who ask are given none, and that changes nothing: they do not even lock the row. Who locks it reads the clock and the
-- pauses after that, and so sees all that was written while it waited.
CREATE FUNCTION rate_reserve(of_credential text, of_route text, asked_us bigint, is_stated boolean, is_deliver boolean, want bigint,
                             horizon_us bigint,
                             OUT slots integer, OUT reason text, OUT wait_us bigint, OUT spacing_us bigint, OUT waited_us bigint)
LANGUAGE plpgsql
AS $$
DECLARE
    b        rate_budgets%ROWTYPE;
    locked   boolean := false;
    horizon  interval := horizon_us * interval '1 microsecond';
    at       timestamptz;
    refill   interval;
    slot     timestamptz; -- the first free one
    edge     interval;    -- how far ahead slots are given to the one who asks
    fifth    boolean;     -- whether the first free slot is one of those that are backfill's whatever deliver wants
    yields   boolean;     -- whether somebody else is waited for
    paused   timestamptz;
    grace    interval;    -- how long who comes late is waited for
    again    timestamptz; -- when to ask again
    hold     timestamptz; -- until when the one who asks is waited for: when its slot comes, or a little longer than it was told to wait
    states   boolean;     -- whether it says something new about the refill
BEGIN
    LOOP
        IF locked THEN
            SELECT * INTO b FROM rate_budgets WHERE credential = of_credential FOR UPDATE;
        ELSE
            SELECT * INTO b FROM rate_budgets WHERE credential = of_credential;
        END IF;
        IF NOT FOUND THEN
            at := clock_timestamp();
            INSERT INTO rate_budgets (credential, refill_us, refill_at, next_at, deliver_at, refused, updated_at)
            VALUES (of_credential, asked_us, CASE WHEN is_stated THEN at ELSE '-infinity' END, at + asked_us * interval '1 microsecond',
                    CASE WHEN is_deliver THEN at END, 'busy', at)
            ON CONFLICT (credential) DO NOTHING;
            CONTINUE WHEN NOT FOUND;
            slots := 0;
            reason := 'busy';
            wait_us := greatest(asked_us - horizon_us, 1000);
            spacing_us := asked_us;
            waited_us := 0;
            RETURN;
        END IF;
        at := clock_timestamp();
        -- Who asked knows when, and so knows better when this is.
        waited_us := greatest(extract(epoch FROM at - statement_timestamp()) * 1000000, 0);

        -- Of several limits the lowest holds that was stated lately; one that was raised everywhere holds five minutes later.
        spacing_us := CASE WHEN NOT is_stated THEN b.refill_us
                           WHEN b.refill_at > at - interval '5 minutes' THEN greatest(asked_us, b.refill_us)
                           ELSE asked_us END;
        refill := spacing_us * interval '1 microsecond';
        states := is_stated AND asked_us = spacing_us AND (asked_us <> b.refill_us OR b.refill_at < at - interval '1 minute');
        -- Nothing is given further ahead than a minute, so a later one is a clock that was set back.
        slot := greatest(at, least(b.next_at, at + interval '1 minute' + 2 * greatest(refill, b.refill_us * interval '1 microsecond')));
        grace := least(refill, interval '500 milliseconds');
        SELECT max(p.until) INTO paused FROM rate_pauses p
        WHERE p.credential = of_credential AND p.route IN ('', of_route) AND p.until > at;

        fifth := coalesce(b.history_next_at <= slot, true);
        edge := horizon;
        slots := least(want, 1000000);
        IF is_deliver THEN
            yields := fifth AND coalesce(b.history_wants_until > at, false);
        ELSE
            yields := NOT fifth AND coalesce(b.deliver_wants_until > at, false);
            -- Where deliver is at work, history leaves it a head start on each slot but its own.
            IF b.deliver_at > at - interval '2 seconds' THEN
                IF fifth THEN
                    slots := 1;
                ELSE
                    edge := horizon / 2;
                END IF;
            END IF;
        END IF;
        reason := CASE WHEN paused IS NOT NULL THEN 'paused' WHEN yields THEN 'yields' WHEN slot > at + edge THEN 'busy' END;

        IF reason IS NULL THEN
            IF NOT locked THEN
                locked := true;
                CONTINUE;
            END IF;
            slots := least(slots, 1 + floor(extract(epoch FROM at + edge - slot) * 1000000 / spacing_us)::bigint);
            wait_us := extract(epoch FROM slot - at) * 1000000;
            UPDATE rate_budgets
            SET refill_us = spacing_us,
                refill_at = CASE WHEN is_stated AND asked_us = spacing_us THEN at ELSE b.refill_at END,
                next_at = slot + slots * refill,
                history_next_at = CASE WHEN is_deliver THEN b.history_next_at ELSE slot + (slots + 4) * refill END,
                history_wants_until = CASE WHEN is_deliver THEN b.history_wants_until END,
                -- Who has what it wanted is waited for no longer, unless it takes one slot after the other.
                deliver_wants_until = CASE WHEN NOT is_deliver THEN b.deliver_wants_until
                                           WHEN b.deliver_slot_at > slot - 1.5 * refill
                                           THEN slot + slots * refill + greatest(grace - horizon, interval '0') END,
                deliver_at = CASE WHEN is_deliver THEN at ELSE b.deliver_at END,
                deliver_slot_at = CASE WHEN is_deliver THEN slot + (slots - 1) * refill ELSE b.deliver_slot_at END,
                granted = slots, refused = NULL, updated_at = at
            WHERE credential = of_credential;
            RETURN;
        END IF;

        slots := 0;
        IF reason = 'paused' THEN
            again := paused;
        ELSIF is_deliver THEN
            -- Backfill takes this one, or does not come in time.
            again := CASE WHEN yields THEN least(b.history_wants_until, greatest(slot + refill - horizon, at + grace / 4))
                          ELSE slot - edge END;
            hold := slot + CASE WHEN yields THEN refill ELSE interval '0' END + greatest(grace - horizon, interval '0');
        ELSE
            again := CASE WHEN yields THEN least(b.deliver_wants_until, greatest(b.history_next_at - horizon, at + grace / 4))
                          ELSE slot - edge END;
            -- Without deliver at work nobody needs to know.
            hold := CASE WHEN b.deliver_at > at - interval '2 seconds'
                         THEN greatest(slot, b.history_next_at) + greatest(grace - horizon, interval '0') END;
        END IF;
        wait_us := greatest(extract(epoch FROM again - at) * 1000000, 1000);
        -- As the same of all who wait for the same slot: the first one writes it.
        IF states OR coalesce(hold > coalesce(CASE WHEN is_deliver THEN b.deliver_wants_until ELSE b.history_wants_until END, '-infinity')
                                     + grace / 4, false) THEN
            IF NOT locked THEN
                locked := true;
                CONTINUE;
            END IF;
            UPDATE rate_budgets
            SET refill_us = spacing_us,
                refill_at = CASE WHEN states THEN at ELSE b.refill_at END,
                history_wants_until = CASE WHEN is_deliver THEN b.history_wants_until ELSE coalesce(hold, b.history_wants_until) END,
                deliver_wants_until = CASE WHEN is_deliver THEN coalesce(hold, b.deliver_wants_until) ELSE b.deliver_wants_until END,
                deliver_at = CASE WHEN is_deliver AND hold IS NOT NULL THEN at ELSE b.deliver_at END,
                refused = reason, updated_at = at
            WHERE credential = of_credential;
        END IF;
        -- Given away was nothing: this needs no disk, and the row is free for the next sooner.
        IF locked THEN
            PERFORM set_config('synchronous_commit', 'off', true);
        END IF;
        RETURN;
    END LOOP;
END
$$;
COMMENT ON FUNCTION rate_reserve IS 'Asks for slots of a credential''s budget; see rate_budgets.';


CREATE TABLE platform_breakers (
    credential text        COLLATE "C" PRIMARY KEY,
    state      text        COLLATE "C" NOT NULL DEFAULT 'closed',
    failures   integer     NOT NULL DEFAULT 0,
    opened     integer     NOT NULL DEFAULT 0,
    tries      bigint      NOT NULL DEFAULT 0,
    since      timestamptz NOT NULL DEFAULT now(),
    until      timestamptz,
    reason     text        NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT platform_breakers_state CHECK (state IN ('closed', 'open', 'half_open'))
) WITH (fillfactor = 50);
COMMENT ON TABLE platform_breakers IS 'Whether a platform is asked at all: after failures in a row nobody asks it for a while, then one tries.';
COMMENT ON COLUMN platform_breakers.failures IS 'In a row, by all processes.';
COMMENT ON COLUMN platform_breakers.opened IS 'How often it opened since it was last closed; each time for longer.';
COMMENT ON COLUMN platform_breakers.tries IS 'How often one was let try, so that each try is known by its number.';
COMMENT ON COLUMN platform_breakers.until IS 'open: when one may try. half_open: when another may, because the one that tries said nothing.';

CREATE TABLE platform_counts (
    tenant     text             COLLATE "C" NOT NULL,
    platform   text             COLLATE "C" NOT NULL,
    measure    text             COLLATE "C" NOT NULL,
    from_at    timestamptz      NOT NULL,
    to_at      timestamptz      NOT NULL,
    scope      text             COLLATE "C" NOT NULL DEFAULT '',
    value      double precision NOT NULL,
    fetched_at timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, platform, measure, from_at, to_at, scope)
);
COMMENT ON TABLE platform_counts IS 'What platforms count themselves, to compare with what arrived.';
COMMENT ON COLUMN platform_counts.scope IS 'A queue, a media type …; empty: all.';

CREATE TABLE backfill_notices (
    notice_id   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id      uuid        NOT NULL REFERENCES backfill_jobs (job_id) ON DELETE CASCADE,
    body        jsonb       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz NOT NULL DEFAULT now(),
    queued_at   timestamptz,
    posted_at   timestamptz,
    given_up_at timestamptz,
    attempts    integer     NOT NULL DEFAULT 0,
    last_error  text
);
CREATE INDEX backfill_notices_due ON backfill_notices (due_at) WHERE (queued_at IS NULL OR posted_at IS NULL) AND given_up_at IS NULL;
CREATE INDEX backfill_notices_job ON backfill_notices (job_id);
COMMENT ON TABLE backfill_notices IS 'Refresh notices on their way out, written in the transaction that ends the job.';
COMMENT ON COLUMN backfill_notices.due_at IS 'Not before.';
COMMENT ON COLUMN backfill_notices.queued_at IS 'When the broker confirmed it.';
COMMENT ON COLUMN backfill_notices.posted_at IS 'When the webhook took it, or nobody wanted it there.';

CREATE TABLE backfill_leases (
    name    text        COLLATE "C" PRIMARY KEY,
    owner   text        COLLATE "C",
    until   timestamptz NOT NULL,
    free_at timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE backfill_leases IS 'What only one may do at a time, with a pause between two uses.';
COMMENT ON COLUMN backfill_leases.free_at IS 'When the next one may: the end of the last use, or of its lease, and the pause.';

-- The new columns have constant defaults and rewrite nothing: what is asked for already is due as of now.
ALTER TABLE history_requests
    ADD COLUMN attempts   integer     NOT NULL DEFAULT 0,
    ADD COLUMN due_at     timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN last_error text;
CREATE INDEX history_requests_due ON history_requests (tenant, due_at);
COMMENT ON COLUMN history_requests.attempts IS 'How often the platform was asked in vain.';
COMMENT ON COLUMN history_requests.due_at IS 'Not before.';

DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON backfill_chunks, rate_budgets, rate_pauses, platform_breakers, platform_counts, '
                       'backfill_notices, backfill_leases TO %I', who);
        CASE who
            WHEN 'kpiline_backfill' THEN
                EXECUTE format('GRANT INSERT, UPDATE, DELETE ON backfill_chunks, rate_budgets, rate_pauses, platform_breakers, '
                               'platform_counts, backfill_notices, backfill_leases TO %I', who);
                EXECUTE format('GRANT UPDATE (attempts, due_at, last_error) ON history_requests TO %I', who);
                -- A job that was told to promotes its version once it is complete.
                EXECUTE format('GRANT UPDATE ON catalogue_generation TO %I', who);
                EXECUTE format('GRANT UPDATE (status, activated_at, activated_generation, activation_id) ON kpi_definitions TO %I', who);
                EXECUTE format('GRANT INSERT ON kpi_promotions TO %I', who);
            WHEN 'kpiline_deliver', 'kpiline_ingest' THEN
                -- They ask platforms with the same credentials, and so take part in their limits.
                EXECUTE format('GRANT INSERT, UPDATE ON rate_budgets, rate_pauses, platform_breakers TO %I', who);
            ELSE NULL;
        END CASE;
    END LOOP;
END
$$;
