//! `deliver status`: what waits for each target, how it goes, and what holds it back.

use super::write;
use crate::config::{self, StatusArgs};
use crate::freshness;
use runtime::table::{span, table};
use schema::UtcMicros;
use serde::Serialize;
use serde_json::json;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::budgets::{self, pauses};
use store::sync::{self, Figures, Pending, TargetHealth};
use store::targets::{self, Target};
use store::{Client, Store, breakers};

/// What the figures are of.
const HOUR: Duration = Duration::from_secs(3600);

/// Runs the command.
pub async fn status(args: &StatusArgs) -> anyhow::Result<()> {
    let (config, output) = config::viewed(&args.view)?;
    let client = Store::connect(config).await?.client().await?;
    let pauses: Vec<Pause> = pauses(&client).await?.into_iter().map(Pause::new).collect();
    let breakers: Vec<Breaker> = breakers::list(&client)
        .await?
        .into_iter()
        .map(Breaker::new)
        .collect();
    let lines = lines(&client, &pauses, &breakers).await?;
    let platforms = store::freshness::states(&client, None).await?;
    let platforms: Vec<_> = platforms.into_iter().map(freshness::Line::new).collect();
    let json = json!({
        "targets": lines,
        "pauses": pauses,
        "breakers": breakers,
        "platforms": platforms,
    });
    let text = as_text(&lines, &pauses, &breakers) + &freshness::as_text(&platforms);
    write(output, &json, &text)
}

async fn lines(
    client: &Client,
    pauses: &[Pause],
    breakers: &[Breaker],
) -> anyhow::Result<Vec<Line>> {
    let health = sync::health(client).await?;
    let now = now();
    let mut lines = Vec::new();
    for target in targets::list(client).await? {
        let seen = Seen {
            counts: sync::pending_counts(client, &target.name).await?,
            figures: sync::figures(client, &target.name, HOUR).await?,
            health: health.iter().find(|health| health.target == target.name),
            target,
        };
        lines.push(seen.line(pauses, breakers, now));
    }
    Ok(lines)
}

/// What is known of one target.
struct Seen<'a> {
    target: Target,
    counts: Pending,
    figures: Figures,
    health: Option<&'a TargetHealth>,
}

/// One target's line in the answer of `deliver status`.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    target: String,
    tenant: String,
    platform: String,
    enabled: bool,
    /// From when on values may be pushed: `at_once`, `settled`.
    not_before: &'static str,
    /// In a word: `disabled`, `failing`, `breaker_open`, `paused` or `ok`.
    state: &'static str,
    /// Waiting until their interaction or window has settled.
    held: i64,
    pending: i64,
    /// Those of all that wait, are leased or are unknown, that a backfill caused.
    history: i64,
    leased: i64,
    unknown: i64,
    rejected: i64,
    /// Since when the oldest row that is neither held nor rejected could have been sent, RFC 3339.
    oldest: Option<String>,
    oldest_age_seconds: Option<i64>,
    last_hour: Hour,
    /// Whether too many deliveries fail, where a process of it has said so.
    failures: Option<Failures>,
}

/// What came of the last hour.
#[derive(Debug, Serialize)]
struct Hour {
    requests: i64,
    failed_requests: i64,
    accepted: i64,
    rejected: i64,
    unknown: i64,
    retried: i64,
    snoozed: i64,
    /// From the change of a value to its acceptance; absent where none was accepted. At most so long for half of them …
    latency_p50_seconds: Option<f64>,
    /// … and for nineteen of twenty.
    latency_p95_seconds: Option<f64>,
    latency_mean_seconds: Option<f64>,
    latency_longest_seconds: Option<f64>,
}

/// How many deliveries fail.
#[derive(Debug, Serialize)]
struct Failures {
    failing: bool,
    /// RFC 3339.
    since: String,
    /// Of so many attempts at rows …
    tried: i64,
    /// … so many failed …
    failed: i64,
    /// … of which this share may …
    threshold: f64,
    /// … within so long.
    window_seconds: f64,
    /// What failed last.
    reason: String,
}

