//! `compute kpi check`.

use super::args::{CheckArgs, Output};
use super::conflict::{Documents, conflicts};
use super::database;
use super::shelf::Shelf;
use super::table::{Cell, Table};
use crate::catalogue;
use crate::definition_files::{self, Files, FilesError};
use crate::replay_file::counted;
use anyhow::bail;
use kpi::Problem;
use std::io::Write;

/// What was found.
#[derive(Debug, Default)]
struct Findings {
    problems: Vec<Problem>,
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
                problems: if args.database {
                    conflicts(&files, &shelf, &documents)
                } else {
                    Vec::new()
                },
                seen: seen(&files),
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
    let count = findings.problems.len();
    if output == Output::Table {
        for problem in &findings.problems {
            writeln!(out, "{problem}")?;
        }
        if count == 0 {
            let [definitions, schedules, places] = findings.seen;
            writeln!(
                out,
                "{}, {} and {}: no problem",
                counted(definitions as u64, "definition"),
                counted(schedules as u64, "schedule"),
                counted(places as u64, "file of places"),
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
    bail!(
        "{} in {}",
        counted(count as u64, "problem"),
        counted(files.len() as u64, "file")
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
    table
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
            ..Findings::default()
        };
        let mut out = Vec::new();
        let error = report(&findings, Output::Table, &mut out).unwrap_err();
        assert_eq!(error.to_string(), "3 problems in 2 files");
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text.lines().next(),
            Some("a.toml:4:3: unknown field `interaction.tlak`")
        );
        assert_eq!(text.lines().count(), 3);
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
