//! What a target wants is decided when a row is claimed.

use super::{SOON, VALUE, Written, cell, fates, interaction, world, write};
use double::{Config, Key};
use serde_json::json;

const EXTRA: &str = r#"
path = "/plain"
filter = "row.queue == 'sales' && row.media == 'voice'"
[target.body]
item = '''{"interaction_id": {{ interaction }}, "metric": {{ metric }}, "value": {{ value }}}'''
retraction = '''{"interaction_id": {{ interaction }}, "metric": {{ metric }}, "gone": true}'''
"#;

/// A session with one fact, which says the medium.
fn session(media: &str) -> String {
    format!(r#"{{"v":1,"f":[{{"k":"fact","a":1795000000000000,"b":{{"x":{{"md":"{media}"}}}}}}]}}"#)
}

#[tokio::test]
async fn what_the_filter_does_not_want_is_not_sent_and_is_taken_back() {
    let world = world("http", Config::default(), EXTRA).await;
    for (id, media) in [("int_1", "voice"), ("int_2", "chat"), ("int_3", "voice")] {
        interaction(&world, id, &session(media)).await;
    }
    let of = |interaction, queue| Written {
        interaction,
        queue: Some(queue),
        ..VALUE
    };
    write(
        &world,
        &[
            of("int_1", "sales"),
            of("int_2", "sales"),
            of("int_3", "service"),
        ],
    )
    .await;
    let process = world.deliver().await;
    world.drained(SOON).await;
    let key = Key::of("int_1", "handle_time");
    assert_eq!(cell(&world, &key).unwrap().value, Some(1.0));
    assert_eq!(world.double.table().len(), 1);
    assert_eq!(fates(&world).await, ["accepted"]);
    // What the filter does not want is expected nowhere.
    let from = "2026-11-01T00:00:00Z";
    let reconcile = ["reconcile", "--target", "main", "--from", from];
    assert_eq!(world.ask(&reconcile).await["by_reason"], json!({}));
    // It turns out to have been another queue's.
    write(&world, &[of("int_1", "service")]).await;
    world.drained(SOON).await;
    assert_eq!(cell(&world, &key).unwrap().value, None);
    assert_eq!(fates(&world).await, ["accepted", "retracted"]);
    world.no_violations();
    drop(process);
}
