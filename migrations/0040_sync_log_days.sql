-- kpiline: no transaction
-- What was last pushed of an agent's day. Built beside the writers: it reads the log once; none of it is in the index to begin with.
CREATE INDEX CONCURRENTLY IF NOT EXISTS metric_sync_log_day ON metric_sync_log (tenant, agent_id, workday, metric_type) WHERE workday IS NOT NULL;
