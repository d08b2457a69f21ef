//! What one look says of a measure: how far it is behind, from when on numbers are doubtful, and the words for it.

use crate::evidence::{Counted, Evidence, Feed, Marks, Seen, Storm};
use crate::health::{Said, Word};
use crate::measure::Measure;
use crate::settings::Settings;
use crate::trigger::Says;
use crate::words::{Grouped, Lasting, before, passed};
use schema::UtcMicros;
use std::time::Duration;

/// Where no new event came for so long, how late the last ones were says nothing of now.
const NEWS: Duration = Duration::from_secs(60);

/// What a look says of one measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// To its trigger.
    pub says: Says,
    /// From when on numbers are doubtful; `None`: of no stretch that it could name.
    pub from: Option<UtcMicros>,
    /// How far behind now the numbers are by it.
    pub lag: Duration,
    /// In words, with numbers.
    pub text: String,
}

impl Reading {
    fn new(says: Says, from: Option<UtcMicros>, lag: Duration, text: String) -> Self {
        Self {
            says,
            from,
            lag,
            text,
        }
    }

    /// Nothing is the matter.
    const fn fine() -> Self {
        Self {
            says: Says::Off,
            from: None,
            lag: Duration::ZERO,
            text: String::new(),
        }
    }
}

/// What an amount says beside its threshold, which it has to halve to be little enough.
fn says<T: PartialOrd>(value: &T, most: Option<&T>, half: &T) -> Says {
    match most {
        None => Says::Off,
        Some(most) if value >= most => Says::On,
        Some(_) if value < half => Says::Off,
        Some(_) => Says::Between,
    }
}

fn lasts(value: Duration, most: Option<Duration>) -> Says {
    says(&value, most.as_ref(), &(most.unwrap_or_default() / 2))
}

/// What a look says of a measure.
#[must_use]
pub fn read(measure: Measure, evidence: &Evidence, settings: &Settings) -> Seen<Reading> {
    let now = evidence.now;
    match measure {
        Measure::Silence => silence(evidence, settings, settings.silence),
        Measure::SilenceLong => silence(evidence, settings, long(settings.silence, settings)),
        Measure::SwitchedOff => feeds(evidence, |feed| switched_off(feed, now, settings)),
        Measure::Late => feeds(evidence, |feed| late(feed, now, settings)),
        Measure::Follow => feeds(evidence, |feed| {
            behind(feed, now, settings.follow, settings)
        }),
        Measure::FollowLong => {
            let most = long(settings.follow, settings);
            feeds(evidence, |feed| behind(feed, now, most, settings))
        }
        Measure::Line => line(evidence, settings.line, settings),
        Measure::LineLong => line(evidence, long(settings.line, settings), settings),
        Measure::Queue => queue(evidence, settings),
        Measure::Windows => evidence
            .windows
            .as_ref()
            .map(|marks| windows(marks.as_ref(), now, settings)),
        Measure::Storm => evidence
            .storm
            .as_ref()
            .map(|storm| storm_read(storm, now, settings)),
        Measure::Counts => evidence.counts.as_ref().map(|counts| counted(counts)),
        Measure::Maintenance => evidence
            .health
            .as_ref()
            .map(|said| health(said, Word::Maintenance, now)),
        Measure::Trouble => evidence
            .health
            .as_ref()
            .map(|said| health(said, Word::Trouble, now)),
    }
}

/// When it is very long: where it matters at all.
fn long(most: Option<Duration>, settings: &Settings) -> Option<Duration> {
    Some(settings.stale?.max(most?))
}

/// The worst of all feeds: one that delivers is no comfort for one that does not. One that cannot tell is no comfort either.
fn feeds(evidence: &Evidence, of: impl Fn(&Feed) -> Seen<Reading>) -> Seen<Reading> {
    let rank = |reading: &Reading| {
        let says = match reading.says {
            Says::On => 2,
            Says::Between => 1,
            Says::Off | Says::Nothing => 0,
        };
        (says, reading.lag)
    };
    match &evidence.feeds {
        Seen::Unwatched => Seen::Unwatched,
        Seen::Unknown => Seen::Unknown,
        Seen::Known(all) => {
            let mut worst = Seen::Unwatched;
            for feed in all {
                worst = match (worst, of(feed)) {
                    (worst, Seen::Unwatched) => worst,
                    (Seen::Unwatched, other) => other,
                    (Seen::Known(one), Seen::Known(other)) => {
                        Seen::Known(if rank(&other) > rank(&one) {
                            other
                        } else {
                            one
                        })
                    }
                    (Seen::Known(on), Seen::Unknown) | (Seen::Unknown, Seen::Known(on))
                        if on.says == Says::On =>
                    {
                        Seen::Known(on)
                    }
                    _ => Seen::Unknown,
                };
            }
            worst
        }
    }
}

fn silence(evidence: &Evidence, settings: &Settings, most: Option<Duration>) -> Seen<Reading> {
    feeds(evidence, |feed| {
        let Feed::Pushed {
            name,
            heard,
            until,
            expected,
            ..
        } = feed
        else {
            return Seen::Unwatched;
        };
        let (Some(heard), Some(until)) = (heard, until) else {
            return if heard.is_some() {
                Seen::Unknown
            } else {
                Seen::Unwatched
            };
        };
        let lasted = passed(*heard, *until);
        let text = format!("nothing new was received of {name} for {}", Lasting(lasted));
        let text = match expected {
            Some(expected) if *expected < settings.expected => {
                return Seen::Known(Reading::fine());
            }
            Some(expected) => format!(
                "{text}, and about {} events were to be expected",
                Grouped(whole(*expected))
            ),
            None => text,
        };
        Seen::Known(Reading::new(
            lasts(lasted, most),
            Some(before(*heard, settings.reach)),
            lasted,
            text,
        ))
    })
}

