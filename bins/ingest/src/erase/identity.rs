//! Whom a request is about, from a file: never from the command line, which every process of the machine can read.

use super::nobody;
use anyhow::Context as _;
use std::fmt;
use std::io::Read as _;
use std::path::Path;

/// A file of identities is a few lines.
const BYTES_MAX: u64 = 64 * 1024;

/// One spelling of an identity, as it was given. Not shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Spelling(String);

impl Spelling {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spelling")
    }
}

/// The lines of the file, or of standard input for `-`.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<Spelling>> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().take(BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text))
    }
    .with_context(|| format!("--customer: {} cannot be read", file.display()))?;
    Ok(spellings(&text))
}

fn spellings(text: &str) -> Vec<Spelling> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| Spelling(line.to_owned()))
        .collect()
}

/// The keyed hashes of the identities. A line that names nobody has none; a file of such lines alone is an error.
pub(super) fn keys(
    spellings: &[Spelling],
    secret: &[u8],
    tenant: &str,
) -> anyhow::Result<Vec<String>> {
    let found: Vec<String> = spellings
        .iter()
        .filter_map(|spelling| adapter::customer_key(secret, tenant, spelling.as_str()))
        .map(|key| key.as_str().to_owned())
        .collect();
    if found.is_empty() {
        nobody()?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef";

    #[test]
    fn each_line_is_a_spelling_and_those_of_one_number_have_one_key() {
        let found = spellings(" tel:+1 (555) 010-0123 \r\n\n+15550100123\nann@example.com\n");
        assert_eq!(found.len(), 3);
        let keys = keys(&found, SECRET, "acme").unwrap();
        assert_eq!(keys[0], keys[1]);
        assert_ne!(keys[0], keys[2]);
        assert!(!format!("{found:?}").contains("555"));
    }

    #[test]
    fn a_file_that_names_nobody_is_an_error() {
        for text in ["", "\n \n", "anonymous\n", "unknown caller\n123\n"] {
            assert!(keys(&spellings(text), SECRET, "acme").is_err(), "{text:?}");
        }
    }
}
