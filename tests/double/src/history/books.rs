//! The books: who called when, which pages were handed out how often, and how fast it could have been done.
//!
//! # The least time
//!
//! For each credential, with `refill` = window / requests of its limit (`Config::limit`):
//!
//! ```text
//! needed   = distinct calls that were answered        each page, each submission, one status a job, each other question once
//! forced   = calls that a fault spoilt                429 and 5xx of the script, resets, stalls that the client did not wait out,
//!                                                     tokens that were not honoured as long as announced
//! paused   = length of the union of all pauses        what the script's and the routes' `Retry-After` told the client to keep;
//!                                                     not those of the credential's own limit, which a client need not run into
//! minimum  = (needed + forced - 1) * refill + paused
//! elapsed  = last call - first call
//! ```
//!
//! What needs doing again because the platform lost a job (FAILED, EXPIRED) is needed again: calls are told apart by interval and by
//! how often that happened to it, not by the job's id; so a job that a client submits twice for no reason makes nothing needed.
//!
//! While one route pauses the others may go on, so `minimum` can be more than the least. `bound` is not: the greatest of
//! `(needed + forced - 1) * refill + pauses of the whole credential` and, for each route,
//! `(its needed + its forced - 1) * the slower of both refills + union of its pauses and the credential's`.
//! Neither counts the time that a job takes to be ready, during which other work can be done.

use crate::config::Limit;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// One call of a history API.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) at: Instant,
    pub(crate) at_unix_ms: u64,
    pub(crate) client: Option<String>,
    pub(crate) route: &'static str,
    /// The fault it met, by name; empty for none.
    pub(crate) fault: &'static str,
    /// 0 for a reset connection or a client that left.
    pub(crate) status: u16,
    /// It came before the time that the client had been told to keep was over.
    pub(crate) early: bool,
    /// What it asks for, so that calls for the same can be known.
    pub(crate) asks: String,
}

/// A time that a client was told to keep.
#[derive(Debug, Clone)]
struct Pause {
    client: String,
    /// `None`: of the whole credential.
    route: Option<&'static str>,
    from: Instant,
    until: Instant,
}

/// What was called and handed out.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) calls: Vec<Call>,
    pauses: Vec<Pause>,
    pages: BTreeMap<(String, String), PageCount>,
}

/// How often a page was handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageCount {
    /// The job, or the query without its paging.
    pub set: String,
    /// The cursor or the page's number; empty for the first page of a job.
    pub page: String,
    /// How often it was answered in full.
    pub delivered: u64,
    /// The records on it, the last time.
    pub records: usize,
}

/// Pages in short.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Delivered {
    /// Distinct pages.
    pub pages: usize,
    /// Pages, copies included.
    pub delivered: u64,
    /// Records on them, copies included.
    pub records: u64,
    /// Those that were handed out more than once.
    pub repeated: Vec<PageCount>,
}

/// What came in on one route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RouteAccount {
    /// Calls.
    pub calls: u64,
    /// By status; 0: reset, or the client left.
    pub statuses: BTreeMap<u16, u64>,
    /// Distinct calls that were answered.
    pub needed: u64,
    /// Calls that a fault spoilt.
    pub forced: u64,
    /// The most calls in any window of the route's limit, where it has one.
    pub busiest: Option<usize>,
}

/// What one credential did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClientAccount {
    /// Its id.
    pub client: String,
    /// Calls of history APIs.
    pub calls: u64,
    /// By route.
    pub routes: BTreeMap<&'static str, RouteAccount>,
    /// The most requests of any kind in any window, by arrival.
    pub busiest: usize,
    /// Requests allowed in it; absent: there is no limit.
    pub allowed: Option<usize>,
    /// The window's length, milliseconds.
    pub window_ms: u64,
    /// Calls that came before the time they had been told to keep was over.
    pub early: u64,
    /// Distinct calls that were answered.
    pub needed: u64,
    /// Calls that a fault spoilt.
    pub forced: u64,
    /// Union of the pauses it was told to keep, milliseconds.
    pub paused_ms: u64,
    /// The least time, with all pauses, milliseconds.
    pub minimum_ms: u64,
    /// The least time whatever goes on beside the pauses, milliseconds.
    pub bound_ms: u64,
    /// From the first call to the last, milliseconds.
    pub elapsed_ms: u64,
    /// `elapsed` over `minimum`; absent when there is no limit.
    pub ratio: Option<f64>,
}

