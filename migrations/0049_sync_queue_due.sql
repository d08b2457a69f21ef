-- kpiline: no transaction
-- Rows are taken by lane since 0041, so nothing reads by this index any more, and every lease and every settled row wrote to it.
DROP INDEX CONCURRENTLY IF EXISTS sync_queue_due;
