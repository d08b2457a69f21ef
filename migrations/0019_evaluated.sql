-- Which definitions an interaction's facts, as they are now, were evaluated by. That a row of a version exists does not tell: it may
-- stem from before the version was retired and switched on again, or from before a fact that only others were evaluated with.
--
-- evaluated_generation: everything that was switched on in that state of the catalogue was evaluated with these facts.
-- evaluated_also: what was evaluated besides or since, by activation; a job adds what it was asked for.
-- Neither column rewrites the table, and neither is in an index: an update stays on its page.
ALTER TABLE interactions
    ADD COLUMN evaluated_generation bigint,
    ADD COLUMN evaluated_also       bigint[];
COMMENT ON COLUMN interactions.evaluated_generation IS 'The catalogue''s generation of the last evaluation by all that was switched on. NULL: unknown, as of old.';
COMMENT ON COLUMN interactions.evaluated_also IS 'Activations (kpi_definitions.activation_id) that these facts were evaluated by besides.';

-- What is switched on already counts as switched on since ever.
CREATE SEQUENCE kpi_activations;
ALTER TABLE kpi_definitions
    ADD COLUMN activated_generation bigint NOT NULL DEFAULT 0,
    ADD COLUMN activation_id        bigint NOT NULL DEFAULT nextval('kpi_activations');
COMMENT ON COLUMN kpi_definitions.activated_generation IS 'The generation in which it was last switched on.';
COMMENT ON COLUMN kpi_definitions.activation_id IS 'Names that activation: renewed whenever it is switched on.';

ALTER TABLE kpi_promotions ADD COLUMN generation bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN kpi_promotions.generation IS 'The catalogue''s generation that the change made.';
ALTER TABLE kpi_promotions ALTER COLUMN version DROP NOT NULL;
COMMENT ON COLUMN kpi_promotions.version IS 'What dashboards saw from then on; NULL: nothing.';

-- No version is asked for by default: a target without versions gets what is current, and nothing where nothing is.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'kpiline_compute') THEN
        GRANT USAGE ON SEQUENCE kpi_activations TO kpiline_compute;
        GRANT DELETE ON history_requests TO kpiline_compute;
    END IF;
END
$$;
