//! The flags of `compute kpi`.

use super::database::DatabaseArgs;
use super::subject::{Exact, Reference, Subject};
use clap::{Args, Subcommand, ValueEnum};
use schema::UtcMicros;
use std::path::PathBuf;

/// What is said behind the list of commands.
const LIFE_OF_A_CHANGE: &str = "\
A KPI is a TOML file: name, version, what is left out and why, the value as an expression.
`compute kpi fields` lists what it is made of and what expressions may use, `compute kpi show
adjusted_aht` is an example to begin with.

The life of a change:

  compute kpi show adjusted_aht > aht.toml   the current text; edit it, raise its version
  compute kpi check aht.toml                 is it sound?
  compute kpi preview aht.toml               what would it have given, and what changes most?
  compute kpi activate aht.toml              compute it beside the current version from now on
  backfill replay … --metric-version 2       compute the past, too
  compute kpi promote adjusted_aht@2         dashboards see it now, at once and all of it
  compute kpi rollback adjusted_aht          they see the one before again
  compute kpi retire adjusted_aht@1          stop computing the old one; its rows stay

A definition is a draft (stored only), a candidate (computed), current (computed, and what
dashboards see) or retired. The text under a number never changes: another text is another
version. Running replicas follow at their next batch.";

/// The flags of `compute kpi`: one of its commands.
#[derive(Debug, Args)]
#[command(after_long_help = LIFE_OF_A_CHANGE)]
pub struct KpiArgs {
    #[command(subcommand)]
    pub(crate) command: KpiCommand,
}

