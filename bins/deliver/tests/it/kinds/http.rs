//! A target by templates: bodies as they say, answers by pointers, values taken back.

use super::{SOON, VALUE, Written, cell, day, days, fates, today, words, world, write};
use double::config::{Fault, ItemFault, Phase, Script};
use double::{Config, Key};

const KIND: &str = "http";
const EXTRA: &str = r#"
path = "/plain/rows"
method = "PUT"
batch_max = 50
[target.headers]
X-Api-Key = "k3y"
[target.body]
item = '''{"idempotency_key": {{ key }}, "interaction_id": {{ interaction }}, "leg_scope": {{ leg }}, "metric": {{ metric }}, "value": {{ value }}}'''
batch = '''{"rows": [{{ items }}], "count": {{ count }}}'''
retraction = '''{"idempotency_key": {{ key }}, "interaction_id": {{ interaction }}, "metric": {{ metric }}, "gone": true}'''
[target.answer]
results = "/results"
key = "/idempotency_key"
reason = "/error"
"#;

#[tokio::test]
async fn rows_go_as_the_templates_say_and_come_back_when_they_are_absent() {
    let first = Fault::Partial {
        items: vec![
            ItemFault {
                index: 1,
                status: Some(422),
            },
            ItemFault {
                index: 2,
                status: None,
            },
        ],
    };
    let config = Config {
        faults: Script::of([Phase::requests(1, first)]),
        shuffle_answers: true,
        ..Config::default()
    };
    let world = world(KIND, config, EXTRA).await;
    let awkward = "a \"quoted\" \\ {{ id }} é\u{1F600}";
    let names: Vec<String> = (0..120).map(|n| format!("int_{n:03}")).collect();
    let mut values: Vec<Written<'_>> = names
        .iter()
        .map(|name| Written {
            interaction: name,
            ..VALUE
        })
        .collect();
    values.push(Written {
        interaction: awkward,
        value: Some(2.5),
        ..VALUE
    });
    write(&world, &values).await;
    let process = world.deliver().await;
    world.drained(SOON).await;
    assert_eq!(
        cell(&world, &Key::of(awkward, "handle_time"))
            .unwrap()
            .value,
        Some(2.5)
    );
    // One is refused in its own words; one was not mentioned, and went again.
    assert_eq!(world.double.table().len(), 120);
    assert_eq!(words(&world).await, ["this item was refused with 422"]);
    assert!(fates(&world).await.contains(&"unknown".to_owned()));

    write(
        &world,
        &[Written {
            interaction: awkward,
            value: None,
            ..VALUE
        }],
    )
    .await;
    world.drained(SOON).await;
    assert_eq!(
        cell(&world, &Key::of(awkward, "handle_time"))
            .unwrap()
            .value,
        None
    );
    assert_eq!(fates(&world).await.last().unwrap(), "retracted");
    world.no_violations();
    drop(process);
}

#[tokio::test]
async fn agents_days_go_where_the_target_wants_them() {
    let extra = r#"
path = "/plain"
grains = ["agent_day"]
[target.body]
item = '''{"interaction_id": {{ agent }}, "leg_scope": {{ day }}, "metric": {{ metric }}, "value": {{ numerator }}}'''
"#;
    let world = world(KIND, Config::default(), extra).await;
    let process = world.deliver().await;
    write(&world, &[VALUE]).await;
    days(&world, &[day("ada", today(), 7000, 2)]).await;
    world.drained(SOON).await;
    let key = Key {
        scope: today().to_string(),
        ..Key::of("ada", "handle_time")
    };
    assert_eq!(cell(&world, &key).unwrap().value, Some(7000.0));
    assert_eq!(world.double.table().len(), 1);
    world.no_violations();
    drop(process);
}
