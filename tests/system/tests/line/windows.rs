//! KPIs over windows of local time, every one of them beside a truth that is found by adding up lists.
//!
//! Calls and what agents did besides come in by signed webhook, schedules by an import; clocks change twice in twelve zones meanwhile.
//! What is compared is every row: bounds, sums and counts to the last digit. Then the same after everything came again, late, in another
//! order, while compute was killed, and under another version.

mod truth;

use crate::harness::{Line, Look, PATIENCE, Setup};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use std::path::PathBuf;
use std::time::Duration;
use testkit::{eventually, workspace_root};
use truth::Workload;

/// The definitions that ship.
fn shipped() -> PathBuf {
    workspace_root().join("crates/kpi/catalogue")
}

/// Interactions of the peers' workload; `deploy/local/soak.sh windows` asks for more.
fn size() -> usize {
    std::env::var("KPILINE_SOAK_WINDOWS").map_or(300, |text| text.parse().unwrap())
}

/// How long a workload may take from the last event to the last window.
fn patience() -> Duration {
    PATIENCE * u32::try_from(1 + size() / 2_000).unwrap()
}

/// A running line, a look at it, and how many events it was sent.
struct Run {
    line: Line,
    look: Look,
    sent: u64,
}

impl Run {
    /// A line that knows customers by a key, goes by the places of the tests, and has the schedules of this workload.
    async fn start(workload: &Workload) -> Self {
        let with_key = |setup: Setup| {
            setup.with_env("KPILINE_CUSTOMER_KEY", "a key that only tests may know of")
        };
        let line = Line::start(with_key).await;
        let (places, shifts) = (truth::places(), truth::shifts());
        line.setup
            .run("compute", &["kpi", "add", &places, &shifts])
            .await;
        // All definitions that ship, not only the six that are in use from the beginning.
        let all = shipped();
        let activate = ["kpi", "activate", all.to_str().unwrap()];
        line.setup.run("compute", &activate).await;
        let schedules = workload.schedules();
        let import = [
            "import",
            &schedules,
            "--format",
            "genesys-schedules",
            "--tenant",
            "acme",
            "--wait",
        ];
        line.setup.run("backfill", &import).await;
        let look = line.look().await;
        let sent = look.counts().await.received.cast_unsigned();
        Self { line, look, sent }
    }

    /// Sends events, many to a body.
    async fn send(&mut self, events: Vec<Bytes>) {
        let mut options = self.line.sender();
        options.per_post = 100;
        self.sent += self.line.send(&options, events).await.events;
    }

    /// Waits until every event was decided, nothing is marked, and the windows are those of the truth.
    async fn as_the_truth_has_it(&self) {
        self.look.wait_received(self.sent).await;
        eventually(patience(), "the windows of the truth", async || {
            truth::drained(&self.look).await?;
            truth::compare(&self.look).await
        })
        .await;
    }
}

fn shuffled(mut events: Vec<Bytes>, seed: u64) -> Vec<Bytes> {
    events.shuffle(&mut StdRng::seed_from_u64(seed));
    events
}

/// A folder with second versions of shipped definitions, beside the schedules that they refer to.
struct Second {
    folder: tempfile::TempDir,
    files: Vec<String>,
}

