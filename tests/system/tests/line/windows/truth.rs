//! The truth about windows: Python programs that share no code with the product, and a comparison row by row.

use crate::harness::Look;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testkit::{shared_dir, workspace_root};

/// How far a percentile may be from the exact one by nearest rank, as a share of it: what crate window promises.
const PERCENTILE_ERROR: f64 = 1.0 / 128.0;
/// Rows of the truth that are stored in one statement.
const ROWS: usize = 20_000;

/// The folder of the programs.
fn folder() -> PathBuf {
    workspace_root().join("tests/system/truth")
}

/// Python with the zone data that are compiled in here, as the tests of crate timezone install it.
fn python(program: &Path) -> Command {
    let interpreter = std::env::var_os("KPILINE_PYTHON").unwrap_or_else(|| "python3".into());
    let zones = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../timezone-oracle");
    let mut paths = vec![zones];
    paths.extend(
        std::env::var_os("PYTHONPATH")
            .iter()
            .flat_map(std::env::split_paths),
    );
    let mut command = Command::new(interpreter);
    command
        .env("PYTHONPATH", std::env::join_paths(paths).unwrap())
        .env("TRUTH_TZDATA", "package")
        .arg("-B")
        .arg(program)
        .stdin(Stdio::null());
    command
}

/// Runs a program of the truth into a file.
fn write(file: &Path, program: &Path, arguments: &[&str]) {
    let mut command = python(program);
    let output = command
        .args(arguments)
        .stdout(std::fs::File::create(file).unwrap())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{} {arguments:?}: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Whether there is a Python that the truth can be found with; a loud word where there is none.
pub(crate) fn is_at_hand() -> bool {
    let checks = python(&folder().join("checks.py")).output();
    let reason = match checks {
        Ok(output) if output.status.success() => return true,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            // Its own checks failing is no reason to skip anything.
            assert!(
                said.contains("No module named") || said.contains("ZoneInfoNotFoundError"),
                "the truth does not hold: {said}"
            );
            said.lines().last().unwrap_or_default().to_owned()
        }
        Err(error) => format!("python does not start: {error}"),
    };
    eprintln!(
        "SKIPPED: windows beside a naive truth: {reason}; crates/timezone/tests/oracle/setup.sh installs what it needs"
    );
    false
}

/// Events of interactions and of agents, and the published schedules, as files.
pub(crate) struct Workload {
    folder: tempfile::TempDir,
}

impl Workload {
    /// Of our own kind: few customers and agents, many awkward calls.
    pub(crate) fn own(interactions: usize, seed: u64) -> Self {
        let arguments = [interactions.to_string(), seed.to_string()];
        Self::of(&folder().join("calls.py"), &arguments, seed)
    }

    /// The peers' workload, extended with what its agents did besides; `None`, and a loud word, where it is not at hand.
    pub(crate) fn peers(interactions: usize, seed: u64) -> Option<Self> {
        let generator = shared_dir()?.join("peers/generate.py");
        let arguments = [interactions.to_string(), seed.to_string()];
        Some(Self::of(&generator, &arguments, seed))
    }

    fn of(generator: &Path, arguments: &[String], seed: u64) -> Self {
        let workload = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        write(&workload.path("events.jsonl"), generator, &arguments);
        let (events, schedules) = (
            workload.text("events.jsonl"),
            workload.text("schedules.jsonl"),
        );
        write(
            &workload.path("states.jsonl"),
            &self::folder().join("agent_states.py"),
            &[&events, &seed.to_string(), &schedules],
        );
        workload
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The file of published schedules.
    pub(crate) fn schedules(&self) -> String {
        self.text("schedules.jsonl")
    }

    /// All events of both kinds, as they arrive, interactions first.
    pub(crate) fn events(&self) -> Vec<Bytes> {
        let read = |name| double::emit::lines(std::fs::read(self.path(name)).unwrap());
        let mut events = read("events.jsonl");
        events.extend(read("states.jsonl"));
        events
    }

    /// Puts the truth into a table of the line's database, for the definitions in a folder.
    pub(crate) async fn tell(&self, look: &Look, catalogue: &Path) {
        let file = self.path("truth.tsv");
        let (events, states) = (self.text("events.jsonl"), self.text("states.jsonl"));
        let (schedules, places) = (self.schedules(), places());
        write(
            &file,
            &folder().join("windows.py"),
            &[
                "--events",
                &events,
                "--states",
                &states,
                "--schedules",
                &schedules,
                "--places",
                &places,
                "--catalogue",
                catalogue.to_str().unwrap(),
            ],
        );
        look.0.batch_execute(TABLE).await.unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(!lines.is_empty(), "the truth has nothing to say");
        for lines in lines.chunks(ROWS) {
            look.0.execute(STORE, &[&lines]).await.unwrap();
        }
        look.0.batch_execute("ANALYZE truth").await.unwrap();
    }
}

/// The places that the tests store: whose clock counts.
pub(crate) fn places() -> String {
    folder().join("places.toml").to_str().unwrap().to_owned()
}

/// The schedule of shifts that some of the tests' definitions refer to.
pub(crate) fn shifts() -> String {
    folder()
        .join("three_shifts.toml")
        .to_str()
        .unwrap()
        .to_owned()
}

/// The truth as it is compared.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS truth (
    metric_type text COLLATE \"C\", metric_version integer, group_by text COLLATE \"C\", group_key text COLLATE \"C\", size text COLLATE \"C\",
    window_start timestamptz, window_end timestamptz, zone text, items bigint, numerator bigint, denominator bigint, scale bigint,
    minimum double precision, maximum double precision, value double precision, percentiles jsonb)";

