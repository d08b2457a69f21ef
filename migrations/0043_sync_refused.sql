-- kpiline: no transaction
-- What platforms refused and waits for an operator, for those who look at it: little among much. Built beside the writers.
CREATE INDEX CONCURRENTLY IF NOT EXISTS sync_queue_refused ON sync_queue (row_id) WHERE state = 'rejected';
