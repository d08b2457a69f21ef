//! `ingest retention`: months that are old enough are dropped, whole, table by table; what is still needed stays and says why.
//!
//! One month a transaction, which waits for its locks a moment only and tries again later: the line goes on beside it, and no writer waits
//! behind it for longer than that moment. Whoever was interrupted runs the same command again. A month that gets a row later (late data, a
//! backfill) is made again, and goes at the next run.

mod report;

use crate::clock::now;
use crate::config::store_config;
use anyhow::Context as _;
use report::{Kept, Report};
use runtime::args::{OpsArgs, Output, PostgresArgs};
use runtime::{ExitWith, Problems, log};
use schema::UtcMicros;
use std::time::Duration;
use store::partitions::Table;
use store::retention::{self, InUse, Part};
use store::{Store, StoreConfig, StoreError, Transaction, sync};
use tokio::time::{Instant, sleep};

const DAY: Duration = Duration::from_secs(86_400);
/// What is kept at least: longer than a platform redelivers and than late records arrive; and of what is computed two whole months, which
/// those who compare one month with the one before read.
const EVENTS_MIN: Duration = DAY.saturating_mul(35);
const COMPUTED_MIN: Duration = DAY.saturating_mul(62);
/// An entry may be needed for a day, as deliver's own flag has it.
const SYNC_LOG_MIN: Duration = DAY;
/// Between two tries at a month that somebody was in the way of.
const AGAIN: Duration = Duration::from_millis(500);
/// Rows of the sync log deleted in one transaction.
const ROWS_AT_ONCE: u32 = 10_000;
/// How the exit code says that something was kept.
const KEPT: u8 = 3;

/// Flags of `retention`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("ages").required(true).multiple(true).args(["events", "metrics", "windows", "intervals", "sync_log"]))]
pub struct RetentionArgs {
    /// How long events are kept (`event_log`), from the end of their month; 35 days at least. What is gone cannot be replayed, and a copy
    /// of it that comes still later counts as new
    #[arg(long, value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    events: Option<Duration>,

    /// How long values of interactions, legs and journeys are kept (`computed_metrics`), of all versions; 62 days at least
    #[arg(long, value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    metrics: Option<Duration>,

    /// How long windows are kept (`window_metrics`), of all versions; 62 days at least, and longer than any feed's `correct_for`
    #[arg(long, value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    windows: Option<Duration>,

    /// How long agents' time is kept (`interval_states`); 62 days at least
    #[arg(long, value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    intervals: Option<Duration>,

    /// How long attempts at deliveries are kept (`metric_sync_log`, `metric_sync_requests`); a day at least. deliver does the same by its
    /// --deliver-log-retention
    #[arg(long, value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    sync_log: Option<Duration>,

    /// Say what would be dropped and what would be kept, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// End with exit code 3 where something old enough was kept
    #[arg(long)]
    fail_on_kept: bool,

    /// The longest wait for a lock; writers of that table may wait as long behind it
    #[arg(long, default_value = "1500ms", value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    lock_timeout: Duration,

    /// How long to try again where somebody holds a lock for longer; then the month stays until the next run
    #[arg(long, default_value = "2m", value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    wait: Duration,

    /// How to print the report; on a terminal text, else JSON
    #[arg(long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,

    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    ops: OpsArgs,
}

/// What all steps need.
struct Work {
    store: Store,
    dry_run: bool,
    lock_timeout: Duration,
    wait: Duration,
}

/// What became of one month.
enum Fate {
    Dropped,
    Gone,
    Kept(Vec<InUse>),
}

/// Does what the command line says.
pub async fn run(args: RetentionArgs) -> anyhow::Result<()> {
    let mut problems = Problems::new();
    let postgres = args.postgres.resolve(&mut problems);
    args.ops.resolve(&mut problems);
    args.check(&mut problems);
    problems.into_result()?;
    log::init(&args.ops);
    let store = Store::connect(StoreConfig {
        whole_tables: true,
        ..store_config(&postgres, "kpiline ingest retention")
    })
    .await?;
    let work = Work {
        store,
        dry_run: args.dry_run,
        lock_timeout: args.lock_timeout,
        wait: args.wait,
    };
    let mut report = Report::new(args.dry_run);
    for (table, _, age) in args.ages() {
        if let Some(age) = age {
            work.table(table, age, &mut report)
                .await
                .with_context(|| format!("retention of {}", table.name()))?;
        }
    }
    if let Some(age) = args.sync_log {
        work.sync_log(age, &mut report)
            .await
            .context("retention of the sync log")?;
    }
    report.write(args.output)?;
    if args.fail_on_kept && !report.kept.is_empty() {
        let text = format!("{} months that are old enough were kept", report.kept.len());
        return Err(ExitWith::new(KEPT, text).into());
    }
    Ok(())
}

