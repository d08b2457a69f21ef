//! Why a number is so.

use crate::world::{World, plan, planned, seconds, talk};
use testkit::history::Call;

#[tokio::test]
async fn explain_tells_the_rules_and_that_the_stored_row_is_what_would_be_computed() {
    let world = World::with_calls(0..3).await;
    let call = Call::nth(0);
    let words = ["explain", call.id.as_str(), "--kpi", "adjusted_aht"];
    let text = world.done(&words).await;
    for part in [
        "of acme: completed",
        "adjusted_aht@1 (current) = ",
        "outside_business_hours",
        "interaction.started_at = ",
        "source: agent",
        // The local time of the instant, and the schedule's hours on that day.
        "Z, Tue 2024-03-05 04:37:38 +00:00\n",
        "schedules.hours: eight_to_six@1 is ",
        "open 08:00–18:00",
        ", the same\n",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let json = world.json(&["explain", &call.id]).await;
    let kpis = json["kpis"].as_array().unwrap();
    assert!(kpis.len() >= 6, "all that are switched on");
    for kpi in kpis {
        assert_eq!(kpi["stored"]["same"], true, "{kpi}");
    }
    let talk = kpis
        .iter()
        .find(|kpi| kpi["definition"] == "talk_time@1")
        .unwrap();
    assert_eq!(talk["value"], seconds(call.talk));
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?}\n{text}");
    let csv = world.done(&["explain", &call.id, "--output", "csv"]).await;
    assert!(csv.starts_with("definition,leg,value,reason,rule,result,text,inputs\n"));
}

#[tokio::test]
async fn explain_shows_what_differs_and_what_is_not_stored() {
    let world = World::with_calls(0..2).await;
    let id = Call::nth(0).id;
    world
        .db
        .client()
        .await
        .execute(
            "UPDATE computed_metrics SET metric_value = 1 WHERE metric_type = 'talk_time'",
            &[],
        )
        .await
        .unwrap();
    let text = world.done(&["explain", &id, "--kpi", "talk_time"]).await;
    assert!(text.contains("which DIFFERS in: value"), "{text}");
    let file = world.file("talk.toml", &talk(2, "interaction.talk"));
    world.done(&["add", &file]).await;
    let text = world.done(&["explain", &id, "--kpi", "talk_time@2"]).await;
    assert!(
        text.contains("stored: nothing; this version is not computed"),
        "{text}"
    );
    world
        .db
        .client()
        .await
        .execute(
            "UPDATE computed_metrics SET leg_scope = 'ghost' WHERE metric_type = 'talk_time'",
            &[],
        )
        .await
        .unwrap();
    let text = world.done(&["explain", &id, "--kpi", "talk_time"]).await;
    assert!(
        text.contains("talk_time@1 of leg ghost: stored is 1, which would NOT be computed now"),
        "{text}"
    );
}

#[tokio::test]
async fn explain_finds_the_organisation_or_asks_for_it() {
    let world = World::with_calls(0..2).await;
    let call = Call::nth(0);
    let same_id = plan(vec![
        planned("globex", &call.id, call.facts(), None),
        planned("globex", "only_here", call.facts(), None),
    ]);
    world.applier.apply(&same_id).await.unwrap();
    let found = world.json(&["explain", "only_here"]).await;
    assert_eq!(found["tenant"], "globex");
    let refused = world.kpi(&["explain", &call.id]).await;
    assert!(
        refused.refused().contains("--tenant") && refused.refused().contains("globex"),
        "{}",
        refused.refused()
    );
    let found = world.json(&["explain", &call.id, "--tenant", "acme"]).await;
    assert_eq!(found["tenant"], "acme");
    for words in [
        vec!["explain", "nobody"],
        vec!["explain", "x", "--tenant", "acme"],
    ] {
        let refused = world.kpi(&words).await;
        assert!(
            refused.refused().contains("no interaction"),
            "{}",
            refused.refused()
        );
    }
}

#[tokio::test]
async fn what_no_interaction_alone_tells_is_not_explained() {
    let world = World::with_calls(0..1).await;
    let call = Call::nth(0);
    for (name, part) in [
        ("first_contact_resolution@1", "about journeys"),
        ("occupancy@1", "about the time of agents"),
    ] {
        let words = ["explain", call.id.as_str(), "--kpi", name];
        let refused = world.kpi(&words).await;
        assert!(refused.refused().contains(part), "{}", refused.refused());
    }
    // Where nothing is named, the others are explained.
    let words = ["explain", call.id.as_str()];
    let text = world.done(&words).await;
    assert!(!text.contains("occupancy"), "{text}");
    assert!(text.contains("talk_time@1"), "{text}");
}
