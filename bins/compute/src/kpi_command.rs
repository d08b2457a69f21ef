//! `compute kpi`: what people do with KPI definitions. Check them, look at them, try them out, switch them on, explain a number.
//!
//! Each command has a file of its own. What they have in common: `shelf` (the definitions to choose from, of the store or of this
//! release), `subject` (how they are named), `table` (how rows are printed). Nothing is written but by `add`, `activate`,
//! `promote`, `retire`, `rollback` and `windows --rebuild`. Each of these changes the catalogue in one transaction.

mod add;
mod args;
mod change;
mod check;
mod conflict;
mod database;
mod diff;
mod difference;
mod documents;
mod explain;
mod fields;
mod findings;
mod list;
mod preview;
mod shelf;
mod show;
mod subject;
mod table;
mod windows;

pub use args::{
    ActivateArgs, AddArgs, CheckArgs, DiffArgs, ExplainArgs, FieldsArgs, FindingsArgs, KpiArgs,
    KpiCommand, ListArgs, Output, PlacesArgs, PreviewArgs, PromoteArgs, RetireArgs, RollbackArgs,
    SchedulesArgs, ShelfArgs, ShowArgs, StatusArg, WindowsArgs,
};
pub use database::DatabaseArgs;
pub use subject::{Exact, Reference, Subject};

use crate::replay_file::is_closed_pipe;
use std::io::{self, Write};

/// Runs the command: answers to standard output, remarks to standard error. A refusal is an error.
pub async fn run(args: &KpiArgs) -> anyhow::Result<()> {
    let stdout = io::stdout();
    let answered = answer(args, &mut stdout.lock(), &mut io::stderr()).await;
    match answered {
        // Whoever reads our output (`head`) has enough.
        Err(error) if is_closed_pipe(&error) => Ok(()),
        other => other,
    }
}

/// Like [`run`], to any pair of writers.
pub async fn answer(
    args: &KpiArgs,
    out: &mut dyn Write,
    remarks: &mut dyn Write,
) -> anyhow::Result<()> {
    let answered = match &args.command {
        KpiCommand::Check(args) => check::run(args, out).await,
        KpiCommand::Fields(args) => fields::run(args, out),
        KpiCommand::List(args) => list::run(args, out).await,
        KpiCommand::Show(args) => show::run(args, out, remarks).await,
        KpiCommand::Diff(args) => diff::run(args, out).await,
        KpiCommand::Preview(args) => preview::run(args, out, remarks).await,
        KpiCommand::Explain(args) => explain::run(args, out, remarks).await,
        KpiCommand::Add(args) => add::run(args, out).await,
        KpiCommand::Activate(args) => change::activate(args, out).await,
        KpiCommand::Promote(args) => change::promote(args, out).await,
        KpiCommand::Retire(args) => change::retire(args, out).await,
        KpiCommand::Rollback(args) => change::rollback(args, out).await,
        KpiCommand::Schedules(args) => documents::schedules(args, out).await,
        KpiCommand::Places(args) => documents::places(args, out).await,
        KpiCommand::Findings(args) => findings::run(args, out).await,
        KpiCommand::Windows(args) => windows::run(args, out).await,
    };
    answered.map_err(|error| database::located(error, args.command.database()))?;
    out.flush()?;
    Ok(())
}
