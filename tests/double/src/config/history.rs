//! What the platforms remember: how much of it there is, how it is handed out, and what is awkward about that.

use super::Limit;
use crate::history::Moment;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The past of a contact centre, and the calls that hand it out. It is made up from the seed whenever it is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    /// The first instant of the first day.
    pub from: Moment,
    /// How many days of 24 hours.
    pub days: u32,
    /// How many conversations, the same number each day as far as it goes.
    pub conversations: u64,
    /// The seed. Equal configurations make equal histories, for good.
    pub seed: u64,
    /// How many agents. The last of twenty is inactive today.
    pub agents: u32,
    /// How many queues (CXone: skills).
    pub queues: u32,
    /// How busy the hours of a day are, counted from `from`'s time of day. By default a business day of twelve hours that
    /// ends with the UTC day, so that some conversations go on past midnight.
    pub hours: [u32; 24],
    /// How many conversations of a thousand are of which kind.
    pub shares: Shares,
    /// Whether the first conversation after each full hour begins exactly on it, and the first two of each day do.
    pub on_the_hour: bool,
    /// One conversation in so many never ends; 0: none.
    pub open_every: u64,
    /// One conversation in so many ends `long_ms` late; 0: none.
    pub long_every: u64,
    /// How long the leg that keeps a late one open lasts, milliseconds.
    pub long_ms: u64,
    /// What time it is on the platform.
    pub clock: Clock,
    /// Conversations that appear late.
    pub late: Late,
    /// Conversations that are told otherwise later.
    pub revised: Revised,
    /// Details jobs (Genesys).
    pub jobs: Jobs,
    /// Synchronous queries (Genesys).
    pub query: Query,
    /// How pages go wrong, of all calls that have pages.
    pub pages: Pages,
    /// Contacts, state histories and reports (CXone).
    pub contacts: Contacts,
    /// Data extraction (CXone).
    pub extraction: Extraction,
    /// Workforce management, of both platforms.
    pub workforce: Workforce,
    /// The account's zone, an IANA name: an instant without zone in a request is read in it, and remembered as a violation.
    pub account_zone: String,
    /// Limits of single routes beside the credential's (`limit`), by the route's name.
    pub route_limits: BTreeMap<String, Limit>,
}

impl Default for History {
    fn default() -> Self {
        let mut hours = [0; 24];
        hours[12..].fill(1);
        Self {
            // 2025-01-06T00:00:00Z, a Monday; its ninety days hold a change of the clock in New York and one in Berlin.
            from: Moment(1_736_121_600_000),
            days: 90,
            conversations: 500_000,
            seed: 1,
            agents: 400,
            queues: 12,
            hours,
            shares: Shares::default(),
            on_the_hour: true,
            open_every: 1_000,
            long_every: 500,
            long_ms: 2 * 86_400_000,
            clock: Clock::default(),
            late: Late::default(),
            revised: Revised::default(),
            jobs: Jobs::default(),
            query: Query::default(),
            pages: Pages::default(),
            contacts: Contacts::default(),
            extraction: Extraction::default(),
            workforce: Workforce::default(),
            account_zone: "America/New_York".to_owned(),
            route_limits: BTreeMap::new(),
        }
    }
}

/// Workforce management: whose clock everybody's plan is kept by, and how it is handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workforce {
    /// The business unit's zone.
    pub business_zone: String,
    /// The zones of its management units (CXone: of agents who go by one of their own); agents are in them in turn. None: there are no such
    /// units.
    pub zones: Vec<String>,
    /// Genesys: searches for schedules of more days are answered later, to a user's own channel.
    pub days_at_once: u32,
}

impl Default for Workforce {
    fn default() -> Self {
        Self {
            business_zone: "UTC".to_owned(),
            zones: Vec::new(),
            days_at_once: 7,
        }
    }
}

/// Of a thousand conversations, how many are what. What is left is answered by one agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shares {
    /// The customer leaves the queue.
    pub abandoned: u32,
    /// Ends in the IVR.
    pub ivr_only: u32,
    /// The first agent lets it ring, the second answers.
    pub rona: u32,
    /// Passed on to another queue and agent without a word.
    pub transferred: u32,
    /// Passed on after a word with the second agent.
    pub consulted: u32,
    /// Asks to be called back, and is.
    pub callback: u32,
    /// Dialled by an agent.
    pub outbound: u32,
    /// Of those answered by one agent: chats instead of calls.
    pub chat: u32,
    /// Of all with an agent: have one or two holds.
    pub held: u32,
    /// Of all with an agent: no wrap-up (`acwSkipped`).
    pub wrap_skipped: u32,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            abandoned: 80,
            ivr_only: 80,
            rona: 30,
            transferred: 50,
            consulted: 20,
            callback: 20,
            outbound: 20,
            chat: 120,
            held: 300,
            wrap_skipped: 50,
        }
    }
}

