//! The flags of `start` and `request`.

use super::flags::{body_format, instant, named, read_mappings, readable};
use super::{Files, Format, Output, PostgresArgs, store_config};
use crate::platforms::{self, Platforms};
use crate::source::Source;
use crate::wish::Wish;
use adapter::Mappings;
use clap::{Subcommand, ValueEnum};
use runtime::Problems;
use runtime::args::{AmqpArgs, OpsArgs};
use schema::backfill::Promote;
use schema::{MetricVersion, SubscriptionName, TenantId, UtcMicros};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::StoreConfig;

/// Flags of `start`.
#[derive(Debug, Clone, clap::Args)]
pub struct StartArgs {
    /// Where the history comes from
    #[command(subcommand)]
    pub source: StartSource,
}

/// The sources, each with its own flags.
#[derive(Debug, Clone, Subcommand)]
pub enum StartSource {
    /// Genesys: conversation detail records
    ///
    /// A UTC day at a time by asynchronous jobs, up to the date that the platform has data for; what is newer by queries.
    GenesysConversations(StretchArgs),
    /// Genesys: when each agent's presence and routing status were what
    GenesysUsers(StretchArgs),
    /// Genesys: the records of single conversations, by id
    GenesysLookup(LookupArgs),
    /// CXone: completed contacts
    CxoneContacts(StretchArgs),
    /// CXone: the states that contacts went through
    CxoneContactStates(StretchArgs),
    /// CXone: the states that agents went through
    CxoneAgentStates(StretchArgs),
    /// CXone: the records of single interactions, by id
    CxoneLookup(LookupArgs),
    /// CXone: data-download reports 524 (Call Detail) and 544 (Agent State Log)
    CxoneReport(ReportArgs),
    /// CXone: an entity of the Data Extraction API, read through a mapping
    CxoneExtraction(ExtractionArgs),
    /// Genesys: its own figures of agents' and queues' days, for `deliver reconciliation`
    GenesysFigures(BesideArgs),
    /// Genesys: whose clock agents' plans are kept by, and their published shifts, for `deliver reconciliation`; fetch them before the figures
    GenesysShifts(BesideArgs),
    /// CXone: its own figures of agents' and skills' days, for `deliver reconciliation`
    CxoneFigures(BesideArgs),
    /// CXone: whose clock agents go by, and their published shifts, for `deliver reconciliation`; fetch them before the figures
    CxoneShifts(BesideArgs),
    /// The event log: compute a stretch of it again under another version
    Replay(ReplayJobArgs),
    /// Export files that every worker can open under the same path; one chunk a file
    Files(FilesJobArgs),
}

/// What every job is told.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct WantArgs {
    /// The version to compute, whatever is known already; facts that are new to the log revise every version that is switched on
    ///
    /// It means every KPI definition with this number that was activated. Where there is none, the job is refused; `compute kpi list`
    /// shows what there is.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=32767), value_name = "NUMBER")]
    metric_version: u16,

    /// The KPIs whose results are compared, promoted and told of at the end; without it all of the version
    #[arg(long = "kpi", value_delimiter = ',', value_name = "NAME")]
    kpis: Vec<String>,

    /// What becomes of the version when the job has ended well
    #[arg(long, value_enum, default_value = "offer", value_name = "WHAT")]
    promote: PromoteWord,

    /// Your name for the job: started twice under one name is one job
    #[arg(long, value_name = "TEXT")]
    request_id: Option<String>,
}

/// How a command that starts a job goes on, and where the job is written.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ThenArgs {
    /// Show the chunks, and the estimated calls, records and time; write nothing
    #[arg(long, conflicts_with = "watch")]
    dry_run: bool,

    /// Stay and show how it goes, until it ends; the exit code says how: 0 done, 3 done with gaps, 4 failed, 5 cancelled, 6 paused (it goes on when it is resumed)
    #[arg(long)]
    watch: bool,

    /// How results are written to stdout; without it text on a terminal, else JSON
    #[arg(long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,

    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    ops: OpsArgs,
}

