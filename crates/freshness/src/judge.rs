//! The state that follows from a look and from what earlier looks left behind.

use crate::evidence::{Evidence, Seen};
use crate::measure::Measure;
use crate::reading::{Reading, read};
use crate::settings::Settings;
use crate::trigger::{Dwell, Says, Trigger};
use crate::words::{Lasting, passed};
use schema::{PlatformState, UtcMicros};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// So many causes are told in one reason.
const TOLD_MAX: usize = 3;

/// What is remembered from look to look. It is kept as JSON in the store, so that whoever looks next goes on with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The state.
    #[serde(default)]
    pub state: PlatformState,
    /// Since when; none: nobody has looked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<UtcMicros>,
    /// The last look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<UtcMicros>,
    /// From when on events may be missing, since the first trouble of a row of troubles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flow_from: Option<UtcMicros>,
    /// Triggers that stand on or are turning, by [`Measure::key`].
    #[serde(default)]
    triggers: BTreeMap<String, Kept>,
}

/// A trigger with what it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    trigger: Trigger,
    /// The earliest instant that it makes doubtful.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<UtcMicros>,
    /// The last words for it.
    #[serde(default)]
    text: String,
    /// At the last look that could tell it was little enough.
    #[serde(default)]
    over: bool,
}

impl Memory {
    /// What was kept. What another release has written and this one cannot read is as if nobody had looked yet.
    #[must_use]
    pub fn parse(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// To be kept.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// Something that keeps a platform from being live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The machine's word.
    pub code: &'static str,
    /// What it makes of the platform.
    pub state: PlatformState,
    /// In words, with numbers.
    pub text: String,
    /// It is over, and stays until that has lasted and everything else on the way of events is little enough, too.
    pub calm: bool,
}

/// What came of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// To be kept for the next look.
    pub memory: Memory,
    /// The state.
    pub state: PlatformState,
    /// Since when.
    pub since: UtcMicros,
    /// The state before, where it changed.
    pub before: Option<PlatformState>,
    /// The machine's word for the worst cause that is told; empty: live.
    pub code: &'static str,
    /// Why, for people; empty: live.
    pub reason: String,
    /// All causes, the worst first.
    pub causes: Vec<Cause>,
    /// From when on numbers are doubtful. `None`: of no stretch but those that the platform counts more of.
    pub doubtful_from: Option<UtcMicros>,
    /// How far behind now the numbers are, as far as anything tells.
    pub lag: Duration,
    /// Interactions that the platform counts and that are not here, of intervals that are short.
    pub missing: u64,
}

/// Looks once more.
#[must_use]
pub fn judge(memory: &Memory, evidence: &Evidence, settings: &Settings) -> Judgement {
    let now = evidence.now;
    let in_step = memory
        .looked_at
        .is_some_and(|last| last <= now && passed(last, now) <= settings.look_gap);
    let dwell = Dwell {
        on_after: settings.on_after,
        off_after: settings.off_after,
    };
    let readings: Vec<(Measure, Option<Reading>)> = Measure::ALL
        .into_iter()
        .filter_map(|measure| match read(measure, evidence, settings) {
            Seen::Unwatched => None,
            Seen::Unknown => Some((measure, None)),
            Seen::Known(reading) => Some((measure, Some(reading))),
        })
        .collect();
    let lags = readings.iter().filter_map(|(_, reading)| reading.as_ref());
    let lag = lags.map(|reading| reading.lag).max().unwrap_or_default();
    // What came in a burst is no longer silent, not yet waiting for long, and not here. So troubles of the flow end together, when all of it is
    // well: whatever is still under way then has waited for as long as that lasted, which its own measure would have told.
    let flows = readings
        .iter()
        .filter(|(measure, _)| measure.is_of_the_flow());
    let well = flows
        .map(|(_, reading)| reading.as_ref().map(|it| it.says))
        .all(|says| says == Some(Says::Off));
    let mut triggers = BTreeMap::new();
    let mut standing = Vec::new();
    for (measure, reading) in readings {
        let before = memory.triggers.get(measure.key());
        let may_end = well || !measure.is_of_the_flow() || measure.has_a_twin();
        let kept = look(before, reading, may_end, now, in_step, dwell);
        if kept.trigger.on {
            standing.push((measure, kept.clone()));
        }
        if kept.trigger != Trigger::default() {
            triggers.insert(measure.key().to_owned(), kept);
        }
    }
    let state = standing
        .iter()
        .map(|(measure, _)| measure.state())
        .max()
        .unwrap_or_default();
    let since = memory
        .since
        .filter(|_| memory.state == state)
        .unwrap_or(now);
    let flow = standing
        .iter()
        .filter(|(measure, _)| measure.is_of_the_flow());
    let flow_from = if flow.clone().next().is_some() {
        let named = flow.filter_map(|(_, kept)| kept.from);
        named.chain(memory.flow_from).min()
    } else {
        None
    };
    let apart = standing
        .iter()
        .filter(|(measure, _)| !measure.is_of_the_flow())
        .filter_map(|(_, kept)| kept.from);
    Judgement {
        state,
        since,
        before: memory
            .since
            .map(|_| memory.state)
            .filter(|before| *before != state),
        code: told(&standing)
            .first()
            .map_or("", |(measure, _)| measure.code()),
        reason: reason(&standing, now, settings),
        causes: standing
            .iter()
            .map(|(measure, kept)| cause(*measure, kept))
            .collect(),
        doubtful_from: apart.chain(flow_from).min(),
        lag,
        missing: missing(evidence),
        memory: Memory {
            state,
            since: Some(since),
            looked_at: Some(now),
            flow_from,
            triggers,
        },
    }
}