/// Jobs of one interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IntervalAccount {
    /// `conversations` or `users`.
    pub subject: &'static str,
    /// As it was asked for.
    pub interval: String,
    /// How many jobs were submitted for it.
    pub submitted: u64,
    /// How many of them failed or expired without the client's doing.
    pub lost: u64,
}

/// Everything in the books.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// By credential.
    pub clients: Vec<ClientAccount>,
    /// Tokens granted.
    pub grants: u64,
    /// Calls without a good token.
    pub unauthorized: u64,
    /// Pages.
    pub pages: Delivered,
    /// Details jobs.
    pub jobs: Vec<IntervalAccount>,
}

impl Account {
    /// The account of the only credential, or of the first.
    pub fn client(&self) -> Option<&ClientAccount> {
        self.clients.first()
    }
}

impl Books {
    pub(crate) fn open(&mut self, call: Call) -> usize {
        self.calls.push(call);
        self.calls.len() - 1
    }

    pub(crate) fn call(&mut self, index: usize) -> Option<&mut Call> {
        self.calls.get_mut(index)
    }

    /// Remembers that the client was told to stay away.
    pub(crate) fn pause(&mut self, client: &str, route: Option<&'static str>, wait: Duration) {
        let from = Instant::now();
        self.pauses.push(Pause {
            client: client.to_owned(),
            route,
            from,
            until: from + wait,
        });
    }

    pub(crate) fn deliver(&mut self, set: String, page: String, records: usize) {
        let count = self
            .pages
            .entry((set.clone(), page.clone()))
            .or_insert(PageCount {
                set,
                page,
                delivered: 0,
                records: 0,
            });
        count.delivered += 1;
        count.records = records;
    }

    pub(crate) fn delivered(&self) -> Delivered {
        let all = || self.pages.values();
        Delivered {
            pages: self.pages.len(),
            delivered: all().map(|it| it.delivered).sum(),
            records: all().map(|it| it.delivered * it.records as u64).sum(),
            repeated: all().filter(|it| it.delivered > 1).cloned().collect(),
        }
    }

    pub(crate) fn clients(&self) -> BTreeSet<String> {
        self.calls
            .iter()
            .filter_map(|call| call.client.clone())
            .collect()
    }

    /// Calls without a good token. One of them in a row each time a token was not honoured is forced.
    pub(crate) fn unauthorized(&self) -> u64 {
        self.calls.iter().filter(|call| call.status == 401).count() as u64
    }

    /// What a credential did; `arrivals` are those of all its requests, ascending.
    pub(crate) fn account(
        &self,
        client: &str,
        limit: Option<Limit>,
        route_limits: &BTreeMap<String, Limit>,
        arrivals: &[Instant],
    ) -> ClientAccount {
        let calls: Vec<&Call> = self
            .calls
            .iter()
            .filter(|call| call.client.as_deref() == Some(client))
            .collect();
        let mut routes: BTreeMap<&'static str, RouteAccount> = BTreeMap::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for call in &calls {
            let route = routes.entry(call.route).or_default();
            route.calls += 1;
            *route.statuses.entry(call.status).or_default() += 1;
            if (200..300).contains(&call.status) && seen.insert(&call.asks) {
                route.needed += 1;
            }
            route.forced += u64::from(is_forced(call));
        }
        let refill = limit.map_or(Duration::ZERO, |limit| refill(&limit));
        for (name, route) in &mut routes {
            let arrivals: Vec<Instant> = calls
                .iter()
                .filter(|call| call.route == *name)
                .map(|call| call.at)
                .collect();
            route.busiest = route_limits
                .get(*name)
                .map(|limit| crate::limits::busiest(&arrivals, limit.window()));
        }
        let needed: u64 = routes.values().map(|it| it.needed).sum();
        let forced: u64 = routes.values().map(|it| it.forced).sum();
        let paused = self.paused(client, |_| true);
        let bare = refill * steps(needed + forced);
        let minimum = bare + paused;
        let by_route = routes.iter().map(|(name, route)| {
            let own = route_limits.get(*name).map_or(refill, |limit| self::refill(limit).max(refill));
            let paused = self.paused(client, |of| of.is_none_or(|of| of == *name));
            own * steps(route.needed + route.forced) + paused
        });
        let bound = by_route
            .chain([bare + self.paused(client, |of| of.is_none())])
            .max()
            .unwrap_or_default();
        let elapsed = match (calls.first(), calls.last()) {
            (Some(first), Some(last)) => last.at.saturating_duration_since(first.at),
            _ => Duration::ZERO,
        };
        let window = limit.unwrap_or_default().window();
        ClientAccount {
            client: client.to_owned(),
            calls: calls.len() as u64,
            routes,
            busiest: crate::limits::busiest(arrivals, window),
            allowed: limit.map(|limit| limit.requests),
            window_ms: millis(window),
            early: calls.iter().filter(|call| call.early).count() as u64,
            needed,
            forced,
            paused_ms: millis(paused),
            minimum_ms: millis(minimum),
            bound_ms: millis(bound),
            elapsed_ms: millis(elapsed),
            ratio: (minimum > Duration::ZERO).then(|| elapsed.as_secs_f64() / minimum.as_secs_f64()),
        }
    }

    /// Length of the union of the pauses of these routes.
    fn paused(&self, client: &str, of: impl Fn(Option<&'static str>) -> bool) -> Duration {
        let mut pauses: Vec<(Instant, Instant)> = self
            .pauses
            .iter()
            .filter(|pause| pause.client == client && of(pause.route))
            .map(|pause| (pause.from, pause.until))
            .collect();
        pauses.sort_unstable();
        let mut sum = Duration::ZERO;
        let mut reached: Option<Instant> = None;
        for (from, until) in pauses {
            let from = reached.map_or(from, |reached| reached.max(from));
            sum += until.saturating_duration_since(from);
            reached = Some(reached.map_or(until, |reached| reached.max(until)));
        }
        sum
    }
}

