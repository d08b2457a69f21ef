//! The Dockerfile as a file: its stages, what their steps find in their environment, which files a build is sent; and a way to follow it where
//! there is no container engine.

use crate::support::{deploy, holds, text};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::workspace_root;

/// One stage: its name, and its instructions in order.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) from: String,
    steps: Vec<(String, String)>,
}

impl Stage {
    pub(crate) fn values(&self, instruction: &str) -> Vec<&str> {
        let steps = self.steps.iter();
        steps
            .filter(|(word, _)| word == instruction)
            .map(|(_, rest)| rest.as_str())
            .collect()
    }
}

/// The stages, and what is declared before the first.
pub(crate) fn dockerfile() -> (Vec<(String, String)>, Vec<Stage>) {
    let file = text(&deploy("image/Dockerfile"));
    let mut before = Vec::new();
    let mut stages: Vec<Stage> = Vec::new();
    let mut whole = String::new();
    for line in file.lines() {
        if line.trim_start().starts_with('#') || (line.trim().is_empty() && whole.is_empty()) {
            continue;
        }
        match line.strip_suffix('\\') {
            Some(part) => {
                whole.push_str(part);
                continue;
            }
            None => whole.push_str(line),
        }
        let instruction = std::mem::take(&mut whole);
        let (word, rest) = instruction.split_once(' ').unwrap();
        let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        if word == "FROM" {
            let (from, name) = rest.split_once(" AS ").unwrap_or((&rest, ""));
            stages.push(Stage {
                name: name.to_owned(),
                from: from.to_owned(),
                steps: Vec::new(),
            });
        } else if let Some(stage) = stages.last_mut() {
            stage.steps.push((word.to_owned(), rest));
        } else {
            before.push((word.to_owned(), rest));
        }
    }
    assert!(whole.is_empty(), "the file ends in a line that goes on");
    (before, stages)
}

pub(crate) fn stage<'s>(stages: &'s [Stage], name: &str) -> &'s Stage {
    stages.iter().find(|stage| stage.name == name).unwrap()
}

/// A variable as ARG and ENV state it; one that ARG only declares is empty.
fn variable(line: &str) -> (String, String) {
    let (name, value) = line.split_once('=').unwrap_or((line, ""));
    (name.to_owned(), value.trim_matches('"').to_owned())
}

/// What ENV sets in a stage.
pub(crate) fn environment(stage: &Stage) -> BTreeMap<String, String> {
    stage.values("ENV").into_iter().map(variable).collect()
}

/// Runs a stage's RUN steps in a folder, as the engine does: by a shell, each with what ENV of the stage before it and the lines above it have set,
/// and nothing else of ours but what finds cargo and its crates.
pub(crate) fn run(stages: &[Stage], name: &str, folder: &Path, given: &[(&str, &str)]) {
    let of = stage(stages, name);
    let parent = stages.iter().find(|stage| stage.name == of.from);
    let mut known = parent.map_or_else(BTreeMap::new, environment);
    let wanted = |name: &str| given.iter().find(|(wanted, _)| *wanted == name);
    for (name, value) in &mut known {
        if let Some((_, other)) = wanted(name) {
            (*other).clone_into(value);
        }
    }
    for (word, rest) in &of.steps {
        if word == "ARG" || word == "ENV" {
            let (name, value) = variable(rest);
            let value = wanted(&name).map_or(value, |(_, other)| (*other).to_owned());
            known.insert(name, value);
        }
        if word != "RUN" {
            continue;
        }
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", rest]).current_dir(folder).env_clear();
        for name in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "RUSTUP_HOME",
            "RUSTUP_TOOLCHAIN",
            "SSL_CERT_FILE",
        ] {
            shell.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        // What is empty is not there: cargo takes an empty RUSTFLAGS for other flags than none.
        shell.envs(known.iter().filter(|(_, value)| !value.is_empty()));
        holds(&mut shell);
    }
    for (variable, _) in given {
        assert!(
            known.contains_key(*variable),
            "the stage {name} knows no {variable}"
        );
    }
}

/// The files of the clone that .dockerignore leaves. Of its language as much as that file uses: the last pattern that fits a path, or a folder it
/// is in, decides.
pub(crate) fn context() -> Vec<PathBuf> {
    let rules = text(&workspace_root().join(".dockerignore"));
    let rules: Vec<&str> = rules
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let root = workspace_root();
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let fits = |pattern: &str, path: &str| {
        let end = |rest: &str| rest.is_empty() || rest.starts_with('/');
        match pattern.strip_prefix("**/") {
            Some(name) => path.split('/').any(|part| part == name),
            None => match pattern.strip_suffix('*') {
                Some(beginning) => path.starts_with(beginning),
                None => path.strip_prefix(pattern).is_some_and(end),
            },
        }
    };
    let is_sent = |path: &&str| {
        let mut sent = true;
        for rule in &rules {
            match rule.strip_prefix('!') {
                Some(pattern) if fits(pattern, path) => sent = true,
                None if fits(rule, path) => sent = false,
                _ => {}
            }
        }
        sent
    };
    String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .filter(is_sent)
        .map(PathBuf::from)
        // What was deleted is listed until that is committed.
        .filter(|path| root.join(path).is_file())
        .collect()
}

pub(crate) fn copy(context: &[PathBuf], to: &Path) {
    let root = workspace_root();
    for path in context {
        let target = to.join(path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(root.join(path), target).unwrap();
    }
}
