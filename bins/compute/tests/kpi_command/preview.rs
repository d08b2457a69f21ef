//! What a definition would give.

use crate::world::{World, plan, planned, said, seconds, talk, talk_without_wrong_numbers};
use serde_json::Value;
use testkit::history::Call;

#[tokio::test]
async fn preview_counts_what_changes_names_the_rule_and_writes_nothing() {
    let world = World::with_calls(0..300).await;
    let calls: Vec<Call> = (0..300).map(Call::nth).collect();
    let before = world.fingerprint().await;
    let file = world.file("talk.toml", &talk_without_wrong_numbers(2));
    let preview = world.json(&["preview", &file]).await;
    assert_eq!(world.fingerprint().await, before);

    let wrong = |call: &&Call| call.disposition == Some("WRONG_NUMBER");
    let wrong_calls: Vec<&Call> = calls.iter().filter(wrong).collect();
    assert!(!wrong_calls.is_empty());
    assert_eq!(preview["interactions"], 300);
    assert_eq!(preview["changed"], wrong_calls.len());
    assert_eq!(
        preview["changed_by_kind"]["value_to_absent"],
        wrong_calls.len()
    );
    let talk_ms: i64 = calls.iter().map(|call| call.talk).sum();
    let wrong_ms: i64 = wrong_calls.iter().map(|call| call.talk).sum();
    assert_eq!(
        preview["old"]["aggregations"]["sum"],
        seconds(talk_ms),
        "to the millisecond"
    );
    assert_eq!(
        preview["new"]["aggregations"]["sum"],
        seconds(talk_ms - wrong_ms)
    );
    assert_eq!(preview["new"]["absent"]["wrong_number"], wrong_calls.len());

    let heaviest = wrong_calls.iter().max_by_key(|call| call.talk).unwrap();
    let first = &preview["changes"][0];
    assert_eq!(first["interaction_id"], heaviest.id.as_str());
    assert_eq!(first["old"]["value"], seconds(heaviest.talk));
    assert_eq!(first["new"]["reason"], "wrong_number");
    assert_eq!(first["why"]["new"]["rule"], "wrong_number", "{first}");
    assert_eq!(
        preview["changes"].as_array().unwrap().len(),
        wrong_calls.len().min(20)
    );

    let text = world.done(&["preview", &file, "--show", "1"]).await;
    assert!(text.contains("the heaviest change"), "{text}");
    assert!(text.contains("excluded: wrong_number"), "{text}");
    let csv = world
        .done(&["preview", &file, "--show", "3", "--output", "csv"])
        .await;
    assert_eq!(csv.lines().count(), 4, "{csv}");
}

#[tokio::test]
async fn preview_compares_any_two_and_says_what_it_compares() {
    let world = World::with_calls(0..50).await;
    world
        .done(&[
            "add",
            &world.file("2.toml", &talk(2, "interaction.talk * 2")),
        ])
        .await;
    let against_current = world.json(&["preview", "talk_time"]).await;
    assert_eq!(against_current["new"]["definition"], "talk_time@2 (draft)");
    assert_eq!(
        against_current["old"]["definition"],
        "talk_time@1 (current)"
    );
    let alone = world.json(&["preview", "talk_time@1"]).await;
    assert_eq!(alone["old"], Value::Null, "beside itself nothing changes");
    let other = world
        .json(&["preview", "talk_time@1", "--against", "hold_time@1"])
        .await;
    assert_eq!(other["old"]["definition"], "hold_time@1 (current)");
}

#[tokio::test]
async fn preview_refuses_to_compare_what_has_another_unit_or_is_about_something_else() {
    let world = World::with_calls(0..3).await;
    for (new, old, part) in [
        (
            "leg_talk_time@1",
            "talk_time@1",
            "is about each leg, talk_time@1 (current) about each interaction",
        ),
        (
            "held@1",
            "talk_time@1",
            "has the unit share, talk_time@1 (current) seconds",
        ),
    ] {
        let refused = world.kpi(&["preview", new, "--against", old]).await;
        assert!(
            refused.refused().contains(part) && refused.refused().contains("--against"),
            "{}",
            refused.refused()
        );
    }
    let count = talk(2, "interaction.transfers").replace("seconds", "count");
    let refused = world
        .kpi(&["preview", &world.file("count.toml", &count)])
        .await;
    assert!(
        refused.refused().contains("give it another name"),
        "{}",
        refused.refused()
    );
}