/// Which platform, and what is asked of it beforehand.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct PlatformArgs {
    /// The platforms file: whose history can be fetched, from where, how fast and as whom
    #[arg(long, env = "KPILINE_PLATFORMS", value_name = "FILE")]
    platforms: PathBuf,

    /// The platform, as the file names it
    #[arg(long, value_name = "NAME")]
    platform: String,

    /// Do not ask the platform whether the credential has the rights that the source needs
    #[arg(long)]
    no_check: bool,

    /// Ask the platform nothing: the plan goes by what is known here
    #[arg(long)]
    offline: bool,
}

/// A stretch of time.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SpanArgs {
    /// The first instant, with Z or an offset: 2024-03-01T00:00:00Z
    #[arg(long, value_parser = instant, value_name = "INSTANT")]
    from: UtcMicros,

    /// The end; it does not belong to the stretch. It may lie ahead: what is not there yet is fetched when it is
    #[arg(long, value_parser = instant, value_name = "INSTANT")]
    to: UtcMicros,
}

/// Flags of sources that are nothing but a stretch of a platform's history.
#[derive(Debug, Clone, clap::Args)]
pub struct StretchArgs {
    #[command(flatten)]
    platform: PlatformArgs,
    #[command(flatten)]
    span: SpanArgs,
    #[command(flatten)]
    want: WantArgs,
    #[command(flatten)]
    then: ThenArgs,
}

/// Flags of what a comparison needs: nothing is computed from it, so there is no version to say.
#[derive(Debug, Clone, clap::Args)]
pub struct BesideArgs {
    #[command(flatten)]
    platform: PlatformArgs,
    #[command(flatten)]
    span: SpanArgs,

    /// Your name for the job: started twice under one name is one job
    #[arg(long, value_name = "TEXT")]
    request_id: Option<String>,

    #[command(flatten)]
    then: ThenArgs,
}

/// Flags of a look-up.
#[derive(Debug, Clone, clap::Args)]
pub struct LookupArgs {
    /// A conversation's id (CXone: that of its first contact); several, or separated by commas
    #[arg(
        long = "id",
        value_delimiter = ',',
        required = true,
        value_name = "CONVERSATION"
    )]
    ids: Vec<String>,
    #[command(flatten)]
    platform: PlatformArgs,
    #[command(flatten)]
    want: WantArgs,
    #[command(flatten)]
    then: ThenArgs,
}

/// Flags of a report.
#[derive(Debug, Clone, clap::Args)]
pub struct ReportArgs {
    /// The report: 524 (Call Detail) or 544 (Agent State Log)
    #[arg(long, value_parser = ["524", "544"], value_name = "NUMBER")]
    report: String,
    #[command(flatten)]
    stretch: StretchArgs,
}

/// Flags of an extraction.
#[derive(Debug, Clone, clap::Args)]
pub struct ExtractionArgs {
    /// The entity's name at the platform
    #[arg(long, value_name = "NAME")]
    entity: String,

    /// Its version at the platform
    #[arg(long, value_name = "NUMBER")]
    entity_version: String,

    /// The mapping that reads its rows, as the worker and `ingest` have it (`--mapping NAME.toml`)
    #[arg(long, value_name = "NAME")]
    mapping: String,

    #[command(flatten)]
    stretch: StretchArgs,
}

/// Flags of a replay by workers.
#[derive(Debug, Clone, clap::Args)]
pub struct ReplayJobArgs {
    /// Only this organisation's events; without it all
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    #[command(flatten)]
    span: SpanArgs,
    #[command(flatten)]
    want: WantArgs,
    #[command(flatten)]
    then: ThenArgs,
}

/// Flags of an import by workers.
#[derive(Debug, Clone, clap::Args)]
pub struct FilesJobArgs {
    /// The files, of any size, plain or gzip
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// What is in them
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Format,

    /// The business unit's IANA zone; the times in a CXone report are local to it
    #[arg(
        long,
        required_if_eq_any([("format", "cxone-call-detail"), ("format", "cxone-agent-state-log")]),
        value_name = "ZONE"
    )]
    zone: Option<String>,

    /// The mapping file of --format mapped; the workers need it, too
    #[arg(
        long = "mapping",
        env = "KPILINE_MAPPINGS",
        value_delimiter = ',',
        value_name = "FILE"
    )]
    mappings: Vec<PathBuf>,

    /// The organisation the files belong to
    #[arg(long, default_value = "default", value_name = "NAME")]
    tenant: String,

    /// The source the log files them under. Events are recognised as already logged only under the same name
    #[arg(long, default_value = "import", value_name = "NAME")]
    subscription: String,

    /// The most bytes in a page; a larger single record is a page of its own
    #[arg(long, env = "KPILINE_BACKFILL_PAGE_BYTES", default_value_t = 512 * 1024, value_name = "BYTES")]
    page_bytes: usize,

    #[command(flatten)]
    want: WantArgs,
    #[command(flatten)]
    then: ThenArgs,
}

