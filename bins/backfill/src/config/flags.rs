//! The flags, and how they are checked: every problem is found in one go.

use super::{
    CancelArgs, Common, Files, ImportConfig, ListArgs, PauseArgs, PromoteWord, ReplayConfig,
    RequestArgs, ResumeArgs, ShowArgs, StartArgs, StatusArgs, Stretch, Task, WatchArgs, WorkerArgs,
    read_platforms, store_config,
};
use crate::platforms::Platforms;
use crate::source::Source;
use adapter::{Mapping, Mappings};
use clap::{Parser, Subcommand, ValueEnum};
use runtime::Problems;
use runtime::args::{
    AmqpArgs, AttributeArgs, CustomerArgs, OpsArgs, Output, PostgresArgs, PostgresSettings,
    RawKeyArgs, RoleArgs,
};
use schema::{BodyFormat, JobId, MetricVersion, SubscriptionName, TenantId, UtcMicros};
use std::path::PathBuf;
use std::time::Duration;
use store::StoreConfig;
use uuid::Uuid;

const EXAMPLES: &str = "\
Examples:
  backfill replay --from 2024-03-01T00:00:00Z --to 2024-04-01T00:00:00Z --metric-version 2 --wait
  backfill import conversations.json --format genesys-details --tenant acme
  backfill import report-524.csv --format cxone-call-detail --zone America/Denver --tenant acme
  backfill import contacts.json --format cxone-contacts --tenant acme
  backfill import users.json --format genesys-user-details --tenant acme
  backfill import calls.csv.gz --format mapped --mapping calls.toml --tenant acme
  backfill import report-544.csv --format cxone-agent-state-log --zone America/Denver --tenant acme
  backfill start genesys-conversations --platforms platforms.toml --platform genesys-main \\
      --from 2024-03-01T00:00:00Z --to 2024-06-01T00:00:00Z --metric-version 1 --dry-run
  backfill status";

/// Puts the past through the same path as the present: fetches a platform's history, replays the event log under another metric version,
/// imports files.
///
/// Everything goes over the history lane, behind live work, and pauses while that lane is full. `start` writes a job that any number of
/// `worker` processes share; `replay` and `import` are jobs of this one process, and go on at their cursor with --resume when it was
/// interrupted. Doing a thing twice changes no result.
#[derive(Debug, Parser)]
#[command(name = "backfill", version, about, long_about, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compute a stretch of the event log again, under a version of KPI definitions
    Replay(ReplayArgs),
    /// Read history files into the event log and compute from them
    Import(ImportArgs),
    /// Work on the jobs there are, with any number of other workers, until told to stop
    Worker(Box<WorkerArgs>),
    /// Begin a job that workers do: plan, check, write, watch
    Start(StartArgs),
    /// Ask for a job by a message on `backfill.jobs`, for a worker to begin
    Request(RequestArgs),
    /// What is under way, waits or stands in the way: jobs, budgets, pauses, breakers, look-ups
    Status(StatusArgs),
    /// The newest jobs
    List(ListArgs),
    /// One job with its chunks
    Show(ShowArgs),
    /// Show how a job goes until it ends
    Watch(WatchArgs),
    /// Have nobody work on a job until it is resumed
    Pause(PauseArgs),
    /// Let a paused job go on
    Resume(ResumeArgs),
    /// End a job; what it fetched stays
    Cancel(CancelArgs),
    /// The same as `list`, `show` and `cancel`, as they were called before
    #[command(hide = true)]
    Jobs(JobsArgs),
    /// Check the configuration, list every problem at once, and exit
    Check(CheckArgs),
    /// Apply the numbered migrations under a lock, and exit
    Migrate(MigrateArgs),
}

/// Flags of every job.
#[derive(Debug, Clone, clap::Args)]
pub struct CommonArgs {
    /// A mapping file that the log's events or the files are read with; may be given several times
    #[arg(
        long = "mapping",
        env = "KPILINE_MAPPINGS",
        value_delimiter = ',',
        value_name = "FILE"
    )]
    mappings: Vec<PathBuf>,

    #[command(flatten)]
    attributes: AttributeArgs,

    /// Wait at the end until every record is counted and every interaction is computed under the version
    ///
    /// An interaction that had the version and all of the facts before shows no trace of being computed again, nor does a fact about an
    /// agent: of such ones (`untraceable` in the summary) only that the lane was empty for 10 s is known.
    #[arg(long)]
    wait: bool,

    /// Give up waiting when nothing has moved for this long
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "DURATION")]
    wait_timeout: Duration,

    /// How long a job stays taken without a sign of life; after a crash another process can go on with it then
    #[arg(long, env = "KPILINE_BACKFILL_LEASE", default_value = "30s", value_parser = duration, value_name = "DURATION")]
    lease: Duration,

    /// Go on with an interrupted job, where it stopped and with its own settings
    #[arg(long, value_name = "JOB")]
    resume: Option<Uuid>,

    /// How the summary is written to stdout
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: Output,

    #[command(flatten)]
    pub(crate) postgres: PostgresArgs,
    #[command(flatten)]
    pub(crate) amqp: AmqpArgs,
    #[command(flatten)]
    pub(crate) ops: OpsArgs,
}

