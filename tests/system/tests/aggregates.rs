//! Service level, speed of answer and abandonment as the platform itself adds them up: numerator and denominator apart.
//!
//! An aggregate says how many were answered, how many of them too late, how many left, and how long they waited together. Interactions are
//! made up that have exactly these counts, sums and extremes; the shipped definitions, and what windows are made of, must come to the
//! platform's own numbers. Equal ratios alone could hide two errors.

// A test that cannot be set up has failed. Counts and durations of a week are small.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap
)]

use kpi::{Catalogue, Definition, Library, Subject, shipped_definitions};
use schema::{
    AgentRef, Details, Direction, DurationKind, Durations, Fact, FactKey, Leg, LegId, LegKind,
    LegOutcome, Millis, SourceRank, State, Statement, UtcMicros,
};
use serde_json::Value;
use session::Session;
use std::collections::BTreeMap;
use std::sync::Arc;
use testkit::{shared_dir, workspace_root};
use window::{Aggregate, Measure, Wants};

/// The threshold of the shipped service levels.
const WITHIN: i64 = 20_000;
/// When everything begins: any instant does.
const START: i64 = 1_710_046_800_000;
const ALL: Wants = Wants {
    extremes: true,
    percentiles: false,
};

/// The metrics of one group and interval.
struct Told<'a> {
    media: &'a str,
    metrics: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Told<'a> {
    /// Every group and interval of an answer.
    fn all(answer: &'a Value) -> Vec<Self> {
        let groups = answer["results"].as_array().unwrap().iter();
        groups
            .flat_map(|group| {
                let media = group["group"]["mediaType"].as_str().unwrap();
                let data = group["data"].as_array().unwrap().iter();
                data.map(move |data| Self {
                    media,
                    metrics: data["metrics"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|metric| (metric["metric"].as_str().unwrap(), &metric["stats"]))
                        .collect(),
                })
            })
            .collect()
    }

    fn get(&self, metric: &str, member: &str) -> Option<i64> {
        self.metrics.get(metric)?[member].as_i64()
    }

    fn number(&self, metric: &str, member: &str) -> i64 {
        self.get(metric, member).unwrap_or(0)
    }

    /// Waits with the count, sum and extremes of this metric, of which so many are longer than the threshold.
    fn waits(&self, metric: &str, longer: Option<i64>, threshold: i64) -> Vec<i64> {
        let count = self.number(metric, "count");
        let (sum, most) = (self.number(metric, "sum"), self.number(metric, "max"));
        // An older form of the answer states no minimum.
        let least = self.get(metric, "min").unwrap_or(1);
        let longer = longer.unwrap_or(0);
        spread(count, sum, least, most, longer, threshold)
    }
}

/// So many numbers with this sum, the greatest of them this one; so many beyond the threshold, the others as small as may be.
fn spread(count: i64, sum: i64, least: i64, most: i64, longer: i64, threshold: i64) -> Vec<i64> {
    let shorter = if longer == 0 { 0 } else { count - longer };
    let mut found: Vec<i64> = (0..shorter).map(|_| least).collect();
    found.extend((count > 0).then_some(most));
    found.extend((longer == count && count > 2).then_some(least));
    even(&mut found, count, sum);
    let beyond = found.iter().filter(|wait| **wait > threshold).count() as i64;
    assert!(
        longer == 0 || longer == beyond,
        "no such waits: {count} {sum} {least} {most} {longer}"
    );
    found
}

/// Fills up to the count, so that the sum is as wanted.
fn even(found: &mut Vec<i64>, count: i64, sum: i64) {
    let missing = count - found.len() as i64;
    let left = sum - found.iter().sum::<i64>();
    for place in 0..missing {
        found.push(left / missing + i64::from(place < left % missing));
    }
    assert_eq!(
        (found.len() as i64, found.iter().sum::<i64>()),
        (count, sum)
    );
}

