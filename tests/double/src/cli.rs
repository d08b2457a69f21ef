//! The command line: five subcommands over the library.

mod history;
mod sink;

use anyhow::Context;
use bytes::Bytes;
use clap::{Parser, Subcommand, ValueEnum};
use double::bad::{Case, Kit};
use double::config::{Limit, RetryAfter, Script};
use double::emit::{self, Framing, Options, Retry};
use double::sign::Encoding;
use double::truth::Truth;
use double::workload::Workload;
use double::{Config, Double};
use serde_json::json;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Plays a contact-centre platform: the webhooks it sends, the pushes it takes, and everything that can go wrong with both.
///
/// A whole round by hand:
///
///   platform-double generate 2000 7 > events.jsonl
///   platform-double truth events.jsonl
///   platform-double serve --listen 127.0.0.1:9900 &
///   platform-double emit events.jsonl --url http://127.0.0.1:8080/hooks/demo --secret s3cret --retry
///   curl -s 127.0.0.1:9900/control/state
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Listen as both platforms: OAuth, access keys, custom reports, external metrics, data import.
    ///
    /// Prints one JSON line {"ready":true,"url":…} when it listens, and runs until it is ended. Steer it over HTTP:
    /// GET /control/state, table, requests, violations, history, history/calls; POST /control/faults, limit, poison, revoke,
    /// reset, history.
    Serve(Serve),
    /// Write a workload of awkward calls, one event a line, in order of arrival. Equal arguments give equal events.
    Generate {
        /// How many interactions.
        interactions: usize,
        /// The seed.
        seed: u64,
    },
    /// Say what must come of a file of the guide's events: counts and sum as one JSON line, or every value as CSV.
    Truth {
        /// The file, `-` for standard input.
        file: PathBuf,
        /// What to print.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Say what must come of a history that `serve --history` plays: a line of CSV a conversation, or the sums.
    HistoryTruth(history::TruthArgs),
    /// Write a history's Genesys records, one a line, as an export file has them.
    HistoryRecords(history::RecordsArgs),
    /// Send a file of events as signed webhooks, and print one JSON line of what came of it (with --redeliver, two).
    ///
    /// Ends with 1 when a body was not accepted.
    Emit(Box<Emit>),
    /// Listen and answer everything with 202: what `emit` can do at most on this machine.
    Sink {
        /// Where to listen; port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
    /// Send deliveries that are wrong in one way each, and print what each was answered. Ends with 1 when an answer is not due.
    Bad {
        /// How an honest sender would send.
        #[command(flatten)]
        wire: WireArgs,
        /// Only these (forged, unsigned, oversized, slow-body, content-type, …).
        #[arg(long = "case")]
        cases: Vec<String>,
        /// Bytes of an oversized body.
        #[arg(long, default_value_t = 16 << 20)]
        oversized: usize,
        /// How long to wait for an answer.
        #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
        patience: Duration,
    },
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// One line of counts and sum.
    #[default]
    Json,
    /// One line an interaction, seconds with three decimals.
    Csv,
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// Where to listen; port 0 takes a free one. Overrides the file's `listen`.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// A JSON file of everything it can be told; `{}` is a well-behaved platform with the documented limits.
    #[arg(long)]
    config: Option<PathBuf>,
    /// A JSON file of what the platforms remember of the past, which the history calls then tell; `{}` is half a million
    /// conversations in ninety days. Overrides the config's `history`.
    #[arg(long)]
    history: Option<PathBuf>,
    /// Requests a client may make in any --window.
    #[arg(long)]
    limit: Option<usize>,
    /// Length of the limit's window.
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    window: Duration,
    /// How Retry-After is written: seconds, date, alternating, absent.
    #[arg(long, default_value = "alternating", value_parser = retry_after)]
    retry_after: RetryAfter,
    /// A fault script as JSON: {"phases":[{"requests":20,"fault":{"kind":"status","status":429,"retry_after":1}}]}.
    #[arg(long, value_parser = |text: &str| serde_json::from_str::<Script>(text))]
    faults: Option<Script>,
    /// How long OAuth tokens live.
    #[arg(long, value_parser = humantime::parse_duration)]
    token_life: Option<Duration>,
}

#[derive(Debug, clap::Args)]
struct WireArgs {
    /// The webhook endpoint.
    #[arg(long)]
    url: String,
    /// The secret to sign with; without one, bodies go unsigned.
    #[arg(long)]
    secret: Option<String>,
    /// The signature's header.
    #[arg(long, default_value = "x-genesys-signature")]
    header: String,
    /// How the signature's bytes are written: hex or base64.
    #[arg(long, default_value = "hex", value_parser = encoding)]
    encoding: Encoding,
    /// What stands before the signature, such as `sha256=`.
    #[arg(long, default_value = "")]
    prefix: String,
}

#[derive(Debug, clap::Args)]
struct Emit {
    /// The events, one a line; `-` for standard input.
    file: PathBuf,
    #[command(flatten)]
    wire: WireArgs,
    /// Events in a body; several go as an array.
    #[arg(long, default_value_t = 1)]
    per_post: usize,
    /// One event a line instead of an array.
    #[arg(long)]
    ndjson: bool,
    /// Bodies a second at most.
    #[arg(long)]
    rate: Option<f64>,
    /// Connections, each with one body under way.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Send in an order drawn from this seed.
    #[arg(long)]
    shuffle_seed: Option<u64>,
    /// Share of the events to send twice.
    #[arg(long, default_value_t = 0.0)]
    duplicate_ratio: f64,
    /// Share of the events to send late.
    #[arg(long, default_value_t = 0.0)]
    late_ratio: f64,
    /// How many events later at most.
    #[arg(long, default_value_t = 100)]
    late_by: usize,
    /// Keep on until accepted, as an event bus does: on timeouts, broken connections, 429 and 5xx.
    #[arg(long)]
    retry: bool,
    /// Give a body up after this long.
    #[arg(long, default_value = "10m", value_parser = humantime::parse_duration)]
    give_up: Duration,
    /// How long an answer may take.
    #[arg(long, default_value = "5s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Then send everything again, in another order.
    #[arg(long)]
    redeliver: bool,
    /// Build and sign all bodies before the clock starts.
    #[arg(long)]
    prepare: bool,
}

impl WireArgs {
    fn options(&self) -> Options {
        Options {
            secret: self.secret.clone(),
            header: self.header.clone(),
            encoding: self.encoding,
            prefix: self.prefix.clone(),
            ..Options::to(&self.url, "")
        }
    }
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Serve(args) => serve(args).await,
        Command::Generate { interactions, seed } => {
            let file = Workload::new(interactions, seed).to_lines();
            write_out(&file)
        }
        Command::Truth { file, format } => {
            let events = emit::lines(read(&file)?);
            let truth = Truth::of(events.iter().map(|event| &event[..]));
            match format {
                Format::Json => print_line(&truth.totals()),
                Format::Csv => write_out(truth.csv().as_bytes()),
            }
        }
        Command::HistoryTruth(args) => history::tell(&args),
        Command::HistoryRecords(args) => history::write(&args),
        Command::Emit(args) => send(*args).await,
        Command::Sink { listen } => sink::serve(listen).await,
        Command::Bad {
            wire,
            cases,
            oversized,
            patience,
        } => {
            let mut kit = Kit::new(wire.options());
            kit.oversized = oversized;
            kit.patience = patience;
            misbehave(&kit, &cases).await
        }
    }
}

