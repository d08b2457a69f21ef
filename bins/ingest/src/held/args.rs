//! The flags of `quarantine`.

use crate::clock::now;
use clap::{Subcommand, ValueEnum};
use runtime::Problems;
use runtime::args::{AmqpArgs, OpsArgs, PostgresArgs, RawKeyArgs};
use schema::{DeliveryId, UtcMicros};
use store::quarantine::{Filter, Status};
use uuid::Uuid;

/// Where items fail.
const STAGES: [&str; 8] = [
    "envelope",
    "redelivered",
    "split",
    "map",
    "store",
    "publish",
    "compute",
    "backfill",
];

/// Flags of `quarantine`.
#[derive(Debug, clap::Args)]
pub struct QuarantineArgs {
    #[command(subcommand)]
    pub(super) command: QuarantineCommand,
}

/// The subcommands of `quarantine`.
#[derive(Debug, Subcommand)]
pub(super) enum QuarantineCommand {
    /// List items, or count them by what is wrong with them
    List(ListArgs),
    /// Show one item whole
    Show(ShowArgs),
    /// Put held items back to be processed again, after the cause has been removed
    Release(Box<ReleaseArgs>),
    /// Say that held items are not wanted; the rows stay, marked
    Discard(DiscardArgs),
}

/// Flags of `list`.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// What became of them
    #[arg(long, value_enum, default_value = "held", value_name = "STATUS")]
    pub(super) status: StatusArg,
    /// Count them by tenant, subscription, stage and what is wrong; values do not make groups of their own
    #[arg(long)]
    pub(super) counts: bool,
    /// Only items with a greater number: the next page begins behind the last number of this one
    #[arg(
        long,
        default_value_t = 0,
        value_name = "NUMBER",
        conflicts_with = "counts"
    )]
    pub(super) after: i64,
    /// At most so many items or groups
    #[arg(long, default_value_t = 100, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) limit: u32,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) postgres: PostgresArgs,
    #[command(flatten)]
    pub(super) ops: OpsArgs,
}

/// Flags of `show`.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// Its number
    pub(super) number: i64,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) raw_keys: RawKeyArgs,
    #[command(flatten)]
    pub(super) postgres: PostgresArgs,
    #[command(flatten)]
    pub(super) ops: OpsArgs,
}

/// Flags of `release`.
#[derive(Debug, clap::Args)]
pub(super) struct ReleaseArgs {
    #[command(flatten)]
    pub(super) meant: MeantArgs,
    #[command(flatten)]
    pub(super) raw_keys: RawKeyArgs,
    #[command(flatten)]
    pub(super) postgres: PostgresArgs,
    #[command(flatten)]
    pub(super) amqp: AmqpArgs,
    #[command(flatten)]
    pub(super) ops: OpsArgs,
}

/// Flags of `discard`.
#[derive(Debug, clap::Args)]
pub(super) struct DiscardArgs {
    #[command(flatten)]
    pub(super) meant: MeantArgs,
    #[command(flatten)]
    pub(super) postgres: PostgresArgs,
    #[command(flatten)]
    pub(super) ops: OpsArgs,
}

/// Which held items a command is to settle.
#[derive(Debug, clap::Args)]
pub(super) struct MeantArgs {
    /// Their numbers; with conditions, those of them that fulfil them
    #[arg(
        value_name = "NUMBER",
        required_unless_present = "all_matching",
        conflicts_with = "all_matching"
    )]
    numbers: Vec<i64>,
    /// All items that fulfil the conditions; needs at least one condition
    #[arg(long)]
    all_matching: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Conditions on items; all that are given must be fulfilled.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Which items")]
pub(super) struct FilterArgs {
    /// Of this tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Of this subscription
    #[arg(long, value_name = "NAME")]
    subscription: Option<String>,
    /// That failed at this stage
    #[arg(long, value_name = "STAGE", value_parser = STAGES)]
    stage: Option<String>,
    /// With this field at fault, as `list` shows it
    #[arg(long, value_name = "FIELD")]
    field: Option<String>,
    /// With this text in the reason
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Received at this instant or later: 2026-11-02T16:00:00Z, or 90m for ninety minutes ago
    #[arg(long, value_parser = moment, value_name = "INSTANT")]
    since: Option<UtcMicros>,
    /// Received before this instant
    #[arg(long, value_parser = moment, value_name = "INSTANT")]
    until: Option<UtcMicros>,
    /// Of this delivery
    #[arg(long, value_name = "ID")]
    delivery: Option<Uuid>,
    /// With this correlation id
    #[arg(long, value_name = "ID")]
    correlation: Option<String>,
}

/// What became of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StatusArg {
    /// They wait for a decision.
    Held,
    /// They were put back.
    Released,
    /// Nobody wants them.
    Discarded,
    /// Whatever it was.
    Any,
}

impl StatusArg {
    pub(super) const fn status(self) -> Option<Status> {
        match self {
            Self::Held => Some(Status::Held),
            Self::Released => Some(Status::Released),
            Self::Discarded => Some(Status::Discarded),
            Self::Any => None,
        }
    }
}

impl FilterArgs {
    /// The conditions.
    pub(super) fn filter(&self) -> Filter {
        Filter {
            tenant: self.tenant.clone(),
            subscription: self.subscription.clone(),
            stage: self.stage.clone(),
            field: self.field.clone(),
            reason: self.reason.clone(),
            since: self.since,
            until: self.until,
            delivery: self.delivery.map(DeliveryId),
            correlation: self.correlation.clone(),
            ..Filter::default()
        }
    }
}

impl MeantArgs {
    /// Notes what cannot be meant.
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.all_matching && !self.filter.filter().is_restrictive() {
            problems.push(
                "--all-matching: needs a condition (--tenant, --subscription, --stage, --field, --reason, --since, --until, \
                 --delivery, --correlation); one that everything fulfils is --since 2000-01-01T00:00:00Z",
            );
        }
    }

    /// The conditions, the numbers among them.
    pub(super) fn filter(&self) -> Filter {
        Filter {
            numbers: (!self.all_matching).then(|| self.numbers.clone()),
            ..self.filter.filter()
        }
    }

    /// The numbers that were given, each once; none where all that match are meant.
    pub(super) fn numbers(&self) -> Vec<i64> {
        let mut numbers = self.numbers.clone();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// How many items were named, where they were.
    pub(super) fn named(&self) -> Option<i64> {
        let count = i64::try_from(self.numbers.len()).unwrap_or(i64::MAX);
        (!self.all_matching).then_some(count)
    }
}

/// An instant, or how long ago it was.
fn moment(text: &str) -> Result<UtcMicros, String> {
    if let Some(at) = adapter::instant::parse(text) {
        return Ok(at);
    }
    let ago = runtime::args::positive_duration(text).map_err(|_| {
        "is neither an instant with a zone (2026-11-02T16:00:00Z) nor how long ago it was (90m, 2h, 3days)"
            .to_owned()
    })?;
    let micros = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
    Ok(UtcMicros(now().0.saturating_sub(micros)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_stated_or_some_time_ago() {
        assert_eq!(moment("1970-01-01T00:00:01Z"), Ok(UtcMicros(1_000_000)));
        let then = moment("2h").unwrap();
        let ago = now().0 - then.0;
        assert!((7_200_000_000..7_260_000_000).contains(&ago), "{ago}");
        for text in ["yesterday", "0s", "2026-11-02T16:00:00"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
