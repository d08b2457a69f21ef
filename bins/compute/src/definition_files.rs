//! Files of definitions, schedules and places: read from paths, told apart by what they hold, compiled together.
//!
//! A path is a file or a folder, of which every `*.toml` is read, sorted by name. A document with `schedule` at its top is a
//! schedule, one with `places` the places, anything else a definition.

use kpi::{Definition, Library, Problem};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use timezone::{Places, Schedule};
use toml::de::DeTable;

/// What was read. Everything in it is sound.
#[derive(Debug)]
pub struct Files {
    /// Ascending by name and version.
    pub definitions: Vec<Found<Arc<Definition>>>,
    /// In the order of the paths.
    pub schedules: Vec<Found<Schedule>>,
    /// The places, if one of the files holds them.
    pub places: Option<Found<Places>>,
    /// What the definitions were compiled with: the library given, and the schedules and places read.
    pub library: Library,
}

/// A document, and where it was found.
#[derive(Debug)]
pub struct Found<T> {
    /// What the document says.
    pub what: T,
    /// Its file, as problems name it.
    pub file: String,
    /// Its text.
    pub text: String,
}

impl<T> Found<T> {
    /// A problem with a member at the top of the document, told with its place; at the document's beginning where it has no such member.
    pub fn problem(&self, member: &str, message: impl Into<String>) -> Problem {
        problem_at(&self.file, &self.text, member, message.into())
    }
}