/// One look at one trigger. `may_end`: it does not have to wait for others.
fn look(
    before: Option<&Kept>,
    reading: Option<Reading>,
    may_end: bool,
    now: UtcMicros,
    in_step: bool,
    dwell: Dwell,
) -> Kept {
    let mut kept = before.cloned().unwrap_or_default();
    let says = match &reading {
        None => Says::Nothing,
        Some(reading) if reading.says == Says::Off && !may_end => Says::Between,
        Some(reading) => reading.says,
    };
    kept.trigger = kept.trigger.look(now, says, in_step, dwell);
    if kept.trigger == Trigger::default() {
        return Kept::default();
    }
    if let Some(reading) = reading {
        kept.over = reading.says == Says::Off;
        if !kept.over {
            kept.from = kept.from.into_iter().chain(reading.from).min();
            kept.text = reading.text;
        }
    }
    kept
}

/// Those that are told: what is not over, and where all of it is, everything.
fn told(standing: &[(Measure, Kept)]) -> Vec<&(Measure, Kept)> {
    let lasting: Vec<_> = standing.iter().filter(|(_, kept)| !kept.over).collect();
    if lasting.is_empty() {
        standing.iter().collect()
    } else {
        lasting
    }
}

fn cause(measure: Measure, kept: &Kept) -> Cause {
    Cause {
        code: measure.code(),
        state: measure.state(),
        text: kept.text.clone(),
        calm: kept.over,
    }
}

/// The words for what stands: the worst first, each matter once; and since when it is over.
fn reason(standing: &[(Measure, Kept)], now: UtcMicros, settings: &Settings) -> String {
    let mut words: Vec<(&str, &str)> = Vec::new();
    for (measure, kept) in told(standing) {
        if words.iter().all(|(code, _)| *code != measure.code()) {
            words.push((measure.code(), &kept.text));
        }
    }
    let more = words.len().saturating_sub(TOLD_MAX);
    words.truncate(TOLD_MAX);
    let texts: Vec<&str> = words.into_iter().map(|(_, text)| text).collect();
    let mut reason = texts.join("; ");
    if more > 0 {
        reason = format!("{reason}; and {more} more");
    }
    // Over is only what is over altogether: the last one to turn says since when.
    let turning = standing.iter().map(|(_, kept)| kept.trigger.turning);
    if let Some(Some(since)) = turning.reduce(|one, other| Some(one?.max(other?))) {
        reason = format!(
            "{reason}; all of that has been over for {}, and must stay so for {}",
            Lasting(passed(since, now)),
            Lasting(settings.off_after)
        );
    }
    reason
}

fn missing(evidence: &Evidence) -> u64 {
    let Seen::Known(counts) = &evidence.counts else {
        return 0;
    };
    counts
        .iter()
        .filter(|one| one.short)
        .fold(0, |sum, one| sum.saturating_add(one.missing()))
}

#[cfg(test)]
mod tests;