impl Seen<'_> {
    fn line(self, pauses: &[Pause], breakers: &[Breaker], now: UtcMicros) -> Line {
        let (counts, figures) = (self.counts, &self.figures);
        let latency = &figures.latency;
        let breaker = self.health.map_or("", |health| health.breaker.as_str());
        let is_open = breakers
            .iter()
            .any(|one| one.name == breaker && one.state != "closed");
        let is_paused = pauses.iter().any(|pause| pause.holds(breaker));
        let is_failing = self.health.is_some_and(|health| health.failing);
        Line {
            state: match (self.target.enabled, is_failing, is_open, is_paused) {
                (false, ..) => "disabled",
                (_, true, ..) => "failing",
                (_, _, true, _) => "breaker_open",
                (_, _, _, true) => "paused",
                _ => "ok",
            },
            not_before: self.target.not_before.name(),
            target: self.target.name,
            tenant: self.target.tenant,
            platform: self.target.platform,
            enabled: self.target.enabled,
            held: counts.held,
            pending: counts.pending,
            history: counts.history,
            leased: counts.leased,
            unknown: counts.unknown,
            rejected: counts.rejected,
            oldest: counts.oldest.map(platform::instant::rfc3339_millis),
            oldest_age_seconds: counts
                .oldest
                .map(|at| (now.seconds() - at.seconds()).max(0)),
            last_hour: Hour {
                requests: figures.requests,
                failed_requests: figures.failed_requests,
                accepted: figures.accepted,
                rejected: figures.rejected,
                unknown: figures.unknown,
                retried: figures.retried,
                snoozed: figures.snoozed,
                latency_p50_seconds: latency.quantile(0.5),
                latency_p95_seconds: latency.quantile(0.95),
                latency_mean_seconds: latency.mean(),
                latency_longest_seconds: latency.longest(),
            },
            failures: self.health.map(|health| Failures {
                failing: health.failing,
                since: platform::instant::rfc3339_millis(health.since),
                tried: health.tried,
                failed: health.failed,
                threshold: health.threshold,
                window_seconds: health.window.as_secs_f64(),
                reason: health.reason.clone(),
            }),
        }
    }
}

/// A platform wants nothing for a while.
#[derive(Debug, Serialize)]
pub(crate) struct Pause {
    credential: String,
    /// Absent: nothing at all.
    route: Option<String>,
    /// RFC 3339.
    until: String,
    left_seconds: u64,
    reason: String,
}

impl Pause {
    fn new(pause: budgets::Pause) -> Self {
        Self {
            credential: pause.credential,
            route: pause.route,
            until: platform::instant::rfc3339_millis(pause.until),
            left_seconds: pause.left.as_secs(),
            reason: pause.reason,
        }
    }

    /// Whether it is in the way of what this breaker is of: a credential and a route.
    fn holds(&self, breaker: &str) -> bool {
        breaker.rsplit_once('/').is_some_and(|(credential, route)| {
            credential == self.credential
                && self.route.as_deref().is_none_or(|paused| paused == route)
        })
    }
}

/// How a platform is doing: those that had trouble ever.
#[derive(Debug, Serialize)]
pub(crate) struct Breaker {
    /// The credential, and what is asked with it.
    name: String,
    state: &'static str,
    /// Failures in a row.
    failures: i32,
    /// RFC 3339.
    since: String,
    /// When one may try, RFC 3339.
    until: Option<String>,
    reason: String,
}

impl Breaker {
    /// From the store's.
    pub(crate) fn new(breaker: breakers::Breaker) -> Self {
        Self {
            name: breaker.credential,
            state: breaker.state.as_str(),
            failures: breaker.failures,
            since: platform::instant::rfc3339_millis(breaker.since),
            until: breaker.until.map(platform::instant::rfc3339_millis),
            reason: breaker.reason,
        }
    }
}

fn as_text(lines: &[Line], pauses: &[Pause], breakers: &[Breaker]) -> String {
    let head = [
        "target",
        "state",
        "held",
        "waiting",
        "history",
        "leased",
        "unknown",
        "rejected",
        "oldest",
        "last hour",
        "p50",
        "p95",
    ];
    let rows: Vec<_> = lines.iter().map(row).collect();
    let mut text = table(&head, &rows);
    for line in lines {
        if let Some(failures) = line.failures.as_ref().filter(|failures| failures.failing) {
            // Writing to a string cannot fail.
            writeln!(
                text,
                "\n{}: {} of {} attempts failed since {}: {}",
                line.target, failures.failed, failures.tried, failures.since, failures.reason
            )
            .ok();
        }
    }
    if !pauses.is_empty() {
        let rows: Vec<_> = pauses
            .iter()
            .map(|pause| {
                vec![
                    pause.credential.clone(),
                    pause.route.clone().unwrap_or_else(|| "all".to_owned()),
                    span(Duration::from_secs(pause.left_seconds)),
                    pause.reason.clone(),
                ]
            })
            .collect();
        let head = ["paused", "route", "for", "reason"];
        write!(text, "\n{}", table(&head, &rows)).ok();
    }
    if breakers.iter().any(|breaker| breaker.state != "closed") {
        write!(text, "\n{}", breakers_text(breakers)).ok();
    }
    text
}