const STORE: &str = r"INSERT INTO truth
    SELECT f[1], f[2]::integer, f[3], f[4], f[5], 'epoch'::timestamptz + f[6]::bigint * interval '1 ms',
           'epoch'::timestamptz + f[7]::bigint * interval '1 ms', f[8], f[9]::bigint, f[10]::bigint, f[11]::bigint, f[12]::bigint,
           nullif(f[13], '\N')::float8, nullif(f[14], '\N')::float8, nullif(f[15], '\N')::float8, nullif(f[16], '\N')::jsonb
    FROM unnest($1::text[]) line, string_to_array(line, E'\t') f";

/// Every window on one side only, and every one whose numbers differ: counts and sums must be equal, quotients to the last bits that
/// a division in another order may change, percentiles within what the sketch promises.
fn differences() -> String {
    format!(
        "SELECT metric_type, metric_version, CASE WHEN t.items IS NULL THEN 'not in the truth' WHEN w.items IS NULL THEN 'missing' ELSE 'different' END AS how,
                concat_ws(' ', group_by, size, group_key, to_char(window_start, 'YYYY-MM-DD\"T\"HH24:MI'), 'ours: ', w::text, 'truth: ', t::text) AS said
         FROM truth t
         FULL JOIN (SELECT * FROM window_metrics
                    WHERE (metric_type, metric_version) IN (SELECT DISTINCT metric_type, metric_version FROM truth)) w
              USING (metric_type, metric_version, group_by, size, group_key, window_start)
         WHERE t.items IS NULL OR w.items IS NULL
            OR (t.window_end, t.zone, t.items, t.numerator, t.denominator, t.scale)
               IS DISTINCT FROM (w.window_end, w.zone, w.items, w.numerator, w.denominator, w.scale)
            OR (w.minimum IS NOT NULL AND abs(t.minimum - w.minimum) > 1e-9 * abs(t.minimum))
            OR (w.maximum IS NOT NULL AND abs(t.maximum - w.maximum) > 1e-9 * abs(t.maximum))
            OR (t.value IS NULL) <> (w.value IS NULL)
            OR abs(t.value - w.value) > 1e-12 * abs(t.value)
            OR (SELECT bool_or(w.percentiles ->> p.key IS NULL
                    OR abs((w.percentiles ->> p.key)::float8 - p.value::float8) > {PERCENTILE_ERROR} * abs(p.value::float8) + 1e-9)
                FROM jsonb_each_text(t.percentiles) p)"
    )
}

/// How many windows there are; or how many differ from the truth, of which KPI and how, each with one for a person to read.
pub(crate) async fn compare(look: &Look) -> Result<i64, String> {
    let sql = format!(
        "WITH d AS ({})
         SELECT coalesce(sum(n), 0)::bigint, coalesce(string_agg(concat_ws(' ', n, metric_type, metric_version, how, said), E'\n' ORDER BY n DESC), '')
         FROM (SELECT metric_type, metric_version, how, count(*) AS n, min(said) AS said FROM d GROUP BY 1, 2, 3) d",
        differences()
    );
    let row = look.0.query_one(&sql, &[]).await.unwrap();
    let (differ, said): (i64, String) = (row.get(0), row.get(1));
    let all = look.number("SELECT count(*) FROM truth").await;
    if differ == 0 {
        Ok(all)
    } else {
        Err(format!("{differ} windows differ, of {all}:\n{said}"))
    }
}

/// Whether nothing is marked any more: agents, journeys and windows are computed. If not, what is left.
pub(crate) async fn drained(look: &Look) -> Result<(), String> {
    let sql = "SELECT coalesce(string_agg(concat_ws(' ', n, kind), ', '), '')
               FROM (SELECT kind, count(*) AS n FROM dirty_marks GROUP BY kind) m";
    let left = look.text(sql).await;
    if left.is_empty() { Ok(()) } else { Err(left) }
}

/// Every bit of the windows, in one word: also when each was computed.
pub(crate) async fn every_bit(look: &Look) -> String {
    let sql = "SELECT concat(count(*), ' ', md5(string_agg(w::text, ',' ORDER BY metric_type, metric_version, group_by, size, group_key, window_start)))
               FROM window_metrics w";
    look.text(sql).await
}

/// The same of version 1 alone.
pub(crate) async fn every_bit_of_the_first(look: &Look) -> String {
    let sql = "SELECT concat(count(*), ' ', md5(string_agg(w::text, ',' ORDER BY metric_type, group_by, size, group_key, window_start)))
               FROM window_metrics w WHERE metric_version = 1";
    look.text(sql).await
}
