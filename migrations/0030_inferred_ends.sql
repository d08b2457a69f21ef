-- Ends that no source states: inferred from the legs, provisional until the platform's record confirms them.
--
-- No column rewrites the table. What is there already was stated. No index is needed: they are read with the rows of
-- `interactions_unsettled`, and none is in its condition, so that updates stay on their page (HOT) as before.
ALTER TABLE interactions
    ADD COLUMN end_inferred          boolean NOT NULL DEFAULT false,
    ADD COLUMN confirmation_asked_at timestamptz,
    ADD COLUMN had_ended             boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN interactions.end_inferred IS 'It has ended as far as its legs tell, and nobody states that yet.';
COMMENT ON COLUMN interactions.confirmation_asked_at IS 'When the platform''s record was asked for, to confirm an inferred end. Stays while the end is inferred.';
COMMENT ON COLUMN interactions.had_ended IS 'It was stored as ended once, by a stated or an inferred end: where it goes on, what was emitted then is to be taken back. False of what ended before the column was there; the state tells of stated ends.';