/// Flags of `replay`.
#[derive(Debug, Clone, clap::Args)]
pub struct ReplayArgs {
    /// The first instant of the stretch, with Z or an offset: 2024-03-01T00:00:00Z
    #[arg(long, value_parser = instant, required_unless_present = "resume", conflicts_with = "resume", value_name = "INSTANT")]
    from: Option<UtcMicros>,

    /// The end of the stretch; it does not belong to it
    #[arg(long, value_parser = instant, required_unless_present = "resume", conflicts_with = "resume", value_name = "INSTANT")]
    to: Option<UtcMicros>,

    /// The version to compute, and no other: an interaction whose facts are all known keeps what it has of other versions
    ///
    /// It means every KPI definition with this number that was activated: candidates, current and retired ones. Where there is none,
    /// the job is refused; `compute kpi list` shows what there is.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=32767), required_unless_present = "resume",
          conflicts_with = "resume", value_name = "NUMBER")]
    metric_version: Option<u16>,

    /// Only this organisation's events; without it all
    #[arg(long, conflicts_with = "resume", value_name = "NAME")]
    tenant: Option<String>,

    /// What becomes of the version when everything is computed: with `offer` and `auto` the command stays until then
    ///
    /// As of a job of workers: the windows settle, the job's report compares old with new, and a refresh notice goes out. `offer` says how
    /// to promote what could be, `auto` does it where nothing is missing; a promotion that is refused is an error.
    #[arg(
        long,
        value_enum,
        default_value = "never",
        conflicts_with = "resume",
        value_name = "WHAT"
    )]
    promote: PromoteWord,

    /// Pause while events.history holds more messages than this (one holds up to 500 events)
    #[arg(
        long,
        env = "KPILINE_BACKFILL_EVENTS_DEPTH_MAX",
        default_value_t = 200,
        value_name = "COUNT"
    )]
    depth_max: u32,

    /// The most events read from the log at a time; fewer where they are large. In each page an interaction is computed once
    #[arg(
        long,
        env = "KPILINE_BACKFILL_PAGE_EVENTS",
        default_value_t = 20_000,
        value_name = "COUNT"
    )]
    page_events: u32,

    #[command(flatten)]
    pub(crate) common: CommonArgs,

    // Behind the others, whose flags would else stand under its heading.
    #[command(flatten)]
    customers: CustomerArgs,

    #[command(flatten)]
    raw_keys: RawKeyArgs,
}

