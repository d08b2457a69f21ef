//! Secrets that a file gives, or only says where they are: a text, `{ value = … }`, `{ env = … }` or `{ file = … }`.

use super::{Section, TomlFile};
use crate::{Secret, chain};
use std::fmt;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::DeValue;

/// What [`SecretSource::parse`] understands, for a message.
pub const FORMS: &str = "a text, { value = … }, { env = … } or { file = … }";

/// Looks up an environment variable.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of this process.
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where a secret is.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// In the file itself.
    Value(Secret),
    /// In this environment variable.
    Env(String),
    /// In this file, whole.
    File(PathBuf),
}

/// A secret is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment does not have it.
    #[error("the environment variable {0} is not set")]
    Unset(String),
    /// The file cannot be read.
    #[error("the secret file {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl SecretSource {
    /// Where the file says that it is, a relative path starting from `folder`. `None` where it is none of [`FORMS`].
    #[must_use]
    pub fn parse(entry: &Spanned<DeValue<'_>>, folder: &Path) -> Option<Self> {
        let member = |key: &str| {
            entry
                .get_ref()
                .as_table()
                .filter(|table| table.len() == 1)
                .and_then(|table| table.get(key))
                .and_then(|value| value.get_ref().as_str())
        };
        if let Some(value) = entry.get_ref().as_str().or_else(|| member("value")) {
            Some(Self::Value(Secret::new(value)))
        } else if let Some(name) = member("env") {
            Some(Self::Env(name.to_owned()))
        } else {
            Some(Self::File(folder.join(member("file")?)))
        }
    }

    /// What is there, blanks and line breaks around it included.
    pub fn text(&self, variables: Variables<'_>) -> Result<String, SecretError> {
        match self {
            Self::Value(secret) => Ok(secret.expose().to_owned()),
            Self::Env(name) => variables(name).ok_or_else(|| SecretError::Unset(name.clone())),
            Self::File(path) => {
                std::fs::read_to_string(path).map_err(|error| unreadable(path, error))
            }
        }
    }

    /// The same of a secret whose bytes need not be text.
    pub fn bytes(&self, variables: Variables<'_>) -> Result<Vec<u8>, SecretError> {
        match self {
            Self::File(path) => std::fs::read(path).map_err(|error| unreadable(path, error)),
            Self::Value(_) | Self::Env(_) => self.text(variables).map(String::into_bytes),
        }
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> SecretError {
    SecretError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

/// Where secrets that a file only names are found.
#[derive(Clone, Copy)]
pub struct Secrets<'a> {
    /// What relative file names start from: the folder of the file that is read.
    pub folder: &'a Path,
    /// Looks up an environment variable.
    pub variable: Variables<'a>,
}

/// Without what the variables hold.
impl fmt::Debug for Secrets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl TomlFile<'_> {
    /// Where a secret is that must be stated, and where that stands; nothing is looked up.
    pub fn secret_source(
        &mut self,
        section: Section<'_>,
        key: &str,
        folder: &Path,
    ) -> Option<(SecretSource, usize)> {
        let Some(entry) = section.table.get(key) else {
            self.problem(section.at, format_args!("`{key}` is missing"));
            return None;
        };
        let at = entry.span().start;
        let source = SecretSource::parse(entry, folder);
        if source.is_none() {
            self.problem(at, format_args!("`{key}` is {FORMS}"));
        }
        source.map(|source| (source, at))
    }

    /// A secret that must be there; surrounding blanks are no part of it.
    pub fn secret(
        &mut self,
        section: Section<'_>,
        key: &str,
        secrets: Secrets<'_>,
    ) -> Option<Secret> {
        let (source, at) = self.secret_source(section, key, secrets.folder)?;
        match source.text(secrets.variable) {
            Ok(secret) if secret.trim().is_empty() => {
                self.problem(at, format_args!("`{key}` is empty"));
                None
            }
            Ok(secret) => Some(Secret::new(secret.trim())),
            Err(error) => {
                self.problem(at, format_args!("`{key}`: {}", chain(&error)));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = format!("kpiline-secret-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_secret_is_a_text_a_variable_or_a_file_without_its_blanks() {
        let folder = folder("source");
        std::fs::write(folder.join("s"), " from file \n").unwrap();
        let variable = |name: &str| (name == "THERE").then(|| "from env".to_owned());
        let secrets = Secrets {
            folder: &folder,
            variable: &variable,
        };
        let text = "a = 'plain'\nb = { value = 'told' }\nc = { env = 'THERE' }\nd = { file = 's' }\n\
                    e = { env = 'ABSENT' }\nf = { file = 'absent' }\ng = ' '\nh = 7\n";
        let mut file = TomlFile::new("f", text);
        let root = file.parse();
        let root = Section {
            table: root.get_ref(),
            at: 0,
        };
        let mut read = |key| {
            file.secret(root, key, secrets)
                .map(|s| s.expose().to_owned())
        };
        assert_eq!(read("a").as_deref(), Some("plain"));
        assert_eq!(read("b").as_deref(), Some("told"));
        assert_eq!(read("c").as_deref(), Some("from env"));
        assert_eq!(read("d").as_deref(), Some("from file"));
        for key in ["e", "f", "g", "h", "i"] {
            assert_eq!(read(key), None);
        }
        let found = file.into_problems();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.len(), 5);
        assert_eq!(
            found[0],
            "f:5: `e`: the environment variable ABSENT is not set"
        );
        assert!(
            found[1].starts_with("f:6: `f`: the secret file "),
            "{}",
            found[1]
        );
        assert_eq!(
            found[3],
            "f:8: `h` is a text, { value = … }, { env = … } or { file = … }"
        );
        assert_eq!(found[4], "f:1: `i` is missing");
    }

    #[test]
    fn bytes_of_a_file_need_be_no_text() {
        let folder = folder("bytes");
        let path = folder.join("k");
        std::fs::write(&path, b"\xff\x00 \n").unwrap();
        let source = SecretSource::File(path);
        let (bytes, text) = (source.bytes(&|_| None), source.text(&|_| None));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(bytes.unwrap(), b"\xff\x00 \n");
        assert!(matches!(text, Err(SecretError::Unreadable { .. })));
    }
}
