-- What the definitions are evaluated with: a generation that says which catalogue this is, the documents that definitions refer to, and
-- a log of what dashboards were shown when.
--
-- Who evaluates holds an advisory lock on the generation in share mode, who changes definitions, schedules or places holds it alone and
-- raises the number: no batch mixes two catalogues, and no interaction is missed between two replicas' caches.
CREATE TABLE catalogue_generation (
    only_row   boolean     PRIMARY KEY DEFAULT true,
    generation bigint      NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT catalogue_generation_only_row CHECK (only_row)
);
INSERT INTO catalogue_generation (generation) VALUES (1);
COMMENT ON TABLE catalogue_generation IS 'One row. Rises by one with each change of kpi_definitions, schedules or places.';

CREATE TABLE schedules (
    name       text        COLLATE "C" NOT NULL,
    version    integer     NOT NULL,
    text       text        NOT NULL,
    digest     bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version),
    CONSTRAINT schedules_version CHECK (version BETWEEN 1 AND 32767),
    CONSTRAINT schedules_digest CHECK (octet_length(digest) = 32)
);
COMMENT ON TABLE schedules IS 'Business hours, one document a version. A version never changes: definitions name it.';
COMMENT ON COLUMN schedules.digest IS 'SHA-256 of the document''s content, so that comments and layout are free.';

CREATE TABLE places (
    version    integer     PRIMARY KEY,
    text       text        NOT NULL,
    digest     bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT places_version CHECK (version BETWEEN 1 AND 32767),
    CONSTRAINT places_digest CHECK (octet_length(digest) = 32)
);
COMMENT ON TABLE places IS 'Which zone an agent, a queue or an organisation is in. The highest version holds; the others are history.';

CREATE TABLE kpi_promotions (
    promotion_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text        COLLATE "C" NOT NULL,
    version      integer     NOT NULL,
    previous     integer,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT kpi_promotions_change CHECK (previous IS DISTINCT FROM version)
);
CREATE INDEX kpi_promotions_name ON kpi_promotions (name, promotion_id);
COMMENT ON TABLE kpi_promotions IS 'Append only: each change of the version that dashboards see.';
COMMENT ON COLUMN kpi_promotions.previous IS 'What they saw before; NULL: nothing.';

-- NOT VALID: rows that an operator wrote by hand before stay as they are until they are written again.
ALTER TABLE kpi_definitions
    ADD CONSTRAINT kpi_definitions_name CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$') NOT VALID,
    ADD CONSTRAINT kpi_definitions_digest CHECK (octet_length(digest) = 32) NOT VALID;
COMMENT ON COLUMN kpi_definitions.text IS 'The definition''s TOML. Empty where an early release seeded the row; the first definition that comes under the number fills it.';
COMMENT ON COLUMN kpi_definitions.digest IS 'SHA-256 of the definition''s content, so that comments and layout are free.';
COMMENT ON COLUMN kpi_definitions.status IS 'draft: stored only. candidate: computed beside current. current: what dashboards see. retired: no longer computed.';
COMMENT ON COLUMN kpi_definitions.activated_at IS 'When it was last switched on, that is left draft or retired.';