#[tokio::test]
async fn preview_of_what_has_nothing_beside_it_says_why_and_has_the_rows() {
    let world = World::with_calls(0..1100).await;
    let chatter = |version| talk(version, "interaction.talk").replace("talk_time", "chatter");
    let first = world.file("1.toml", &chatter(1));
    let alone = world.done(&["preview", &first]).await;
    assert!(alone.contains("chatter@1 of "), "{alone}");
    world.done(&["activate", &first]).await;
    let second = world.file(
        "2.toml",
        &chatter(2).replace("interaction.talk", "interaction.talk * 2"),
    );
    let alone = world.done(&["preview", &second]).await;
    assert!(
        alone.contains(
            "chatter has no current version; --against chatter@1 (candidate) compares with another one"
        ),
        "{alone}"
    );
    let itself = world.done(&["preview", "talk_time@1"]).await;
    assert!(
        itself.contains("it says the same as talk_time@1 (current)"),
        "{itself}"
    );

    let rows = world.done(&["preview", &second, "--output", "csv"]).await;
    let ids: Vec<&str> = rows
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).unwrap())
        .collect();
    assert_eq!(ids.len(), 1100, "more than a page");
    assert!(ids.is_sorted(), "in the order of their interactions");
    let call = Call::nth(0);
    let row = format!("acme,{},,{},,", call.id, seconds(2 * call.talk));
    assert!(rows.contains(&row), "{row}");
}

#[tokio::test]
async fn preview_of_a_folder_tries_every_definition_in_it() {
    let world = World::with_calls(0..20).await;
    std::fs::create_dir(world.folder.path().join("kpis")).unwrap();
    world.file("kpis/talk.toml", &talk(2, "interaction.talk * 2"));
    let held = talk(1, "interaction.hold").replace("talk_time", "holding");
    world.file("kpis/hold.toml", &held);
    let folder = world.folder.path().join("kpis");
    let folder = folder.to_str().unwrap();
    let text = world.done(&["preview", folder]).await;
    assert!(
        text.contains("holding@1 of ")
            && text.contains("\n\ntalk_time@1 (current) → talk_time@2 of "),
        "{text}"
    );
    let both = world.json(&["preview", folder]).await;
    assert_eq!(both[1]["old"]["definition"], "talk_time@1 (current)");
    let refused = world.kpi(&["preview", folder, "--output", "csv"]).await;
    assert!(
        refused.refused().contains("csv is of one definition"),
        "{}",
        refused.refused()
    );
}

#[tokio::test]
async fn preview_tells_what_a_filter_left_out_from_what_it_could_not_decide() {
    let world = World::with_calls(0..20).await;
    let voice = talk(2, "interaction.talk") + "filter = \"interaction.media == 'voice'\"\n";
    let preview = world
        .json(&["preview", &world.file("voice.toml", &voice)])
        .await;
    assert_eq!(preview["new"]["absent"]["filtered"], 20);
    let not_stated = &preview["new"]["not_stated"][0];
    assert_eq!(not_stated["reason"], "filtered", "{preview}");
    assert_eq!(not_stated["rows"], 20);
    assert!(
        not_stated["fields"][0].as_str().unwrap().contains("media"),
        "{not_stated}"
    );
}

#[tokio::test]
async fn preview_takes_half_open_ranges_tenants_and_limits() {
    let world = World::with_calls(0..40).await;
    let call = Call::nth(7);
    let stranger = plan(vec![planned("globex", "int_1", call.facts(), None)]);
    world.applier.apply(&stranger).await.unwrap();
    let file = world.file("talk.toml", &talk(2, "interaction.talk"));
    let count = async |words: &[&str]| {
        let words = [&["preview", file.as_str()], words].concat();
        world.json(&words).await["interactions"].as_u64().unwrap()
    };
    assert_eq!(count(&[]).await, 41);
    assert_eq!(count(&["--tenant", "acme"]).await, 40);
    assert_eq!(count(&["--limit", "5"]).await, 5);
    let at = call.started_at.to_string();
    let next = schema::UtcMicros(call.started_at.0 + 1).to_string();
    assert_eq!(
        count(&["--tenant", "acme", "--from", &at, "--to", &next]).await,
        1
    );
    let earlier = (0..40)
        .map(Call::nth)
        .filter(|other| other.started_at < call.started_at);
    assert_eq!(
        count(&["--tenant", "acme", "--to", &at]).await,
        earlier.count() as u64,
        "the end does not belong to it"
    );
    let refused = world
        .kpi(&["preview", &file, "--from", &at, "--to", &at])
        .await;
    assert!(
        refused.refused().contains("is not before"),
        "{}",
        refused.refused()
    );
    let none = world.kpi(&["preview", &file, "--tenant", "nobody"]).await;
    assert!(none.remarks.contains("no interaction"), "{}", none.remarks);
}