fn row(line: &Line) -> Vec<String> {
    let age = line
        .oldest_age_seconds
        .map(|age| span(Duration::from_secs(age.unsigned_abs())));
    let seconds =
        |seconds: Option<f64>| seconds.map_or_else(String::new, |it| format!("{it:.1} s"));
    vec![
        line.target.clone(),
        line.state.replace('_', " "),
        line.held.to_string(),
        line.pending.to_string(),
        line.history.to_string(),
        line.leased.to_string(),
        line.unknown.to_string(),
        line.rejected.to_string(),
        age.unwrap_or_default(),
        line.last_hour.accepted.to_string(),
        seconds(line.last_hour.latency_p50_seconds),
        seconds(line.last_hour.latency_p95_seconds),
    ]
}

/// Breakers for people.
pub(crate) fn breakers_text(breakers: &[Breaker]) -> String {
    let rows: Vec<_> = breakers
        .iter()
        .map(|breaker| {
            vec![
                breaker.name.clone(),
                breaker.state.replace('_', " "),
                breaker.failures.to_string(),
                breaker.since.clone(),
                breaker.until.clone().unwrap_or_default(),
                breaker.reason.clone(),
            ]
        })
        .collect();
    let head = ["breaker", "state", "failures", "since", "until", "reason"];
    table(&head, &rows)
}

fn now() -> UtcMicros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::Grain;
    use store::targets::NotBefore;

    fn line(counts: Pending, now: UtcMicros, breaker: Option<&TargetHealth>) -> Line {
        let target = Target {
            name: "a".to_owned(),
            tenant: "acme".to_owned(),
            platform: "genesys-custom-report".to_owned(),
            metrics: vec![],
            versions: vec![],
            grains: vec![Grain::Interaction],
            not_before: NotBefore::AtOnce,
            enabled: true,
        };
        let seen = Seen {
            target,
            counts,
            figures: Figures::default(),
            health: breaker,
        };
        let pause = Pause {
            credential: "client@login".to_owned(),
            route: Some("push".to_owned()),
            until: String::new(),
            left_seconds: 9,
            reason: "slow down".to_owned(),
        };
        seen.line(&[pause], &[], now)
    }

    #[test]
    fn an_age_is_never_negative_and_absent_where_nothing_waits() {
        let counts = Pending {
            pending: 2,
            oldest: Some(UtcMicros::from_millis(5_000)),
            ..Pending::default()
        };
        let now = UtcMicros::from_millis(3_000);
        let waiting = line(counts, now, None);
        assert_eq!(waiting.oldest_age_seconds, Some(0));
        assert_eq!(waiting.oldest.as_deref(), Some("1970-01-01T00:00:05.000Z"));
        let empty = line(Pending::default(), now, None);
        assert_eq!((empty.oldest, empty.oldest_age_seconds), (None, None));
    }

    #[test]
    fn a_pause_is_of_those_whose_route_or_credential_it_is() {
        let health = |breaker: &str, failing| TargetHealth {
            target: "a".to_owned(),
            breaker: breaker.to_owned(),
            failing,
            since: UtcMicros(0),
            tried: 10,
            failed: 5,
            threshold: 0.1,
            window: HOUR,
            reason: "HTTP 500".to_owned(),
            updated_at: UtcMicros(0),
        };
        let state = |breaker: &str, failing| {
            line(
                Pending::default(),
                UtcMicros(0),
                Some(&health(breaker, failing)),
            )
            .state
        };
        assert_eq!(state("client@login/push", false), "paused");
        assert_eq!(state("client@login/other", false), "ok");
        assert_eq!(state("other@login/push", false), "ok");
        assert_eq!(state("client@login/push", true), "failing");
    }

    #[test]
    fn failures_are_said_in_words() {
        let health = TargetHealth {
            target: "a".to_owned(),
            breaker: "c/r".to_owned(),
            failing: true,
            since: UtcMicros(0),
            tried: 10,
            failed: 5,
            threshold: 0.1,
            window: HOUR,
            reason: "HTTP 500".to_owned(),
            updated_at: UtcMicros(0),
        };
        let text = as_text(
            &[line(Pending::default(), UtcMicros(0), Some(&health))],
            &[],
            &[],
        );
        assert!(text.contains("TARGET"), "{text}");
        assert!(
            text.contains("a: 5 of 10 attempts failed since 1970-01-01T00:00:00.000Z: HTTP 500"),
            "{text}"
        );
    }
}
