-- Ends that no source states: inferred from the legs, provisional until the platform's record confirms them.
--
-- Neither column rewrites the table. What is there already was stated. No index is needed: both are read with the rows of
-- `interactions_unsettled`, and neither is in its condition, so that updates stay on their page (HOT) as before.
ALTER TABLE interactions
    ADD COLUMN end_inferred          boolean NOT NULL DEFAULT false,
    ADD COLUMN confirmation_asked_at timestamptz;
COMMENT ON COLUMN interactions.end_inferred IS 'It has ended as far as its legs tell, and nobody states that yet.';
COMMENT ON COLUMN interactions.confirmation_asked_at IS 'When the platform''s record was asked for, to confirm an inferred end. Stays while the end is inferred.';
