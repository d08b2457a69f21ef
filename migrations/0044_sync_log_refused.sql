-- kpiline: no transaction
-- Refusals in the log of deliveries, newest first, without reading all that was accepted. Built beside the writers.
CREATE INDEX CONCURRENTLY IF NOT EXISTS metric_sync_log_refused ON metric_sync_log (tenant, log_id) WHERE fate = 'rejected';
