-- kpiline: no transaction
-- How many interactions began in a stretch, to compare with what a platform counts. Built beside the writers. When an interaction began changes
-- only when earlier facts of it come late, so that an update stays on its page (HOT) as before.
CREATE INDEX CONCURRENTLY IF NOT EXISTS interactions_begun ON interactions (tenant, started_at) WHERE started_at IS NOT NULL;