/// Why paths could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A path cannot be opened or listed.
    #[error("{} cannot be read", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder without a `*.toml`.
    #[error("{} has no *.toml in it", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// The texts are wrong; every problem of every file is listed.
    #[error("{}", list(.0))]
    Wrong(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// What a document is.
enum Kind {
    Schedule,
    Places,
    Definition,
}

/// Reads everything at the paths; definitions may refer to what is in `library` and to what is read beside them, which has the last
/// word. A file that several paths lead to is read once.
///
/// Two files with the same name and version are a problem, and so are two versions of one definition that differ in unit or scope.
pub fn read(paths: &[PathBuf], library: &Library) -> Result<Files, FilesError> {
    let mut problems = Vec::new();
    let mut schedules: Vec<Found<Schedule>> = Vec::new();
    let mut places: Option<Found<Places>> = None;
    let mut texts = Vec::new();
    for path in files(paths)? {
        let text = fs::read_to_string(&path).map_err(|source| FilesError::Io {
            path: path.clone(),
            source,
        })?;
        let file = path.display().to_string();
        match kind(&text) {
            Kind::Schedule => match Schedule::read(&text) {
                Ok(what) => {
                    let found = Found { what, file, text };
                    let earlier = schedules
                        .iter()
                        .find(|earlier| label_of(&earlier.what) == label_of(&found.what));
                    match earlier {
                        Some(earlier) => problems.push(found.problem(
                            "version",
                            twice(
                                &format!("schedule {}", label_of(&found.what)),
                                &earlier.file,
                            ),
                        )),
                        None => schedules.push(found),
                    }
                }
                Err(wrong) => problems.extend(wrong.into_iter().map(in_file(&file))),
            },
            Kind::Places => match Places::read(&text) {
                Ok(what) => {
                    let found = Found { what, file, text };
                    match &places {
                        Some(earlier) => problems.push(
                            found.problem("places", format!("{} holds places, too", earlier.file)),
                        ),
                        None => places = Some(found),
                    }
                }
                Err(wrong) => problems.extend(wrong.into_iter().map(in_file(&file))),
            },
            Kind::Definition => texts.push((file, text)),
        }
    }
    let library = library.with(
        schedules.iter().map(|schedule| schedule.what.clone()),
        places.as_ref().map(|places| places.what.clone()),
    );
    let definitions = definitions(texts, &library, &mut problems);
    if !problems.is_empty() {
        return Err(FilesError::Wrong(problems));
    }
    Ok(Files {
        definitions,
        schedules,
        places,
        library,
    })
}

fn definitions(
    texts: Vec<(String, String)>,
    library: &Library,
    problems: &mut Vec<Problem>,
) -> Vec<Found<Arc<Definition>>> {
    let mut found: BTreeMap<_, Found<Arc<Definition>>> = BTreeMap::new();
    for (file, text) in texts {
        let what = match Definition::read(&file, &text, library) {
            Ok(definition) => Arc::new(definition),
            Err(wrong) => {
                problems.extend(wrong);
                continue;
            }
        };
        let key = (what.name().to_owned(), what.version());
        let this = Found { what, file, text };
        if let Some(earlier) = found.get(&key) {
            let label = format!("{}@{}", key.0, key.1);
            problems.push(this.problem("version", twice(&label, &earlier.file)));
            continue;
        }
        let other_version = found.values().find(|other| other.what.name() == key.0);
        if let Some(other) = other_version
            && let Some((member, message)) = unlike(&this.what, &other.what, &other.file)
        {
            problems.push(this.problem(member, message));
        }
        found.insert(key, this);
    }
    found.into_values().collect()
}

/// Why one definition cannot be another version of the other, if it cannot: the member in which they differ, and what to say about it.
/// `place`: what the other is called beside its number.
pub(crate) fn unlike(
    one: &Definition,
    other: &Definition,
    place: &str,
) -> Option<(&'static str, String)> {
    let label = format!("{}@{}", one.name(), one.version());
    let other_label = format!("{}@{} ({place})", other.name(), other.version());
    if one.unit() != other.unit() {
        let (unit, other_unit) = (one.unit().name(), other.unit().name());
        return Some((
            "unit",
            format!(
                "{label} has the unit {unit}, {other_label} {other_unit}: a number with another unit is another KPI, give it another name"
            ),
        ));
    }
    (one.scope() != other.scope()).then(|| {
        (
            "scope",
            format!(
                "{label} is about each {}, {other_label} about each {}: a number about something else is another KPI, give it another name",
                one.scope(),
                other.scope()
            ),
        )
    })
}

fn label_of(schedule: &Schedule) -> String {
    format!("{}@{}", schedule.name(), schedule.version())
}

fn twice(label: &str, file: &str) -> String {
    format!("{label} is defined twice; the other one is in {file}")
}

fn in_file(file: &str) -> impl Fn(timezone::DocumentProblem) -> Problem {
    move |problem| Problem {
        file: file.to_owned(),
        line: problem.line,
        column: problem.column,
        message: problem.message,
    }
}

/// A problem at a member at the top of a document.
fn problem_at(file: &str, text: &str, member: &str, message: String) -> Problem {
    let (table, _) = DeTable::parse_recoverable(text);
    let at = table
        .get_ref()
        .iter()
        .find(|(key, _)| key.get_ref() == member)
        .map_or(0, |(key, _)| key.span().start);
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Problem {
        file: file.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
        message,
    }
}

/// By the members at the top of the document, wherever they stand: a document that is no TOML is what as much of it as can be made out
/// says, and its reader says what is wrong.
fn kind(text: &str) -> Kind {
    let (table, _) = DeTable::parse_recoverable(text);
    let keys: BTreeSet<&Cow<'_, str>> =
        table.get_ref().keys().map(toml::Spanned::get_ref).collect();
    let has = |key: &str| keys.contains(&Cow::Borrowed(key));
    if has("schedule") {
        Kind::Schedule
    } else if has("places") {
        Kind::Places
    } else {
        Kind::Definition
    }
}

fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FilesError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let found = files_of(path)?;
            if found.is_empty() {
                return Err(FilesError::Empty { path: path.clone() });
            }
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    let mut seen = BTreeSet::new();
    // One that cannot be found is kept as it is named: opening it says why.
    files.retain(|file| seen.insert(fs::canonicalize(file).unwrap_or_else(|_| file.clone())));
    Ok(files)
}

