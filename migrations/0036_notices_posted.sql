-- Which addresses took a notice: one that refuses has it posted again, and those that took it not.
ALTER TABLE backfill_notices ADD COLUMN posted_to uuid[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN backfill_notices.posted_to IS 'Digests of the addresses that took it; an address may hold a token.';
