-- kpiline: no transaction
-- The contacts of a customer in the order of their starts. Built beside the writers. Neither column changes once an interaction has begun and
-- its customer is known, so that an update stays on its page (HOT) as before; interactions without a customer are not in it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS interactions_contacts ON interactions (tenant, customer_key, started_at) WHERE customer_key IS NOT NULL;
