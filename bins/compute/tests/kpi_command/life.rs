//! The life of a version: activate, promote, retire, rollback.

use crate::world::{World, talk};

#[tokio::test]
async fn a_version_lives_from_file_to_promotion_and_back_and_dashboards_switch_at_once() {
    let world = World::with_calls(0..30).await;
    let file = world.file("talk.toml", &talk(2, "interaction.talk * 2"));
    let said = world.done(&["activate", &file]).await;
    assert!(
        said.starts_with("talk_time@2: draft → candidate\n"),
        "{said}"
    );
    assert!(
        said.contains("dashboards go on seeing talk_time@1"),
        "{said}"
    );
    assert_eq!(world.statuses("talk_time").await, "1 current, 2 candidate");

    // What comes from now on has both; the past has not, and promotion is refused with what to do.
    world.compute(30..40, None).await;
    let before = world.fingerprint().await;
    let refused = world.kpi(&["promote", "talk_time@2"]).await;
    for part in [
        "of 40 rows",
        "30 belong",
        " of acme",
        "backfill replay --from",
        "--metric-version 2",
    ] {
        assert!(
            refused.refused().contains(part),
            "{part} in {}",
            refused.refused()
        );
    }
    assert_eq!(
        world.fingerprint().await,
        before,
        "a refusal writes nothing"
    );

    world.compute(0..30, Some(2)).await;
    let seen = "SELECT string_agg(DISTINCT metric_version::text, ',') || ' ' || count(*) FROM metrics_current WHERE metric_type = 'talk_time'";
    assert_eq!(world.text(seen).await, "1 40");
    let said = world.done(&["promote", "talk_time@2"]).await;
    assert!(
        said.starts_with("talk_time: dashboards saw version 1 → they see version 2\n"),
        "{said}"
    );
    assert_eq!(world.text(seen).await, "2 40");
    assert_eq!(world.statuses("talk_time").await, "1 candidate, 2 current");
    assert!(
        world
            .done(&["promote", "talk_time@2"])
            .await
            .contains("already")
    );

    let refused = world.kpi(&["retire", "talk_time@2"]).await;
    assert!(
        refused.refused().contains("what dashboards see"),
        "{}",
        refused.refused()
    );
    let said = world.done(&["rollback", "talk_time"]).await;
    assert!(
        said.contains("saw version 2 → they see version 1"),
        "{said}"
    );
    assert_eq!(world.text(seen).await, "1 40");
    let said = world.done(&["rollback", "talk_time"]).await;
    assert!(
        said.contains("saw version 1 → they see version 2"),
        "{said}"
    );

    let said = world.done(&["retire", "talk_time@1"]).await;
    assert!(
        said.starts_with("talk_time@1: candidate → retired\n"),
        "{said}"
    );
    assert!(said.contains("refused from now on"), "{said}");
    let refused = world.kpi(&["rollback", "talk_time"]).await;
    assert!(
        refused.refused().contains("talk_time@1 is retired"),
        "{}",
        refused.refused()
    );
    let said = world.done(&["activate", "talk_time@1"]).await;
    assert!(
        said.starts_with("talk_time@1: retired → candidate\n"),
        "{said}"
    );
    assert!(
        world
            .done(&["activate", "talk_time@1"])
            .await
            .contains("computed already")
    );
}

#[tokio::test]
async fn of_two_operators_who_promote_at_once_one_does_and_the_other_is_told() {
    let world = World::with_calls(0..5).await;
    for version in [2, 3] {
        let file = world.file("talk.toml", &talk(version, "interaction.talk"));
        world.done(&["activate", &file]).await;
        world.compute(0..5, Some(version)).await;
    }
    let (second, third) = tokio::join!(
        world.kpi(&["promote", "talk_time@2"]),
        world.kpi(&["promote", "talk_time@3"])
    );
    let statuses = world.statuses("talk_time").await;
    let promotions = world
        .text("SELECT string_agg(version::text, ',' ORDER BY promotion_id) FROM kpi_promotions WHERE name = 'talk_time'")
        .await;
    // Whoever began to look after the other had finished may promote, too; nobody promotes on what was looked at before.
    match (&second.error, &third.error) {
        (None, None) => assert_eq!(promotions.len(), 3, "{promotions}: {statuses}"),
        (Some(told), None) => {
            assert!(told.contains("changed by somebody else"), "{told}");
            assert_eq!(statuses, "1 candidate, 2 candidate, 3 current");
        }
        (None, Some(told)) => {
            assert!(told.contains("changed by somebody else"), "{told}");
            assert_eq!(statuses, "1 candidate, 2 current, 3 candidate");
        }
        (Some(one), Some(other)) => unreachable!("{one}; {other}"),
    }
}

/// A KPI that nobody has had before.
fn chatter(version: u16) -> String {
    talk(version, "interaction.talk").replace("talk_time", "chatter")
}

