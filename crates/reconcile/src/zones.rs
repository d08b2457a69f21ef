//! Whether an agent's clock here is the clock of the platform.
//!
//! Two kinds of evidence: what either side *states* as the agent's zone, and what was *seen* of the difference, day boundaries and shifts.
//! Where both sides state a zone the difference is computed from the zone data, and what was seen confirms it or not. Where one side
//! states none, the difference is read out of what was seen.
//!
//! A difference has the sign of "our clock is ahead of the platform's by so many seconds".

mod evidence;
mod seen;
mod stated;

pub use evidence::{Evidence, Observation, Seen, Stated};

use schema::{AgentId, UtcMicros};
use timezone::Zone;

/// Which side a statement is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Ours: what events, places or the fallback gave.
    Ours,
    /// The platform's: workforce management, the unit, the agent's record.
    Platform,
}

/// In what way clocks differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A zone's name is not known, so that something else was used instead.
    UnknownZone {
        /// Who states it.
        side: Side,
        /// The name.
        text: String,
    },
    /// Zones of different names are declared, whose clocks agree in the time looked at and not always.
    DeclaredDiffers,
    /// The same difference throughout.
    Constant {
        /// By how much our clock is ahead.
        seconds: i64,
    },
    /// The difference changes when one of the two clocks is put forward or back: one side has an offset that does not follow.
    AtChange {
        /// The first instant of the new difference.
        at: UtcMicros,
        /// By how much our clock was ahead before.
        before: i64,
        /// And from then on.
        after: i64,
    },
}

impl Kind {
    /// Its word, in the store and in reports.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::UnknownZone { .. } => "unknown_zone",
            Self::DeclaredDiffers => "declared_differs",
            Self::Constant { .. } => "constant_difference",
            Self::AtChange { .. } => "appears_at_change",
        }
    }

    /// Whether the difference is one of whole hours, where there is one.
    #[must_use]
    pub const fn whole_hours(&self) -> bool {
        match self {
            Self::Constant { seconds } => *seconds % 3_600 == 0,
            Self::AtChange { before, after, .. } => *before % 3_600 == 0 && *after % 3_600 == 0,
            Self::UnknownZone { .. } | Self::DeclaredDiffers => false,
        }
    }
}

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Seen a few times, or contradicted by what was seen.
    Possible,
    /// Stated by both sides, or seen often enough.
    Likely,
    /// Stated by both sides and seen.
    Certain,
}

impl Confidence {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// A clock that is not the platform's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneFinding {
    /// Whose.
    pub agent: AgentId,
    /// In what way.
    pub kind: Kind,
    /// The zone that we go by, as it is stated.
    pub ours: Option<String>,
    /// The zone that the platform states.
    pub platform: Option<String>,
    /// How sure it is.
    pub confidence: Confidence,
    /// How many observations agree with it.
    pub seen: usize,
    /// One of them.
    pub example: Option<Observation>,
    /// Zones of others of this workforce whose clock would explain all that was seen: a hint where the platform states none.
    pub fits: Vec<Zone>,
}

/// What is wrong with an agent's clock in `[from, to)`, if anything. `workforce` are the zones that anybody of the organisation has, to look
/// for changes of the clocks and for one that fits.
///
/// At most one finding for each unknown name and for each two zones that were stated for the same time; the order of what is given does
/// not matter.
#[must_use]
pub fn diagnose(
    evidence: &Evidence,
    from: UtcMicros,
    to: UtcMicros,
    workforce: &[Zone],
) -> Vec<ZoneFinding> {
    let mut evidence = evidence.clone();
    evidence.sort();
    let mut found = stated::unknown(&evidence);
    found.extend(stated::differing(&evidence, from, to));
    let told = found
        .iter()
        .any(|one| !matches!(one.kind, Kind::UnknownZone { .. }));
    if !told {
        found.extend(seen::read(&evidence, workforce));
    }
    found
}