/// The platform's time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clock {
    /// What time it is when the double starts; absent: a day after the history's last.
    pub now: Option<Moment>,
    /// How many seconds pass there in one here.
    pub speed: f64,
    /// How far the data of jobs, contacts and reports is behind (`dataAvailabilityDate`), milliseconds of the platform's time.
    pub lag_ms: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            now: None,
            speed: 1.0,
            lag_ms: 0,
        }
    }
}

/// Conversations that appear late. Of each day the second, which begins exactly with the day, is one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Late {
    /// How many of a thousand; 0: none at all.
    pub per_mille: u32,
    /// After how long they appear, milliseconds here, counted from the start; absent: when it is said over the control
    /// endpoint or [`Double::change_history`](crate::Double::change_history).
    pub after_ms: Option<u64>,
}

/// Conversations that are told otherwise later: the wrap-up of their last agent is longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Revised {
    /// How many of a thousand of those with a wrap-up; 0: none.
    pub per_mille: u32,
    /// As in [`Late`].
    pub after_ms: Option<u64>,
    /// How much longer, milliseconds.
    pub by_ms: i64,
}

impl Default for Revised {
    fn default() -> Self {
        Self {
            per_mille: 0,
            after_ms: None,
            by_ms: 8_500,
        }
    }
}

/// Details jobs, of conversations and of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jobs {
    /// How long a job is QUEUED, milliseconds.
    pub queued_ms: u64,
    /// How long it is PENDING after that, milliseconds.
    pub pending_ms: u64,
    /// How many may be QUEUED or PENDING at once; absent: any number.
    pub at_once: Option<usize>,
    /// What one too many is answered with: 429 or 400.
    pub too_many_status: u16,
    /// Each so-many-th submitted one ends as FAILED; 0: none.
    pub fail_every: u64,
    /// Each so-many-th submitted one is EXPIRED after its first page was fetched; 0: none.
    pub expire_every: u64,
    /// How long the results are kept, milliseconds.
    pub kept_ms: u64,
    /// The most conversations of a page.
    pub page_max: usize,
    /// Conversations of a page where no size is asked for.
    pub page: usize,
    /// What becomes of an interval that goes past `dataAvailabilityDate`. It is a violation either way.
    pub beyond: Beyond,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            queued_ms: 0,
            pending_ms: 0,
            at_once: None,
            too_many_status: 429,
            fail_every: 0,
            expire_every: 0,
            kept_ms: 86_400_000,
            page_max: 1_000,
            page: 100,
            beyond: Beyond::Cut,
        }
    }
}

/// What becomes of an interval that goes past the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beyond {
    /// What there is comes.
    #[default]
    Cut,
    /// 400.
    Refuse,
}

/// Synchronous queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    /// The most conversations of a page.
    pub page_max: usize,
    /// The most hits that can be paged through; more are 400.
    pub hits_max: usize,
    /// The longest interval, days; a longer one is 400.
    pub days_max: u32,
    /// The longest interval with a filter, days.
    pub days_max_filtered: u32,
    /// The most ids of a multi-get.
    pub ids_max: usize,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            page_max: 100,
            hits_max: 100_000,
            days_max: 7,
            days_max_filtered: 31,
            ids_max: 100,
        }
    }
}

/// How pages go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pages {
    /// The last page hands out again the cursor (CXone: the next link) that it was asked with.
    pub repeat_cursor: bool,
    /// Each page of a job begins with the last so many of the one before.
    pub overlap: usize,
    /// Of each set that is paged by number or offset, so many records move to its end, one before each further page.
    pub moves: usize,
}

/// Contacts, state histories and reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Contacts {
    /// The most rows of a page.
    pub page_max: usize,
    /// The longest range, days; a longer one is 400.
    pub days_max: u32,
    /// Whether a row exactly at `endDate` belongs to the range.
    pub inclusive_end: bool,
    /// How long after a wrap-up its figure is in the record, milliseconds of the platform's time.
    pub wrap_after_ms: i64,
    /// The first contact's number.
    pub first: i64,
    /// The business unit.
    pub business_unit: i64,
    /// The zone whose local time reports are in, an IANA name.
    pub zone: String,
    /// How long a report takes, milliseconds.
    pub report_ms: u64,
}

impl Default for Contacts {
    fn default() -> Self {
        Self {
            page_max: 10_000,
            days_max: 31,
            inclusive_end: true,
            wrap_after_ms: 160_000,
            first: 210_000_000_000,
            business_unit: 4_500_001,
            zone: "America/New_York".to_owned(),
            report_ms: 0,
        }
    }
}

/// Data extraction: one caller at a time, and links that do not live long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Extraction {
    /// The least time between two jobs of a tenant, milliseconds; sooner is 403.
    pub between_ms: u64,
    /// How long a link is good, milliseconds.
    pub link_ms: u64,
    /// How long a job runs, milliseconds. Another one meanwhile is 403.
    pub run_ms: u64,
    /// The longest range, days; a longer one is 400.
    pub days_max: u32,
}

impl Default for Extraction {
    fn default() -> Self {
        Self {
            between_ms: 30_000,
            link_ms: 30_000,
            run_ms: 0,
            days_max: 15,
        }
    }
}
