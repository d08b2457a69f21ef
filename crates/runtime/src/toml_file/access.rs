//! The parts that every file about a platform's API has, with the same words: secrets, the credential's rate, time-outs and retries.
//!
//! They are read to plain values: what they mean, and what is usual where nothing is said, the caller knows.

use super::{Section, TomlFile};
use crate::Secret;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

/// Where secrets that a file only names are found.
#[derive(Clone, Copy)]
pub struct Secrets<'a> {
    /// What relative file names start from: the folder of the file that is read.
    pub folder: &'a Path,
    /// Looks up an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// Without what the variables hold.
impl fmt::Debug for Secrets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Members of a `rate` table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// Requests per period.
    pub requests: Option<u32>,
    /// The period.
    pub period: Option<Duration>,
    /// Requests that may go at once.
    pub burst: Option<u32>,
    /// How long a grant may be under way.
    pub lapse: Option<Duration>,
}

/// Members of a `timeouts` table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect.
    pub connect: Option<Duration>,
    /// Between two reads of an answer.
    pub read: Option<Duration>,
    /// Of a whole request.
    pub total: Option<Duration>,
}

/// Members of a `retry` table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retry {
    /// The first delay.
    pub first: Option<Duration>,
    /// The longest delay.
    pub longest: Option<Duration>,
    /// Failures in a row that open the breaker.
    pub breaker_failures: Option<u32>,
    /// How long it stays open the first time.
    pub breaker_cool_down: Option<Duration>,
}

impl TomlFile<'_> {
    /// A secret that must be there: a text, `{ value = … }`, `{ env = … }` or `{ file = … }`; surrounding blanks are no part of it.
    pub fn secret(
        &mut self,
        section: Section<'_>,
        key: &str,
        secrets: Secrets<'_>,
    ) -> Option<Secret> {
        let Some(entry) = section.table.get(key) else {
            self.problem(section.at, format_args!("`{key}` is missing"));
            return None;
        };
        let at = entry.span().start;
        match resolve(entry, secrets) {
            Ok(secret) if secret.trim().is_empty() => {
                self.problem(at, format_args!("`{key}` is empty"));
                None
            }
            Ok(secret) => Some(Secret::new(secret.trim())),
            Err(text) => {
                self.problem(at, format_args!("`{key}`: {text}"));
                None
            }
        }
    }

    /// The table `rate`, and where it begins.
    pub fn rate(&mut self, section: Section<'_>) -> Option<(Rate, usize)> {
        let table = self.section(section, "rate")?;
        self.only(table, &["requests", "period", "burst", "lapse"]);
        let rate = Rate {
            requests: self.count(table, "requests", u32::MAX - 1),
            period: self.duration(table, "period"),
            burst: self.count(table, "burst", u32::MAX - 1),
            lapse: self.duration(table, "lapse"),
        };
        Some((rate, table.at))
    }

    /// The table `timeouts`, and where it begins.
    pub fn timeouts(&mut self, section: Section<'_>) -> Option<(Timeouts, usize)> {
        let table = self.section(section, "timeouts")?;
        self.only(table, &["connect", "read", "total"]);
        let timeouts = Timeouts {
            connect: self.duration(table, "connect"),
            read: self.duration(table, "read"),
            total: self.duration(table, "total"),
        };
        Some((timeouts, table.at))
    }

    /// The table `retry`, and where it begins.
    pub fn retry(&mut self, section: Section<'_>) -> Option<(Retry, usize)> {
        let table = self.section(section, "retry")?;
        self.only(
            table,
            &["first", "longest", "breaker_failures", "breaker_cool_down"],
        );
        let retry = Retry {
            first: self.duration(table, "first"),
            longest: self.duration(table, "longest"),
            breaker_failures: self.count(table, "breaker_failures", 1000),
            breaker_cool_down: self.duration(table, "breaker_cool_down"),
        };
        Some((retry, table.at))
    }

    /// An optional whole number from 1 to `most`.
    pub fn count(&mut self, section: Section<'_>, key: &str, most: u32) -> Option<u32> {
        let number = self.number(section, key, 1..u64::from(most) + 1)?;
        u32::try_from(number).ok()
    }

    /// An optional number with a point, within bounds.
    pub fn share(
        &mut self,
        section: Section<'_>,
        key: &str,
        allowed: RangeInclusive<f64>,
    ) -> Option<f64> {
        let value = section.table.get(key)?;
        let Some(number) = value.get_ref().as_float() else {
            self.wrong_type(value, key, "a number such as 0.8");
            return None;
        };
        let share = number.as_str().parse().ok();
        let share = share.filter(|share| allowed.contains(share));
        if share.is_none() {
            let (least, most) = (allowed.start(), allowed.end());
            let number = number.as_str();
            self.problem(
                value.span().start,
                format_args!("`{key}` is {number}; allowed are {least} to {most}"),
            );
        }
        share
    }

    /// An optional `true` or `false`.
    pub fn flag(&mut self, section: Section<'_>, key: &str) -> Option<bool> {
        let value = section.table.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(value, key, "true or false");
        }
        flag
    }
}

