//! What a mark of kind journey is about: a customer, and maybe a version that a job asks for.

use schema::MetricVersion;

/// Stands between key and version. No key of ours holds it.
const VERSION: char = '@';

/// A mark's subject, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject<'a> {
    /// The keyed hash of the customer.
    pub customer_key: &'a str,
    /// A job asks for this version and nothing else, because no fact is new. `None`: something is new, for all that is switched on.
    pub version: Option<MetricVersion>,
}

/// The subject of a mark: contacts of this customer changed, or with a version: a job asks for that version of them.
pub fn subject(customer_key: &str, version: Option<MetricVersion>) -> String {
    match version {
        None => customer_key.to_owned(),
        Some(version) => format!("{customer_key}{VERSION}{version}"),
    }
}

impl<'a> Subject<'a> {
    /// Reads a mark's subject. What is no version belongs to the key.
    pub fn read(text: &'a str) -> Self {
        let parts = text.rsplit_once(VERSION);
        match parts.and_then(|(key, version)| Some((key, version.parse().ok()?))) {
            Some((customer_key, version)) => Self {
                customer_key,
                version: Some(MetricVersion(version)),
            },
            None => Self {
                customer_key: text,
                version: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Subject, subject};
    use schema::MetricVersion;

    #[test]
    fn a_subject_reads_as_it_was_written() {
        for version in [None, Some(MetricVersion(1)), Some(MetricVersion(32_767))] {
            let text = subject("key-_9", version);
            assert_eq!(
                Subject::read(&text),
                Subject {
                    customer_key: "key-_9",
                    version
                }
            );
        }
        assert_eq!(Subject::read("ann@example").customer_key, "ann@example");
    }
}