/// What can be done with definitions.
#[derive(Debug, Subcommand)]
pub enum KpiCommand {
    /// Check files of definitions, schedules and places; list every problem at once
    ///
    /// Examples:
    ///   compute kpi check                       what ships with this release
    ///   compute kpi check kpis/                 every *.toml in the folder and those below it
    ///   compute kpi check aht.toml --database   also: would `add` refuse it?
    #[command(verbatim_doc_comment)]
    Check(CheckArgs),
    /// What a definition is made of: its members, and the fields, functions and operators of its expressions
    ///
    /// Examples:
    ///   compute kpi fields           everything
    ///   compute kpi fields legs      what has `legs` in its name or meaning
    #[command(verbatim_doc_comment)]
    Fields(FieldsArgs),
    /// The definitions in the catalogue, with their status
    ///
    /// Examples:
    ///   compute kpi list                        all versions of all definitions
    ///   compute kpi list adjusted_aht           all versions of one
    ///   compute kpi list --status candidate     what is computed and not shown yet
    #[command(verbatim_doc_comment)]
    List(ListArgs),
    /// The text of a definition, to read or to begin a new version with
    ///
    /// Examples:
    ///   compute kpi show adjusted_aht > aht.toml      the current version, as a file to edit
    ///   compute kpi show adjusted_aht@1 --output json
    #[command(verbatim_doc_comment)]
    Show(ShowArgs),
    /// What differs between two definitions, field by field
    ///
    /// Examples:
    ///   compute kpi diff adjusted_aht@1 adjusted_aht@2
    ///   compute kpi diff adjusted_aht aht.toml          the current version against a file
    #[command(verbatim_doc_comment)]
    Diff(DiffArgs),
    /// What a definition would give on stored history or on a file, beside the current version
    ///
    /// Evaluates a definition, and another one beside it, on every interaction, and prints both ways of
    /// counting: values and reasons, the definition's aggregations, the distribution, how many
    /// interactions change, and the ones that change most with the rule that makes the difference.
    /// Nothing is written.
    ///
    /// Examples:
    ///   compute kpi preview aht.toml                          all stored history, beside the current one
    ///   compute kpi preview aht.toml --from 2024-03-01T00:00:00Z --to 2024-04-01T00:00:00Z
    ///   compute kpi preview adjusted_aht@2 --against handle_time --show 50 --output csv > changes.csv
    ///   compute kpi preview kpis/                             every definition in the folder, one after the other
    ///   compute kpi preview aht.toml --events monday.jsonl    on a file, no database needed
    #[command(verbatim_doc_comment)]
    Preview(PreviewArgs),
    /// Why is this number so? The timeline of an interaction and each rule's part in its values
    ///
    /// Prints what is known of an interaction in the order of the platform's clock, and for each
    /// definition each rule with its inputs and its result, the time zone and where it came from, the
    /// value or why there is none, and the row stored now.
    ///
    /// Examples:
    ///   compute kpi explain int_1234567890abcdef --tenant acme --kpi adjusted_aht
    ///   compute kpi explain int_1 --events monday.jsonl --kpi aht.toml        no database needed
    #[command(verbatim_doc_comment)]
    Explain(ExplainArgs),
    /// Store definitions (as drafts), schedules and places
    ///
    /// All or nothing. What is stored already is left alone; another text under a stored number is
    /// refused.
    ///
    /// Example:
    ///   compute kpi add kpis/ office.schedule.toml places.toml
    #[command(verbatim_doc_comment)]
    Add(AddArgs),
    /// Compute a definition from now on, beside the current version
    ///
    /// A draft or retired version becomes a candidate: computed for every interaction that has news,
    /// beside the current one. The past is computed by `backfill replay`; the answer has its command.
    /// All of those named, or none.
    ///
    /// Examples:
    ///   compute kpi activate adjusted_aht@2
    ///   compute kpi activate aht.toml           stores it first
    #[command(verbatim_doc_comment)]
    Activate(ActivateArgs),
    /// Show a computed version to dashboards, in place of the current one
    ///
    /// The views for dashboards switch in one transaction. Refused as long as the candidate was not
    /// computed wherever the current version was, or of a first version, wherever an interaction has
    /// ended: the answer names the `backfill replay` that does it. Refused, too, while windows wait to
    /// be computed. The version replaced goes on being computed, for `rollback`.
    ///
    /// Example:
    ///   compute kpi promote adjusted_aht@2
    #[command(verbatim_doc_comment)]
    Promote(PromoteArgs),
    /// Stop computing a version; its rows stay
    ///
    /// The rows computed so far stay. A current version cannot be retired: promote another one first.
    ///
    /// Example:
    ///   compute kpi retire adjusted_aht@1
    #[command(verbatim_doc_comment)]
    Retire(RetireArgs),
    /// Show dashboards the version again that they saw before the last promotion
    ///
    /// Undoes the last promotion in one transaction; of a first promotion: dashboards see no version of
    /// the KPI again. A second rollback undoes the first; with a version it is done only as long as
    /// dashboards see that one, so that it can be repeated safely. At once, unless the version before
    /// was switched off and on again meanwhile: then it must cover what `promote` asks for.
    ///
    /// Examples:
    ///   compute kpi rollback adjusted_aht
    ///   compute kpi rollback adjusted_aht@2     away from version 2, whatever came before it
    #[command(verbatim_doc_comment)]
    Rollback(RollbackArgs),
    /// The stored schedules, or the text of one
    ///
    /// Examples:
    ///   compute kpi schedules
    ///   compute kpi schedules eight_to_six@1     its text
    #[command(verbatim_doc_comment)]
    Schedules(SchedulesArgs),
    /// The stored places: whose clock counts
    ///
    /// Example:
    ///   compute kpi places > places.toml     the text that holds, as a file to edit
    #[command(verbatim_doc_comment)]
    Places(PlacesArgs),
    /// Time zones that were stated and are unknown
    ///
    /// The metrics concerned were computed in another zone and say so. Put the right zone into the
    /// places (`compute kpi add`), then replay the stretch.
    ///
    /// Example:
    ///   compute kpi findings --output csv
    #[command(verbatim_doc_comment)]
    Findings(FindingsArgs),
    /// How far windows are computed; with --rebuild: add them up again
    ///
    /// Whatever changes a window leaves a mark until it is computed. --rebuild marks all that there is of
    /// a stretch, without limits everything of everybody, for running computes to do. They add up again
    /// what is stored: the windows come out the same, unless they were damaged or another document of
    /// places puts a group into another zone (`compute kpi add` does it then).
    ///
    /// It brings no values of the past of a definition newly switched on, or of a new rule: only
    /// `backfill replay --metric-version N` does. They are ready when its --wait has ended and nothing
    /// waits here.
    ///
    /// Examples:
    ///   compute kpi windows
    ///   compute kpi windows --rebuild --tenant acme --from 2024-03-01T00:00:00Z --to 2024-04-01T00:00:00Z
    #[command(verbatim_doc_comment)]
    Windows(WindowsArgs),
}