impl FilesJobArgs {
    fn resolve(&self, problems: &mut Problems) -> FilesJob {
        readable(&self.files, problems);
        named(&self.tenant, &self.subscription, problems);
        if !(1024..=4 * 1024 * 1024).contains(&self.page_bytes) {
            problems.push(format!(
                "--page-bytes: is {}, allowed are 1024 to 4194304",
                self.page_bytes
            ));
        }
        let mappings = read_mappings(&self.mappings, problems);
        FilesJob {
            files: Files {
                // A worker has another working directory.
                paths: self
                    .files
                    .iter()
                    .map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()))
                    .collect(),
                format: body_format(self.format, self.zone.as_deref(), &mappings, problems),
                tenant: TenantId::new(&self.tenant),
                subscription: SubscriptionName::new(&self.subscription),
                version: MetricVersion(self.want.metric_version),
            },
            page_bytes: self.page_bytes,
            mappings: Arc::new(mappings),
        }
    }
}

/// Files that workers are to import.
#[derive(Debug, Clone)]
pub struct FilesJob {
    /// Which, and how they are read.
    pub files: Files,
    /// The most bytes in a page.
    pub page_bytes: usize,
    /// The mapping files.
    pub mappings: Arc<Mappings>,
}

/// What becomes of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PromoteWord {
    /// The report says how to promote it.
    Offer,
    /// It is promoted: dashboards see it from then on.
    Auto,
    /// Nothing.
    Never,
}

impl From<PromoteWord> for Promote {
    fn from(word: PromoteWord) -> Self {
        match word {
            PromoteWord::Offer => Self::Offer,
            PromoteWord::Auto => Self::Auto,
            PromoteWord::Never => Self::Never,
        }
    }
}

/// Checked settings of `start`.
#[derive(Debug, Clone)]
pub struct StartConfig {
    /// PostgreSQL.
    pub store: StoreConfig,
    /// The job.
    pub wish: Wish,
    /// The files, where the source is files.
    pub files: Option<FilesJob>,
    /// The platforms file, where one is asked.
    pub platforms: Platforms,
    /// Whether the platform is asked for the credential's rights first.
    pub check: bool,
    /// Whether the platform is asked nothing at all.
    pub offline: bool,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// Whether to stay.
    pub watch: bool,
    /// How results are written.
    pub output: Output,
}

/// The parts of a subcommand's flags, whatever it is.
struct Parts<'a> {
    source: Source,
    span: Option<&'a SpanArgs>,
    platform: Option<&'a PlatformArgs>,
    /// None: nothing is computed from it.
    want: Option<&'a WantArgs>,
    request_id: Option<&'a String>,
    then: &'a ThenArgs,
    tenant: Option<String>,
    ids: Vec<String>,
    settings: BTreeMap<String, String>,
}

impl<'a> Parts<'a> {
    fn stretch(source: Source, args: &'a StretchArgs) -> Self {
        Self {
            source,
            span: Some(&args.span),
            platform: Some(&args.platform),
            want: Some(&args.want),
            request_id: args.want.request_id.as_ref(),
            then: &args.then,
            tenant: None,
            ids: Vec::new(),
            settings: BTreeMap::new(),
        }
    }

    fn lookup(source: Source, args: &'a LookupArgs) -> Self {
        Self {
            source,
            span: None,
            platform: Some(&args.platform),
            want: Some(&args.want),
            request_id: args.want.request_id.as_ref(),
            then: &args.then,
            tenant: None,
            ids: args.ids.clone(),
            settings: BTreeMap::new(),
        }
    }

    fn beside(source: Source, args: &'a BesideArgs) -> Self {
        Self {
            source,
            span: Some(&args.span),
            platform: Some(&args.platform),
            want: None,
            request_id: args.request_id.as_ref(),
            then: &args.then,
            tenant: None,
            ids: Vec::new(),
            settings: BTreeMap::new(),
        }
    }