const SEEN: &str = "SELECT string_agg(DISTINCT metric_version::text, ',') || ' ' || count(*) FROM metrics_current WHERE metric_type = 'chatter'";

#[tokio::test]
async fn a_first_version_is_shown_only_with_its_past_and_can_be_taken_back() {
    let world = World::with_calls(0..3).await;
    let said = world
        .done(&["activate", &world.file("c.toml", &chatter(1))])
        .await;
    assert!(said.contains("readers see nothing of chatter"), "{said}");
    world.compute(3..5, None).await;

    let before = world.fingerprint().await;
    let refused = world.kpi(&["promote", "chatter@1"]).await;
    for part in [
        "of 5 interactions that ended, there are 3 ",
        " of acme",
        "backfill replay --from 2024-03-",
        "--metric-version 1 --wait",
    ] {
        assert!(
            refused.refused().contains(part),
            "{part} in {}",
            refused.refused()
        );
    }
    assert_eq!(world.fingerprint().await, before);

    world.compute(0..3, Some(1)).await;
    let said = world.done(&["promote", "chatter@1"]).await;
    assert!(
        said.contains("saw no version → they see version 1"),
        "{said}"
    );
    assert_eq!(world.text(SEEN).await, "1 5");

    let said = world.done(&["rollback", "chatter"]).await;
    assert!(
        said.contains("saw version 1 → they see no version"),
        "{said}"
    );
    assert_eq!(world.text(SEEN).await, "");
    assert_eq!(world.statuses("chatter").await, "1 candidate");
    let said = world.done(&["rollback", "chatter"]).await;
    assert!(
        said.contains("saw no version → they see version 1"),
        "{said}"
    );
    assert_eq!(world.text(SEEN).await, "1 5");

    let refused = world.kpi(&["rollback", "hold_time"]).await;
    assert!(
        refused.refused().contains("never promoted"),
        "{}",
        refused.refused()
    );
}

#[tokio::test]
async fn a_rollback_that_names_a_version_is_done_once() {
    let world = World::with_calls(0..3).await;
    let file = world.file("talk.toml", &talk(2, "interaction.talk"));
    world.done(&["activate", &file]).await;
    world.compute(0..3, Some(2)).await;
    let refused = world.kpi(&["rollback", "talk_time@2"]).await;
    assert!(
        refused
            .refused()
            .contains("dashboards do not see talk_time@2, they see talk_time@1"),
        "{}",
        refused.refused()
    );
    world.done(&["promote", "talk_time@2"]).await;
    world.done(&["rollback", "talk_time@2"]).await;
    assert_eq!(world.statuses("talk_time").await, "1 current, 2 candidate");
    let again = world.kpi(&["rollback", "talk_time@2"]).await;
    assert!(
        again.refused().contains("nothing was changed"),
        "{}",
        again.refused()
    );
    assert_eq!(world.statuses("talk_time").await, "1 current, 2 candidate");
}

#[tokio::test]
async fn the_way_back_to_a_version_that_was_switched_off_meanwhile_needs_its_past() {
    let world = World::with_calls(0..3).await;
    let file = world.file("talk.toml", &talk(2, "interaction.talk"));
    world.done(&["activate", &file]).await;
    world.compute(0..3, Some(2)).await;
    world.done(&["promote", "talk_time@2"]).await;
    world.done(&["retire", "talk_time@1"]).await;
    world.compute(3..7, None).await;
    world.done(&["activate", "talk_time@1"]).await;

    let before = world.fingerprint().await;
    let refused = world.kpi(&["rollback", "talk_time"]).await;
    for part in [
        "talk_time@1 was switched off and on again",
        "of 7 rows of talk_time@2, 7 belong",
        "--metric-version 1 --wait",
    ] {
        assert!(
            refused.refused().contains(part),
            "{part} in {}",
            refused.refused()
        );
    }
    assert_eq!(world.fingerprint().await, before);
    world.compute(0..7, Some(1)).await;
    let said = world.done(&["rollback", "talk_time"]).await;
    assert!(said.contains("they see version 1"), "{said}");
}

#[tokio::test]
async fn activation_says_from_when_to_when_the_past_is() {
    let world = World::new().await;
    let said = world
        .done(&["activate", &world.file("c.toml", &chatter(1))])
        .await;
    assert!(
        said.contains("the past: no interaction has ended yet"),
        "{said}"
    );
    world.compute(0..40, None).await;
    let calls = (0..40).map(testkit::history::Call::nth);
    let first = calls.map(|call| call.started_at).min().unwrap();
    let said = world
        .done(&["activate", &world.file("c.toml", &chatter(2))])
        .await;
    let day_before = schema::UtcMicros(first.0 - 86_400_000_000).to_string();
    let day_before = day_before.split('T').next().unwrap();
    assert!(
        said.contains(&format!(
            "the past: backfill replay --from {day_before}T00:00:00Z --to 2024-03-2"
        )),
        "{said}"
    );
    assert!(said.contains("--metric-version 2\n"), "{said}");
}

