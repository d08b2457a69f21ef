//! The names of all metrics, with their labels and help. A name that is not here cannot be recorded.
//!
//! Each name is exported with `kpiline_` before it, and counters with `_total` behind it. Label values come from closed sets (outcomes,
//! stages, configured targets), never from ids. A name is never renamed or given a new meaning: dashboards read them.

/// What a metric is called and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// The name without prefix and suffix.
    pub name: &'static str,
    /// The labels every series of it has.
    pub labels: &'static [&'static str],
    /// One sentence for the reader of a dashboard.
    pub help: &'static str,
}

macro_rules! names {
    ($(#[$doc:meta])* $kind:ident { $($variant:ident $name:literal [$($label:literal),*] $help:literal)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $kind {
            $(#[doc = $help] $variant,)*
        }

        impl $kind {
            /// All names of this kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name, labels and help.
            #[must_use]
            pub const fn describe(self) -> Description {
                match self {
                    $(Self::$variant => Description { name: $name, labels: &[$($label),*], help: $help },)*
                }
            }
        }
    };
}

names! {
    /// Counts that only rise.
    Counter {
        IngestDeliveries "ingest_deliveries" ["outcome"] "HTTP deliveries answered, by outcome"
        IngestBodies "ingest_bodies" ["protocol", "encoding"] "Bodies of accepted deliveries, by protocol and content coding (`several`: one in another)"
        IngestTlsHandshakes "ingest_tls_handshakes" ["outcome"] "TLS handshakes of senders: done, failed or late"
        IngestEvents "ingest_events" ["result"] "Events decided by normalise: logged, duplicate, quarantined or ignored"
        IngestRevisions "ingest_revisions" [] "Events logged that this process had met with other content before"
        IngestDuplicatesSpared "ingest_duplicates_spared" [] "Copies recognised from memory, without asking the database"
        IngestSuspects "ingest_suspects" [] "Deliveries whose very bytes had been accepted before; they wait behind fresh ones"
        ComputeEvents "compute_events" [] "Facts folded into sessions, repeats included"
        ComputeSessions "compute_sessions" [] "Sessions folded, once a batch each"
        ComputeDeferred "compute_deferred" [] "Interactions folded in a storm of which only critical definitions were evaluated at once"
        ComputeCaughtUp "compute_caught_up" [] "Interactions of which everything that a storm had deferred was evaluated"
        ComputeMetricsWritten "compute_metrics_written" [] "Metric rows inserted or really changed"
        ComputeMetricsUnchanged "compute_metrics_unchanged" [] "Metric rows evaluated and found as they were"
        ComputeSwept "compute_swept" [] "Open interactions given up as incomplete"
        ComputeSettled "compute_settled" [] "Interactions settled: ended, and their wrap-up grace is over"
        WindowCells "window_cells" [] "Quarter hours of windows computed"
        WindowMetricsWritten "window_metrics_written" [] "Rows of windows inserted, really changed or deleted"
        AgentDays "agent_days" [] "Days of agents' time computed"
        AgentIntervalsWritten "agent_intervals_written" [] "Intervals of agents' time inserted, really changed or deleted"
        JourneyCustomers "journey_customers" [] "Customers whose contacts were evaluated together"
        JourneyMetricsWritten "journey_metrics_written" [] "Metric rows of journeys inserted or really changed"
        DeliverRows "deliver_rows" ["fate"] "Rows settled, by fate"
        DeliverRequests "deliver_requests" ["target", "outcome"] "Push requests answered or failed, by target and outcome"
        FeedIntervals "feed_intervals" ["feed", "outcome"] "Intervals of feeds decided: sent, corrected, again (the same file once more), unchanged, empty or failed"
        ApiRequests "api_requests" ["route", "status"] "Requests to the read API and the status page, by route and status"
        BackfillItems "backfill_items" [] "Items published by backfill jobs"
        BackfillCalls "backfill_calls" ["platform", "route", "status"] "Requests for history, by platform, route and status (`none`: no answer)"
        BackfillPages "backfill_pages" ["source"] "Pages of history that were confirmed, by source"
        BackfillRecords "backfill_records" ["source"] "Records in them"
        BackfillBytes "backfill_bytes" ["source"] "Bytes of them"
        BackfillFailures "backfill_failures" ["source"] "Steps of chunks that failed and are tried again, by source"
        BackfillCheckpointFailures "backfill_checkpoint_failures" ["source", "outcome"] "Times that how far history is fetched could not be saved, by source and what came of it: retried, paused (the job), ended (the process)"
        BackfillGivenBack "backfill_given_back" ["reason"] "Chunks given back because they had to wait, by what for; `live_work`: for a lane that makes room"
        BackfillChunksReopened "backfill_chunks_reopened" [] "Chunks fetched anew because records were missing"
        BackfillRecordsMissing "backfill_records_missing" [] "Records that a platform counts and that did not arrive, however often they were fetched"
        BackfillNotices "backfill_notices" ["outcome"] "Refresh notices: queued, posted, given_up"
        Quarantine "quarantine" ["stage"] "Items put into quarantine, by stage"
        StoreRetry "store_retry" ["class"] "Batches tried again because of the store, by class of error"
        BrokerReconnects "broker_reconnects" [] "Broker connections lost and opened again"
    }
}

names! {
    /// Values that rise and fall.
    Gauge {
        Up "up" ["binary", "version"] "1 while the process runs"
        BrokerBlocked "broker_blocked" [] "1 while the broker refuses publishes because of an alarm"
        ReplayCacheEvents "replay_cache_events" [] "Events remembered as logged, so that their copies cost no look at the database"
        ReceiveMemoryBytes "receive_memory_bytes" [] "Bytes of bodies in memory, of at most --receive-memory-max"
        ReceiveMemoryPeakBytes "receive_memory_peak_bytes" [] "The most bytes of bodies that were in memory at once since the start"
        KpiUnreadable "kpi_unreadable" [] "Switched-on KPI definitions that this release cannot read and does not compute"
        Storm "storm" ["state"] "1 for the state that this process behaves by, calm or storm, and 0 for the other"
        EventsWaitingFacts "events_waiting_facts" [] "Facts in the queues of the live lane, about, as one replica measured for all"
        EventsOldestSeconds "events_oldest_seconds" [] "How long the messages of the live lane that were taken lately had waited, at most, as that replica measured"
        DeferredEvaluations "deferred_evaluations" [] "Interactions that are still to be evaluated by definitions that a storm deferred"
        DeferredOldestSeconds "deferred_oldest_seconds" [] "For how long the first of them has waited"
        MarksWaiting "marks_waiting" ["kind"] "Marks that wait to be computed, by kind: cell (a quarter hour of windows), group, agent or journey"
        MarksOldestSeconds "marks_oldest_seconds" ["kind"] "For how long the oldest mark of a kind has waited"
        DeliverPending "deliver_pending" [] "Rows waiting to be pushed"
        DeliverFailing "deliver_failing" ["target"] "1 while more deliveries to a target fail than --deliver-failure-threshold allows"
        DeliverBreaker "deliver_breaker" ["target", "state"] "1 for the state that the breaker of a target is in: closed, open or half_open; 0 for the others"
        FeedWaiting "feed_waiting" ["feed"] "Intervals of a feed that wait to be sent"
        FeedOldestSeconds "feed_oldest_seconds" ["feed"] "For how long the first of them has waited"
        SubscriptionState "subscription_state" ["subscription", "state"] "1 for the state that a subscription is in: unknown, ok, quiet, disabled or missing; 0 for the others"
        SubscriptionLastEventSeconds "subscription_last_event_seconds" ["subscription"] "Since the newest delivery of a subscription was received"
        PlatformState "platform_state" ["tenant", "platform", "state"] "1 for the state that a platform's numbers are in: live, syncing, stale or maintenance; 0 for the others"
        PlatformLagSeconds "platform_lag_seconds" ["tenant", "platform"] "How far behind now a platform's numbers are, as far as anything tells"
        PlatformCountGap "platform_count_gap" ["tenant", "platform"] "Interactions that a platform counts and that are not here"
        AlertsInhibited "alerts_inhibited" ["tenant", "platform"] "1 while alerts on business KPIs mean nothing, because a platform's numbers are not to be trusted"
        QueueMessages "queue_messages" ["queue"] "Messages that wait in a queue of the broker, as a deliver sees them"
        Health "health" ["measure", "scope"] "What the view pipeline_health says, by measure and scope; those that call for somebody"
        DatabaseBytes "database_bytes" [] "Size of the database"
        DatabaseConnections "database_connections" [] "Connections to the database's server, everybody's"
        DatabaseConnectionsMax "database_connections_max" [] "How many the server allows"
        MonthsAhead "months_ahead" ["table"] "Months after the present one that have a partition, without a gap; -1: not even the present one has"
        MonthsKept "months_kept" ["table"] "Months up to the present one that have a partition"
        LookedAtSeconds "looked_at_seconds" ["of"] "When what the gauges from queue_messages to months_kept say was last read, as a Unix time, of the store and of the queues"
        BackfillJobsActive "backfill_jobs_active" [] "Backfill jobs this process works on"
        BackfillLanesBusy "backfill_lanes_busy" [] "Lanes of this process that work on a chunk"
        BackfillWaiting "backfill_waiting" ["reason"] "1 while history waits for the line, by what for: history_queue, facts_queue, live_queue, live_facts, storm, freshness, broker or store"
        BackfillBreaker "backfill_breaker" ["platform", "state"] "1 for the state that a platform's breaker is in: closed, open or half_open; 0 for the others"
        BackfillFollowLagSeconds "backfill_follow_lag_seconds" ["platform", "source"] "How far behind now a followed source is fetched"
    }
}

names! {
    /// Distributions. Names that end in `_seconds` are durations, the others are counts.
    Histogram {
        IngestReceive "ingest_receive_seconds" [] "From the head of a delivery to its answer"
        IngestPublishBatch "ingest_publish_batch_deliveries" [] "Deliveries that shared a broker message"
        NormaliseBatch "normalise_batch_seconds" [] "One batch of normalise, from the first message to the acknowledgement"
        ComputeBatch "compute_batch_seconds" [] "One batch of compute, from the first message to the acknowledgement"
        ComputeBatchEvents "compute_batch_events" [] "Facts in one batch of compute"
        EventToMetric "event_to_metric_seconds" [] "From the newest fact of a metric to its commit"
        WindowRound "window_round_seconds" [] "One round of windows for one organisation"
        DeliverPush "deliver_push_seconds" [] "One push request"
        DeliverLatency "deliver_latency_seconds" ["target"] "From when a value could have been sent (changed, or settled where the target waits for that) to its acceptance"
        FeedSend "feed_send_seconds" [] "Sending one file of a feed"
        ApiRequest "api_request_seconds" ["route"] "One request to the read API or the status page, from its head to its answer"
        BackfillCallTime "backfill_call_seconds" ["platform", "route"] "One request for history, from sending to the last byte"
        BackfillBudgetWait "backfill_budget_wait_seconds" ["platform"] "How long a request for history waited for its turn within the credential's limit"
    }
}
