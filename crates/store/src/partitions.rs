//! Months of partitions: made ahead, or on demand beside a batch, never inside its transaction.

mod month;

pub use month::Month;

use crate::error::StoreError;
use crate::pool::Store;
use schema::UtcMicros;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_postgres::Client;

/// How many months after the current one exist at least.
pub const MONTHS_AHEAD: u32 = 3;

/// 2000-01-01T00:00:00Z: what is dated earlier is refused.
const FIRST: UtcMicros = UtcMicros(946_684_800_000_000);

/// An instant later than this from now is refused: a week is what normalise lets pass, the rest is for clocks that differ.
const AHEAD_MAX_DAYS: i64 = 31;

const DAY: i64 = 86_400_000_000;

/// A table that is partitioned by month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// `event_log`, by the event's own instant.
    EventLog,
    /// `computed_metrics`, by the interaction's partition instant.
    ComputedMetrics,
    /// `window_metrics`, by the window's start.
    WindowMetrics,
    /// `interval_states`, by the interval's start.
    IntervalStates,
}

impl Table {
    /// What a row may be dated by. Around those of interactions, windows begin up to a month and some hours
    /// earlier, and who looks for the windows around an instant looks as far ahead.
    fn plausible(self) -> RangeInclusive<UtcMicros> {
        let around = match self {
            Self::WindowMetrics => 62 * DAY,
            Self::EventLog | Self::ComputedMetrics | Self::IntervalStates => 0,
        };
        let latest = now().0.saturating_add(AHEAD_MAX_DAYS * DAY + around);
        UtcMicros(FIRST.0 - around)..=UtcMicros(latest)
    }

    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::EventLog,
        Self::ComputedMetrics,
        Self::WindowMetrics,
        Self::IntervalStates,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EventLog => "event_log",
            Self::ComputedMetrics => "computed_metrics",
            Self::WindowMetrics => "window_metrics",
            Self::IntervalStates => "interval_states",
        }
    }
}

/// The months known to exist, and the means to make others. Share one in a process.
#[derive(Debug, Clone)]
pub struct Partitions {
    store: Store,
    known: Arc<Mutex<BTreeSet<(Table, Month)>>>,
}

impl Partitions {
    /// Knows nothing yet.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            known: Arc::default(),
        }
    }

    /// Makes sure that the months of these instants exist. Call it before the batch's transaction begins: one that has touched the table
    /// already does not see a month made since.
    ///
    /// Costs nothing when all are known. Otherwise the missing ones are made on a connection outside the pool. An implausible instant
    /// is [`StoreError::Implausible`], class `Rejected`; months of instants before it in the sequence may have been made.
    pub async fn ensure(
        &self,
        table: Table,
        instants: impl IntoIterator<Item = UtcMicros>,
    ) -> Result<(), StoreError> {
        let missing = self.missing(table, instants)?;
        if missing.is_empty() {
            return Ok(());
        }
        let client = self.store.single().await?;
        for month in missing {
            tokio::time::timeout(self.store.deadline(), create(&client, table, month))
                .await
                .map_err(|_| StoreError::Deadline {
                    step: STEP,
                    within_ms: self.store.deadline().as_millis(),
                })??;
            self.lock().insert((table, month));
        }
        Ok(())
    }

    /// Makes sure that the current month and so many after it exist, for all tables. Returns how many were made.
    pub async fn ensure_ahead(&self, months: u32) -> Result<usize, StoreError> {
        let client = self.store.single().await?;
        tokio::time::timeout(self.store.deadline(), create_ahead(&client, months))
            .await
            .map_err(|_| StoreError::Deadline {
                step: STEP,
                within_ms: self.store.deadline().as_millis(),
            })?
    }

    /// Forgets what is known to exist: after [`StoreError::is_missing_partition`], because retention dropped a month.
    pub fn forget(&self) {
        self.lock().clear();
    }

    fn missing(
        &self,
        table: Table,
        instants: impl IntoIterator<Item = UtcMicros>,
    ) -> Result<BTreeSet<Month>, StoreError> {
        let plausible = table.plausible();
        let mut missing = BTreeSet::new();
        let mut last: Option<Month> = None;
        let known = self.lock();
        for instant in instants {
            // Batches are mostly of one month: most instants cost two comparisons.
            if plausible.contains(&instant) && last.is_some_and(|month| month.contains(instant)) {
                continue;
            }
            let month = Month::of(instant)
                .filter(|_| plausible.contains(&instant))
                .ok_or(StoreError::Implausible { instant })?;
            if !known.contains(&(table, month)) {
                missing.insert(month);
            }
            last = Some(month);
        }
        Ok(missing)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<(Table, Month)>> {
        // The set is whole after every operation, whoever panicked beside it.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a row at this instant can be stored: from the year 2000 to about a month ahead of now.
pub fn is_plausible(instant: UtcMicros) -> bool {
    Table::EventLog.plausible().contains(&instant)
}

const STEP: &str = "make a month of partitions";

/// Makes one month; `false` if it was there.
async fn create(client: &Client, table: Table, month: Month) -> Result<bool, StoreError> {
    let row = client
        .query_one(
            "SELECT ensure_month($1::text, $2::text::date)",
            &[&table.name(), &month.first_day()],
        )
        .await
        .map_err(|source| StoreError::query(STEP, source))?;
    Ok(row.get(0))
}

/// Makes the current month and so many after it, for all tables.
pub(crate) async fn create_ahead(client: &Client, months: u32) -> Result<usize, StoreError> {
    let mut made = 0;
    let mut month = Month::of(now()).ok_or(StoreError::Implausible { instant: now() })?;
    for _ in 0..=months {
        for table in Table::ALL {
            made += usize::from(create(client, table, month).await?);
        }
        month = month.next();
    }
    Ok(made)
}

fn now() -> UtcMicros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
