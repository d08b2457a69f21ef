//! Commands: in blocks whole, in the prose with their arguments left out.

use crate::text::{blocks, blocks_of, commands, runbook, spans, words};
use deploy::{BINARIES as OURS, text};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use testkit::{Proc, workspace_root};

/// Programs of others, whose flags are not ours to check.
const OTHERS: [&str; 7] = [
    "docker",
    "export",
    "rabbitmqctl",
    "rabbitmq-diagnostics",
    "curl",
    "df",
    "kubectl",
];
/// More of them, in blocks outside of the runbook. A word of ours that is misspelt is none.
const MORE_OTHERS: [&str; 10] = [
    "$ctl",
    "createdb",
    "echo",
    "eval",
    "for",
    "pg_restore",
    "printf",
    "psql",
    "sed",
    "test",
];
/// clap ends with it where the command line is none.
const USAGE: i32 = 2;
const PATIENCE: Duration = Duration::from_secs(30);

/// The help of programs and their subcommands, asked for once each.
#[derive(Default)]
struct Helps(BTreeMap<Vec<String>, String>);

impl Helps {
    async fn of(&mut self, path: &[String]) -> &str {
        if !self.0.contains_key(path) {
            let mut arguments: Vec<&str> = path[1..].iter().map(String::as_str).collect();
            arguments.push("--help");
            let (status, help, said) = Proc::run(&path[0], &arguments, &[], PATIENCE).await;
            assert!(status.success(), "{path:?}: {said}");
            self.0.insert(path.to_vec(), help);
        }
        &self.0[path]
    }

    /// What is wrong with a command, whose arguments may be left out.
    async fn problem(&mut self, command: &[String]) -> Option<String> {
        let mut path = vec![command[0].clone()];
        let mut rest = command[1..].iter();
        let mut flags: Vec<&String> = Vec::new();
        for word in rest.by_ref() {
            if word.starts_with('-') {
                flags.push(word);
                break;
            }
            let help = self.of(&path).await;
            if listed(help).any(|name| name == word) {
                path.push(word.clone());
            } else if help.contains("\nCommands:") {
                return Some(format!("{path:?} has no subcommand {word}"));
            } else {
                break; // an argument
            }
        }
        flags.extend(rest.filter(|word| word.starts_with("--")));
        let help = self.of(&path).await;
        let unknown = flags
            .into_iter()
            .find(|flag| flag.starts_with("--") && !has_flag(help, flag))?;
        Some(format!("{path:?} has no {unknown}"))
    }
}

/// The subcommands that a help lists; what is indented further goes on with a description.
fn listed(help: &str) -> impl Iterator<Item = &str> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    lines
        .take_while(|line| line.starts_with("  ") || line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
}

fn has_flag(help: &str, flag: &str) -> bool {
    let name = flag.split('=').next().unwrap_or(flag);
    let ends = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '-');
    help.match_indices(name)
        .any(|(at, _)| help[at + name.len()..].starts_with(ends))
}