impl Second {
    /// With this in place of that in each text; where there are other windows, with those alone.
    fn of(changed: &[(&str, &str, &str)], windows: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["catalogue", "schedules"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let copy = |file: PathBuf| {
            let to = folder.path().join("schedules");
            std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        };
        let schedules = std::fs::read_dir(shipped().join("../schedules")).unwrap();
        schedules.for_each(|entry| copy(entry.unwrap().path()));
        copy(truth::shifts().into());
        let write = |&(name, old, new): &(&str, &str, &str)| {
            let text = std::fs::read_to_string(shipped().join(format!("{name}.toml"))).unwrap();
            let mut second = text.replacen("version = 1", "version = 2", 1);
            assert!(second != text && second.contains(old));
            second = second.replace(old, new);
            if let Some(windows) = windows {
                second.truncate(second.find("[[windows]]").unwrap());
                second.push_str(windows);
            }
            let file = folder.path().join(format!("catalogue/{name}.toml"));
            std::fs::write(&file, second).unwrap();
            file.to_str().unwrap().to_owned()
        };
        let files = changed.iter().map(write).collect();
        Self { folder, files }
    }

    async fn activate(&self, setup: &Setup) {
        let mut arguments = vec!["kpi", "activate"];
        arguments.extend(self.files.iter().map(String::as_str));
        setup.run("compute", &arguments).await;
    }

    fn catalogue(&self) -> PathBuf {
        self.folder.path().join("catalogue")
    }
}

/// Groups and sizes of which the shipped definitions make no use.
const MORE_WINDOWS: &str = r#"[schedules]
shifts = "three_shifts@1"

[[windows]]
by = []
sizes = ["15m", "60m", "shift"]
shift = "shifts"

[[windows]]
by = ["agent"]
sizes = ["15m", "60m", "shift"]
shift = "shifts"

[[windows]]
by = ["team", "agent"]
sizes = ["30m", "day"]

[[windows]]
by = ["platform"]
sizes = ["shift", "week"]
shift = "shifts"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_window_is_that_of_a_naive_truth_and_nothing_moves_when_all_comes_again() {
    if !truth::is_at_hand() {
        return;
    }
    let workload = Workload::own(150, 4);
    let mut run = Run::start(&workload).await;
    let more: Vec<(&str, &str, &str)> = [
        "handle_time",
        "leg_talk_time",
        "offered",
        "occupancy",
        "logged_in_time",
        "contacts_per_issue",
    ]
    .map(|name| (name, "", ""))
    .into();
    let more = Second::of(&more, Some(MORE_WINDOWS));
    more.activate(&run.line.setup).await;
    workload.tell(&run.look, &shipped()).await;
    workload.tell(&run.look, &more.catalogue()).await;
    run.send(workload.events()).await;
    run.as_the_truth_has_it().await;

    let before = truth::every_bit(&run.look).await;
    run.send(shuffled(workload.events(), 9)).await;
    run.as_the_truth_has_it().await;
    let after = truth::every_bit(&run.look).await;
    assert_eq!(after, before, "not even when each was computed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_a_week_late_and_in_no_order_ends_in_the_same_windows() {
    if !truth::is_at_hand() {
        return;
    }
    let workload = Workload::own(120, 5);
    let mut run = Run::start(&workload).await;
    workload.tell(&run.look, &shipped()).await;
    let mut early = shuffled(workload.events(), 2);
    let late = early.split_off(early.len() - early.len() / 20);
    run.send(early).await;
    // A week later, so to speak: everything was computed from what there was.
    run.look.wait_received(run.sent).await;
    eventually(patience(), "nothing is left to compute", async || {
        truth::drained(&run.look).await
    })
    .await;
    let differs = truth::compare(&run.look).await;
    assert!(differs.is_err(), "one event in twenty is missing");
    run.send(late).await;
    run.as_the_truth_has_it().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_compute_again_and_again_while_it_adds_up_changes_no_window() {
    if !truth::is_at_hand() {
        return;
    }
    let workload = Workload::own(150, 6);
    let mut run = Run::start(&workload).await;
    workload.tell(&run.look, &shipped()).await;
    let mut random = StdRng::seed_from_u64(6);
    let events = shuffled(workload.events(), 3);
    let mut working = 0;
    for part in events.chunks(events.len().div_ceil(20)) {
        run.send(part.to_vec()).await;
        // The random moment itself: time passing is the point, nothing is waited for.
        tokio::time::sleep(Duration::from_millis(random.random_range(20..900))).await;
        working += i32::from(truth::drained(&run.look).await.is_err());
        run.line.compute.process.kill9();
        run.line.compute.process = run.line.setup.spawn("compute", &["serve"]);
    }
    assert!(working > 0, "it was never at work when it was killed");
    run.as_the_truth_has_it().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_under_a_new_version_has_its_own_windows_and_the_old_ones_do_not_move() {
    if !truth::is_at_hand() {
        return;
    }
    let workload = Workload::own(120, 7);
    let mut run = Run::start(&workload).await;
    workload.tell(&run.look, &shipped()).await;
    run.send(workload.events()).await;
    run.as_the_truth_has_it().await;
    let before = truth::every_bit_of_the_first(&run.look).await;

    let second = Second::of(
        &[
            ("service_level_offered", "\"20s\"", "\"35s\""),
            ("first_contact_resolution", "\"7d\"", "\"2d\""),
            ("handle_time", "", ""),
            ("leg_handle_time", "", ""),
            ("occupancy", "", ""),
        ],
        None,
    );
    second.activate(&run.line.setup).await;
    let replay = [
        "replay",
        "--from",
        "2024-01-01T00:00:00Z",
        "--to",
        "2025-01-01T00:00:00Z",
        "--metric-version",
        "2",
        "--wait",
    ];
    run.line.setup.run("backfill", &replay).await;
    workload.tell(&run.look, &second.catalogue()).await;
    run.as_the_truth_has_it().await;
    let after = truth::every_bit_of_the_first(&run.look).await;
    assert_eq!(after, before, "version 1 did not change by a bit");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_peers_workload_with_agents_has_the_windows_of_the_truth() {
    if !truth::is_at_hand() {
        return;
    }
    let Some(workload) = Workload::peers(size(), 7) else {
        return;
    };
    let mut run = Run::start(&workload).await;
    workload.tell(&run.look, &shipped()).await;
    run.send(workload.events()).await;
    run.as_the_truth_has_it().await;
    run.send(shuffled(workload.events(), 1)).await;
    run.as_the_truth_has_it().await;
}