fn event(interaction: &str, id: &str, second: u32, state: &str, talk_ms: u32) -> String {
    format!(
        r#"{{"event_type":"analytics:events:publish","timestamp":"2024-05-15T14:00:{second:02}.000Z","data":{{"event_id":"{id}","interaction_id":"{interaction}","type":"telephony:call:x","state":"{state}","disposition":"WRONG_NUMBER","metrics":{{"talk_time_ms":{talk_ms}}},"participants":[{{"id":"anna","type":"agent","timezone":"Europe/Berlin"}}]}}}}"#
    )
}

#[tokio::test]
async fn preview_and_explain_of_files_need_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let events = [
        event("i1", "e1", 1, "connected", 0),
        event("i1", "e2", 9, "completed", 7_000),
        event("i2", "e3", 2, "connected", 0),
        "not an event".to_owned(),
    ];
    std::fs::write(path("events.jsonl"), events.join("\n")).unwrap();
    std::fs::write(path("talk.toml"), talk_without_wrong_numbers(2)).unwrap();
    let (events, file) = (path("events.jsonl"), path("talk.toml"));
    let words = ["preview", &file, "--events", &events, "--output", "json"];
    let preview = said(&words).await;
    assert!(
        preview.remarks.contains("events.jsonl:4:"),
        "{}",
        preview.remarks
    );
    let preview = preview.json();
    assert_eq!(preview["interactions"], 2);
    assert_eq!(preview["passed_over"]["not_ended"], 1);
    assert_eq!(preview["changed"], 1);
    assert_eq!(
        preview["old"]["definition"],
        "talk_time@1 (of this release)"
    );

    let words = ["explain", "i1", "--events", &events, "--kpi", &file];
    let text = said(&words).await.out;
    for part in [
        "i1 of default: completed",
        "talk_time@2 = absent (wrong_number)",
        "wrong_number: true",
        "interaction.disposition",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let unknown = said(&["explain", "i9", "--events", &events]).await;
    assert!(
        unknown.refused().contains("interaction i9"),
        "{}",
        unknown.refused()
    );
}

#[tokio::test]
async fn preview_evaluates_journeys_over_all_interactions_of_a_customer() {
    let world = World::new().await;
    let mut sessions = Vec::new();
    for number in 0..12 {
        let call = Call::nth(number);
        let mut facts = call.facts();
        // Three customers with four calls each; the fourth keeps to himself.
        if number % 4 != 3 {
            facts[0].statement.details = Some(Box::new(schema::Details {
                customer_key: Some(format!("customer_{}", number % 4).as_str().into()),
                ..schema::Details::default()
            }));
        }
        sessions.push(planned("acme", &call.id, facts, None));
    }
    world.applier.apply(&plan(sessions)).await.unwrap();
    let journey = "name = \"contacts\"\nversion = 1\nunit = \"count\"\npriority = \"normal\"\nscope = \"journey\"\n\
                   description = \"How often.\"\nsource = \"Ours.\"\naggregations = [\"mean\", \"count\"]\nvalue = \"journey.contacts\"\n\
                   filter = \"journey.first\"\n[journey]\nwithin = \"366d\"\n";
    let preview = world
        .json(&["preview", &world.file("j.toml", journey)])
        .await;
    assert_eq!(preview["new"]["rows"], 9, "{preview}");
    assert_eq!(preview["new"]["aggregations"]["count"], 3.0, "{preview}");
    assert_eq!(preview["new"]["aggregations"]["mean"], 3.0);
    assert_eq!(preview["passed_over"]["no_customer"], 3);
}

#[tokio::test]
async fn preview_says_that_it_does_not_see_the_time_of_agents() {
    let world = World::with_calls(0..3).await;
    let refused = world.kpi(&["preview", "occupancy@1"]).await;
    assert!(
        refused.refused().contains("the time of agents"),
        "{}",
        refused.refused()
    );
}

#[tokio::test]
async fn preview_of_legs_has_a_row_for_each_agents_leg() {
    let world = World::with_calls(0..50).await;
    let legs = world.json(&["preview", "leg_talk_time@1"]).await;
    let taken = (0..50)
        .map(Call::nth)
        .filter(|call| call.agent.is_some())
        .count();
    assert_eq!(legs["new"]["rows"], taken);
    assert_eq!(legs["passed_over"]["no_agent_leg"], 50 - taken);
}
