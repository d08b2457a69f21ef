//! Secrets: the name of a file, of an environment variable, or, for tests, the value itself.

use super::Reader;
use runtime::chain;
use runtime::toml_file::Section;
use runtime::toml_file::secret::{FORMS, SecretSource};
use toml::Spanned;
use toml::de::DeValue;

impl Reader<'_> {
    /// All secrets, or `None` when there is none or one of them cannot be had.
    pub(super) fn secrets(&mut self, section: Section<'_>) -> Option<Vec<Vec<u8>>> {
        let entries = match self.file.array(section, "secrets") {
            Some((entries, _)) if !entries.is_empty() => entries,
            Some((_, at)) => {
                self.file.problem(
                    at,
                    "`secrets` is empty: without a secret anybody could post",
                );
                return None;
            }
            None => {
                if !section.table.contains_key("secrets") {
                    self.file.problem(
                        section.at,
                        "`secrets` is missing: without a secret anybody could post",
                    );
                }
                return None;
            }
        };
        let secrets: Vec<_> = entries.iter().map(|entry| self.secret(entry)).collect();
        secrets.into_iter().collect()
    }

    /// One secret.
    pub(super) fn secret(&mut self, entry: &Spanned<DeValue<'_>>) -> Option<Vec<u8>> {
        let at = entry.span().start;
        let Some(source) = SecretSource::parse(entry, self.folder) else {
            self.file.problem(at, format_args!("a secret is {FORMS}"));
            return None;
        };
        let mut secret = source.bytes(self.variable);
        if let SecretSource::File(path) = source {
            self.found.secret_files.push(path);
            secret = secret.map(|bytes| bytes.trim_ascii_end().to_vec());
        }
        match secret {
            Ok(secret) if secret.is_empty() => {
                self.file.problem(at, "this secret is empty");
                None
            }
            Ok(secret) => Some(secret),
            Err(error) => {
                self.file.problem(at, chain(&error));
                None
            }
        }
    }
}
