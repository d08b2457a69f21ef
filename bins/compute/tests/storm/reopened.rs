//! An end that no fact states and that turns out to be none: a storm forgets nothing of what is to be taken back.

use crate::world::{NINE, TENANT, World, assert_same, plan};
use compute::apply::Applier;
use compute::catch_up;
use schema::{
    AgentRef, CustomerKey, Details, Durations, Fact, FactKey, Leg, LegId, LegKind, MetricVersion,
    Millis, SourceRank, Statement, UtcMicros,
};
use std::collections::BTreeMap;
use store::definitions;
use store::storm::Mode;

/// What an event says of a part at a second: that it began, or that it ended.
fn part(leg: &str, kind: LegKind, second: i64, ends: bool) -> Fact {
    let at = UtcMicros::from_millis(NINE + second * 1000);
    let talk = (ends && kind == LegKind::Agent).then_some(Millis(30_000));
    Fact {
        key: FactKey::part(leg, if ends { "end" } else { "start" }),
        at,
        revision: Some(at),
        rank: SourceRank::Event,
        statement: Statement {
            agent: (kind == LegKind::Agent).then(|| AgentRef {
                id: leg.into(),
                zone: None,
            }),
            queue: Some("support".into()),
            durations: talk.map_or_else(Durations::default, |talk| {
                Durations::default().with(schema::DurationKind::Talk, talk)
            }),
            details: Some(Box::new(Details {
                leg: Some(Leg {
                    ended_at: ends.then_some(at),
                    ..Leg::new(LegId::new(leg), kind)
                }),
                media: Some("voice".into()),
                customer_key: Some(CustomerKey::new("customer")),
                ..Details::default()
            })),
            ..Statement::default()
        },
    }
}

/// The customer's line and anna's part, both over.
fn over() -> Vec<Fact> {
    [
        ("line", LegKind::Customer, 0, false),
        ("anna", LegKind::Agent, 10, false),
        ("line", LegKind::Customer, 60, true),
        ("anna", LegKind::Agent, 61, true),
    ]
    .map(|(leg, kind, second, ends)| part(leg, kind, second, ends))
    .to_vec()
}

async fn fold(applier: &Applier, mode: Mode, facts: Vec<Fact>) -> u64 {
    applier.storm().set(mode);
    let applied = applier.apply(&plan("a", facts, None)).await.unwrap();
    applied.deferred
}

/// Folds these one after another, in this weather, and gives what is there when nothing is owed any more.
async fn end_of(steps: &[(Mode, Vec<Fact>)]) -> BTreeMap<&'static str, Vec<String>> {
    let world = World::new().await;
    let applier = world.applier().await;
    for (step, (mode, facts)) in steps.iter().enumerate() {
        let deferred = fold(&applier, *mode, facts.clone()).await;
        let expected = u64::from(*mode == Mode::Storm);
        assert_eq!(deferred, expected, "step {step}");
    }
    catch_up::drain(&applier).await.unwrap();
    assert_eq!(world.deferred().await, 0);
    // By the interaction's facts as they are, everything that is switched on was evaluated.
    let client = applier.store().client().await.unwrap();
    for name in ["held", "leg_talk_time", "handle_time"] {
        let one = MetricVersion::FIRST;
        let covered = definitions::coverage(&client, name, Some(one), one)
            .await
            .unwrap();
        assert!(covered.current_rows > 0, "{name}");
        assert_eq!(covered.missing, 0, "{name}");
    }
    drop(client);
    let reasons = "SELECT DISTINCT coalesce(metadata ->> 'reason', 'none') FROM computed_metrics";
    let reasons = world.rows(reasons).await;
    assert_eq!(reasons, ["reopened"], "nothing of {TENANT} holds any more");
    world.end_state(&applier).await
}

#[tokio::test]
async fn what_was_said_of_a_contact_by_an_end_that_was_none_is_taken_back() {
    let world = World::new().await;
    let applier = world.applier().await;
    let said = "SELECT DISTINCT coalesce(metadata ->> 'reason', 'none') FROM computed_metrics \
                WHERE metric_type = 'first_contact_resolution'";
    let goes_on = vec![part("bob", LegKind::Agent, 70, false)];
    for (facts, reason) in [(over(), "none"), (goes_on, "reopened")] {
        fold(&applier, Mode::Calm, facts).await;
        world.end_state(&applier).await;
        assert_eq!(world.rows(said).await, [reason]);
    }
}

#[tokio::test]
async fn an_inferred_end_that_is_none_is_taken_back_whatever_the_weather() {
    let goes_on = || vec![part("bob", LegKind::Agent, 70, false)];
    let more = || vec![part("carl", LegKind::Agent, 90, false)];
    let calm = end_of(&[
        (Mode::Calm, over()),
        (Mode::Calm, goes_on()),
        (Mode::Calm, more()),
    ])
    .await;
    for weather in [
        // It turns out in the storm.
        [Mode::Calm, Mode::Storm, Mode::Calm],
        // It had turned out before, and there is more news of it.
        [Mode::Calm, Mode::Calm, Mode::Storm],
        [Mode::Calm, Mode::Storm, Mode::Storm],
        [Mode::Storm, Mode::Storm, Mode::Storm],
        [Mode::Storm, Mode::Calm, Mode::Calm],
    ] {
        let facts = [over(), goes_on(), more()];
        let steps: Vec<_> = weather.into_iter().zip(facts).collect();
        let stormy = end_of(&steps).await;
        assert_same(&stormy, &calm, &format!("{weather:?}"));
    }
}