impl KpiCommand {
    /// The database that the command may use.
    pub(super) const fn database(&self) -> Option<&DatabaseArgs> {
        Some(match self {
            Self::Fields(_) => return None,
            Self::Check(args) => &args.postgres,
            Self::List(args) => &args.shelf.postgres,
            Self::Show(args) => &args.shelf.postgres,
            Self::Diff(args) => &args.shelf.postgres,
            Self::Preview(args) => &args.postgres,
            Self::Explain(args) => &args.postgres,
            Self::Add(args) => &args.postgres,
            Self::Activate(args) => &args.postgres,
            Self::Promote(args) => &args.postgres,
            Self::Retire(args) => &args.postgres,
            Self::Rollback(args) => &args.postgres,
            Self::Schedules(args) => &args.shelf.postgres,
            Self::Places(args) => &args.postgres,
            Self::Findings(args) => &args.postgres,
            Self::Windows(args) => &args.postgres,
        })
    }
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// Aligned columns, for people.
    #[default]
    Table,
    /// JSON.
    Json,
    /// Comma-separated, with a header.
    Csv,
}

/// Where the definitions come from.
#[derive(Debug, Args)]
pub struct ShelfArgs {
    /// Look at what ships with this release instead of what the database holds
    #[arg(long)]
    pub(crate) shipped: bool,

    #[command(flatten)]
    pub(crate) postgres: DatabaseArgs,
}

/// Flags of `kpi check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Files and folders; what ships with this release when there are none
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Also compare with the database: its schedules and places may be referred to, and no text may differ under a number it knows
    #[arg(long)]
    pub(crate) database: bool,

    /// How problems are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) postgres: DatabaseArgs,
}

/// Flags of `kpi fields`.
#[derive(Debug, Args)]
pub struct FieldsArgs {
    /// Only what has this word in it
    #[arg(value_name = "WORD")]
    pub(crate) word: Option<String>,

    /// How rows are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,
}

/// Flags of `kpi list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only definitions of these names
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// Only those with this status
    #[arg(long, value_enum, value_name = "STATUS")]
    pub(crate) status: Option<StatusArg>,

    /// Do not count the rows computed; of a large database that takes a while
    #[arg(long)]
    pub(crate) no_rows: bool,

    /// How rows are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) shelf: ShelfArgs,
}

/// A status, as a flag names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusArg {
    /// Stored only.
    Draft,
    /// Computed.
    Candidate,
    /// Computed, and what dashboards see.
    Current,
    /// No longer computed.
    Retired,
}

/// Flags of `kpi show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Which; without a version the current one
    #[arg(value_name = "NAME[@VERSION]")]
    pub(crate) definition: Reference,

    /// How it is printed; as a table: the text itself, with what else is known on standard error
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) shelf: ShelfArgs,
}

/// Flags of `kpi diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The old one; a name without a version is its current version
    #[arg(value_name = "NAME[@VERSION]|FILE")]
    pub(crate) old: Subject,

    /// The new one
    #[arg(value_name = "NAME[@VERSION]|FILE")]
    pub(crate) new: Subject,

    /// How the differences are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) shelf: ShelfArgs,
}