#[tokio::test]
async fn a_refusal_names_the_mappings_that_the_replay_will_ask_for() {
    let world = World::with_calls(0..3).await;
    world
        .done(&["activate", &world.file("c.toml", &chatter(1))])
        .await;
    let refused = world.kpi(&["promote", "chatter@1"]).await;
    assert!(
        !refused.refused().contains("--mapping"),
        "no mapped event is among them: {}",
        refused.refused()
    );
    let client = world.db.client().await;
    client
        .batch_execute("SELECT ensure_month('event_log', DATE '2024-03-01')")
        .await
        .unwrap();
    let call = testkit::history::Call::nth(0);
    let insert = format!(
        "INSERT INTO event_log SELECT '{}', gen_random_uuid(), 'acme', 's', 'e', '{}', format, gen_random_uuid(), now(), '', '' \
         FROM unnest(ARRAY['\"genesys_webhook\"', '{{\"mapped\":{{\"mapping\":\"our-dialler\"}}}}']) AS format",
        call.started_at, call.id
    );
    client.batch_execute(&insert).await.unwrap();
    let refused = world.kpi(&["promote", "chatter@1"]).await;
    assert!(
        refused
            .refused()
            .ends_with("add --mapping FILE for each of these mappings: our-dialler"),
        "{}",
        refused.refused()
    );
}

#[tokio::test]
async fn drafts_and_names_that_are_not_there_are_refused() {
    let world = World::new().await;
    world
        .done(&["add", &world.file("2.toml", &talk(2, "interaction.talk"))])
        .await;
    let before = world.fingerprint().await;
    for (words, part) in [
        (vec!["promote", "talk_time@2"], "is a draft"),
        (
            vec!["promote", "talk_time@9"],
            "of talk_time there are 1 (current), 2 (draft)",
        ),
        (vec!["promote", "talktime@1"], "did you mean talk_time?"),
        (vec!["retire", "talk_time@1"], "what dashboards see"),
        (vec!["rollback", "talktime"], "did you mean talk_time?"),
        (vec!["activate", "talk_time"], "write talk_time@2"),
        (
            vec!["activate", "talk_time@2", "hold_time@7"],
            "no hold_time@7",
        ),
    ] {
        let refused = world.kpi(&words).await;
        assert!(
            refused.refused().contains(part),
            "{words:?}: {}",
            refused.refused()
        );
    }
    let schedule = "schedule = \"always\"\nversion = 1\n[weekly]\neveryday = [\"00:00-24:00\"]\n";
    let refused = world
        .kpi(&["activate", &world.file("s.toml", schedule)])
        .await;
    assert!(
        refused.refused().contains("no definition"),
        "{}",
        refused.refused()
    );
    assert_eq!(world.fingerprint().await, before, "all or nothing");
}

#[tokio::test]
async fn definitions_of_journeys_and_of_agents_time_are_switched_on_like_any_other() {
    let world = World::new().await;
    let journey = "name = \"contacts\"\nversion = 1\nunit = \"count\"\nscope = \"journey\"\nvalue = \"journey.contacts\"\n\
                   [journey]\nwithin = \"3d\"\n";
    let said = world
        .done(&["activate", &world.file("j.toml", journey)])
        .await;
    assert!(said.contains("every customer who has news"), "{said}");
    let time = "name = \"away\"\nversion = 1\nunit = \"seconds\"\nscope = \"agent_time\"\nnumerator = \"!time.on_queue\"\n\
                [[windows]]\nby = [\"agent\"]\nsizes = [\"day\"]\n";
    let said = world.done(&["activate", &world.file("t.toml", time)]).await;
    assert!(said.contains("every agent who has news"), "{said}");
    for name in ["contacts", "away"] {
        assert_eq!(world.statuses(name).await, "1 candidate");
    }
}

#[tokio::test]
async fn promotion_names_the_targets_that_need_a_resync() {
    let world = World::new().await;
    world
        .db
        .client()
        .await
        .execute(
            "INSERT INTO sync_targets (target, tenant, platform, metrics) VALUES ('main', 'acme', 'x', ARRAY['talk_time'])",
            &[],
        )
        .await
        .unwrap();
    world
        .done(&[
            "activate",
            &world.file("2.toml", &talk(2, "interaction.talk")),
        ])
        .await;
    let said = world.done(&["promote", "talk_time@2"]).await;
    assert!(said.contains("deliver resync --target main"), "{said}");
    let said = world.done(&["rollback", "talk_time@2"]).await;
    assert!(said.contains("deliver resync --target main"), "{said}");
}
