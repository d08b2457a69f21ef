-- kpiline: no transaction
-- The contacts of a customer in the order of their starts, ties included, so that the first few of a number that many share are found without
-- sorting all. Built beside the writers. No column of it changes once an interaction has begun and
-- its customer is known, so that an update stays on its page (HOT) as before; interactions without a customer are not in it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS interactions_contacts ON interactions (tenant, customer_key, started_at, interaction_id) WHERE customer_key IS NOT NULL;
