//! `/api/v1/status`: whether the figures can be trusted now, and what is held up.

use super::Context;
use super::access::TENANT;
use super::answer::{self, Answer};
use super::problem::Problem;
use super::resource::{About, Asked};
use super::standing::Standing;
use super::values::{At, Causes};
use schema::Millis;
use schemars::JsonSchema;
use serde::Serialize;
use store::breakers::Breaker;
use store::budgets::Pause;
use store::freshness::Platform;
use store::marks::Backlog;
use store::reading::findings::ClockFinding;
use store::reading::quarantine::Held;
use store::storm::{Mode, StormState};
use store::sync::Pending;
use store::targets::Target;
use store::zones::StoredFinding;

/// What is said of it.
pub(super) const ABOUT: About = About {
    path: "status",
    summary: "Whether the figures can be trusted now, and what is held up.",
    description: "Counted every few seconds at most. Breakers and pauses are those of credentials that push for the organisations the token reaches.",
    parameters: &[TENANT],
    schema: |generator| generator.subschema_for::<Status>(),
};

/// How everything stands.
#[derive(Debug, Serialize, JsonSchema)]
struct Status {
    /// Whether the platforms' figures can be trusted.
    platforms: Vec<PlatformStatus>,
    /// Where metrics are pushed to, and what waits there.
    targets: Vec<TargetStatus>,
    /// Platforms that had trouble, and whether they are asked at all now.
    breakers: Vec<BreakerStatus>,
    /// Platforms that want nothing for a while.
    pauses: Vec<PauseStatus>,
    /// What could not be processed and is held until somebody releases or discards it, the most frequent first.
    quarantine: Vec<QuarantineStatus>,
    /// Names of zones that could not be used, those met last first.
    zone_findings: Vec<ZoneFinding>,
    /// Agents whose clock here is not the platform's, as the last reconciliation found them.
    clock_findings: Vec<ClockStatus>,
    /// What is still to be computed, of all organisations together.
    marks: Vec<MarksStatus>,
    /// More comes in than is evaluated at once.
    storm: StormStatus,
}

/// How far a platform's figures can be trusted.
#[derive(Debug, Serialize, JsonSchema)]
struct PlatformStatus {
    /// The organisation.
    tenant: String,
    /// The platform, by the name that it is watched under.
    platform: String,
    /// `live`, `syncing`: data are on their way; `stale`: nothing comes; `maintenance`: the platform says so.
    state: &'static str,
    /// Since when.
    since: At,
    /// The worst cause in one word; empty: live.
    code: String,
    /// Why, in words; empty: live.
    reason: String,
    /// From when on figures may be too small.
    doubtful_from: Option<At>,
    /// Alerts on business KPIs mean nothing now.
    alerts_inhibited: bool,
    /// How far behind now the figures are.
    lag_seconds: f64,
    /// Interactions that the platform counts and that are not here.
    count_gap: i64,
    /// All causes.
    causes: Causes,
    /// When somebody last looked.
    looked_at: At,
}

/// One place metrics are pushed to.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TargetStatus {
    /// Its name.
    pub(super) target: String,
    /// The organisation.
    pub(super) tenant: String,
    /// Which of a platform's ways.
    pub(super) platform: String,
    /// Whether changed values are queued for it.
    pub(super) enabled: bool,
    /// Values that wait until their interaction or window has settled.
    pub(super) held: i64,
    /// Values that wait for their turn.
    pub(super) pending: i64,
    /// Values being pushed.
    pub(super) leased: i64,
    /// Values that were pushed without a known answer; they are pushed again with the same key.
    pub(super) unknown: i64,
    /// Values that the platform refused.
    pub(super) rejected: i64,
    /// Since when the oldest has waited that is neither held nor refused.
    pub(super) oldest: Option<At>,
    /// Too many deliveries fail; null: they do not.
    pub(super) failing: Option<Failing>,
}

/// Too many deliveries fail.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Failing {
    /// Since when.
    since: At,
    /// Attempts at values that were decided in the window that is looked at.
    tried: i64,
    /// Those of them that failed.
    failed: i64,
    /// The share of them that may.
    threshold: f64,
    /// What failed last.
    reason: String,
}

