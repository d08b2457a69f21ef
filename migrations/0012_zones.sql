-- Zones as they were met in facts: names that nobody could resolve, and names that are resolved, whose rules are compared at start with
-- those of the other copies of the zone data.
CREATE TABLE zone_findings (
    tenant         text        COLLATE "C" NOT NULL,
    source         text        COLLATE "C" NOT NULL,
    stated         text        COLLATE "C" NOT NULL,
    interaction_id text        COLLATE "C" NOT NULL,
    first_seen     timestamptz NOT NULL DEFAULT now(),
    last_seen      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, source, stated)
);
COMMENT ON TABLE zone_findings IS 'Zone names that could not be used. The metrics concerned carry a flag and the zone taken instead.';
COMMENT ON COLUMN zone_findings.source IS 'Who was to name the zone: agent, schedule, queue, organisation …';
COMMENT ON COLUMN zone_findings.stated IS 'The name as it was stated, cut to 200 characters.';
COMMENT ON COLUMN zone_findings.interaction_id IS 'The first interaction it was met in.';
COMMENT ON COLUMN zone_findings.last_seen IS 'To the hour: it is not written more often.';

CREATE TABLE zones_in_use (
    zone     text        COLLATE "C" PRIMARY KEY,
    noted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE zones_in_use IS 'IANA names that metrics were computed in.';
