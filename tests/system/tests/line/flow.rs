//! A webhook in, a number out, the number on the platform; and everything again, in another order, changes nothing.

use crate::harness::{Line, METRICS, PATIENCE, Values, difference, peers, truth};
use double::workload::Workload;
use double::{Config, Double};
use std::process::Command;
use testkit::eventually;

/// The events and the value of each interaction by the peers' own generator and rule.
fn reference(
    peers: &std::path::Path,
    interactions: &str,
    seed: &str,
) -> (Vec<bytes::Bytes>, Values) {
    let generated = Command::new("python3")
        .arg(peers.join("generate.py"))
        .args([interactions, seed])
        .output()
        .unwrap();
    assert!(
        generated.status.success(),
        "{}",
        String::from_utf8_lossy(&generated.stderr)
    );
    let script = "import sys, json\nsys.path.insert(0, sys.argv[1])\nsys.dont_write_bytecode = True\n\
                  from rule import new, merge, adjusted_aht\nsessions = {}\n\
                  for line in open(sys.argv[2], 'rb'):\n    event = json.loads(line)\n    \
                  merge(sessions.setdefault(event['data']['interaction_id'], new()), event)\n\
                  for i, s in sessions.items():\n    if s['done']:\n        print(i, repr(adjusted_aht(s)))\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &generated.stdout).unwrap();
    let ruled = Command::new("python3")
        .args(["-c", script])
        .arg(peers)
        .arg(file.path())
        .output()
        .unwrap();
    assert!(
        ruled.status.success(),
        "{}",
        String::from_utf8_lossy(&ruled.stderr)
    );
    let text = String::from_utf8(ruled.stdout).unwrap();
    let row = |line: &str| {
        let (interaction, value) = line.split_once(' ').unwrap();
        (
            (interaction.to_owned(), "adjusted_aht".to_owned()),
            Some(value.parse().unwrap()),
        )
    };
    (
        double::emit::lines(generated.stdout),
        text.lines().map(row).collect(),
    )
}

fn adjusted(values: Values) -> Values {
    values
        .into_iter()
        .filter(|((_, metric), _)| metric == "adjusted_aht")
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_peers_workload_gives_exactly_the_rows_of_the_peers_rule() {
    let Some(peers) = peers() else { return };
    let (events, expected) = reference(&peers, "2000", "7");
    let sum: i64 = expected
        .values()
        .flatten()
        .map(|value| (value * 1000.0).round() as i64)
        .sum();
    assert_eq!(
        (expected.len(), sum),
        (1984, 395_199_381),
        "the reference is the one that was published"
    );
    // The double's own truth, written without the rule at hand, says the same.
    assert_eq!(adjusted(truth(&events)), expected);

    let line = Line::start(|setup| setup).await;
    let look = line.look().await;
    let mut options = line.sender();
    let first = line.send(&options, events.clone()).await;
    let logged = line.settle(&look, first.events).await.logged;
    let found = adjusted(look.values(1).await);
    assert!(found == expected, "{}", difference(&found, &expected));
    let before = look.rows(1).await;

    options.shuffle_seed = Some(11);
    options.per_post = 37;
    let second = line.send(&options, events.clone()).await;
    let counts = line.settle(&look, first.events + second.events).await;
    let repeated = counts.received - logged;
    assert_eq!((counts.logged, counts.duplicates), (logged, repeated));
    assert_eq!((counts.quarantined, counts.ignored), (0, 0));
    assert_eq!(
        look.rows(1).await,
        before,
        "no row changed, no updated_at moved"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn awkward_calls_end_in_the_truth_here_and_on_the_platform_and_a_redelivery_pushes_nothing() {
    let workload = Workload::new(300, 3);
    let expected = truth(&workload.events);
    let double = Double::start(Config::default()).await.unwrap();
    let line = Line::start(|setup| {
        setup.with_target(
            &double,
            "genesys-custom-report",
            &METRICS,
            "[target.rate]\nrequests = 600\nperiod = \"1m\"\n",
        )
    })
    .await;
    let mut deliver = line.setup.start("deliver", &["serve"]).await;
    let look = line.look().await;
    let mut options = line.sender();
    options.duplicate_ratio = 0.05;
    options.late_ratio = 0.05;
    let first = line.send(&options, workload.events.clone()).await;
    line.settle(&look, first.events).await;
    look.wait_for(&expected).await;

    let on_the_platform = || -> Values {
        let cells = double.table().into_iter();
        cells
            .map(|(key, cell)| ((key.interaction, key.metric), cell.value))
            .collect()
    };
    // What is absent is not pushed: the platform never sees a null or a made-up zero.
    let pushed: Values = expected
        .iter()
        .filter(|(_, value)| value.is_some())
        .map(|(key, value)| (key.clone(), *value))
        .collect();
    eventually(PATIENCE, "the platform has every value", async || {
        let found = on_the_platform();
        if found == pushed {
            Ok(())
        } else {
            Err(difference(&found, &pushed))
        }
    })
    .await;
    assert!(double.violations().is_empty(), "{:?}", double.violations());
    eventually(PATIENCE, "nothing is left to push", async || {
        let left = look.number("SELECT count(*) FROM sync_queue").await;
        if left == 0 { Ok(()) } else { Err(left) }
    })
    .await;
    let (before, requests) = (look.rows(1).await, double.requests().len());

    options.shuffle_seed = Some(5);
    options.duplicate_ratio = 0.0;
    let second = line.send(&options, workload.events.clone()).await;
    let counts = line.settle(&look, first.events + second.events).await;
    assert_eq!(
        counts.received,
        counts.logged + counts.duplicates + counts.quarantined + counts.ignored
    );
    assert_eq!(look.rows(1).await, before);
    assert_eq!(look.number("SELECT count(*) FROM sync_queue").await, 0);
    assert!(deliver.process.term(PATIENCE).await.success());
    assert_eq!(double.requests().len(), requests, "nothing new was pushed");
}