/// A breaker.
#[derive(Debug, Serialize, JsonSchema)]
struct BreakerStatus {
    /// The credential, and what is asked with it.
    name: String,
    /// `closed`: it is asked. `open`: nobody asks it. `half_open`: one tries.
    state: &'static str,
    /// Failures in a row.
    failures: i32,
    /// Since when it stands so.
    since: At,
    /// When one may try.
    until: Option<At>,
    /// What failed last.
    reason: String,
}

/// A pause.
#[derive(Debug, Serialize, JsonSchema)]
struct PauseStatus {
    /// The credential.
    credential: String,
    /// Of what; null: of everything.
    route: Option<String>,
    /// Until when.
    until: At,
    /// Why.
    reason: String,
}

/// Items held for one reason.
#[derive(Debug, Serialize, JsonSchema)]
struct QuarantineStatus {
    /// The organisation.
    tenant: String,
    /// The stage that could not process them.
    stage: String,
    /// Where they came in.
    subscription: String,
    /// The field at fault; null where it is about none.
    field: Option<String>,
    /// How many.
    items: i64,
    /// When the first was received.
    first: At,
    /// When the last was.
    last: At,
}

/// A zone name that could not be used.
#[derive(Debug, Serialize, JsonSchema)]
struct ZoneFinding {
    /// The organisation.
    tenant: String,
    /// Who was to name the zone: `agent`, `queue` …
    source: String,
    /// The name as it was stated.
    stated: String,
    /// The first interaction that it was met in.
    interaction_id: String,
    /// When it was first met.
    first_seen: At,
    /// When it was last met, to the hour.
    last_seen: At,
}

/// An agent whose clock here is not the platform's.
#[derive(Debug, Serialize, JsonSchema)]
struct ClockStatus {
    /// The organisation.
    tenant: String,
    /// The platform.
    platform: String,
    /// `declared_differs`: other names of zones. `constant_difference`: the days are cut so many whole hours apart. `appears_at_change`: since
    /// clocks changed.
    kind: String,
    /// The agent.
    agent: Option<String>,
    /// The zone that is used here.
    stated: String,
    /// The zone that the platform states.
    platform_zone: Option<String>,
    /// By how much our clock is ahead.
    ahead_seconds: Option<i64>,
    /// The change of the clocks from which on they differ so.
    since: Option<At>,
    /// In words.
    detail: Option<String>,
    /// When it was last found.
    last_seen: At,
}

/// What waits to be computed.
#[derive(Debug, Serialize, JsonSchema)]
struct MarksStatus {
    /// `cell`: quarter hours of windows. `group`: windows of groups. `agent`: agents' time. `journey`: customers' contacts.
    kind: &'static str,
    /// How many marks.
    waiting: i64,
}

/// Whether there is a storm.
#[derive(Debug, Serialize, JsonSchema)]
struct StormStatus {
    /// In a storm only critical KPIs are evaluated at once, and the others later.
    storm: bool,
    /// Since when it is as it is.
    since: At,
    /// Why, in words.
    reason: String,
    /// Interactions that are still to be evaluated by the other definitions.
    deferred: i64,
}

impl ClockStatus {
    fn of(finding: &ClockFinding) -> Self {
        Self {
            tenant: finding.tenant.clone(),
            platform: finding.platform.clone(),
            kind: finding.kind.clone(),
            agent: finding.agent_id.clone(),
            stated: finding.stated.clone(),
            platform_zone: finding.platform_zone.clone(),
            ahead_seconds: finding.ahead_seconds,
            since: finding.since.map(At),
            detail: finding.detail.clone(),
            last_seen: At(finding.last_seen),
        }
    }
}

impl PlatformStatus {
    fn of(platform: &Platform) -> Self {
        Self {
            tenant: platform.tenant.clone(),
            platform: platform.platform.clone(),
            state: platform.state.as_str(),
            since: At(platform.since),
            code: platform.code.clone(),
            reason: platform.reason.clone(),
            doubtful_from: platform.doubtful_from.map(At),
            alerts_inhibited: platform.alerts_inhibited,
            lag_seconds: platform.lag_seconds,
            count_gap: platform.count_gap,
            causes: Causes::stored(&platform.causes_json),
            looked_at: At(platform.looked_at),
        }
    }
}

