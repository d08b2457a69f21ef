-- Personal data live in the raw bytes and nowhere else. These may be sealed under a key, expire after a retention, or be erased on request;
-- the row itself stays, so that a copy of an event is recognised for as long as before.
--
-- The checks are not validated: every row there is keeps them (raw was NOT NULL and nothing is gone), and looking would lock the log.
ALTER TABLE event_log
    ALTER COLUMN raw DROP NOT NULL,
    ADD COLUMN raw_key text COLLATE "C",
    ADD COLUMN raw_gone text COLLATE "C",
    ADD CONSTRAINT event_log_raw CHECK ((raw IS NULL) = (raw_gone IS NOT NULL) AND (raw_key IS NULL OR raw IS NOT NULL)) NOT VALID,
    ADD CONSTRAINT event_log_raw_gone CHECK (raw_gone IN ('expired', 'erased')) NOT VALID;
COMMENT ON COLUMN event_log.raw_key IS 'The id of the key that raw is sealed under. NULL: raw is the bytes as they came.';
COMMENT ON COLUMN event_log.raw_gone IS 'Why raw is no more: expired, erased.';

ALTER TABLE quarantine
    ALTER COLUMN raw DROP NOT NULL,
    ADD COLUMN raw_key text COLLATE "C",
    ADD COLUMN raw_gone text COLLATE "C",
    ADD CONSTRAINT quarantine_raw CHECK ((raw IS NULL) = (raw_gone IS NOT NULL) AND (raw_key IS NULL OR raw IS NOT NULL)) NOT VALID,
    ADD CONSTRAINT quarantine_raw_gone CHECK (raw_gone IN ('expired', 'erased')) NOT VALID;
COMMENT ON COLUMN quarantine.raw_key IS 'The id of the key that raw is sealed under. NULL: raw is the bytes as they came.';
COMMENT ON COLUMN quarantine.raw_gone IS 'Why raw is no more: expired, erased.';
-- What a retention looks for: settled long ago, bytes still there.
CREATE INDEX quarantine_settled ON quarantine (settled_at) WHERE status <> 'held' AND raw_gone IS NULL;

-- How far the retention of raw bytes has come on its walk through the log, which it begins again now and then.
CREATE TABLE raw_retention (
    one         boolean     PRIMARY KEY DEFAULT true,
    began_at    timestamptz NOT NULL,
    after_at    timestamptz,
    after_key   uuid,
    CONSTRAINT raw_retention_one CHECK (one),
    CONSTRAINT raw_retention_after CHECK ((after_at IS NULL) = (after_key IS NULL))
);
COMMENT ON TABLE raw_retention IS 'One row: where the walk that lets raw bytes expire has come to.';

-- Erasures on request: what was asked for, and the proof of what was done. Whom it was about is kept as a digest once it is done.
CREATE TABLE erasures (
    erasure_id     uuid        PRIMARY KEY,
    tenant         text        COLLATE "C" NOT NULL,
    subject        text        COLLATE "C" NOT NULL,
    subject_digest bytea       NOT NULL,
    customer_key   text        COLLATE "C",
    interaction_ids text[]     COLLATE "C" NOT NULL DEFAULT '{}',
    requested_by   text        NOT NULL,
    requested_at   timestamptz NOT NULL DEFAULT now(),
    after_at       timestamptz,
    after_key      uuid,
    walked         boolean     NOT NULL DEFAULT false,
    interactions   bigint      NOT NULL DEFAULT 0,
    events         bigint      NOT NULL DEFAULT 0,
    quarantined    bigint      NOT NULL DEFAULT 0,
    finished_at    timestamptz,
    CONSTRAINT erasures_subject CHECK (subject IN ('customer', 'interaction')),
    CONSTRAINT erasures_after CHECK ((after_at IS NULL) = (after_key IS NULL)),
    CONSTRAINT erasures_forgets CHECK (finished_at IS NULL OR (customer_key IS NULL AND interaction_ids = '{}'))
);
CREATE UNIQUE INDEX erasures_open ON erasures (tenant, subject, subject_digest) WHERE finished_at IS NULL;
COMMENT ON TABLE erasures IS 'Requests to erase a person''s data and what was done: a proof that names nobody.';
COMMENT ON COLUMN erasures.subject_digest IS 'SHA-256 of organisation, kind of subject and customer key or interaction id, each with its length before it.';
COMMENT ON COLUMN erasures.customer_key IS 'Until it is finished, so that it can go on after a crash.';
COMMENT ON COLUMN erasures.interaction_ids IS 'Until it is finished, as the customer key.';

-- What is left of an erased interaction after its request: nothing that comes later may bring its bytes or its customer back.
CREATE TABLE erased_interactions (
    tenant         text        COLLATE "C" NOT NULL,
    interaction_id text        COLLATE "C" NOT NULL,
    erased_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, interaction_id)
);
COMMENT ON TABLE erased_interactions IS 'Interactions that were erased: events of theirs are logged without their bytes, facts are folded without a customer.';

-- Rights. kpiline_erase is the role of those who work off requests; normalise needs none of its rights.
DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read', 'kpiline_erase'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        CASE who
            WHEN 'kpiline_ingest' THEN
                EXECUTE format('GRANT UPDATE (raw, raw_key, raw_gone) ON event_log TO %I', who);
                EXECUTE format('GRANT SELECT, INSERT, UPDATE ON raw_retention TO %I', who);
                EXECUTE format('GRANT SELECT ON erased_interactions TO %I', who);
            WHEN 'kpiline_compute' THEN
                -- Whether an item that is held once more still has its bytes.
                EXECUTE format('GRANT SELECT (raw_gone) ON quarantine TO %I', who);
                EXECUTE format('GRANT SELECT ON erased_interactions TO %I', who);
            WHEN 'kpiline_read' THEN
                EXECUTE format('GRANT SELECT (erasure_id, tenant, subject, subject_digest, requested_by, requested_at, interactions, '
                               'events, quarantined, finished_at) ON erasures TO %I', who);
            WHEN 'kpiline_erase' THEN
                EXECUTE format('GRANT SELECT ON schema_migrations TO %I', who);
                EXECUTE format('GRANT SELECT, INSERT, UPDATE ON erasures TO %I', who);
                EXECUTE format('GRANT SELECT, INSERT ON erased_interactions TO %I', who);
                EXECUTE format('GRANT SELECT, DELETE ON history_requests TO %I', who);
                EXECUTE format('GRANT SELECT (occurred_at, log_key, tenant, interaction_id, received_at, raw_gone), '
                               'UPDATE (raw, raw_key, raw_gone) ON event_log TO %I', who);
                EXECUTE format('GRANT SELECT, UPDATE ON quarantine TO %I', who);
                EXECUTE format('GRANT SELECT, UPDATE (customer_key, state, revision, updated_at) ON interactions TO %I', who);
                EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON journeys TO %I', who);
                EXECUTE format('GRANT SELECT, INSERT ON dirty_marks TO %I', who);
            ELSE NULL;
        END CASE;
    END LOOP;
END
$$;
