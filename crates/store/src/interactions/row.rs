//! The rows of `interactions` as they are given and read.

use schema::UtcMicros;

/// Where an interaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// No terminal state yet.
    Open,
    /// Completed, abandoned or missed.
    Terminal,
    /// The same, but no source states the end: it is inferred, until a record confirms it or it turns out to go on. Stored as `terminal`,
    /// beside the mark.
    Provisional,
    /// More facts than are kept.
    Overfull,
}

impl Status {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Terminal | Self::Provisional => "terminal",
            Self::Overfull => "overfull",
        }
    }

    /// Whether it has ended, stated or inferred.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Terminal | Self::Provisional)
    }

    pub(super) fn parse(text: &str, inferred: bool) -> Option<Self> {
        let status = [Self::Open, Self::Terminal, Self::Overfull]
            .into_iter()
            .find(|status| status.as_str() == text)?;
        Some(match status {
            Self::Terminal if inferred => Self::Provisional,
            status => status,
        })
    }
}

/// An interaction that may be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewInteraction<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The platform's id.
    pub interaction_id: &'a str,
    /// The month its metrics will live in for ever. Make sure it exists, see [`crate::partitions`].
    pub partition_at: UtcMicros,
    /// Its first instant, as far as known.
    pub started_at: Option<UtcMicros>,
    /// Its last instant, as far as known.
    pub ended_at: Option<UtcMicros>,
    /// Where it stands.
    pub status: Status,
    /// A keyed hash of the customer.
    pub customer_key: Option<&'a str>,
    /// The folded session as JSON.
    pub state_json: &'a str,
    /// How many facts the session holds.
    pub facts: i32,
    /// Versions that jobs asked for.
    pub metric_versions: &'a [i16],
}

/// The new state of a locked interaction. Its partition instant never changes and is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangedInteraction<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The platform's id.
    pub interaction_id: &'a str,
    /// Its first instant, as far as known.
    pub started_at: Option<UtcMicros>,
    /// Its last instant, as far as known.
    pub ended_at: Option<UtcMicros>,
    /// Where it stands.
    pub status: Status,
    /// A keyed hash of the customer.
    pub customer_key: Option<&'a str>,
    /// The folded session as JSON.
    pub state_json: &'a str,
    /// How many facts the session holds.
    pub facts: i32,
    /// Versions that jobs asked for.
    pub metric_versions: &'a [i16],
}

/// What an evaluation of interactions with all of their facts went by: the whole catalogue, or single definitions of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evaluated<'a> {
    /// The catalogue's generation, where everything that was switched on in it was evaluated.
    pub generation: Option<i64>,
    /// The activations of the definitions evaluated, where it was not everything, or something besides.
    pub also: &'a [i64],
}

impl Evaluated<'_> {
    /// By nothing: for those who store without evaluating.
    pub const NEVER: Self = Self {
        generation: None,
        also: &[],
    };

    pub(super) fn also(&self) -> Option<&[i64]> {
        (!self.also.is_empty()).then_some(self.also)
    }
}

/// An interaction that a job had evaluated without any news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvaluatedInteraction<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The platform's id.
    pub interaction_id: &'a str,
    /// Versions that jobs asked for.
    pub metric_versions: &'a [i16],
    /// The activations of the definitions evaluated.
    pub also: &'a [i64],
}

/// An interaction as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// The organisation.
    pub tenant: String,
    /// The platform's id.
    pub interaction_id: String,
    /// The month its metrics live in.
    pub partition_at: UtcMicros,
    /// Its first instant, as far as known.
    pub started_at: Option<UtcMicros>,
    /// Its last instant, as far as known.
    pub ended_at: Option<UtcMicros>,
    /// Where it stands.
    pub status: Status,
    /// The folded session as JSON.
    pub state_json: String,
    /// A keyed hash of the customer.
    pub customer_key: Option<String>,
    /// How many facts the session holds.
    pub facts: i32,
    /// Versions that jobs asked for.
    pub metric_versions: Vec<i16>,
    /// Rises by one with each update.
    pub revision: i64,
    /// It was given up as incomplete, see [`crate::sweep`]. Stays, also when it ends after all.
    pub swept: bool,
    /// The platform's record was asked for, to confirm its inferred end, see [`crate::sweep::settle`].
    pub confirmation_asked: bool,
    /// It has ended, or had ended once, by a stated or an inferred end. Stays.
    pub had_ended: bool,
}

/// How far an interaction is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The organisation.
    pub tenant: String,
    /// The platform's id.
    pub interaction_id: String,
    /// It had more facts than are kept: nothing more is computed of it.
    pub overfull: bool,
    /// How many facts it holds.
    pub facts: i32,
    /// Versions that jobs asked for.
    pub metric_versions: Vec<i16>,
}
