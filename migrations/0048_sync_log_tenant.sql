-- kpiline: no transaction
-- The log of deliveries of one organisation, newest first, without reading those of all others. Built beside the writers.
CREATE INDEX CONCURRENTLY IF NOT EXISTS metric_sync_log_tenant ON metric_sync_log (tenant, log_id);