/// Flags of `import`.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportArgs {
    /// The files, of any size: JSON (a value, a list, an answer around a list, or one a line) or CSV, plain or gzip; - is standard input
    #[arg(
        required_unless_present = "resume",
        conflicts_with = "resume",
        value_name = "FILE"
    )]
    files: Vec<PathBuf>,

    /// What is in them
    #[arg(
        long,
        value_enum,
        required_unless_present = "resume",
        conflicts_with = "resume",
        value_name = "FORMAT"
    )]
    format: Option<Format>,

    /// The business unit's IANA zone; the times in a CXone report are local to it
    #[arg(
        long,
        required_if_eq_any([("format", "cxone-call-detail"), ("format", "cxone-agent-state-log")]),
        conflicts_with = "resume",
        value_name = "ZONE"
    )]
    zone: Option<String>,

    /// The organisation the files belong to
    #[arg(long, default_value = "default", value_name = "NAME")]
    tenant: String,

    /// The source the log files them under. Events are recognised as already logged only under the same name
    #[arg(long, default_value = "import", value_name = "NAME")]
    subscription: String,

    /// A version to compute for every interaction in the files, also those logged already; what is new to the log is computed under
    /// every version that is switched on
    ///
    /// It means every KPI definition with this number that was activated: candidates, current and retired ones. Where there is none,
    /// the job is refused; `compute kpi list` shows what there is.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=32767), value_name = "NUMBER")]
    metric_version: u16,

    /// Pause while raw.history holds more messages than this (one holds up to a page)
    #[arg(
        long,
        env = "KPILINE_BACKFILL_RAW_DEPTH_MAX",
        default_value_t = 64,
        value_name = "COUNT"
    )]
    depth_max: u32,

    /// The most bytes in a page; a larger single record is a page of its own
    #[arg(long, env = "KPILINE_BACKFILL_PAGE_BYTES", default_value_t = 512 * 1024, value_name = "BYTES")]
    page_bytes: usize,

    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// What a file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Genesys conversation details: records, arrays of them, pages with `conversations`, or any of these one a line.
    GenesysDetails,
    /// CXone data-download report 524 (Call Detail), CSV with its header.
    CxoneCallDetail,
    /// Genesys user details: when each agent's presence and routing status were what. Answers with `userDetails`, lists of users, or any
    /// of these one a line.
    GenesysUserDetails,
    /// Genesys workforce management: published schedules of agents, answers of `agentschedules/search`.
    GenesysSchedules,
    /// CXone contact records: answers of `contacts/completed` or `contacts`, lists of their rows, or any of these one a line.
    CxoneContacts,
    /// CXone contact states: answers of `contacts/state-history`, lists of their rows, or any of these one a line.
    CxoneContactStates,
    /// CXone digital (DFO) events about cases: one object, an array, or one a line.
    CxoneDigital,
    /// CXone agent states: answers of `agents/state-history`, lists of their rows, or any of these one a line.
    CxoneAgentStates,
    /// CXone data-download report 544 (Agent State Log), CSV with its header.
    CxoneAgentStateLog,
    /// The guide's webhook events: one object, an array, or one a line.
    GenesysWebhook,
    /// Any JSON, or any CSV with a header, read through the file that --mapping names. `ingest normalise` must have a subscription with
    /// the same file, or all of it goes to quarantine.
    Mapped,
}

/// Flags of `jobs`.
#[derive(Debug, Clone, clap::Args)]
pub struct JobsArgs {
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    pub(crate) ops: OpsArgs,
    /// What to do; without it: list.
    #[command(subcommand)]
    pub(crate) command: Option<JobsCommand>,
}

/// What can be done about jobs.
#[derive(Debug, Clone, Subcommand)]
pub enum JobsCommand {
    /// The newest jobs, one JSON object a line
    List {
        /// How many
        #[arg(long, default_value_t = 20, value_name = "COUNT")]
        limit: u32,
    },
    /// One job as a JSON object
    Show {
        /// Its id
        job: Uuid,
    },
    /// End a job; its worker stops at its next page
    Cancel {
        /// Its id
        job: Uuid,
    },
}

/// Flags of `check`.
#[derive(Debug, Clone, clap::Args)]
pub struct CheckArgs {
    /// A mapping file to check; may be given several times
    #[arg(
        long = "mapping",
        env = "KPILINE_MAPPINGS",
        value_delimiter = ',',
        value_name = "FILE"
    )]
    mappings: Vec<PathBuf>,

    /// The platforms file
    #[arg(long, env = "KPILINE_PLATFORMS", value_name = "FILE")]
    platforms: Option<PathBuf>,

    /// Ask each platform whether the credential has the rights that history needs; missing ones are listed and are an error
    #[arg(long, requires = "platforms")]
    online: bool,

    /// With --online: only the rights that this source needs; several
    #[arg(long = "source", value_delimiter = ',', value_parser = source, requires = "online", value_name = "SOURCE")]
    sources: Vec<Source>,

    /// How the rights are written to stdout; without it text on a terminal, else JSON
    #[arg(long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,

    #[command(flatten)]
    customers: CustomerArgs,
    #[command(flatten)]
    raw_keys: RawKeyArgs,
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    amqp: AmqpArgs,
    #[command(flatten)]
    pub(crate) ops: OpsArgs,
}

/// What was checked, and what is to be asked of platforms.
#[derive(Debug, Clone)]
pub struct Checked {
    /// PostgreSQL, where it is named: questions are then within the budgets that all processes share.
    pub store: Option<StoreConfig>,
    /// The platforms file.
    pub platforms: Platforms,
    /// Whether they are asked.
    pub online: bool,
    /// For which sources; empty: all.
    pub sources: Vec<Source>,
    /// How the answers are written.
    pub output: Output,
}

/// Flags of `migrate`.
#[derive(Debug, Clone, clap::Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    pub(crate) roles: RoleArgs,
    #[command(flatten)]
    pub(crate) ops: OpsArgs,
}

/// An instant that carries its zone; one without would have to be guessed.
pub(super) fn instant(text: &str) -> Result<UtcMicros, String> {
    adapter::instant::parse(text).ok_or_else(|| {
        "not an instant with a zone; write 2024-03-01T00:00:00Z or 2024-03-01T00:00:00-05:00"
            .to_owned()
    })
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    runtime::args::positive_duration(text)
}