/// A contact that waited, as events and legs tell it.
fn contact(media: &str, wait: i64, end: End) -> Session {
    let fact = |number: u8, millis: i64, statement: Statement| Fact {
        key: FactKey::event(&format!("{number}")),
        at: UtcMicros::from_millis(START + millis),
        revision: None,
        rank: SourceRank::Event,
        statement,
    };
    let waited = Durations::default().with(DurationKind::QueueWait, Millis(wait));
    let mut session = Session::default();
    session.insert(fact(
        1,
        0,
        Statement {
            state: Some(State::Queued),
            queue: Some("support".into()),
            details: Some(Box::new(Details {
                media: Some(media.into()),
                direction: Some(Direction::Inbound),
                ..Details::default()
            })),
            ..Statement::default()
        },
    ));
    let agent = AgentRef {
        id: "anna".into(),
        zone: None,
    };
    match end {
        End::Answered => {
            session.insert(fact(
                2,
                wait,
                Statement {
                    state: Some(State::Connected),
                    agent: Some(agent),
                    durations: waited,
                    ..Statement::default()
                },
            ));
            session.insert(fact(3, wait + 60_000, ended(State::Completed)));
        }
        End::Abandoned => {
            let mut abandoned = ended(State::Abandoned);
            abandoned.durations = waited;
            session.insert(fact(2, wait, abandoned));
        }
        End::FlowedOut => {
            let mut leg = Leg::new(LegId::new("1"), LegKind::Queue);
            leg.outcome = Some(LegOutcome::FlowedOut);
            leg.ended_at = Some(UtcMicros::from_millis(START + wait));
            let mut left = ended(State::Completed);
            left.details = Some(Box::new(Details {
                leg: Some(leg),
                ..Details::default()
            }));
            session.insert(fact(2, 0, left));
        }
        End::Untold => {
            session.insert(fact(2, wait, ended(State::Completed)));
        }
    }
    session
}

/// How a contact left its queue.
#[derive(Clone, Copy)]
enum End {
    Answered,
    Abandoned,
    FlowedOut,
    /// Nobody says what became of it.
    Untold,
}

fn ended(state: State) -> Statement {
    Statement {
        state: Some(state),
        ..Statement::default()
    }
}

/// Contacts as told of a group, those of which nobody says what became of them included.
fn contacts(told: &Told<'_>, short: i64) -> Vec<Session> {
    let over = told.get("nOverSla", "count");
    let mut waits: Vec<(i64, End)> = vec![];
    let mut add = |of: Vec<i64>, end: End| waits.extend(of.into_iter().map(|wait| (wait, end)));
    add(told.waits("tAnswered", over, WITHIN), End::Answered);
    // Short abandons are among the abandons.
    let brief = told.number("tShortAbandon", "count");
    add(told.waits("tShortAbandon", None, short), End::Abandoned);
    let count = told.number("tAbandon", "count") - brief;
    let sum = told.number("tAbandon", "sum") - told.number("tShortAbandon", "sum");
    let (least, most) = (short + 1, told.number("tAbandon", "max"));
    add(
        match count {
            0 => vec![],
            1 => vec![sum],
            _ => spread(count, sum, least, most, count, short),
        },
        End::Abandoned,
    );
    add(told.waits("tFlowOut", None, WITHIN), End::FlowedOut);
    let untold = told.number("nOffered", "count") - waits.len() as i64;
    waits.extend((0..untold).map(|_| (1, End::Untold)));
    waits
        .into_iter()
        .map(|(wait, end)| contact(told.media, wait, end))
        .collect()
}

/// What a window has of these metrics when these contacts are all that is in it.
fn window_of(catalogue: &Catalogue, contacts: &[Session]) -> BTreeMap<String, Aggregate> {
    let mut window = BTreeMap::<String, Aggregate>::new();
    let mut rows = vec![];
    for contact in contacts {
        let timeline = contact.timeline();
        let subject = Subject {
            tenant: "acme",
            interaction: "1",
            timeline: &timeline,
            swept: false,
        };
        catalogue.evaluate(&subject, &mut rows);
    }
    for row in rows {
        if let Some(sum) = row.scaled() {
            let aggregate = window.entry(row.metric.to_string()).or_default();
            aggregate.add(Measure { sum, weight: 1 }, ALL);
        }
    }
    window
}

