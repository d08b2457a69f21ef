//! What the tests of what is under `deploy/` have in common: its files, tools, the names of metrics, the sections of its README.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used, clippy::panic)]

use runtime::metrics::{Counter, Description, Gauge, Histogram};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use testkit::process::binary_path;
use testkit::{TestDb, workspace_root};

/// The four.
pub const BINARIES: [&str; 4] = ["ingest", "compute", "backfill", "deliver"];

/// The sections of deploy/README.md that alerts link to: never renamed.
pub const SECTIONS: [&str; 14] = [
    "lag-grows",
    "broker-alarm",
    "quarantine-grows",
    "breaker-open",
    "wrong-number-reported",
    "dst-weekend",
    "platform-maintenance",
    "replay-storm",
    "database-full",
    "partitions-run-out",
    "delivery-fails",
    "job-stuck",
    "subscription-silent",
    "process-down",
];

/// A file below `deploy/`.
pub fn deploy(path: &str) -> PathBuf {
    workspace_root().join("deploy").join(path)
}

/// A file's text.
pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Says that something cannot be checked for want of a tool. In CI, which installs it, that is a failure.
pub fn missing(what: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "not installed, and CI installs it: {what}"
    );
    eprintln!("SKIPPED: not installed: {what}");
}

/// Runs a tool; `None`: it is [`missing`].
pub fn tool(command: &mut Command) -> Option<Output> {
    let shown = format!("{command:?}");
    match command.output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            missing(&shown);
            None
        }
        Err(error) => panic!("{shown}: {error}"),
    }
}

/// Runs a tool that has to succeed.
pub fn holds(command: &mut Command) {
    let shown = format!("{command:?}");
    if let Some(output) = tool(command) {
        assert!(
            output.status.success(),
            "{shown}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// A program of the workspace, from where this test was built, in an empty environment.
pub fn program(binary: &str) -> Command {
    let mut command = Command::new(binary_path(binary));
    command.env_clear();
    command
}

/// Where cargo put the programs of this run, and under which profile.
pub fn built() -> (PathBuf, String) {
    let folder = binary_path(BINARIES[0]).parent().unwrap().to_owned();
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let profile = if name == "debug" {
        "dev".to_owned()
    } else {
        name
    };
    (folder.parent().unwrap().to_owned(), profile)
}

/// A database with the definitions that ship, and an organisation that has something of everything.
pub async fn filled() -> TestDb {
    let db = TestDb::new().await;
    migrate(&db, &[]);
    let client = db.client().await;
    for file in [
        "tests/browser/seed.sql",
        "tests/deploy/tests/observe/seed.sql",
    ] {
        let sql = text(&workspace_root().join(file));
        client
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|error| panic!("{file}: {error:?}"));
    }
    db
}

/// `compute migrate`, with the rights of the roles that there are.
pub fn migrate(db: &TestDb, arguments: &[&str]) {
    holds(
        program("compute")
            .arg("migrate")
            .args(arguments)
            .env("KPILINE_DATABASE_URL", db.url()),
    );
}

/// Every series that kpiline's processes export, with the labels it has.
pub fn exported() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut series = BTreeMap::new();
    let mut add = |description: Description, endings: &[&str]| {
        for ending in endings {
            let labels: BTreeSet<_> = description.labels.iter().copied().collect();
            series.insert(format!("kpiline_{}{ending}", description.name), labels);
        }
    };
    for name in Counter::ALL {
        add(name.describe(), &["_total"]);
    }
    for name in Gauge::ALL {
        add(name.describe(), &[""]);
    }
    for name in Histogram::ALL {
        add(name.describe(), &["_bucket", "_sum", "_count"]);
    }
    series
}

/// The sections of a Markdown text by the anchors that hosts of repositories make of headings: each goes on to the next heading of its level or
/// a higher one.
pub fn sections(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open: Vec<(usize, String, String)> = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        // In a block it is a comment.
        if level > 0 && !fenced {
            while let Some((_, anchor, body)) = open.pop_if(|(above, ..)| *above >= level) {
                found.insert(anchor, body);
            }
            open.push((level, anchor(&line[level..]), String::new()));
        }
        for (_, _, body) in &mut open {
            body.push_str(line);
            body.push('\n');
        }
    }
    found.extend(open.into_iter().map(|(_, anchor, body)| (anchor, body)));
    found
}

/// What a heading is linked to by.
pub fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        _ if letter.is_alphanumeric() || "-_".contains(letter) => Some(letter),
        _ => None,
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::{sections, text};
    use testkit::workspace_root;

    /// Nothing else sets it here, and without it a missing tool is as good as a test that passed.
    #[test]
    fn where_everything_is_tried_a_missing_tool_is_a_failure() {
        let script = text(&workspace_root().join(".ci/run"));
        let (before, _) = script.split_once("deploy/local/test.sh").unwrap();
        assert!(before.lines().any(|line| line == r#"export CI="${CI:-1}""#));
    }

    #[test]
    fn a_section_has_those_below_it_and_ends_where_the_next_begins() {
        let text =
            "# All\n## One, `two`\na\n### Deeper\nb\n```sh\n# no heading\n```\n## Next_one\nc\n";
        let sections = sections(text);
        let anchors: Vec<_> = sections.keys().map(String::as_str).collect();
        assert_eq!(anchors, ["all", "deeper", "next_one", "one-two"]);
        let has = |anchor: &str, what: &str| sections[anchor].contains(what);
        assert!(has("one-two", "\nb\n") && has("deeper", "# no heading"));
        assert!(!has("one-two", "\nc\n") && !has("next_one", "\na\n") && has("all", "\nc\n"));
    }
}
