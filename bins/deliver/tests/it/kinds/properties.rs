//! Genesys' conversation properties: values of legs, a session a request.

use super::{SOON, VALUE, Written, cell, words, world, write};
use double::config::Receivers;
use double::{Config, Key};

const KIND: &str = "genesys-conversation-properties";
const EXTRA: &str = r#"
not_before = "at_once"
[target.properties.handle_time]
property = "kpi_handle"
precision = 1
[target.properties.talk_time]
type = "integer"
"#;

#[tokio::test]
async fn values_of_a_leg_are_beside_its_session_and_go_in_one_request() {
    let config = Config {
        receivers: Receivers {
            unknown_conversations: vec!["conv_nobody".to_owned()],
            ..Receivers::default()
        },
        ..Config::default()
    };
    let world = world(KIND, config, EXTRA).await;
    let of = |interaction, leg, metric, value| Written {
        interaction,
        leg,
        metric,
        value: Some(value),
        ..VALUE
    };
    write(
        &world,
        &[
            of("conv_1", "session_1", "handle_time", 65.77),
            of("conv_1", "session_1", "talk_time", 40.4),
            of("conv_1", "session_2", "handle_time", 3.0),
            of("conv_nobody", "session_3", "handle_time", 3.0),
            // Of the interaction as a whole: not queued for a target of legs.
            of("conv_1", "", "handle_time", 70.0),
        ],
    )
    .await;
    let process = world.deliver().await;
    world.drained(SOON).await;
    let value = |session: &str, property: &str| {
        let key = Key {
            scope: session.to_owned(),
            ..Key::of("conv_1", property)
        };
        cell(&world, &key).and_then(|cell| cell.value)
    };
    assert_eq!(value("session_1", "kpi_handle"), Some(65.8));
    assert_eq!(value("session_1", "talk_time"), Some(40.0));
    assert_eq!(value("session_2", "kpi_handle"), Some(3.0));
    assert_eq!(world.pushes().len(), 3);
    let words = words(&world).await;
    assert!(
        matches!(&words[..], [words] if words.contains("conversation not found")),
        "{words:?}"
    );
    world.no_violations();
    drop(process);
}