/// The shipped definitions that are compared, changed by this.
fn catalogue(change: impl Fn(&str) -> String) -> Catalogue {
    let library = Library::shipped();
    let wanted = [
        "service_level_offered",
        "speed_of_answer",
        "time_to_abandon",
        "abandoned",
        "short_abandoned",
        "flowed_out",
    ];
    let definitions = shipped_definitions()
        .iter()
        .filter(|shipped| wanted.contains(&shipped.name))
        .map(|shipped| {
            let text = change(shipped.text);
            Arc::new(Definition::read(shipped.file, &text, &library).unwrap())
        });
    Catalogue::new(definitions.collect(), library)
}

/// Sum and weight, zero where nothing is in it.
fn parts(window: &BTreeMap<String, Aggregate>, metric: &str) -> (i128, i128) {
    let aggregate = window.get(metric);
    aggregate.map_or((0, 0), |all| (all.sum(), all.weight()))
}

/// The platform's short abandons are below a threshold of the organisation that the answer does not state.
fn short_of(told: &Told<'_>) -> i64 {
    match told.number("tShortAbandon", "max") {
        0..5_000 => 5_000,
        _ => 10_000,
    }
}

fn compare(told: &Told<'_>) {
    let short = short_of(told);
    let contacts = contacts(told, short);
    // The platform counts callbacks as any other medium; the shipped definitions leave them out, and say so.
    let shipped = window_of(&catalogue(str::to_owned), &contacts);
    if told.media == "callback" {
        assert_eq!(parts(&shipped, "service_level_offered"), (0, 0));
        assert_eq!(parts(&shipped, "speed_of_answer"), (0, 0));
    }
    let seconds = format!("short = \"{}s\"", short / 1000);
    let with_callbacks = |text: &str| {
        text.replace(" && !interaction.callback", "")
            .replace("short = \"5s\"", &seconds)
    };
    let window = window_of(&catalogue(with_callbacks), &contacts);

    let wide = i128::from;
    let share = |count: i64| wide(count) * 1_000_000;
    let (numerator, denominator) = parts(&window, "service_level_offered");
    if told.metrics.contains_key("oServiceLevel") {
        let stated = |member| told.number("oServiceLevel", member);
        assert_eq!(numerator, share(stated("numerator")), "{}", told.media);
        assert_eq!(denominator, wide(stated("denominator")));
        let ratio = told.metrics["oServiceLevel"]["ratio"].as_f64().unwrap();
        let ours = numerator as f64 / (1_000_000.0 * denominator as f64);
        assert!((ours - ratio).abs() < 1e-12, "{ours} {ratio}");
    }
    for (metric, platform) in [
        ("speed_of_answer", "tAnswered"),
        ("time_to_abandon", "tAbandon"),
    ] {
        let stated = |member| wide(told.number(platform, member));
        assert_eq!(
            parts(&window, metric),
            (stated("sum"), stated("count")),
            "{metric} of {}",
            told.media
        );
        let most = window.get(metric).and_then(Aggregate::max);
        assert_eq!(most, told.get(platform, "max"), "{metric}");
    }
    let offered = wide(told.number("nOffered", "count"));
    for (metric, platform) in [
        ("abandoned", "tAbandon"),
        ("short_abandoned", "tShortAbandon"),
        ("flowed_out", "tFlowOut"),
    ] {
        let count = told.number(platform, "count");
        assert_eq!(
            parts(&window, metric),
            (share(count), offered),
            "{metric} of {}",
            told.media
        );
    }
}

/// How many groups were offered anything.
fn compare_all(answer: &Value) -> usize {
    let told = Told::all(answer);
    let offered = told
        .iter()
        .filter(|told| told.number("nOffered", "count") > 0);
    offered.map(compare).count()
}

#[test]
fn our_own_aggregates_come_out_as_the_platform_would_state_them() {
    let file = workspace_root().join("tests/fixtures/genesys/conversation-aggregates.json");
    let answer = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(compare_all(&answer), 3);
}

#[test]
fn the_samples_come_out_as_the_platform_states_them() {
    let Some(shared) = shared_dir() else { return };
    let mut groups = 0;
    for sample in [
        "aggregates_conversations_service_level_week.json",
        "aggregates_conversations_all_metrics_by_media_queue.json",
        "aggregates_conversations_queue_week.json",
    ] {
        let file = shared.join("platforms/genesys/samples").join(sample);
        groups += compare_all(&serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap());
    }
    assert_eq!(groups, 6);
}
