//! How fresh what is followed is and what that costs, by the settings alone: for those who start a worker, and for those who look at its jobs
//! without knowing the settings.

use super::following;
use crate::platforms::{Follow, Kind, Platform};
use crate::source::Source;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A day as it may be, to say what it costs.
const EXAMPLE: u64 = 10_000;

/// How fresh a followed source is and what that costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stated {
    pub(crate) source: Source,
    /// How old news are at most when they are fetched.
    pub(crate) freshness: Duration,
    /// How far each stretch reaches back into the one before.
    pub(crate) overlap: Duration,
    /// Each is one request at least, and as many more as there are further pages.
    pub(crate) stretches_a_day: u64,
    /// Records in a page where each stretch lists the whole UTC day that it lies in, whose records are counted besides.
    pub(crate) lists_days: Option<u32>,
}

/// The same as the row of a job that follows keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) fresh_within_seconds: u64,
    pub(crate) overlap_seconds: u64,
    /// At least, second readings included.
    pub(crate) requests_a_day: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Params {
    stated: Kept,
}

impl Kept {
    /// What a job's parameters say, if they do.
    pub(crate) fn read(params_json: &str) -> Option<Self> {
        let params: Params = serde_json::from_str(params_json).ok()?;
        Some(params.stated)
    }
}

impl Stated {
    /// Of one source that is followed.
    pub(super) fn of(platform: &Platform, follow: &Follow, source: Source) -> Self {
        let pace = following::pace(platform, follow);
        Self {
            source,
            freshness: pace.freshness(),
            overlap: pace.overlap,
            stretches_a_day: pace.stretches_a_day(),
            lists_days: match &platform.kind {
                Kind::Genesys(settings) if source == Source::GenesysConversations => {
                    Some(settings.query_page_size)
                }
                _ => None,
            },
        }
    }

    /// Requests that a day takes in which so much happens: half a day is listed on average.
    pub(super) fn requests(&self, records: u64) -> u64 {
        let Some(page) = self.lists_days else {
            return self.stretches_a_day;
        };
        let pages = (records / 2).div_ceil(u64::from(page).max(1)).max(1);
        // And one that counts.
        self.stretches_a_day.saturating_mul(pages + 1)
    }

    /// As parameters of the job.
    pub(super) fn params_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&Params {
            stated: Kept {
                fresh_within_seconds: self.freshness.as_secs(),
                overlap_seconds: self.overlap.as_secs(),
                requests_a_day: self.requests(0),
            },
        })
    }
}

/// What is kept going of a platform, in words.
pub(crate) fn words(platform: &Platform) -> Vec<String> {
    let name = &platform.name;
    let followed = platform.follow.iter().flat_map(|follow| {
        let sources = follow.sources.iter();
        sources.map(|source| Stated::of(platform, follow, *source))
    });
    let mut lines: Vec<String> = followed
        .map(|stated| {
            let days = if stated.lists_days.is_some() {
                format!(
                    "; each query lists the UTC day up to now, so that a day of {EXAMPLE} conversations takes about {}",
                    stated.requests(EXAMPLE)
                )
            } else {
                String::new()
            };
            format!(
                "{name} follows {}: news are fetched within {} s, for at least {} requests a day{days}",
                stated.source,
                stated.freshness.as_secs(),
                stated.requests(0)
            )
        })
        .collect();
    if let Some(counts) = &platform.counts {
        lines.push(super::counts::words(name, counts));
    }
    if let Some(settlement) = &platform.settlement {
        let days: Vec<String> = settlement.days.iter().map(u16::to_string).collect();
        let (hour, minute) = settlement.at;
        lines.push(format!(
            "{name} fetches each day again {} days after it, at {hour:02}:{minute:02} {}",
            days.join(", "),
            settlement.zone.name()
        ));
    }
    lines
}