/// Reads mapping files; a mapping is known by its file's stem, as `ingest` names it.
pub(super) fn read_mappings(paths: &[PathBuf], problems: &mut Problems) -> Mappings {
    let mut mappings = Mappings::none();
    for path in paths {
        let shown = path.display().to_string();
        let name = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        match std::fs::read_to_string(path) {
            Err(error) => problems.push(format!("--mapping: {shown} cannot be read: {error}")),
            Ok(_) if mappings.contains(&name) => {
                problems.push(format!("--mapping: two files are called {name}"));
            }
            Ok(text) => match Mapping::parse(&shown, &text) {
                Ok(mapping) => mappings = mappings.with(name, mapping),
                Err(found) => found.into_iter().for_each(|problem| problems.push(problem)),
            },
        }
    }
    mappings
}

impl CommonArgs {
    fn resolve(&self, depth_max: u32, problems: &mut Problems) -> Common {
        if depth_max == 0 {
            problems.push("--depth-max: is 0, allowed are 1 and more");
        }
        if !(1..=3600).contains(&self.lease.as_secs()) {
            problems.push("--lease: allowed are 1s to 1h");
        }
        self.ops.resolve(problems);
        Common {
            postgres: self.postgres.resolve(problems),
            amqp: self.amqp.resolve(problems),
            ops_listen: self.ops.ops_listen,
            grace: self.ops.shutdown_grace,
            mappings: read_mappings(&self.mappings, problems).keeping(self.attributes.names()),
            lease: self.lease,
            wait: self.wait.then_some(self.wait_timeout),
            output: self.output,
            depth_max,
        }
    }
}

impl ReplayArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<ReplayConfig> {
        let mut problems = Problems::new();
        let common = self.common.resolve(self.depth_max, &mut problems);
        let task = match (self.common.resume, self.from, self.to, self.metric_version) {
            (Some(job), ..) => Some(Task::Resume(JobId(job))),
            (None, Some(from), Some(to), Some(version)) => {
                if from >= to {
                    problems.push(format!("--from: is {from}, which is not before --to {to}"));
                }
                Some(Task::New(Stretch {
                    from,
                    to,
                    tenant: self.tenant.clone(),
                    version: MetricVersion(version),
                }))
            }
            _ => {
                problems.push("--from, --to and --metric-version: are needed, or --resume JOB");
                None
            }
        };
        if !(1..=20_000).contains(&self.page_events) {
            problems.push(format!(
                "--page-events: is {}, allowed are 1 to 20000",
                self.page_events
            ));
        }
        let customer_secret = self.customers.resolve(&mut problems);
        let raw_keys = self.raw_keys.resolve(&mut problems);
        problems.into_result()?;
        let task = task.ok_or_else(|| anyhow::anyhow!("nothing to replay"))?;
        Ok(ReplayConfig {
            common,
            task,
            customer_secret,
            raw_keys,
            page_events: self.page_events,
            promote: self.promote.into(),
        })
    }
}

impl ImportArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<ImportConfig> {
        let mut problems = Problems::new();
        let common = self.common.resolve(self.depth_max, &mut problems);
        let task = match (self.common.resume, self.format) {
            (Some(job), _) => Some(Task::Resume(JobId(job))),
            (None, None) => {
                problems.push("--format: is needed, or --resume JOB");
                None
            }
            (None, Some(format)) => {
                readable(&self.files, &mut problems);
                named(&self.tenant, &self.subscription, &mut problems);
                Some(Task::New(Files {
                    paths: self.files.clone(),
                    format: body_format(
                        format,
                        self.zone.as_deref(),
                        &common.mappings,
                        &mut problems,
                    ),
                    tenant: TenantId::new(&self.tenant),
                    subscription: SubscriptionName::new(&self.subscription),
                    version: MetricVersion(self.metric_version),
                }))
            }
        };
        if !(1024..=4 * 1024 * 1024).contains(&self.page_bytes) {
            problems.push(format!(
                "--page-bytes: is {}, allowed are 1024 to 4194304",
                self.page_bytes
            ));
        }
        problems.into_result()?;
        let task = task.ok_or_else(|| anyhow::anyhow!("nothing to import"))?;
        Ok(ImportConfig {
            common,
            task,
            page_bytes: self.page_bytes,
        })
    }
}

