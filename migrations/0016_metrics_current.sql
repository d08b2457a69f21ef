-- What a dashboard needs to trust a number, beside the number. The interaction is joined by its primary key and from the left: a query
-- that does not ask for settled does not read it at all.
CREATE OR REPLACE VIEW metrics_current AS
SELECT m.tenant, m.interaction_id, m.metric_type, m.metric_version, m.leg_scope, m.timestamp_utc, m.agent_id, m.queue_id,
       m.metric_value, k.unit, m.metadata, m.partition_at, m.revision, m.created_at, m.updated_at,
       m.metadata ->> 'reason' AS reason, m.provenance, i.settled_at IS NOT NULL AS settled
FROM computed_metrics m
JOIN kpi_definitions k ON k.name = m.metric_type AND k.version = m.metric_version AND k.status = 'current'
LEFT JOIN interactions i ON i.tenant = m.tenant AND i.interaction_id = m.interaction_id;
COMMENT ON VIEW metrics_current IS 'Every KPI in its current version; another is made current in one transaction.';
COMMENT ON COLUMN metrics_current.reason IS 'Why there is no value, or why it is the zero that the definition asks for. NULL: the value was computed.';
COMMENT ON COLUMN metrics_current.settled IS 'The interaction has ended (or was given up), its wrap-up grace is over, and it has had no news since.';
