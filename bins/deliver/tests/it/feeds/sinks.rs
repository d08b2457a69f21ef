//! A folder and an S3-compatible store.

use super::given::{Feeds, SOON, keys};
use double::depot::Depot;
use testkit::eventually;

#[tokio::test]
async fn a_folder_gets_whole_files_under_their_names() {
    let depot = Depot::start(None).await.unwrap();
    let feeds = Feeds::with(
        depot,
        2,
        "format = \"parquet\"",
        "kind = \"folder\"\npath = \"out\"",
    )
    .await;
    feeds.write(-2, &[("sales", 3_000)]).await;
    let process = feeds.deliver().await;
    feeds.settled(2).await;
    feeds.write(-2, &[("sales", 4_000)]).await;
    let corrected = "SELECT count(*) FROM feed_deliveries WHERE revision = 2 AND state = 'sent'";
    eventually(SOON, "it is corrected", async || {
        feeds.world.query_count(corrected).await == 1
    })
    .await;
    let mut names = Vec::new();
    let mut folders = vec![feeds.folder.path().join("out")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
                names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    names.sort();
    let kinds: Vec<_> = names
        .iter()
        .map(|name| name.split_once('_').unwrap().1)
        .collect();
    assert_eq!(
        kinds,
        ["r1.parquet", "r2.parquet", "r1.parquet"],
        "{names:?}"
    );
    drop(process);
}

fn s3(depot: &Depot, secret: &str) -> String {
    format!(
        "kind = \"s3\"\nendpoint = \"{}\"\nregion = \"{}\"\nbucket = \"lake\"\nprefix = \"raw\"\naccess_key = \"{}\"\nsecret_key = \"{secret}\"",
        depot.url(),
        keys().region,
        keys().access
    )
}

#[tokio::test]
async fn a_store_gets_signed_objects() {
    let depot = Depot::start(Some(keys())).await.unwrap();
    let sink = s3(&depot, &keys().secret);
    let feeds = Feeds::with(depot, 2, "csv = { header = false }", &sink).await;
    feeds.write(-2, &[("sales", 3_000)]).await;
    let process = feeds.deliver().await;
    feeds.settled(2).await;
    let arrivals = feeds.depot.arrivals();
    assert_eq!(arrivals.len(), 2, "an empty object, too: {arrivals:#?}");
    let first = arrivals
        .iter()
        .find(|arrival| !arrival.body.is_empty())
        .unwrap();
    assert!(
        first.path.starts_with("/lake/raw/planning/wfm/v1/"),
        "{}",
        first.path
    );
    assert_eq!(&first.body[..], b"sales,1.5,1,0\r\n");
    assert_eq!(first.headers["x-amz-meta-kpiline-revision"], "1");
    drop(process);
}

#[tokio::test]
async fn a_wrong_key_sends_nothing_and_is_told_without_being_shown() {
    let depot = Depot::start(Some(keys())).await.unwrap();
    let sink = s3(&depot, "another-secret-key");
    let feeds = Feeds::with(depot, 1, "", &sink).await;
    let mut process = feeds.deliver().await;
    let refused = "SELECT count(*) FROM feed_intervals WHERE error LIKE 'HTTP 403%'";
    eventually(SOON, "the refusal is written down", async || {
        feeds.world.query_count(refused).await == 1
    })
    .await;
    assert!(feeds.depot.files().is_empty());
    let status = process.term(SOON).await;
    assert_eq!(status.code(), Some(0));
    for words in ["another-secret-key", "X-Amz-Signature"] {
        assert!(!process.stderr().contains(words) && !process.stdout().contains(words));
    }
    let shown = "SELECT count(*) FROM feed_intervals WHERE error LIKE '%Signature%'";
    assert_eq!(feeds.world.query_count(shown).await, 0);
}