/// Files that can be opened, standard input at most once.
pub(super) fn readable(files: &[PathBuf], problems: &mut Problems) {
    let once = |path: &&PathBuf| crate::import::is_standard_input(path);
    if files.iter().filter(once).count() > 1 {
        problems.push("-: standard input can be read once");
    }
    for path in files.iter().filter(|path| !once(path)) {
        if let Err(error) = std::fs::File::open(path) {
            problems.push(format!("{} cannot be read: {error}", path.display()));
        }
    }
}

/// Names that the store takes.
pub(super) fn named(tenant: &str, subscription: &str, problems: &mut Problems) {
    for (flag, name) in [("--tenant", tenant), ("--subscription", subscription)] {
        if name.is_empty() || name.contains('\0') {
            problems.push(format!("{flag}: is empty or holds U+0000"));
        }
    }
}

/// How files of this format are read.
pub(super) fn body_format(
    format: Format,
    zone: Option<&str>,
    mappings: &Mappings,
    problems: &mut Problems,
) -> BodyFormat {
    match (format, zone) {
        (Format::Mapped, _) => {
            let mut names = mappings.names();
            let name = match (names.next(), names.next()) {
                (Some(name), None) => name,
                (None, _) => {
                    problems.push("--mapping: is needed by --format mapped");
                    ""
                }
                (Some(_), Some(_)) => {
                    problems.push(
                        "--mapping: --format mapped reads through one file, and several are given",
                    );
                    ""
                }
            };
            BodyFormat::Mapped {
                mapping: name.into(),
            }
        }
        (Format::GenesysDetails, _) => BodyFormat::GenesysDetails,
        (Format::GenesysWebhook, _) => BodyFormat::GenesysWebhook,
        (Format::CxoneContacts, _) => BodyFormat::CxoneContacts,
        (Format::GenesysUserDetails, _) => BodyFormat::GenesysUserDetails,
        (Format::GenesysSchedules, _) => BodyFormat::GenesysSchedules,
        (Format::CxoneContactStates, _) => BodyFormat::CxoneContactStates,
        (Format::CxoneDigital, _) => BodyFormat::CxoneDigital,
        (Format::CxoneAgentStates, _) => BodyFormat::CxoneAgentStates,
        (Format::CxoneCallDetail, zone) => BodyFormat::CxoneCallDetail {
            zone: checked(zone, problems).into(),
        },
        (Format::CxoneAgentStateLog, zone) => BodyFormat::CxoneAgentStateLog {
            zone: checked(zone, problems).into(),
        },
    }
}

/// The zone of a report. clap requires it where it is needed.
fn checked<'z>(zone: Option<&'z str>, problems: &mut Problems) -> &'z str {
    let zone = zone.unwrap_or_default();
    if let Err(error) = adapter::cxone_call_detail::check_zone(zone) {
        problems.push(format!("--zone: {error}"));
    }
    zone
}

impl JobsArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<StoreConfig> {
        let mut problems = Problems::new();
        let postgres = self.postgres.resolve(&mut problems);
        self.ops.resolve(&mut problems);
        problems.into_result()?;
        Ok(store_config(&postgres))
    }
}

fn source(name: &str) -> Result<Source, String> {
    let asks = |source: &Source| source.vendor().is_some();
    Source::parse(name).filter(asks).ok_or_else(|| {
        let known = Source::names(|source| asks(&source));
        format!("known are {known}")
    })
}

impl CheckArgs {
    /// Checks everything and lists every problem at once. Of a platforms file no server need be named.
    pub fn resolve(&self) -> anyhow::Result<Checked> {
        let mut problems = Problems::new();
        let platforms = read_platforms(self.platforms.as_deref(), &mut problems);
        let mut store = None;
        if self.platforms.is_none() || self.names_servers() {
            store = Some(store_config(&self.postgres.resolve(&mut problems)));
            self.amqp.resolve(&mut problems);
        }
        self.ops.resolve(&mut problems);
        self.customers.resolve(&mut problems);
        self.raw_keys.resolve(&mut problems);
        read_mappings(&self.mappings, &mut problems);
        problems.into_result()?;
        Ok(Checked {
            store,
            platforms,
            online: self.online,
            sources: self.sources.clone(),
            output: Output::or_usual(self.output),
        })
    }

    const fn names_servers(&self) -> bool {
        self.postgres.database_url.is_some()
            || self.postgres.database_url_file.is_some()
            || self.amqp.amqp_url.is_some()
            || self.amqp.amqp_url_file.is_some()
    }
}

impl MigrateArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<PostgresSettings> {
        let mut problems = Problems::new();
        let postgres = self.postgres.resolve(&mut problems);
        self.roles.resolve(&mut problems);
        self.ops.resolve(&mut problems);
        problems.into_result()?;
        Ok(postgres)
    }
}
