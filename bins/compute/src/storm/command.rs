//! `compute storm`: how it stands, and a person's order.

use super::report::{COMPONENT, Report};
use super::{effective, monitor};
use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use runtime::Problems;
use runtime::args::PostgresArgs;
use schema::UtcMicros;
use std::io::Write;
use std::time::Duration;
use store::storm::{self, Mode, StormState};
use store::{Store, StoreConfig, deferred, migrate, status};

/// The flags of `compute storm`: one of its commands.
#[derive(Debug, Args)]
pub struct StormArgs {
    #[command(subcommand)]
    command: StormCommand,
}

/// What can be done about a storm.
#[derive(Debug, Subcommand)]
enum StormCommand {
    /// Is there a storm, why, since when, and what is still to be caught up?
    Status(StatusArgs),
    /// Behave as in a storm: terminal events and critical KPIs first, the rest later. All replicas follow within seconds
    On(OrderArgs),
    /// Behave as in calm, whatever waits
    Off(OrderArgs),
    /// Take back what was ordered: what waits in the queues decides
    Auto(AutoArgs),
}

/// Flags of `status`.
#[derive(Debug, Args)]
struct StatusArgs {
    #[command(flatten)]
    postgres: PostgresArgs,

    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Flags of `on` and `off`.
#[derive(Debug, Args)]
struct OrderArgs {
    #[command(flatten)]
    postgres: PostgresArgs,

    /// For so long, then what waits in the queues decides again; without it until `compute storm auto`
    #[arg(long = "for", value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    for_: Option<Duration>,
}

/// Flags of `auto`.
#[derive(Debug, Args)]
struct AutoArgs {
    #[command(flatten)]
    postgres: PostgresArgs,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One fact a line.
    Text,
    /// One object.
    Json,
}

/// Runs the command; the answer goes to standard output.
pub async fn run(args: &StormArgs) -> anyhow::Result<()> {
    answer(args, &mut std::io::stdout()).await
}

/// Like [`run`], to any writer.
pub async fn answer(args: &StormArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.command {
        StormCommand::Status(args) => {
            let store = open(&args.postgres).await?;
            tell(&store, args.output, out).await
        }
        StormCommand::On(args) => order(args, Mode::Storm, out).await,
        StormCommand::Off(args) => order(args, Mode::Calm, out).await,
        StormCommand::Auto(args) => {
            let store = open(&args.postgres).await?;
            storm::order(&store.client().await?, None, None).await?;
            tell(&store, Output::Text, out).await
        }
    }
}

async fn order(args: &OrderArgs, mode: Mode, out: &mut dyn Write) -> anyhow::Result<()> {
    let store = open(&args.postgres).await?;
    storm::order(&store.client().await?, Some(mode), args.for_).await?;
    tell(&store, Output::Text, out).await
}

async fn open(args: &PostgresArgs) -> anyhow::Result<Store> {
    let mut problems = Problems::new();
    let postgres = args.resolve(&mut problems);
    problems.into_result()?;
    let store = Store::connect(StoreConfig {
        pool_max: 1,
        acquire_timeout: postgres.acquire_timeout,
        statement_timeout: postgres.statement_timeout,
        whole_tables: true,
        ..StoreConfig::new(&postgres.url, "kpiline compute storm")
    })
    .await?;
    if !migrate::state(&store).await?.ready {
        bail!("the schema is not the one of this release; run `compute migrate` first");
    }
    Ok(store)
}

/// A replica, as it says itself.
struct Replica {
    name: String,
    report: Report,
    silent_seconds: i64,
}

async fn tell(store: &Store, output: Output, out: &mut dyn Write) -> anyhow::Result<()> {
    let client = store.client().await?;
    let mut state = storm::read(&client).await?;
    // Counted now: the holder of the lease does so only now and then.
    state.deferred = deferred::backlog(&client).await?;
    let replicas: Vec<Replica> = status::list(&client)
        .await?
        .into_iter()
        .filter(|said| said.component == COMPONENT)
        .filter_map(|said| {
            Some(Replica {
                report: serde_json::from_str(&said.status_json).ok()?,
                silent_seconds: seconds(said.updated_at, state.now),
                name: said.instance,
            })
        })
        .collect();
    match output {
        Output::Text => text(&state, &replicas, out)?,
        Output::Json => json(&state, &replicas, out)?,
    }
    out.flush()?;
    Ok(())
}

fn text(state: &StormState, replicas: &[Replica], out: &mut dyn Write) -> std::io::Result<()> {
    let now = state.now;
    let ago = |at: UtcMicros| monitor::words(since(at, now));
    writeln!(out, "mode       {}", effective(state).as_str())?;
    match &state.order {
        None => writeln!(out, "ordered    nothing; what waits in the queues decides")?,
        Some(order) => {
            let until = match order.until {
                None => "until `compute storm auto`".to_owned(),
                Some(until) if until > now => format!("until {until}"),
                Some(until) => format!("until {until}, which is over"),
            };
            let mode = order.mode.as_str();
            writeln!(out, "ordered    {mode}, {} ago, {until}", ago(order.at))?;
        }
    }
    let mode = state.mode.as_str();
    writeln!(
        out,
        "measured   {mode} since {}{}",
        state.since,
        why(&state.reason)
    )?;
    match state.observed_at {
        None => writeln!(out, "looked     never: does a compute run?")?,
        Some(at) => writeln!(out, "looked     {} ago", ago(at))?,
    }
    writeln!(
        out,
        "waiting    {} messages, about {} facts{}",
        state.waiting_messages,
        state.waiting_facts,
        state
            .oldest_seconds
            .map_or_else(String::new, |seconds| format!(
                "; those taken lately had waited {seconds:.1}s"
            ))
    )?;
    writeln!(
        out,
        "deferred   {} interactions{}",
        state.deferred.interactions,
        state
            .deferred
            .since
            .map_or_else(String::new, |at| format!(", the first {} ago", ago(at)))
    )?;
    for replica in replicas {
        let Replica {
            name,
            report,
            silent_seconds,
        } = replica;
        writeln!(
            out,
            "replica    {name}: {}, release {}, heard of {silent_seconds}s ago",
            report.mode, report.version
        )?;
    }
    Ok(())
}

fn why(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    }
}

