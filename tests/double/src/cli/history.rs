//! The past as files: what must come of it, and its records.

use anyhow::Context;
use clap::ValueEnum;
use double::config::History;
use double::history::{Moment, Platform, Totals, Truth, genesys_records, truth};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct TruthArgs {
    /// The JSON file that `serve` has; without one, what `{}` is.
    #[arg(long)]
    history: Option<PathBuf>,
    /// Whose records are taken in.
    #[arg(long, value_enum, default_value_t)]
    platform: Teller,
    /// As conversations are told later (`revised`).
    #[arg(long)]
    revised: bool,
    /// As it is at this instant (with Z); by default when `serve` starts.
    #[arg(long, value_parser = moment)]
    as_of: Option<Moment>,
    /// One JSON line of sums instead.
    #[arg(long)]
    totals: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct RecordsArgs {
    /// The JSON file that `serve` has; without one, what `{}` is.
    #[arg(long)]
    history: Option<PathBuf>,
    /// The first conversation's number.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// How many; by default all that follow.
    #[arg(long)]
    count: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Teller {
    /// One record a conversation.
    #[default]
    Genesys,
    /// Contacts, by the one that the others name as their master.
    Cxone,
}

/// Prints the truth.
pub(super) fn tell(args: &TruthArgs) -> anyhow::Result<()> {
    let history = of(args.history.as_deref())?;
    let platform = match args.platform {
        Teller::Genesys => Platform::Genesys,
        Teller::Cxone => Platform::Cxone,
    };
    let all = truth(&history, platform, args.revised, args.as_of);
    if args.totals {
        return super::print_line(&Totals::of(all));
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut line = String::from(Truth::HEADER);
    let write = || -> std::io::Result<()> {
        for it in all {
            it.write_csv(&mut line);
            if line.len() > 60_000 {
                out.write_all(line.as_bytes())?;
                line.clear();
            }
        }
        out.write_all(line.as_bytes())?;
        out.flush()
    };
    super::unless_left(write())
}

/// Prints records.
pub(super) fn write(args: &RecordsArgs) -> anyhow::Result<()> {
    let history = of(args.history.as_deref())?;
    let end = args.count.map_or(history.conversations, |count| {
        args.first.saturating_add(count)
    });
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut written = Ok(());
    genesys_records(
        &history,
        args.first..end.min(history.conversations),
        |record| {
            if written.is_ok() {
                written = out
                    .write_all(record.as_bytes())
                    .and_then(|()| out.write_all(b"\n"));
            }
        },
    );
    super::unless_left(written.and_then(|()| out.flush()))
}

fn of(path: Option<&Path>) -> anyhow::Result<History> {
    path.map_or_else(|| Ok(History::default()), read)
}

/// Reads a history's file.
pub(super) fn read(path: &Path) -> anyhow::Result<History> {
    serde_json::from_slice(&super::read(path)?)
        .with_context(|| format!("{} is no history", path.display()))
}

fn moment(text: &str) -> Result<Moment, String> {
    Moment::parse(text).ok_or_else(|| format!("{text:?} is no instant like 2025-01-06T00:00:00Z"))
}