/// Whether the platform spoilt a call, so that it had to be made again.
fn is_forced(call: &Call) -> bool {
    match call.fault {
        "status" | "reset" | "token" => true,
        "stall" => call.status == 0,
        _ => false,
    }
}

fn refill(limit: &Limit) -> Duration {
    limit.window() / u32::try_from(limit.requests.max(1)).unwrap_or(u32::MAX)
}

/// So many calls have so many steps between them.
fn steps(calls: u64) -> u32 {
    u32::try_from(calls.saturating_sub(1)).unwrap_or(u32::MAX)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn call(at: Instant, asks: &str, fault: &'static str, status: u16) -> Call {
        Call {
            at,
            at_unix_ms: 0,
            client: Some("c".to_owned()),
            route: "details-job-results",
            fault,
            status,
            early: false,
            asks: asks.to_owned(),
        }
    }

    #[test]
    fn the_least_time_has_each_page_once_each_spoilt_call_and_the_union_of_pauses() {
        let start = Instant::now();
        let mut books = Books::default();
        for (nth, (asks, fault, status)) in [
            ("a", "", 200),
            ("b", "status", 503),
            ("b", "", 200),
            ("b", "", 200),
            ("c", "reset", 0),
            ("c", "", 200),
            ("d", "stall", 200),
            ("e", "limit", 429),
        ]
        .into_iter()
        .enumerate()
        {
            books.open(call(start + MS(100) * u32::try_from(nth).unwrap_or(0), asks, fault, status));
        }
        for (from, until) in [(0, 300), (200, 500), (1_000, 1_100)] {
            books.pauses.push(Pause {
                client: "c".to_owned(),
                route: None,
                from: start + MS(from),
                until: start + MS(until),
            });
        }
        let limit = Limit::of(10, MS(1_000));
        let account = books.account("c", Some(limit), &BTreeMap::new(), &[]);
        assert_eq!((account.needed, account.forced), (4, 2));
        assert_eq!(account.paused_ms, 600);
        assert_eq!(account.minimum_ms, 5 * 100 + 600);
        assert_eq!(account.bound_ms, 1_100);
        assert_eq!(account.elapsed_ms, 700);
    }

    #[test]
    fn the_pauses_of_another_route_do_not_hold_up_the_bound() {
        let start = Instant::now();
        let mut books = Books::default();
        books.open(call(start, "a", "", 200));
        books.open(call(start + MS(100), "b", "", 200));
        books.pauses.push(Pause {
            client: "c".to_owned(),
            route: Some("details-query"),
            from: start,
            until: start + MS(900),
        });
        let account = books.account("c", Some(Limit::of(10, MS(1_000))), &BTreeMap::new(), &[]);
        assert_eq!((account.minimum_ms, account.bound_ms), (1_000, 100));
    }
}