fn json(state: &StormState, replicas: &[Replica], out: &mut dyn Write) -> anyhow::Result<()> {
    let replicas: Vec<_> = replicas
        .iter()
        .map(|replica| {
            serde_json::json!({
                "name": replica.name,
                "silent_seconds": replica.silent_seconds,
                "mode": replica.report.mode,
                "lag_seconds": replica.report.lag_seconds,
                "version": replica.report.version,
            })
        })
        .collect();
    let order = state.order.map(|order| {
        serde_json::json!({
            "mode": order.mode.as_str(),
            "at": order.at.to_string(),
            "until": order.until.map(|until| until.to_string()),
        })
    });
    let answer = serde_json::json!({
        "mode": effective(state).as_str(),
        "ordered": order,
        "measured": {
            "mode": state.mode.as_str(),
            "since": state.since.to_string(),
            "reason": state.reason,
            "observed_at": state.observed_at.map(|at| at.to_string()),
        },
        "waiting_messages": state.waiting_messages,
        "waiting_facts": state.waiting_facts,
        "oldest_seconds": state.oldest_seconds,
        "deferred": state.deferred.interactions,
        "deferred_since": state.deferred.since.map(|at| at.to_string()),
        "replicas": replicas,
    });
    writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
    Ok(())
}

fn since(at: UtcMicros, now: UtcMicros) -> Duration {
    Duration::from_secs(u64::try_from(seconds(at, now)).unwrap_or_default())
}

fn seconds(at: UtcMicros, now: UtcMicros) -> i64 {
    now.0.saturating_sub(at.0) / 1_000_000
}