fn resolve(entry: &Spanned<DeValue<'_>>, secrets: Secrets<'_>) -> Result<String, String> {
    let member = |key: &str| {
        entry
            .get_ref()
            .as_table()
            .filter(|table| table.len() == 1)
            .and_then(|table| table.get(key))
            .and_then(|value| value.get_ref().as_str())
    };
    if let Some(value) = entry.get_ref().as_str().or_else(|| member("value")) {
        Ok(value.to_owned())
    } else if let Some(variable) = member("env") {
        (secrets.variable)(variable)
            .ok_or_else(|| format!("the environment variable {variable} is not set"))
    } else if let Some(file) = member("file") {
        let path = secrets.folder.join(file);
        std::fs::read_to_string(&path)
            .map_err(|error| format!("the file {} cannot be read: {error}", path.display()))
    } else {
        Err("write a text, { value = … }, { env = … } or { file = … }".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str, read: impl FnOnce(&mut TomlFile<'_>, Section<'_>)) -> Vec<String> {
        let mut file = TomlFile::new("f", text);
        let root = file.parse();
        let root = Section {
            table: root.get_ref(),
            at: 0,
        };
        read(&mut file, root);
        file.into_problems()
    }

    #[test]
    fn a_secret_is_a_text_a_variable_or_a_file_without_its_blanks() {
        let folder = tempfile_folder();
        std::fs::write(folder.join("s"), " from file \n").unwrap();
        let variable = |name: &str| (name == "THERE").then(|| "from env".to_owned());
        let secrets = Secrets {
            folder: &folder,
            variable: &variable,
        };
        let text = "a = 'plain'\nb = { value = 'told' }\nc = { env = 'THERE' }\nd = { file = 's' }\n\
                    e = { env = 'ABSENT' }\nf = { file = 'absent' }\ng = ' '\nh = 7\n";
        let found = problems(text, |file, root| {
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
        });
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.len(), 5);
        assert_eq!(
            found[0],
            "f:5: `e`: the environment variable ABSENT is not set"
        );
        assert!(found[1].starts_with("f:6: `f`: the file "), "{}", found[1]);
        assert_eq!(found[4], "f:1: `i` is missing");
    }

    fn tempfile_folder() -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("kpiline-access-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn tables_give_what_they_say_and_nothing_else() {
        let text = "[rate]\nrequests = 300\nperiod = '1m'\n[timeouts]\nread = '2s'\nidle = '1s'\n[retry]\nbreaker_failures = 0\n";
        let found = problems(text, |file, root| {
            let (rate, _) = file.rate(root).unwrap();
            assert_eq!((rate.requests, rate.burst), (Some(300), None));
            assert_eq!(rate.period, Some(Duration::from_secs(60)));
            let (timeouts, _) = file.timeouts(root).unwrap();
            assert_eq!(timeouts.read, Some(Duration::from_secs(2)));
            let (retry, _) = file.retry(root).unwrap();
            assert_eq!(retry, Retry::default());
        });
        assert_eq!(
            found,
            [
                "f:6: unknown setting `idle`; known here: connect, read, total",
                "f:8: `breaker_failures` is 0; allowed are 1 to 1000",
            ]
        );
    }
}