async fn serve(args: Serve) -> anyhow::Result<()> {
    let mut config = match &args.config {
        Some(path) => serde_json::from_slice(&read(path)?)
            .with_context(|| format!("{} is no configuration", path.display()))?,
        None => Config::default(),
    };
    if let Some(path) = &args.history {
        config.history = Some(history::read(path)?);
    }
    config.listen = args.listen.unwrap_or(config.listen);
    if let Some(requests) = args.limit {
        config.limit = Some(Limit {
            retry_after: args.retry_after,
            ..Limit::of(requests, args.window)
        });
    }
    if let Some(script) = args.faults {
        config.faults = script;
    }
    if let Some(life) = args.token_life {
        config.token.oauth_seconds = life.as_secs();
        config.token.access_key_seconds = life.as_secs();
    }
    let listen = config.listen;
    let import = config.cxone_import_path.clone();
    let double = Double::start(config)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    print_line(&json!({
        "ready": true, "url": double.url(), "address": double.address(),
        "token_path": "/oauth/token", "access_key_path": "/authentication/v1/token/access-key",
        "genesys_path": "/api/v2/analytics/datadefinitions/customreports",
        "external_metrics_path": "/api/v2/employeeperformance/externalmetrics/data", "cxone_path": import,
    }))?;
    double.run().await;
    Ok(())
}

