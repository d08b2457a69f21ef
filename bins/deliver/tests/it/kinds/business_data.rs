//! CXone's business data: fields of closed contacts, a contact a request.

use super::{SOON, VALUE, Written, cell, words, world, write};
use double::config::Receivers;
use double::{Config, Key};

const KIND: &str = "cxone-business-data";
const EXTRA: &str = r#"
not_before = "at_once"
[target.fields.handle_time]
field = "HANDLE"
precision = 0
[target.fields.talk_time]
field = "NO_SUCH_FIELD"
"#;

#[tokio::test]
async fn fields_are_put_and_who_spoils_a_request_is_found() {
    let config = Config {
        receivers: Receivers {
            unknown_contacts: vec!["4712".to_owned()],
            open_contacts: vec!["4713".to_owned()],
            business_fields: Some(vec!["HANDLE".to_owned()]),
            ..Receivers::default()
        },
        ..Config::default()
    };
    let world = world(KIND, config, EXTRA).await;
    let of = |interaction, metric| Written {
        interaction,
        metric,
        value: Some(311.4),
        ..VALUE
    };
    write(
        &world,
        &[
            of("4711", "handle_time"),
            // A field that does not exist spoils what it is put with; nobody says which it is.
            of("4711", "talk_time"),
            of("4712", "handle_time"),
            of("4713", "handle_time"),
        ],
    )
    .await;
    let process = world.deliver().await;
    world.drained(SOON).await;
    let found = cell(&world, &Key::of("4711", "HANDLE")).unwrap();
    assert_eq!(found.value, Some(311.0));
    assert_eq!(world.double.table().len(), 1);
    let words = words(&world).await.join("; ");
    for expected in [
        "a field does not exist",
        "contact not found",
        "the interaction is not closed",
    ] {
        assert!(words.contains(expected), "{expected} in {words}");
    }
    // Corrected, it goes again.
    write(
        &world,
        &[Written {
            value: Some(12.0),
            ..of("4711", "handle_time")
        }],
    )
    .await;
    world.drained(SOON).await;
    let found = cell(&world, &Key::of("4711", "HANDLE")).unwrap();
    assert_eq!(found.value, Some(12.0));
    world.no_violations();
    drop(process);
}
