-- What a backfill caused goes before the normal cycle, up to a share; a search for a row that spoils its request goes on where it was; and
-- requests, figures and failures of deliveries have tables of their own.

-- Constant defaults rewrite nothing.
ALTER TABLE sync_queue
    ADD COLUMN lane     text    COLLATE "C" NOT NULL DEFAULT 'live',
    ADD COLUMN together integer,
    ADD CONSTRAINT sync_queue_lane CHECK (lane IN ('live', 'history')),
    ADD CONSTRAINT sync_queue_together CHECK (together > 0);
-- The index that claims of the release before go by stays until the next one.
CREATE INDEX sync_queue_lane_due ON sync_queue (target, lane, due_at) WHERE state <> 'rejected';
COMMENT ON COLUMN sync_queue.lane IS 'history: a backfill job caused it, or an operator who had everything pushed again. Else live.';
COMMENT ON COLUMN sync_queue.together IS 'With how many rows it may share a request, itself included: larger ones with it were refused without saying for which of them. NULL: any.';

ALTER TABLE metric_sync_log
    DROP CONSTRAINT metric_sync_log_fate,
    ADD CONSTRAINT metric_sync_log_fate
        CHECK (fate IN ('sent', 'accepted', 'rejected', 'unknown', 'retry', 'snoozed', 'expired', 'retracted', 'skipped')) NOT VALID;
COMMENT ON COLUMN metric_sync_log.fate IS 'expired: older than the platform takes, given up. retracted: the platform took it back. skipped: an operator gave it up.';

-- Append only, one row a request.
CREATE TABLE metric_sync_requests (
    request_id  uuid        PRIMARY KEY,
    target      text        COLLATE "C" NOT NULL,
    sent_at     timestamptz NOT NULL,
    duration_us bigint      NOT NULL,
    attempt     integer     NOT NULL,
    rows        integer     NOT NULL,
    bytes       integer     NOT NULL,
    status      integer,
    outcome     text        COLLATE "C" NOT NULL,
    correlation text,
    answer      text
);
CREATE INDEX metric_sync_requests_target ON metric_sync_requests (target, sent_at);
CREATE INDEX metric_sync_requests_sent_at ON metric_sync_requests USING brin (sent_at);
COMMENT ON TABLE metric_sync_requests IS 'Requests of metric_sync_log that were sent, with their answers.';
COMMENT ON COLUMN metric_sync_requests.sent_at IS 'By the clock of the process that sent it.';
COMMENT ON COLUMN metric_sync_requests.attempt IS 'The highest attempt of its rows.';
COMMENT ON COLUMN metric_sync_requests.rows IS 'How many; which ones is in metric_sync_log.';
COMMENT ON COLUMN metric_sync_requests.status IS 'The HTTP status of the answer; NULL when there was none.';
COMMENT ON COLUMN metric_sync_requests.outcome IS 'answered, throttled, refused, unauthorised, paused, failed or unknown.';
COMMENT ON COLUMN metric_sync_requests.correlation IS 'The platform''s own id of the exchange.';
COMMENT ON COLUMN metric_sync_requests.answer IS 'Its body without secrets and personal data, cut.';

-- Every process adds to the row of the minute, every few seconds.
CREATE TABLE sync_minutes (
    target          text             COLLATE "C" NOT NULL,
    minute          timestamptz      NOT NULL,
    requests        bigint           NOT NULL,
    failed_requests bigint           NOT NULL,
    accepted        bigint           NOT NULL,
    rejected        bigint           NOT NULL,
    unknown         bigint           NOT NULL,
    retried         bigint           NOT NULL,
    snoozed         bigint           NOT NULL,
    waited          bigint[]         NOT NULL,
    waited_sum      double precision NOT NULL,
    waited_longest  double precision NOT NULL,
    PRIMARY KEY (target, minute)
) WITH (fillfactor = 50);
COMMENT ON TABLE sync_minutes IS 'How deliveries go: requests and attempts at rows, by minute.';
COMMENT ON COLUMN sync_minutes.failed_requests IS 'No answer, trouble of the platform, a refused credential or path.';
COMMENT ON COLUMN sync_minutes.snoozed IS 'Not looked at: asked to slow down, or the credential was refused.';
COMMENT ON COLUMN sync_minutes.waited IS 'Of accepted rows: how many waited from their change to then for up to 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400 seconds, and longer.';
COMMENT ON COLUMN sync_minutes.waited_sum IS 'Seconds.';

CREATE TABLE sync_health (
    target         text             COLLATE "C" PRIMARY KEY,
    breaker        text             COLLATE "C" NOT NULL,
    failing        boolean          NOT NULL,
    since          timestamptz      NOT NULL DEFAULT now(),
    tried          bigint           NOT NULL,
    failed         bigint           NOT NULL,
    threshold      double precision NOT NULL,
    window_seconds double precision NOT NULL,
    reason         text             NOT NULL,
    updated_at     timestamptz      NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE sync_health IS 'Whether deliveries to a target fail too often, as its processes last saw it.';
COMMENT ON COLUMN sync_health.breaker IS 'What its breaker is known by, in platform_breakers.';
COMMENT ON COLUMN sync_health.since IS 'Since when it fails too often, or no longer.';
COMMENT ON COLUMN sync_health.tried IS 'Attempts at rows that were decided in the window.';
COMMENT ON COLUMN sync_health.threshold IS 'The share of them that may fail.';
COMMENT ON COLUMN sync_health.reason IS 'What failed last; empty where nothing did.';

DO $$
DECLARE
    kpiline text[] := ARRAY['kpiline_ingest', 'kpiline_compute', 'kpiline_backfill', 'kpiline_deliver', 'kpiline_read'];
    who text;
BEGIN
    FOREACH who IN ARRAY kpiline LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who);
        EXECUTE format('GRANT SELECT ON metric_sync_requests, sync_minutes, sync_health TO %I', who);
        IF who = 'kpiline_deliver' THEN
            EXECUTE format('GRANT INSERT, UPDATE, DELETE ON sync_minutes, sync_health TO %I', who);
            EXECUTE format('GRANT INSERT, DELETE ON metric_sync_requests TO %I', who);
        END IF;
    END LOOP;
END
$$;