    fn with(self, settings: &[(&str, &str)]) -> Self {
        let settings = settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Self {
            settings: settings.collect(),
            ..self
        }
    }

    fn of(source: &'a StartSource) -> Self {
        use StartSource as Of;
        match source {
            Of::GenesysConversations(args) => Self::stretch(Source::GenesysConversations, args),
            Of::GenesysUsers(args) => Self::stretch(Source::GenesysUsers, args),
            Of::CxoneContacts(args) => Self::stretch(Source::CxoneContacts, args),
            Of::CxoneContactStates(args) => Self::stretch(Source::CxoneContactStates, args),
            Of::CxoneAgentStates(args) => Self::stretch(Source::CxoneAgentStates, args),
            Of::CxoneReport(args) => {
                Self::stretch(Source::CxoneReport, &args.stretch).with(&[("report", &args.report)])
            }
            Of::CxoneExtraction(args) => Self::stretch(Source::CxoneExtraction, &args.stretch)
                .with(&[
                    ("entity", &args.entity),
                    ("version", &args.entity_version),
                    ("mapping", &args.mapping),
                ]),
            Of::GenesysFigures(args) => Self::beside(Source::GenesysFigures, args),
            Of::GenesysShifts(args) => Self::beside(Source::GenesysShifts, args),
            Of::CxoneFigures(args) => Self::beside(Source::CxoneFigures, args),
            Of::CxoneShifts(args) => Self::beside(Source::CxoneShifts, args),
            Of::GenesysLookup(args) => Self::lookup(Source::GenesysLookup, args),
            Of::CxoneLookup(args) => Self::lookup(Source::CxoneLookup, args),
            Of::Files(args) => Self {
                source: Source::Files,
                span: None,
                platform: None,
                want: Some(&args.want),
                request_id: args.want.request_id.as_ref(),
                then: &args.then,
                tenant: Some(args.tenant.clone()),
                ids: Vec::new(),
                settings: BTreeMap::new(),
            },
            Of::Replay(args) => Self {
                source: Source::Replay,
                span: Some(&args.span),
                platform: None,
                want: Some(&args.want),
                request_id: args.want.request_id.as_ref(),
                then: &args.then,
                tenant: args.tenant.clone(),
                ids: Vec::new(),
                settings: BTreeMap::new(),
            },
        }
    }
}

impl StartArgs {
    /// The flags for logs.
    #[must_use]
    pub fn ops(&self) -> &OpsArgs {
        &Parts::of(&self.source).then.ops
    }

    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<StartConfig> {
        let mut problems = Problems::new();
        let parts = Parts::of(&self.source);
        let postgres = parts.then.postgres.resolve(&mut problems);
        parts.then.ops.resolve(&mut problems);
        let wish = Wish {
            source: parts.source,
            platform: parts.platform.map(|args| args.platform.clone()),
            tenant: parts.tenant,
            from: parts.span.map(|span| span.from),
            to: parts.span.map(|span| span.to),
            kpis: parts.want.map(|want| want.kpis.clone()).unwrap_or_default(),
            version: parts.want.map_or(MetricVersion::FIRST, |want| {
                MetricVersion(want.metric_version)
            }),
            promote: parts
                .want
                .map_or(Promote::Never, |want| want.promote.into()),
            request_id: parts.request_id.cloned(),
            ids: parts.ids,
            settings: parts.settings,
        };
        sound(&wish, &mut problems);
        let files = match &self.source {
            StartSource::Files(args) => Some(args.resolve(&mut problems)),
            _ => None,
        };
        let platforms = match parts.platform {
            None => Platforms::default(),
            Some(args) => read_platforms(Some(&args.platforms), &mut problems),
        };
        if parts.platform.is_some()
            && platforms.iter().len() > 0
            && let Err(error) = wish.platform(&platforms)
        {
            problems.push(format!("--platform: {error}"));
        }
        problems.into_result()?;
        Ok(StartConfig {
            store: store_config(&postgres),
            wish,
            files,
            platforms,
            check: parts
                .platform
                .is_some_and(|args| !args.no_check && !args.offline),
            offline: parts.platform.is_none_or(|args| args.offline),
            dry_run: parts.then.dry_run,
            watch: parts.then.watch,
            output: Output::or_usual(parts.then.output),
        })
    }
}