impl RetentionArgs {
    /// Each table's age, with the least that is allowed.
    fn ages(&self) -> [(Table, (&'static str, Duration), Option<Duration>); 4] {
        [
            (Table::EventLog, ("--events", EVENTS_MIN), self.events),
            (
                Table::ComputedMetrics,
                ("--metrics", COMPUTED_MIN),
                self.metrics,
            ),
            (
                Table::WindowMetrics,
                ("--windows", COMPUTED_MIN),
                self.windows,
            ),
            (
                Table::IntervalStates,
                ("--intervals", COMPUTED_MIN),
                self.intervals,
            ),
        ]
    }

    fn check(&self, problems: &mut Problems) {
        let ages = self.ages().map(|(_, flag, age)| (flag, age));
        let sync_log = (("--sync-log", SYNC_LOG_MIN), self.sync_log);
        for ((name, least), age) in ages.into_iter().chain([sync_log]) {
            if age.is_some_and(|age| age < least) {
                problems.push(format!(
                    "{name}: allowed are {} days and more",
                    least.as_secs() / DAY.as_secs()
                ));
            }
        }
    }
}

impl Work {
    /// All months of a table that ended so long ago.
    async fn table(
        &self,
        table: Table,
        age: Duration,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let before = earlier(now(), age);
        let parts = retention::parts_before(&self.store.client().await?, table, before).await?;
        for part in parts {
            match self.part(table, &part).await? {
                Fate::Dropped => report.dropped.push((table, part)),
                Fate::Gone => {}
                Fate::Kept(reasons) => report.kept.push(Kept {
                    table,
                    part,
                    reasons,
                }),
            }
        }
        Ok(())
    }

    async fn part(&self, table: Table, part: &Part) -> Result<Fate, StoreError> {
        let patience = Instant::now() + self.wait;
        let mut reasons = self.in_use(table, part).await?;
        while reasons.is_empty() {
            if self.dry_run {
                return Ok(Fate::Dropped);
            }
            match self.drop_part(table, part).await {
                Ok(true) => return Ok(Fate::Dropped),
                Ok(false) => return Ok(Fate::Gone),
                // Looked at again: the reasons are said one by one there.
                Err(error) if retention::is_needed(&error) => {
                    reasons = self.in_use(table, part).await?;
                }
                Err(error) if !retention::is_busy(&error) => return Err(error),
                Err(_) if Instant::now() < patience => {}
                Err(_) => reasons.push(InUse {
                    reason: "busy".to_owned(),
                    detail: format!(
                        "somebody held a lock on it for longer than {:?}, such as a long query",
                        self.wait
                    ),
                }),
            }
            if reasons.is_empty() {
                sleep(AGAIN).await;
            }
        }
        Ok(Fate::Kept(reasons))
    }

    async fn in_use(&self, table: Table, part: &Part) -> Result<Vec<InUse>, StoreError> {
        retention::in_use(&self.store.client().await?, table, part).await
    }

    async fn drop_part(&self, table: Table, part: &Part) -> Result<bool, StoreError> {
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let dropped = retention::drop_part(&tx, table, part, self.lock_timeout).await?;
        tx.commit().await?;
        Ok(dropped)
    }

    /// Entries of the sync log that are so old, a few thousand a transaction.
    async fn sync_log(&self, age: Duration, report: &mut Report) -> Result<(), StoreError> {
        if self.dry_run {
            return Ok(());
        }
        let before = earlier(now(), age);
        let mut client = self.store.client().await?;
        let (mut entries, mut requests) = (0, 0);
        loop {
            let tx = client.transaction().await?;
            let some = sync::prune_log(&tx, before, ROWS_AT_ONCE).await?;
            deleted(tx, "metric_sync_log", before, some).await?;
            entries += some;
            if some < u64::from(ROWS_AT_ONCE) {
                break;
            }
        }
        loop {
            let tx = client.transaction().await?;
            let some = sync::prune_requests(&tx, before, ROWS_AT_ONCE).await?;
            deleted(tx, "metric_sync_requests", before, some).await?;
            requests += some;
            if some < u64::from(ROWS_AT_ONCE) {
                break;
            }
        }
        report.sync_log = Some((entries, requests));
        Ok(())
    }
}

/// Ends a deletion with its proof.
async fn deleted(
    tx: Transaction<'_>,
    table: &str,
    before: UtcMicros,
    rows: u64,
) -> Result<(), StoreError> {
    if rows > 0 {
        retention::note_deleted(&tx, table, before, rows).await?;
    }
    tx.commit().await
}

fn earlier(at: UtcMicros, by: Duration) -> UtcMicros {
    let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    UtcMicros(at.0.saturating_sub(by))
}

#[cfg(test)]
mod tests {
    use crate::config::Cli;
    use clap::Parser as _;

    fn problems(arguments: &[&str]) -> Vec<String> {
        let all = ["ingest", "retention"].iter().chain(arguments);
        let cli = Cli::try_parse_from(all).unwrap();
        let Some(crate::config::Command::Retention(args)) = cli.command else {
            panic!("not a retention");
        };
        let mut problems = runtime::Problems::new();
        args.check(&mut problems);
        problems.list().to_vec()
    }

    #[test]
    fn ages_have_a_least_and_one_must_be_stated() {
        assert!(Cli::try_parse_from(["ingest", "retention"]).is_err());
        assert!(
            problems(&[
                "--events",
                "400days",
                "--metrics",
                "3y",
                "--sync-log",
                "1day"
            ])
            .is_empty()
        );
        let found = problems(&[
            "--events",
            "34days",
            "--windows",
            "61days",
            "--sync-log",
            "1h",
        ]);
        assert_eq!(
            found,
            [
                "--events: allowed are 35 days and more",
                "--windows: allowed are 62 days and more",
                "--sync-log: allowed are 1 days and more"
            ]
        );
    }
}
