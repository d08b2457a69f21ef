//! What a URL's query says about TLS, under the names that the server's own tools use.

use crate::Files;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::path::{Path, PathBuf};

/// As few as are sure to survive in a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_');

/// A URL without what was taken from its query.
#[derive(Clone)]
pub struct Asked {
    /// The rest of it.
    pub url: String,
    /// The values taken, in the order of the names; the last of several.
    pub values: Vec<Option<String>>,
}

impl Asked {
    /// The values as files: roots, certificate, key. An empty name is none.
    #[must_use]
    pub fn files(&self) -> Files {
        let file = |at: usize| {
            let value = self.values.get(at)?.as_deref()?;
            (!value.is_empty()).then(|| PathBuf::from(value))
        };
        Files {
            ca: file(0),
            certificate: file(1),
            key: file(2),
        }
    }
}

/// The URL may hold a password.
impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked")
            .field("url", &"***")
            .field("values", &self.values)
            .finish()
    }
}

/// Takes parameters out of the query of a URL.
#[must_use]
pub fn take(url: &str, names: &[&str]) -> Asked {
    let mut values = vec![None; names.len()];
    let Some(at) = query_begins(url) else {
        return Asked {
            url: url.to_owned(),
            values,
        };
    };
    let mut rest = Vec::new();
    for pair in url[at + 1..].split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match names.iter().position(|wanted| *wanted == name) {
            Some(index) => {
                values[index] = Some(percent_decode_str(value).decode_utf8_lossy().into_owned());
            }
            None => rest.push(pair),
        }
    }
    let mut short = url[..at].to_owned();
    if !rest.is_empty() {
        short.push('?');
        short.push_str(&rest.join("&"));
    }
    Asked { url: short, values }
}

/// Adds a file's name to the query of a URL.
#[must_use]
pub fn add(url: &str, name: &str, path: &Path) -> String {
    let mark = if query_begins(url).is_some() {
        '&'
    } else {
        '?'
    };
    let path = path.to_string_lossy();
    format!("{url}{mark}{name}={}", utf8_percent_encode(&path, PLAIN))
}

/// Where the query begins: the first question mark behind the credentials, which may hold one. They end at the first @, as for the driver.
fn query_begins(url: &str) -> Option<usize> {
    let from = url.find('@').map_or(0, |at| at + 1);
    url[from..].find('?').map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];

    #[test]
    fn parameters_are_taken_and_the_rest_stays() {
        let url =
            "postgres://u:p?w@h/d?sslmode=require&sslrootcert=%2Fa%20b.pem&application_name=x";
        let asked = take(url, &NAMES);
        assert_eq!(
            asked.url,
            "postgres://u:p?w@h/d?sslmode=require&application_name=x"
        );
        assert_eq!(asked.files().ca, Some(PathBuf::from("/a b.pem")));
        assert_eq!(asked.files().key, None);
        let bare = take("postgres://h/d?sslkey=k", &NAMES);
        assert_eq!(bare.url, "postgres://h/d");
        assert_eq!(bare.files().key, Some(PathBuf::from("k")));
    }

    #[test]
    fn what_was_added_is_what_is_taken() {
        for url in [
            "postgres://u:p?w@h/d",
            "postgres://u:p@h/d?sslmode=verify-full",
        ] {
            let path = Path::new("/etc/a & b/ca?=é.pem");
            let asked = take(&add(url, "sslrootcert", path), &NAMES);
            assert_eq!(asked.url, url);
            assert_eq!(asked.files().ca.as_deref(), Some(path));
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let asked = take("postgres://u:hunter2@h/d", &NAMES);
        assert!(!format!("{asked:?}").contains("hunter2"));
    }
}