/// Flags of `kpi preview`.
#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// The definition to try out; a name without a version is its newest version, a folder is all definitions in it
    #[arg(value_name = "NAME[@VERSION]|FILE")]
    pub(crate) definition: Subject,

    /// What to compare with; without it the current version of the same name
    #[arg(long, value_name = "NAME[@VERSION]|FILE")]
    pub(crate) against: Option<Subject>,

    /// Schedules and places that the definitions refer to and that are not stored yet: files or folders
    #[arg(long, value_name = "PATH")]
    pub(crate) with: Vec<PathBuf>,

    /// Evaluate the events of these files instead of stored history: the platform's webhook, one a line; - is standard input
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["from", "to", "limit"])]
    pub(crate) events: Vec<PathBuf>,

    /// Only this organisation's interactions; with --events: whose they are
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,

    /// Only interactions that began at this instant or later: 2024-03-01T00:00:00Z
    #[arg(long, value_parser = instant, value_name = "INSTANT")]
    pub(crate) from: Option<UtcMicros>,

    /// Only interactions that began before this instant
    #[arg(long, value_parser = instant, value_name = "INSTANT")]
    pub(crate) to: Option<UtcMicros>,

    /// At most so many interactions, in the order of their ids
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "COUNT")]
    pub(crate) limit: Option<u64>,

    /// How many of the changes to print, those that weigh most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=10_000), value_name = "COUNT")]
    pub(crate) show: u32,

    /// How the answer is printed; csv: the changes, or, compared with nothing, the rows
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) postgres: DatabaseArgs,
}

/// Flags of `kpi explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The platform's id of the interaction
    #[arg(value_name = "INTERACTION")]
    pub(crate) interaction: String,

    /// Whose it is; needed only where several organisations have an interaction of this id
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,

    /// Only this definition, may be repeated; a name without a version is all its computed versions. Without it: all that are computed
    #[arg(long, value_name = "NAME[@VERSION]|FILE")]
    pub(crate) kpi: Vec<Subject>,

    /// Schedules and places that the definitions refer to and that are not stored yet: files or folders
    #[arg(long, value_name = "PATH")]
    pub(crate) with: Vec<PathBuf>,

    /// Take the events from these files instead of the database: the platform's webhook, one a line; - is standard input
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) events: Vec<PathBuf>,

    /// How it is printed; csv: one row a rule
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) postgres: DatabaseArgs,
}

/// Flags of `kpi add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Files and folders with definitions, schedules and places
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// How the answer is printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) postgres: DatabaseArgs,
}

/// Flags of `kpi activate`.
#[derive(Debug, Args)]
pub struct ActivateArgs {
    /// What to activate
    #[arg(required = true, value_name = "NAME@VERSION|FILE")]
    pub(crate) definitions: Vec<Subject>,

    #[command(flatten)]
    pub(crate) postgres: DatabaseArgs,
}

/// Flags of `kpi promote`.
#[derive(Debug, Args)]
pub struct PromoteArgs {
    /// What dashboards are to see
    #[arg(value_name = "NAME@VERSION")]
    pub(crate) definition: Exact,

    #[command(flatten)]
    pub(crate) postgres: DatabaseArgs,
}

/// Flags of `kpi retire`.
#[derive(Debug, Args)]
pub struct RetireArgs {
    /// What is no longer to be computed
    #[arg(value_name = "NAME@VERSION")]
    pub(crate) definition: Exact,

    #[command(flatten)]
    pub(crate) postgres: DatabaseArgs,
}

/// Flags of `kpi rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The definition; with a version: only where dashboards see that one now
    #[arg(value_name = "NAME[@VERSION]")]
    pub(crate) definition: Reference,

    #[command(flatten)]
    pub(crate) postgres: DatabaseArgs,
}

/// Flags of `kpi schedules`.
#[derive(Debug, Args)]
pub struct SchedulesArgs {
    /// The one to print the text of; without a version its newest
    #[arg(value_name = "NAME[@VERSION]")]
    pub(crate) schedule: Option<Reference>,

    /// How rows are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) shelf: ShelfArgs,
}

/// Flags of `kpi places`.
#[derive(Debug, Args)]
pub struct PlacesArgs {
    /// All versions there were, instead of the text of the newest
    #[arg(long)]
    pub(crate) versions: bool,

