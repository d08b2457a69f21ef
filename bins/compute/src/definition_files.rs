//! Files of definitions, schedules and places: read from paths, told apart by what they hold, compiled together.
//!
//! A path is a file or a folder, of which every `*.toml` is read, sorted by name. A document with `schedule` at its top is a
//! schedule, one with `places` the places, anything else a definition.

use kpi::{Definition, Library, Problem};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use timezone::{Places, Schedule};

/// What was read. Everything in it is sound.
#[derive(Debug)]
pub struct Files {
    /// Ascending by name and version.
    pub definitions: Vec<Arc<Definition>>,
    /// In the order of the paths.
    pub schedules: Vec<(Schedule, String)>,
    /// The places, if one of the files holds them.
    pub places: Option<(Places, String)>,
    /// What the definitions were compiled with: the library given, and the schedules and places read.
    pub library: Library,
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

/// Reads everything at the paths; definitions may refer to what is in `library` and to what is read beside them.
///
/// Two files with the same name and version are a problem, and so is a text that differs from what the library holds under its number.
pub fn read(paths: &[PathBuf], library: &Library) -> Result<Files, FilesError> {
    let mut problems = Vec::new();
    let mut schedules: Vec<(Schedule, String)> = Vec::new();
    let mut places = None;
    let mut texts = Vec::new();
    for file in files(paths)? {
        let text = fs::read_to_string(&file).map_err(|source| FilesError::Io {
            path: file.clone(),
            source,
        })?;
        let name = file.display().to_string();
        let problem = |problem: timezone::DocumentProblem| Problem {
            file: name.clone(),
            line: problem.line,
            column: problem.column,
            message: problem.message,
        };
        match kind(&text) {
            Kind::Schedule => match Schedule::read(&text) {
                Ok(schedule) => schedules.push((schedule, text)),
                Err(found) => problems.extend(found.into_iter().map(problem)),
            },
            Kind::Places => match Places::read(&text) {
                Ok(read) if places.is_none() => places = Some((read, text)),
                Ok(_) => problems.push(whole(&name, "there is another file with places")),
                Err(found) => problems.extend(found.into_iter().map(problem)),
            },
            Kind::Definition => texts.push((name, text)),
        }
    }
    let library = library.with(
        schedules.iter().map(|(schedule, _)| schedule.clone()),
        places.as_ref().map(|(places, _)| places.clone()),
    );
    let mut definitions: BTreeMap<_, Arc<Definition>> = BTreeMap::new();
    for (name, text) in texts {
        match Definition::read(&name, &text, &library) {
            Ok(definition) => {
                let key = (definition.name().to_owned(), definition.version());
                let message = format!("{}@{} is defined twice", key.0, key.1);
                if definitions.insert(key, Arc::new(definition)).is_some() {
                    problems.push(whole(&name, &message));
                }
            }
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(FilesError::Wrong(problems));
    }
    Ok(Files {
        definitions: definitions.into_values().collect(),
        schedules,
        places,
        library,
    })
}

fn whole(file: &str, message: &str) -> Problem {
    Problem {
        file: file.to_owned(),
        line: 1,
        column: 1,
        message: message.to_owned(),
    }
}

/// By the first key of the document, wherever it stands: a document that is no TOML is a definition, whose reader says what is wrong.
fn kind(text: &str) -> Kind {
    let has = |key: &str| {
        text.lines()
            .map(str::trim_start)
            .take_while(|line| !line.starts_with('['))
            .filter_map(|line| line.split_once('='))
            .any(|(found, _)| found.trim() == key)
    };
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
