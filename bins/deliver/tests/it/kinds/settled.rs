//! A target that waits gets each value once, when it has settled; what goes on after that is corrected.

use super::{SOON, VALUE, Written, cell, interaction, world, write};
use double::{Config, Key};
use schema::UtcMicros;
use store::sweep;
use testkit::eventually;

const EXTRA: &str = r#"
not_before = "settled"
"#;
/// Later than any clock.
const ALWAYS: UtcMicros = UtcMicros(4_102_444_800_000_000);

async fn settle(world: &crate::world::World) {
    let client = world.store.client().await.unwrap();
    sweep::settle(&client, ALWAYS, ALWAYS, None, 100)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_value_goes_once_when_it_has_settled_and_is_corrected_when_it_goes_on() {
    let world = world("genesys-custom-report", Config::default(), EXTRA).await;
    interaction(&world, "int_1", r#"{"v":1,"f":[]}"#).await;
    interaction(&world, "int_2", r#"{"v":1,"f":[]}"#).await;
    let process = world.deliver().await;
    let of = |interaction, value| Written {
        interaction,
        value: Some(value),
        ..VALUE
    };
    write(&world, &[of("int_1", 1.0)]).await;
    write(&world, &[of("int_1", 2.0)]).await;
    world.wake().await;
    assert_eq!(world.counts().await.held, 1);
    assert_eq!(world.double.table().len(), 0);
    settle(&world).await;
    world.drained(SOON).await;
    let key = Key {
        tenant: crate::world::TENANT.to_owned(),
        ..Key::of("int_1", "handle_time")
    };
    let stored = |cell: &double::Cell| (cell.value, cell.stored);
    assert_eq!(
        cell(&world, &key).as_ref().map(stored),
        Some((Some(2.0), 1))
    );
    // It goes on, and another one settles meanwhile.
    let client = world.db.client().await;
    client
        .batch_execute("UPDATE interactions SET settled_at = NULL WHERE interaction_id = 'int_1'")
        .await
        .unwrap();
    write(&world, &[of("int_1", 3.0), of("int_2", 7.0)]).await;
    world.wake().await;
    eventually(SOON, "both are pushed", async || {
        // Held rows are none that wait for deliver.
        match (world.counts().await.held, world.double.table().len()) {
            (1, 2) => Ok(()),
            other => Err(other),
        }
    })
    .await;
    assert_eq!(
        cell(&world, &key).as_ref().map(stored),
        Some((Some(2.0), 1)),
        "not before it has settled again"
    );
    settle(&world).await;
    world.drained(SOON).await;
    assert_eq!(
        cell(&world, &key).as_ref().map(stored),
        Some((Some(3.0), 2))
    );
    world.no_violations();
    drop(process);
}
