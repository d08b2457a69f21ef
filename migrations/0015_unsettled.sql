-- kpiline: no transaction
-- Open and unsettled interactions, for the sweeper and for settling. Built beside the writers: it reads the table twice, a few seconds a
-- million rows, and stops nobody. Holds what has not settled only, a small part of the table. Its columns never change, and its
-- condition changes once, when an interaction settles: until then an update stays on its page (HOT), the one that ends it included.
-- Of the instant alone: those that arrive together share one entry, so that an insert hardly pays for it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS interactions_unsettled ON interactions (created_at) WHERE settled_at IS NULL;