async fn send(args: Emit) -> anyhow::Result<()> {
    let events = emit::lines(read(&args.file)?);
    let mut options = Options {
        per_post: args.per_post,
        framing: if args.ndjson {
            Framing::Lines
        } else {
            Framing::Json
        },
        rate: args.rate,
        connections: args.connections,
        shuffle_seed: args.shuffle_seed,
        duplicate_ratio: args.duplicate_ratio,
        late_ratio: args.late_ratio,
        late_by: args.late_by,
        prepare: args.prepare,
        timeout: args.timeout,
        retry: args.retry.then(|| Retry {
            give_up: args.give_up,
            ..Retry::default()
        }),
        ..args.wire.options()
    };
    let mut complete = true;
    for pass in 0..=u8::from(args.redeliver) {
        if pass > 0 {
            options.shuffle_seed = Some(args.shuffle_seed.unwrap_or(0) + 1);
        }
        let before = cpu_seconds();
        let summary = emit::run(&options, events.clone()).await?;
        complete &= summary.is_complete();
        let mut line = serde_json::to_value(&summary)?;
        if let (Some(before), Some(after)) = (before, cpu_seconds()) {
            line["cpu_seconds"] = json!(after - before);
        }
        print_line(&line)?;
    }
    anyhow::ensure!(complete, "not every body was accepted");
    Ok(())
}

async fn misbehave(kit: &Kit, names: &[String]) -> anyhow::Result<()> {
    let unknown = |name: &&String| !Case::ALL.iter().any(|case| case.name() == **name);
    if let Some(name) = names.iter().find(unknown) {
        let known: Vec<_> = Case::ALL.iter().map(|case| case.name()).collect();
        anyhow::bail!("there is no case {name:?}; there are {}", known.join(", "));
    }
    let good = Workload::new(1, 1).events.swap_remove(0);
    let chosen = |case: &Case| names.is_empty() || names.iter().any(|it| it == case.name());
    let mut undue = Vec::new();
    for case in Case::ALL.into_iter().filter(chosen) {
        let answer = kit
            .play(case, &good)
            .await
            .with_context(|| format!("{} got no answer", case.name()))?;
        let is_due = case.due(answer.status);
        if !is_due {
            undue.push(case.name());
        }
        print_line(&json!({
            "case": case.name(), "status": answer.status, "due": is_due,
            "seconds": answer.elapsed.as_secs_f64(), "body": answer.body,
        }))?;
    }
    anyhow::ensure!(
        undue.is_empty(),
        "not answered as is due: {}",
        undue.join(", ")
    );
    Ok(())
}

/// User and system time of this process so far, where the system says (Linux): hundredths of a second in two fields that follow
/// the command's name, which stands in brackets and may hold anything.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields = stat.rsplit_once(')')?.1;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: Vec<f64> = ticks.filter_map(|field| field.parse().ok()).collect();
    Some(ticks.iter().sum::<f64>() / 100.0)
}

fn read(path: &Path) -> anyhow::Result<Bytes> {
    let mut file = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut file)?;
    } else {
        file = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(Bytes::from(file))
}

fn print_line(line: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    write_out(&text)
}

fn write_out(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    unless_left(out.write_all(bytes).and_then(|()| out.flush()))
}

/// That nobody reads any more is no failure.
fn unless_left(written: std::io::Result<()>) -> anyhow::Result<()> {
    match written {
        // Whoever reads has read enough, as `head` does.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write the output"),
    }
}

fn retry_after(text: &str) -> Result<RetryAfter, String> {
    match text {
        "seconds" => Ok(RetryAfter::Seconds),
        "date" => Ok(RetryAfter::Date),
        "alternating" => Ok(RetryAfter::Alternating),
        "absent" => Ok(RetryAfter::Absent),
        other => Err(format!(
            "{other:?} is none of seconds, date, alternating, absent"
        )),
    }
}

fn encoding(text: &str) -> Result<Encoding, String> {
    match text {
        "hex" => Ok(Encoding::Hex),
        "base64" => Ok(Encoding::Base64),
        other => Err(format!("{other:?} is none of hex, base64")),
    }
}
