//! Secrets: the name of a file, of an environment variable, or, for tests, the value itself.

use super::Reader;
use runtime::toml_file::Section;
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
        let member = |key: &str| {
            entry
                .get_ref()
                .as_table()
                .filter(|table| table.len() == 1)
                .and_then(|table| table.get(key))
                .and_then(|value| value.get_ref().as_str())
        };
        let secret = if let Some(value) = entry.get_ref().as_str().or_else(|| member("value")) {
            Ok(value.as_bytes().to_vec())
        } else if let Some(variable) = member("env") {
            (self.variable)(variable)
                .map(String::into_bytes)
                .ok_or_else(|| format!("the environment variable {variable} is not set"))
        } else if let Some(file) = member("file") {
            let path = self.folder.join(file);
            self.found.secret_files.push(path.clone());
            std::fs::read(&path)
                .map(|bytes| bytes.trim_ascii_end().to_vec())
                .map_err(|error| {
                    format!("the secret file {} cannot be read: {error}", path.display())
                })
        } else {
            Err("a secret is a text, { value = … }, { env = … } or { file = … }".to_owned())
        };
        match secret {
            Ok(secret) if secret.is_empty() => {
                self.file.problem(at, "this secret is empty");
                None
            }
            Ok(secret) => Some(secret),
            Err(text) => {
                self.file.problem(at, text);
                None
            }
        }
    }
}