/// Reads a platforms file, if one is named; what is wrong with it is noted.
pub(crate) fn read_platforms(file: Option<&std::path::Path>, problems: &mut Problems) -> Platforms {
    let Some(file) = file else {
        return Platforms::default();
    };
    platforms::load(file).unwrap_or_else(|found| {
        for problem in found {
            problems.push(problem);
        }
        Platforms::default()
    })
}

/// What a message could not say either.
fn sound(wish: &Wish, problems: &mut Problems) {
    let request = wish.clone().request("unnamed".to_owned());
    if let Err(error) = request.check() {
        problems.push(error.to_string());
    }
}

/// Flags of `request`.
#[derive(Debug, Clone, clap::Args)]
pub struct RequestArgs {
    /// The source, as `backfill start --help` lists them (not `files`)
    #[arg(value_name = "SOURCE")]
    source: String,

    /// The platform, as the workers' platforms file names it
    #[arg(long, value_name = "NAME")]
    platform: Option<String>,

    /// Of a replay: only this organisation's events
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,

    /// The first instant, with Z or an offset: 2024-03-01T00:00:00Z
    #[arg(long, value_parser = instant, requires = "to", value_name = "INSTANT")]
    from: Option<UtcMicros>,

    /// The end; it does not belong to the stretch
    #[arg(long, value_parser = instant, requires = "from", value_name = "INSTANT")]
    to: Option<UtcMicros>,

    /// Instead of --from and --to: the stretch of this length that ended at the last UTC midnight
    #[arg(long, value_parser = runtime::args::positive_duration, conflicts_with_all = ["from", "to"], value_name = "DURATION")]
    last: Option<Duration>,

    /// An interaction to look up; several, or separated by commas
    #[arg(long = "id", value_delimiter = ',', value_name = "INTERACTION")]
    ids: Vec<String>,

    /// What else the source wants to know, such as report=524; several
    #[arg(long = "set", value_parser = setting, value_name = "NAME=VALUE")]
    settings: Vec<(String, String)>,

    #[command(flatten)]
    want: WantArgs,

    /// How results are written to stdout; without it text on a terminal, else JSON
    #[arg(long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,

    #[command(flatten)]
    amqp: AmqpArgs,
    #[command(flatten)]
    pub(crate) ops: OpsArgs,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| "write NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Checked settings of `request`.
#[derive(Debug, Clone)]
pub struct RequestConfig {
    /// RabbitMQ.
    pub broker: broker::BrokerConfig,
    /// The job.
    pub wish: Wish,
    /// How results are written.
    pub output: Output,
}

impl RequestArgs {
    /// Checks everything and lists every problem at once. `now` is when `--last` is reckoned from.
    pub fn resolve(&self, now: UtcMicros) -> anyhow::Result<RequestConfig> {
        const DAY: i64 = 86_400_000_000;
        let mut problems = Problems::new();
        let amqp = self.amqp.resolve(&mut problems);
        self.ops.resolve(&mut problems);
        let source = Source::parse(&self.source).filter(|source| *source != Source::Files);
        if source.is_none() {
            problems.push(format!(
                "SOURCE: is `{}`; known are {}",
                self.source,
                Source::names(|source| source != Source::Files)
            ));
        }
        let midnight = UtcMicros(now.0.div_euclid(DAY) * DAY);
        let last = self.last.map(|last| {
            let length = i64::try_from(last.as_micros()).unwrap_or(i64::MAX);
            UtcMicros(midnight.0.saturating_sub(length))
        });
        let wish = Wish {
            source: source.unwrap_or(Source::Replay),
            platform: self.platform.clone(),
            tenant: self.tenant.clone(),
            from: self.from.or(last),
            to: self.to.or(last.map(|_| midnight)),
            kpis: self.want.kpis.clone(),
            version: MetricVersion(self.want.metric_version),
            promote: self.want.promote.into(),
            request_id: self.want.request_id.clone(),
            ids: self.ids.clone(),
            settings: self.settings.iter().cloned().collect(),
        };
        sound(&wish, &mut problems);
        problems.into_result()?;
        Ok(RequestConfig {
            broker: super::broker_config(&amqp),
            wish,
            output: Output::or_usual(self.output),
        })
    }
}