    /// How rows are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) postgres: DatabaseArgs,
}

/// Flags of `kpi findings`.
#[derive(Debug, Args)]
pub struct FindingsArgs {
    /// How rows are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) postgres: DatabaseArgs,
}

/// Flags of `kpi windows`.
#[derive(Debug, Args)]
pub struct WindowsArgs {
    /// Have all windows added up again from what is stored
    #[arg(long)]
    pub(crate) rebuild: bool,

    /// Of this organisation only
    #[arg(long, requires = "rebuild", value_name = "TENANT")]
    pub(crate) tenant: Option<String>,

    /// From this instant on
    #[arg(long, requires = "rebuild", value_parser = instant, value_name = "INSTANT")]
    pub(crate) from: Option<UtcMicros>,

    /// Before this instant
    #[arg(long, requires = "rebuild", value_parser = instant, value_name = "INSTANT")]
    pub(crate) to: Option<UtcMicros>,

    /// How rows are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) postgres: DatabaseArgs,
}

/// An instant that carries its zone; one without would have to be guessed.
fn instant(text: &str) -> Result<UtcMicros, String> {
    adapter::instant::parse(text).ok_or_else(|| {
        "not an instant with a zone; write 2024-03-01T00:00:00Z or 2024-03-01T00:00:00-05:00"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use crate::config::Cli;
    use clap::{CommandFactory as _, Parser as _};

    /// The lines of a help that are commands, without what is said about them behind two blanks or after a `>`.
    fn examples(help: &str) -> Vec<Vec<String>> {
        help.lines()
            .map(str::trim_start)
            .filter(|line| line.starts_with("compute kpi "))
            .map(|line| {
                let command = line.split("  ").next().unwrap_or(line);
                let command = command.split(" > ").next().unwrap_or(command);
                command.split_whitespace().map(str::to_owned).collect()
            })
            .collect()
    }

    #[test]
    fn every_example_in_the_helps_is_a_command_that_parses() {
        let cli = Cli::command();
        let kpi = cli.find_subcommand("kpi").unwrap();
        let mut seen = 0;
        let helps = kpi
            .get_subcommands()
            .map(|command| command.get_long_about().unwrap())
            .chain(kpi.get_after_long_help());
        for help in helps {
            for example in examples(&help.to_string()) {
                let parsed = Cli::try_parse_from(&example);
                assert!(parsed.is_ok(), "{example:?}: {}", parsed.unwrap_err());
                seen += 1;
            }
        }
        assert!(seen > 25, "only {seen} examples were found");
    }

    #[test]
    fn commands_have_more_patience_than_services_unless_the_flag_says_otherwise() {
        for (flags, seconds) in [
            (vec![], 600),
            (vec!["--database-statement-timeout", "5s"], 5),
        ] {
            let words = ["compute", "kpi", "findings"].into_iter().chain(flags);
            let Some(crate::config::Command::Kpi(args)) =
                Cli::try_parse_from(words).unwrap().command
            else {
                unreachable!("it is the command for definitions");
            };
            let database = args.command.database().unwrap();
            assert_eq!(database.database_statement_timeout.as_secs(), seconds);
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_is_allowed() {
        for (line, part) in [
            ("promote talk_time", "write talk_time@1"),
            ("promote talk_time@0", "allowed are 1 to 32767"),
            ("show Talk", "is no name of a definition"),
            ("preview talk", "--database-url"),
            ("preview a.toml --from yesterday", "2024-03-01T00:00:00Z"),
            ("preview a.toml --events b --limit 3", "cannot be used with"),
            (
                "list --status old",
                "possible values: draft, candidate, current, retired",
            ),
            ("activate", "required"),
            ("add", "required"),
        ] {
            let words = ["compute", "kpi"].into_iter().chain(line.split(' '));
            match Cli::try_parse_from(words) {
                Err(error) => assert!(error.to_string().contains(part), "{line}: {error}"),
                // Whether a database is named is looked at later.
                Ok(_) => assert_eq!(part, "--database-url", "{line}"),
            }
        }
    }
}
