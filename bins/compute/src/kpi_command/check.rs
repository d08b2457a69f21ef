//! `compute kpi check`.

use super::args::{CheckArgs, Output};
use super::conflict::{Documents, conflicts};
use super::database;
use super::shelf::Shelf;
use super::table::{Cell, Table};
use crate::catalogue;
use crate::definition_files::{self, Files, FilesError};
use anyhow::bail;
use kpi::Problem;
use std::io::Write;

/// What was found: the problems of texts, and the sentences about what the database holds.
#[derive(Debug, Default)]
struct Findings {
    problems: Vec<Problem>,
    conflicts: Vec<String>,
    /// What was looked at: definitions, schedules, places.
    seen: [usize; 3],
}

pub(super) async fn run(args: &CheckArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let (shelf, documents) = if args.database {
        let store = database::open(&args.postgres).await?;
        let client = store.client().await?;
        let documents = Documents::load(&client).await?;
        (Shelf::of(catalogue::load(&client).await?), documents)
    } else {
        (Shelf::shipped(), Documents::default())
    };
    let mut findings = if args.paths.is_empty() {
        shipped()
    } else {
        match definition_files::read(&args.paths, &shelf.library) {
            Ok(files) => Findings {
                conflicts: if args.database {
                    conflicts(&files, &shelf, &documents)
                } else {
                    Vec::new()
                },
                seen: seen(&files),
                problems: Vec::new(),
            },
            Err(FilesError::Wrong(problems)) => Findings {
                problems,
                ..Findings::default()
            },
            Err(other) => return Err(other.into()),
        }
    };
    findings.problems.sort_by(|left, right| {
        (&left.file, left.line, left.column).cmp(&(&right.file, right.line, right.column))
    });
    report(&findings, args.output, out)
}

/// What ships with this release has its tests; here it is an example of a sound catalogue.
fn shipped() -> Findings {
    let shelf = Shelf::shipped();
    let mut findings = Findings {
        seen: [shelf.entries.len(), kpi::shipped_schedules().len(), 0],
        ..Findings::default()
    };
    for entry in shelf.entries {
        findings
            .problems
            .extend(entry.compiled.err().into_iter().flatten());
    }
    findings
}

fn seen(files: &Files) -> [usize; 3] {
    [
        files.definitions.len(),
        files.schedules.len(),
        usize::from(files.places.is_some()),
    ]
}

fn report(findings: &Findings, output: Output, out: &mut dyn Write) -> anyhow::Result<()> {
    let count = findings.problems.len() + findings.conflicts.len();
    if output == Output::Table {
        for problem in &findings.problems {
            writeln!(out, "{problem}")?;
        }
        for conflict in &findings.conflicts {
            writeln!(out, "{conflict}")?;
        }
        if count == 0 {
            let [definitions, schedules, places] = findings.seen;
            writeln!(
                out,
                "{}, {} and {}: no problem",
                counted(definitions, "definition"),
                counted(schedules, "schedule"),
                counted(places, "file of places"),
            )?;
        }
    } else {
        table(findings).write(output, out)?;
    }
    if count == 0 {
        return Ok(());
    }
    // The list is out before the count is said, on whichever stream.
    out.flush()?;
    let mut files: Vec<&String> = findings.problems.iter().map(|p| &p.file).collect();
    files.dedup();
    if files.is_empty() {
        bail!("{}", counted(count, "problem"));
    }
    bail!(
        "{} in {}",
        counted(count, "problem"),
        counted(files.len(), "file")
    );
}

fn table(findings: &Findings) -> Table {
    let mut table = Table::new(&["file", "line", "column", "message"]);
    for problem in &findings.problems {
        table.push(vec![
            Cell::text(&problem.file),
            Cell::Count(problem.line.into()),
            Cell::Count(problem.column.into()),
            Cell::text(&problem.message),
        ]);
    }
    for conflict in &findings.conflicts {
        table.push(vec![
            Cell::Absent,
            Cell::Absent,
            Cell::Absent,
            Cell::text(conflict),
        ]);
    }
    table
}

/// `1 problem`, `2 problems`, `2 files of places`.
fn counted(count: usize, what: &str) -> String {
    let plural = match what.split_once(' ') {
        _ if count == 1 => what.to_owned(),
        None => format!("{what}s"),
        Some((noun, rest)) => format!("{noun}s {rest}"),
    };
    format!("{count} {plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(file: &str, line: u32) -> Problem {
        Problem {
            file: file.to_owned(),
            line,
            column: 3,
            message: "unknown field `interaction.tlak`".to_owned(),
        }
    }

    #[test]
    fn problems_are_listed_and_counted_and_refuse() {
        let findings = Findings {
            problems: vec![
                problem("a.toml", 4),
                problem("a.toml", 9),
                problem("b.toml", 1),
            ],
            conflicts: vec!["aht@1 is stored with another text".to_owned()],
            ..Findings::default()
        };
        let mut out = Vec::new();
        let error = report(&findings, Output::Table, &mut out).unwrap_err();
        assert_eq!(error.to_string(), "4 problems in 2 files");
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text.lines().next(),
            Some("a.toml:4:3: unknown field `interaction.tlak`")
        );
        assert_eq!(text.lines().count(), 4);
    }

    #[test]
    fn soundness_says_what_was_looked_at() {
        let findings = Findings {
            seen: [1, 2, 0],
            ..Findings::default()
        };
        let mut out = Vec::new();
        report(&findings, Output::Table, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "1 definition, 2 schedules and 0 files of places: no problem\n"
        );
        let mut out = Vec::new();
        report(&findings, Output::Json, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "[]\n");
    }
}
