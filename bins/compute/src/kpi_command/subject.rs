//! How definitions are named on the command line: `NAME`, `NAME@VERSION`, or a file.

use schema::MetricVersion;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The greatest version.
const VERSION_MAX: u16 = 32_767;
/// The longest name.
const NAME_MAX: usize = 63;

/// A definition in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its name.
    pub name: String,
    /// Its version; without one the command says which it takes.
    pub version: Option<MetricVersion>,
}

/// One version of one definition in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exact {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: MetricVersion,
}

/// A definition in the catalogue or in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// In the catalogue.
    Stored(Reference),
    /// In a file.
    File(PathBuf),
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) = match text.split_once('@') {
            None => (text, None),
            Some((name, version)) => (name, Some(version)),
        };
        let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
        let goes_on = name.chars().all(|character| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_'
        });
        if !begins || !goes_on || name.len() > NAME_MAX {
            return Err(format!(
                "{name:?} is no name of a definition; allowed are a to z, 0 to 9 and _, a letter first, up to {NAME_MAX} characters"
            ));
        }
        let version = version
            .map(|version| {
                version
                    .parse()
                    .ok()
                    .filter(|number| (1..=VERSION_MAX).contains(number))
                    .map(MetricVersion)
                    .ok_or_else(|| {
                        format!("{version:?} is no version; allowed are 1 to {VERSION_MAX}")
                    })
            })
            .transpose()?;
        Ok(Self {
            name: name.to_owned(),
            version,
        })
    }
}

impl FromStr for Exact {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Reference { name, version } = text.parse()?;
        let version =
            version.ok_or_else(|| format!("{text:?} names no version; write {name}@1"))?;
        Ok(Self { name, version })
    }
}

impl FromStr for Subject {
    type Err = String;

    /// Whatever reads as a name is one, also when there is a file of that name: write `./name` for the file.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(reference) => Ok(Self::Stored(reference)),
            Err(_) if text.contains(['/', '.', '\\']) => Ok(Self::File(PathBuf::from(text))),
            Err(problem) => Err(format!(
                "{problem} (a file needs an ending such as .toml, or a / before its name)"
            )),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match self.version {
            Some(version) => write!(f, "@{version}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(name: &str, version: Option<u16>) -> Subject {
        Subject::Stored(Reference {
            name: name.to_owned(),
            version: version.map(MetricVersion),
        })
    }

    #[test]
    fn names_versions_and_files_are_told_apart() {
        for (text, wanted) in [
            ("talk_time", stored("talk_time", None)),
            ("talk_time@12", stored("talk_time", Some(12))),
            ("talk_time.toml", Subject::File("talk_time.toml".into())),
            ("./talk_time", Subject::File("./talk_time".into())),
            ("kpis/aht@2.toml", Subject::File("kpis/aht@2.toml".into())),
        ] {
            assert_eq!(text.parse::<Subject>().unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_what_is_allowed() {
        for (text, part) in [
            ("talk_time@0", "\"0\" is no version; allowed are 1 to 32767"),
            ("talk_time@32768", "\"32768\" is no version"),
            ("talk_time@", "\"\" is no version"),
            ("Talk", "\"Talk\" is no name of a definition"),
            ("1st", "a letter first"),
            ("", "\"\" is no name of a definition"),
        ] {
            let error = text.parse::<Subject>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!("x".repeat(64).parse::<Reference>().is_err());
    }

    #[test]
    fn where_a_version_is_needed_it_is_asked_for() {
        let error = "talk_time".parse::<Exact>().unwrap_err();
        assert_eq!(error, "\"talk_time\" names no version; write talk_time@1");
        assert_eq!(
            "talk_time@2".parse::<Exact>().unwrap().to_string(),
            "talk_time@2"
        );
    }
}
