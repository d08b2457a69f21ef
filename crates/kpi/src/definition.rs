//! One KPI as data: a TOML text, checked and compiled.
//!
//! ```toml
//! name = "held"                                 # [a-z][a-z0-9_]{0,62}
//! version = 1                                   # 1 to 32767; a changed text is a new version
//! unit = "share"                                # seconds (of a duration), count (int), share (bool or double), number (int or double)
//! priority = "normal"                           # critical | normal
//! scope = "interaction"                         # interaction | leg (each agent's leg) | journey | agent_time
//! title = "Hold rate"
//! description = "What it is, for people."
//! source = "Where the formula comes from, and its variants."
//! aggregations = ["mean", "sum", "count"]       # sum count mean min max p50 p90 …; the first is a window's value
//! counted = "ended"                             # offered | answered | ended: the instant that puts a value into a window
//! settles_after = "2d"                          # how long after its end a window may still change
//! filter = "interaction.answered"               # where it does not hold, the KPI does not apply: absent, `filtered`
//! value = "interaction.hold > parameters.least"
//! on_excluded = "absent"                        # or "zero"
//! platform = "interaction.platform_handle"      # what the platform itself states, for comparison; never used as the value
//!
//! [[exclusions]]                                # in order, the first that holds decides
//! reason = "outside_business_hours"
//! when = "!inHours(interaction.started_at, schedules.hours)"
//!
//! [parameters]                                  # constants; a text such as "20s" or "1m30s" is a duration
//! least = "0s"
//! [lists]                                       # of texts or whole numbers
//! excluded = ["TEST"]
//! [terms]                                       # named expressions, usable further down
//! long = "interaction.hold > duration('5m')"
//! [schedules]                                   # in exactly that version
//! hours = "eight_to_six@1"
//! [zone]                                        # whose clock counts
//! order = ["agent", "schedule", "queue", "organisation"]
//! default = "Europe/Berlin"                     # before UTC with a flag
//! [[windows]]                                   # in which windows of local time values add up, and for whom
//! by = ["queue", "media"]                       # [] is everything; queue media direction agent team platform attribute:NAME
//! sizes = ["30m", "day", "month", "shift"]      # 15m 30m 60m day week month shift
//! shift = "hours"                               # of [schedules], with and only with the size shift; edges on quarter hours
//! ```
//!
//! With `scope = "journey"` the rules are evaluated once a contact, and read `journey.*` besides `interaction.*`:
//!
//! ```toml
//! name = "resolved"
//! version = 1
//! unit = "share"
//! scope = "journey"
//! filter = "journey.first"
//! value = "!journey.repeated"                   # absent, `not_final`, until nothing can change it any more
//! [journey]
//! within = "7d"                                 # 1m to 366d: how soon another contact is a repeat
//! repeat = '!has(interaction.direction) || interaction.direction == "inbound"'  # which contacts count; by default all but outbound ones and callbacks
//! ```
//!
//! With `scope = "agent_time"` there are no values one by one, only windows of the time that agents spend; the rules read `time.*`:
//!
//! ```toml
//! name = "busy_share"
//! version = 1
//! unit = "share"                                # of a ratio; seconds where there is no denominator
//! scope = "agent_time"
//! filter = "time.known"                         # where it does not hold, time is in no part
//! numerator = "time.busy"                       # what is counted
//! denominator = "time.logged_in"                # out of what
//! [[windows]]
//! by = ["agent"]                                # agent team platform
//! sizes = ["day"]
//! ```

mod agent_time;
mod constants;
mod journey;
mod read;
mod windows;
mod zone;

use crate::agent_time::AgentTimeRule;
use crate::document::Problem;
use crate::journey::JourneyRule;
use crate::library::Library;
use crate::record::ZoneRule;
use crate::value::{DigestPrefix, Reason, Unit};
use compact_str::CompactString;
use expression::Expression;
use schema::MetricVersion;
use std::fmt;
use std::sync::Arc;
use timezone::Schedule;

pub use windows::{WindowRule, WindowSet};

/// A definition, ready to be evaluated. Immutable.
#[derive(Debug)]
pub struct Definition {
    pub(crate) name: CompactString,
    pub(crate) version: MetricVersion,
    pub(crate) unit: Unit,
    pub(crate) priority: Priority,
    pub(crate) scope: Grain,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) source: String,
    pub(crate) aggregations: Vec<Aggregation>,
    pub(crate) text: String,
    pub(crate) digest: [u8; 32],
    pub(crate) filter: Option<Expression>,
    pub(crate) exclusions: Vec<Exclusion>,
    /// Of agents' time, the numerator.
    pub(crate) value: Expression,
    pub(crate) on_excluded: OnExcluded,
    pub(crate) platform: Option<Expression>,
    pub(crate) terms: Vec<(String, Expression)>,
    pub(crate) schedules: Vec<Arc<Schedule>>,
    /// `name@version` of the schedules, for provenance; `None` where there are none.
    pub(crate) schedule_names: Option<Arc<[CompactString]>>,
    pub(crate) zone: ZoneRule,
    pub(crate) windows: Option<WindowRule>,
    /// There exactly in the scope of journeys.
    pub(crate) journey: Option<JourneyRule>,
    /// There exactly in the scope of agents' time.
    pub(crate) agent_time: Option<AgentTimeRule>,
    /// Whether the zone is resolved in the usual order, so that definitions can share it.
    pub(crate) usual_zone: bool,
}