fn switched_off(feed: &Feed, now: UtcMicros, settings: &Settings) -> Seen<Reading> {
    let Feed::Pushed {
        name, heard, off, ..
    } = feed
    else {
        return Seen::Unwatched;
    };
    let Some(why) = off else {
        return Seen::Known(Reading::fine());
    };
    let heard = heard.unwrap_or(now);
    Seen::Known(Reading::new(
        Says::On,
        Some(before(heard, settings.reach)),
        passed(heard, now),
        format!("{name} delivers nothing: {why}"),
    ))
}

fn late(feed: &Feed, now: UtcMicros, settings: &Settings) -> Seen<Reading> {
    let Feed::Pushed {
        name,
        heard: Some(heard),
        newest: Some(newest),
        ..
    } = feed
    else {
        return Seen::Unwatched;
    };
    if passed(*heard, now) > NEWS {
        return Seen::Known(Reading::fine());
    }
    let behind = passed(*newest, *heard);
    Seen::Known(Reading::new(
        lasts(behind, settings.late),
        Some(before(*newest, settings.reach)),
        behind,
        format!(
            "events of {name} arrive {} late: the newest is of {newest}",
            Lasting(behind)
        ),
    ))
}

fn behind(
    feed: &Feed,
    now: UtcMicros,
    most: Option<Duration>,
    settings: &Settings,
) -> Seen<Reading> {
    let Feed::Followed { name, until, usual } = feed else {
        return Seen::Unwatched;
    };
    let lag = passed(*until, now);
    let more = lag.saturating_sub(*usual);
    Seen::Known(Reading::new(
        lasts(more, most),
        Some(before(*until, settings.reach)),
        more,
        format!(
            "{name} is fetched up to {until}, {} ago, and {} are usual",
            Lasting(lag),
            Lasting(*usual)
        ),
    ))
}

fn line(evidence: &Evidence, most: Option<Duration>, settings: &Settings) -> Seen<Reading> {
    let from = |waited| before(before(evidence.now, waited), settings.reach);
    evidence.line.as_ref().map(|waited| {
        Reading::new(
            lasts(*waited, most),
            Some(from(*waited)),
            *waited,
            format!(
                "what is received waits {} to be processed",
                Lasting(*waited)
            ),
        )
    })
}

fn queue(evidence: &Evidence, settings: &Settings) -> Seen<Reading> {
    let waited = match evidence.line {
        Seen::Known(waited) => waited,
        Seen::Unknown | Seen::Unwatched => Duration::ZERO,
    };
    let half = settings.queue.unwrap_or_default() / 2;
    evidence.queue.as_ref().map(|messages| {
        Reading::new(
            says(messages, settings.queue.as_ref(), &half.max(1)),
            Some(before(before(evidence.now, waited), settings.reach)),
            waited,
            format!(
                "{} messages wait in the queues of the live lane",
                Grouped(*messages)
            ),
        )
    })
}

fn windows(marks: Option<&Marks>, now: UtcMicros, settings: &Settings) -> Reading {
    let Some(marks) = marks else {
        return Reading::fine();
    };
    let waited = passed(marks.since, now);
    Reading::new(
        lasts(waited, settings.windows),
        Some(marks.from),
        waited,
        format!(
            "{} changes wait to be added up, the first for {}",
            Grouped(marks.count),
            Lasting(waited)
        ),
    )
}

fn storm_read(storm: &Storm, now: UtcMicros, settings: &Settings) -> Reading {
    if !storm.active && storm.owed == 0 {
        return Reading::fine();
    }
    let owed = Grouped(storm.owed);
    Reading::new(
        Says::On,
        Some(before(storm.from.unwrap_or(now), settings.reach)),
        Duration::ZERO,
        if storm.active {
            format!("compute is in a storm, and {owed} interactions are still to be evaluated")
        } else {
            format!("{owed} interactions of a storm are still to be evaluated")
        },
    )
}

fn counted(counts: &[Counted]) -> Reading {
    let short: Vec<&Counted> = counts.iter().filter(|one| one.short).collect();
    let (Some(first), Some(last)) = (short.first(), short.last()) else {
        return Reading::fine();
    };
    let theirs = short
        .iter()
        .fold(0_u64, |sum, one| sum.saturating_add(one.theirs));
    let ours = short
        .iter()
        .fold(0_u64, |sum, one| sum.saturating_add(one.ours));
    Reading::new(
        Says::On,
        None,
        Duration::ZERO,
        format!(
            "the platform counts {} from {} to {}, and {} are here",
            Grouped(theirs),
            first.from,
            last.to,
            Grouped(ours)
        ),
    )
}

fn health(said: &Said, word: Word, now: UtcMicros) -> Reading {
    if said.word != word {
        return Reading::fine();
    }
    Reading::new(
        Says::On,
        Some(now),
        Duration::ZERO,
        format!("the platform says: {}", said.text),
    )
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // about how many, never more than there are
fn whole(expected: f64) -> u64 {
    expected.max(0.0) as u64
}