/// The documents in a folder and the folders in it.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>, FilesError> {
    let failed = |source| FilesError::Io {
        path: folder.to_owned(),
        source,
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            files.extend(files_of(&entry)?);
        } else if entry.extension().is_some_and(|ending| ending == "toml") {
            files.push(entry);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn definition(version: u16, unit: &str, scope: &str) -> String {
        let value = if unit == "seconds" {
            "orZero(S.talk)"
        } else {
            "1"
        }
        .replace('S', scope);
        format!(
            "# A comment.\nname = \"talking\"\nversion = {version}\nunit = \"{unit}\"\npriority = \"normal\"\nscope = \"{scope}\"\n\
             description = \"\"\"\nschedule = not one\n\"\"\"\nsource = \"Ours.\"\naggregations = [\"mean\"]\nvalue = \"{value}\"\n"
        )
    }

    fn schedule(hours: &str) -> String {
        format!("schedule = \"office\"\nversion = 1\n[weekly]\neveryday = [\"{hours}\"]\n")
    }

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let folder = folder(files);
        let path = format!("{}/", folder.path().display());
        match read(&[folder.path().to_owned()], &Library::shipped()) {
            Err(FilesError::Wrong(problems)) => problems
                .iter()
                .map(|problem| problem.to_string().replace(&path, ""))
                .collect(),
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn a_document_is_what_its_top_says_and_not_what_a_text_in_it_looks_like() {
        let folder = folder(&[
            ("a.toml", &definition(1, "seconds", "interaction")),
            (
                "b.toml",
                &format!(
                    "  # no blank line\n\"schedule\" = \"office\"{}",
                    &schedule("08:00-18:00")[19..]
                ),
            ),
        ]);
        let files = read(&[folder.path().to_owned()], &Library::shipped()).unwrap();
        assert_eq!((files.definitions.len(), files.schedules.len()), (1, 1));
    }

    #[test]
    fn what_is_there_twice_is_told_with_its_place_and_the_other_file() {
        let text = definition(1, "seconds", "interaction");
        assert_eq!(
            problems(&[("a.toml", &text), ("b.toml", &text)]),
            ["b.toml:3:1: talking@1 is defined twice; the other one is in a.toml"]
        );
        let found = problems(&[
            ("a.toml", &schedule("08:00-18:00")),
            ("b.toml", &schedule("09:00-18:00")),
        ]);
        assert_eq!(
            found,
            ["b.toml:2:1: schedule office@1 is defined twice; the other one is in a.toml"]
        );
        let places = "places = 1\n[[organisation]]\nzone = \"Europe/Berlin\"\n";
        let found = problems(&[("a.toml", places), ("b.toml", places)]);
        assert_eq!(found, ["b.toml:1:1: a.toml holds places, too"]);
    }

    #[test]
    fn a_file_that_two_paths_lead_to_is_read_once() {
        let folder = folder(&[("a.toml", &definition(1, "seconds", "interaction"))]);
        let paths = [folder.path().to_owned(), folder.path().join("a.toml")];
        assert_eq!(
            read(&paths, &Library::shipped()).unwrap().definitions.len(),
            1
        );
    }

    #[test]
    fn versions_of_one_name_have_one_unit_and_one_scope() {
        let first = definition(1, "seconds", "interaction");
        let found = problems(&[
            ("a.toml", &first),
            ("b.toml", &definition(2, "count", "interaction")),
        ]);
        assert_eq!(
            found,
            [
                "b.toml:4:1: talking@2 has the unit count, talking@1 (a.toml) seconds: a number with another unit is another KPI, give it another name"
            ]
        );
        let found = problems(&[
            ("a.toml", &first),
            ("b.toml", &definition(2, "seconds", "leg")),
        ]);
        assert!(
            found[0].starts_with(
                "b.toml:6:1: talking@2 is about each leg, talking@1 (a.toml) about each interaction"
            ),
            "{found:?}"
        );
    }
}