/// A rule that leaves a subject out.
#[derive(Debug)]
pub(crate) struct Exclusion {
    pub(crate) reason: Reason,
    pub(crate) when: Expression,
    /// Whether it looks at a disposition, which then explains it.
    pub(crate) reads_disposition: bool,
}

/// What a definition is evaluated for: the grain of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grain {
    /// Once an interaction.
    Interaction,
    /// Once a leg of an agent's.
    Leg,
    /// Once an interaction, among the others of its customer.
    Journey,
    /// Never one by one: over the time that agents spend.
    AgentTime,
}

/// Whether a KPI is computed and pushed before others when there is much to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// First.
    Critical,
    /// After the critical ones.
    Normal,
}

/// What an excluded subject has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnExcluded {
    /// No value: it is in no part of an average.
    Absent,
    /// Zero, which pulls an average down.
    Zero,
}

/// How values are put together over many subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Aggregation {
    /// Sum over count: of shares, the ratio of sums. Of agents' time, the time counted over that out of which it is counted.
    Mean,
    /// The sum.
    Sum,
    /// How many have a value.
    Count,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The value that so many percent (1 to 99) do not exceed.
    Percentile(u8),
}

macro_rules! names {
    ($name:ident { $($variant:ident $text:literal),* }) => {
        impl $name {
            const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name, as definitions have it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names!(Grain { Interaction "interaction", Leg "leg", Journey "journey", AgentTime "agent_time" });
names!(Priority { Critical "critical", Normal "normal" });
names!(OnExcluded { Absent "absent", Zero "zero" });

impl Aggregation {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "mean" => Self::Mean,
            "sum" => Self::Sum,
            "count" => Self::Count,
            "min" => Self::Min,
            "max" => Self::Max,
            percentile => {
                let digits = percentile.strip_prefix('p')?;
                let canonical = !digits.starts_with(['0', '+']);
                let percent = digits.parse().ok()?;
                (canonical && (1..=99).contains(&percent)).then_some(Self::Percentile(percent))?
            }
        })
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mean => "mean",
            Self::Sum => "sum",
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Percentile(percent) => return write!(f, "p{percent}"),
        })
    }
}

impl Definition {
    /// Reads, checks and compiles a text, and tries it on built-in samples. All problems at once, in the order of the text.
    ///
    /// `file` is what the problems call it. The schedules that the text refers to must be in the library.
    pub fn read(file: &str, text: &str, library: &Library) -> Result<Self, Vec<Problem>> {
        read::read(file, text, library)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    pub const fn version(&self) -> MetricVersion {
        self.version
    }

    /// The unit of its values.
    pub const fn unit(&self) -> Unit {
        self.unit
    }

    /// Whether it comes before others.
    pub const fn priority(&self) -> Priority {
        self.priority
    }

    /// What it is evaluated for.
    pub const fn scope(&self) -> Grain {
        self.scope
    }

    /// Its title; the name where it has none.
    pub fn title(&self) -> &str {
        if self.title.is_empty() {
            &self.name
        } else {
            &self.title
        }
    }

    /// What it is, for people.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Where the formula comes from, and its variants.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// How its values are put together over many subjects.
    pub fn aggregations(&self) -> &[Aggregation] {
        &self.aggregations
    }

    /// In which windows its values add up, and for whom; `None` where they do in none.
    pub const fn windows(&self) -> Option<&WindowRule> {
        self.windows.as_ref()
    }

    /// What makes contacts of one customer a journey; of a definition of journeys.
    pub const fn journey(&self) -> Option<&JourneyRule> {
        self.journey.as_ref()
    }

    /// Which time counts; of a definition of agents' time.
    pub const fn agent_time(&self) -> Option<&AgentTimeRule> {
        self.agent_time.as_ref()
    }

    /// What an excluded subject has.
    pub const fn on_excluded(&self) -> OnExcluded {
        self.on_excluded
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 over the parsed content: comments, layout and the order of members are free, everything else is not.
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The schedules it refers to, as `name@version`.
    pub fn schedules(&self) -> impl Iterator<Item = &str> {
        self.schedule_names
            .iter()
            .flat_map(|names| names.iter().map(CompactString::as_str))
    }

    pub(crate) fn digest_prefix(&self) -> DigestPrefix {
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&self.digest[..8]);
        DigestPrefix(prefix)
    }

    pub(crate) fn schedules_used(&self) -> &[Arc<Schedule>] {
        &self.schedules
    }

    pub(crate) const fn zone_rule(&self) -> &ZoneRule {
        &self.zone
    }

    pub(crate) const fn has_usual_zone(&self) -> bool {
        self.usual_zone
    }
}