/// What the runbook exports, but for the servers: none is reached by these, so that a command line that is right fails at its configuration,
/// and one that is wrong before.
fn environment() -> Vec<(String, String)> {
    let blocks = blocks_of("sh");
    let lines = blocks.iter().flat_map(|block| block.text.lines());
    let exported = lines.filter_map(|line| line.strip_prefix("export "));
    exported
        .flat_map(words)
        .map(|word| {
            let (name, value) = word.split_once('=').unwrap();
            let value = match name {
                "KPILINE_DATABASE_URL" => "mysql://nowhere",
                "KPILINE_AMQP_URL" => "http://nowhere",
                _ => value,
            };
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

#[tokio::test]
async fn every_command_is_taken_as_it_is_written() {
    let stated = environment();
    let nowhere: Vec<_> = stated
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut helps = Helps::default();
    let mut wrong = Vec::new();
    let mut run = 0;
    for block in blocks_of("sh") {
        for line in block.text.lines() {
            let line = line.replace("$KPILINE_DATABASE_URL", "mysql://nowhere");
            let command = words(&line);
            let Some(program) = command.first() else {
                continue;
            };
            if !OURS.contains(&program.as_str()) {
                if !OTHERS.contains(&program.as_str()) {
                    wrong.push(format!(
                        "{line}: {program} is no program that is known here"
                    ));
                }
                continue;
            }
            if let Some(problem) = helps.problem(&command).await {
                wrong.push(format!("{line}: {problem}"));
                continue;
            }
            let arguments: Vec<_> = command[1..].iter().map(String::as_str).collect();
            let (status, _, said) = Proc::run(program, &arguments, &nowhere, PATIENCE).await;
            if status.code() == Some(USAGE) {
                wrong.push(format!("{line}: {said}"));
            }
            run += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(run > 40, "only {run} commands were found");
}

/// What a command runs in a pod is one of ours: `kubectl … exec deployment/NAME -- /kpiline ARGUMENTS`.
fn in_a_pod(command: &[String]) -> Option<Vec<String>> {
    let at = command.iter().position(|word| word == "/kpiline")?;
    let workload = command[..at]
        .iter()
        .find_map(|word| word.strip_prefix("deployment/"))?;
    let binary = match workload {
        "receive" | "normalise" => "ingest",
        "compute-windows" => "compute",
        own => own,
    };
    let mut inside = vec![binary.to_owned()];
    inside.extend_from_slice(&command[at + 1..]);
    Some(inside)
}

/// Those of the runbook are run, above. Here is what is to be done once: to install, restore, upgrade, begin.
#[tokio::test]
async fn every_command_elsewhere_exists() {
    let mut helps = Helps::default();
    let mut wrong = Vec::new();
    let mut seen = BTreeMap::new();
    for file in [
        "README.md",
        "deploy/README.md",
        "deploy/kubernetes/README.md",
    ] {
        for block in blocks(&text(&workspace_root().join(file)), "sh") {
            for command in commands(&block.text) {
                let shown = command.join(" ");
                let inside = in_a_pod(&command).unwrap_or(command);
                let program = inside[0].as_str();
                if OURS.contains(&program) {
                    *seen.entry(file).or_insert(0) += 1;
                    if let Some(problem) = helps.problem(&inside).await {
                        wrong.push(format!("{file}: {shown}: {problem}"));
                    }
                } else if program.contains('/') {
                    if !workspace_root().join(program).is_file() {
                        wrong.push(format!("{file}: {shown}: {program} is not there"));
                    }
                } else if !OTHERS.contains(&program) && !MORE_OTHERS.contains(&program) {
                    wrong.push(format!(
                        "{file}: {shown}: {program} is no program that is known here"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let enough = [
        ("README.md", 20),
        ("deploy/README.md", 50),
        ("deploy/kubernetes/README.md", 1),
    ];
    for (file, least) in enough {
        assert!(
            seen.get(file).is_some_and(|seen| *seen >= least),
            "{seen:?}"
        );
    }
}

#[tokio::test]
async fn every_command_in_the_prose_exists() {
    let mut helps = Helps::default();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for span in spans(&runbook()) {
        let command = words(&span);
        if command.len() < 2 || !OURS.contains(&command[0].as_str()) {
            continue;
        }
        seen += 1;
        if let Some(problem) = helps.problem(&command).await {
            wrong.push(format!("`{span}`: {problem}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 30, "only {seen} commands were found");
}

#[tokio::test]
async fn every_flag_in_the_prose_is_one_of_ours() {
    let mut helps = Helps::default();
    let mut all = String::new();
    for program in OURS {
        let path = vec![program.to_owned()];
        let help = helps.of(&path).await.to_owned();
        for name in listed(&help) {
            if name != "help" {
                all.push_str(helps.of(&[program.to_owned(), name.to_owned()]).await);
            }
        }
        all.push_str(&help);
    }
    for deeper in [["subscription", "verify"], ["kpi", "windows"]] {
        let program = if deeper[0] == "kpi" {
            "compute"
        } else {
            "ingest"
        };
        let path = [program, deeper[0], deeper[1]].map(str::to_owned);
        all.push_str(helps.of(&path).await);
    }
    let named = spans(&runbook());
    let flags = named
        .iter()
        .filter(|span| span.starts_with("--"))
        .map(|span| span.split(' ').next().unwrap_or_default());
    let unknown: BTreeSet<_> = flags.filter(|flag| !has_flag(&all, flag)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