impl TargetStatus {
    pub(super) fn of(target: &Target, pending: &Pending, standing: &Standing) -> Self {
        Self {
            target: target.name.clone(),
            tenant: target.tenant.clone(),
            platform: target.platform.clone(),
            enabled: target.enabled,
            held: pending.held,
            pending: pending.pending,
            leased: pending.leased,
            unknown: pending.unknown,
            rejected: pending.rejected,
            oldest: pending.oldest.map(At),
            failing: standing.failing(&target.name).map(|health| Failing {
                since: At(health.since),
                tried: health.tried,
                failed: health.failed,
                threshold: health.threshold,
                reason: health.reason.clone(),
            }),
        }
    }
}

impl BreakerStatus {
    fn of(breaker: &Breaker) -> Self {
        Self {
            name: breaker.credential.clone(),
            state: breaker.state.as_str(),
            failures: breaker.failures,
            since: At(breaker.since),
            until: breaker.until.map(At),
            reason: breaker.reason.clone(),
        }
    }
}

impl PauseStatus {
    fn of(pause: &Pause) -> Self {
        Self {
            credential: pause.credential.clone(),
            route: pause.route.clone(),
            until: At(pause.until),
            reason: pause.reason.clone(),
        }
    }
}

impl QuarantineStatus {
    fn of(held: &Held) -> Self {
        Self {
            tenant: held.tenant.clone(),
            stage: held.stage.clone(),
            subscription: held.subscription.clone(),
            field: held.field.clone(),
            items: held.items,
            first: At(held.first),
            last: At(held.last),
        }
    }
}

impl ZoneFinding {
    fn of(finding: &StoredFinding) -> Self {
        Self {
            tenant: finding.tenant.clone(),
            source: finding.source.clone(),
            stated: finding.stated.clone(),
            interaction_id: finding.interaction_id.clone(),
            first_seen: At(finding.first_seen),
            last_seen: At(finding.last_seen),
        }
    }
}

impl MarksStatus {
    fn of(backlog: &Backlog) -> Self {
        Self {
            kind: backlog.kind.as_str(),
            waiting: backlog.marks,
        }
    }
}

impl StormStatus {
    fn of(storm: &StormState) -> Self {
        Self {
            storm: is_storm(storm),
            since: At(storm.since),
            reason: storm.reason.clone(),
            deferred: storm.deferred.interactions,
        }
    }
}

/// What was measured longer ago than this says nothing of now.
const OBSERVED_MAX: Millis = Millis(60_000);

/// Whether there is a storm: what a person ordered goes before what was measured.
#[must_use]
pub fn is_storm(storm: &StormState) -> bool {
    let ordered = storm
        .order
        .filter(|order| order.until.is_none_or(|until| until > storm.now));
    let observed = storm
        .observed_at
        .is_some_and(|at| storm.now.since(at) < OBSERVED_MAX);
    match ordered {
        Some(order) => order.mode == Mode::Storm,
        None => observed && storm.mode == Mode::Storm,
    }
}

impl Status {
    fn of(standing: &Standing) -> Self {
        let targets = standing.targets.iter();
        Self {
            platforms: standing.platforms.iter().map(PlatformStatus::of).collect(),
            targets: targets
                .map(|(target, pending)| TargetStatus::of(target, pending, standing))
                .collect(),
            breakers: standing.breakers.iter().map(BreakerStatus::of).collect(),
            pauses: standing.pauses.iter().map(PauseStatus::of).collect(),
            quarantine: standing
                .quarantine
                .iter()
                .map(QuarantineStatus::of)
                .collect(),
            zone_findings: standing.zones.iter().map(ZoneFinding::of).collect(),
            clock_findings: standing.clocks.iter().map(ClockStatus::of).collect(),
            marks: standing.marks.iter().map(MarksStatus::of).collect(),
            storm: StormStatus::of(&standing.storm),
        }
    }
}

pub(super) async fn answer(context: &Context, asked: Asked<'_>) -> Result<Answer, Problem> {
    let tenants = asked.access.tenants(asked.query)?;
    let client = context.store.client().await?;
    let standing = context
        .standings
        .of(context, &client, tenants.as_deref())
        .await?;
    answer::json(&Status::of(&standing))
}
