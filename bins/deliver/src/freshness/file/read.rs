//! From the file's tables to what is watched, noting every problem on the way.

use super::{HEALTH_EVERY_MIN, HealthSource, SilentWhen, Thresholds, Watch, Watched};
use freshness::health::Meaning;
use freshness::{Settings, Tolerance};
use platform::client::Timeouts;
use runtime::args::positive_duration;
use runtime::toml_file::{Section, TomlFile};
use std::collections::BTreeSet;
use std::time::Duration;
use url::Url;

const FILE_VERSION: u64 = 1;
const NAME_BYTES_MAX: usize = 128;
/// Later than this a state would be taken for one that nobody keeps.
const EVERY_MAX: Duration = Duration::from_secs(30);
/// How long an answer may take.
const HEALTH_TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    read: Duration::from_secs(10),
    total: Duration::from_secs(15),
};

pub(super) fn watch(name: &str, text: &str) -> Result<Watch, Vec<String>> {
    let mut file = TomlFile::new(name, text);
    let root = file.parse();
    let root = Section {
        table: root.get_ref(),
        at: 0,
    };
    let mut reader = Reader {
        file,
        names: BTreeSet::new(),
    };
    let watch = reader.root(root);
    let problems = reader.file.into_problems();
    if problems.is_empty() {
        Ok(watch)
    } else {
        Err(problems)
    }
}

struct Reader<'a> {
    file: TomlFile<'a>,
    names: BTreeSet<(String, String)>,
}

impl Reader<'_> {
    fn root(&mut self, root: Section<'_>) -> Watch {
        self.file.only(
            root,
            &["version", "every", "keep", "thresholds", "platform"],
        );
        if !root.table.contains_key("version") {
            self.file
                .problem(0, "`version` is missing; write `version = 1`");
        }
        self.file
            .number(root, "version", FILE_VERSION..FILE_VERSION + 1);
        let usual = Watch::of_targets(&[]);
        let every = self.file.duration(root, "every").unwrap_or(usual.every);
        if every > EVERY_MAX {
            self.wrong(root, "every", "30s is the longest");
        }
        let keep = self.file.duration(root, "keep").unwrap_or(usual.keep);
        let mut common = self.thresholds(root, Thresholds::default());
        common.settings.look_gap = common.settings.look_gap.max(every * 3);
        let mut platforms = Vec::new();
        match self.file.array(root, "platform") {
            Some((entries, _)) if !entries.is_empty() => {
                for entry in entries {
                    let at = entry.span().start;
                    match entry.get_ref().as_table() {
                        Some(table) => {
                            platforms.extend(self.platform(Section { table, at }, common));
                        }
                        None => self.file.problem(at, "a [[platform]] is a table"),
                    }
                }
            }
            _ => self
                .file
                .problem(0, "no [[platform]]: there is nothing to watch"),
        }
        Watch {
            every,
            keep,
            platforms,
        }
    }

    fn platform(&mut self, section: Section<'_>, common: Thresholds) -> Option<Watched> {
        self.file.only(
            section,
            &[
                "name",
                "tenant",
                "subscriptions",
                "silent_when",
                "records",
                "thresholds",
                "health",
            ],
        );
        let name = self.name(section);
        let tenant = self.plain(section, "tenant");
        let subscriptions = self.texts(section, "subscriptions");
        let silent_when = self.silent_when(section);
        let records = if section.table.contains_key("records") {
            self.plain(section, "records")
        } else {
            None
        };
        let thresholds = self.thresholds(section, common);
        let health = self.health(section);
        let (name, tenant) = (name?, tenant?);
        if !self.names.insert((tenant.clone(), name.clone())) {
            self.file.problem(
                section.at,
                format_args!("`{name}` of `{tenant}` is there twice"),
            );
        }
        Some(Watched {
            tenant,
            name,
            subscriptions,
            silent_when,
            records,
            settings: thresholds.settings,
            tolerance: thresholds.tolerance,
            grace: thresholds.grace,
            within: thresholds.within,
            health,
        })
    }

    fn name(&mut self, section: Section<'_>) -> Option<String> {
        let (text, at) = self.file.required(section, "name")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
        if text.len() > NAME_BYTES_MAX || !text.bytes().all(plain) {
            self.file.problem(
                at,
                format_args!("`name` is `{text}`; allowed are up to {NAME_BYTES_MAX} letters, digits and . _ - :"),
            );
            return None;
        }
        Some(text.to_owned())
    }

    fn plain(&mut self, section: Section<'_>, key: &str) -> Option<String> {
        let (text, at) = self.file.required(section, key)?;
        if text.trim() != text || text.contains(char::is_control) {
            self.file.problem(
                at,
                format_args!("`{key}` is {text:?}; allowed is a text without surrounding blanks and control characters"),
            );
            return None;
        }
        Some(text.to_owned())
    }

    /// Texts of an array; none where nothing is said.
    fn texts(&mut self, section: Section<'_>, key: &str) -> Option<Vec<String>> {
        let (entries, _) = self.file.array(section, key)?;
        let mut found = Vec::new();
        for entry in entries {
            match entry.get_ref().as_str() {
                Some(text) if !text.trim().is_empty() => found.push(text.to_owned()),
                _ => self.file.problem(
                    entry.span().start,
                    format_args!("`{key}`: a text that is not empty is expected"),
                ),
            }
        }
        Some(found)
    }

    fn silent_when(&mut self, section: Section<'_>) -> SilentWhen {
        match self.file.text(section, "silent_when") {
            None | Some(("unusual", _)) => SilentWhen::Unusual,
            Some(("always", _)) => SilentWhen::Always,
            Some(("never", _)) => SilentWhen::Never,
            Some((other, at)) => {
                self.file.problem(
                    at,
                    format_args!("`silent_when` is `{other}`; known are unusual, always, never"),
                );
                SilentWhen::default()
            }
        }
    }

    fn thresholds(&mut self, section: Section<'_>, usual: Thresholds) -> Thresholds {
        let Some(table) = self.file.section(section, "thresholds") else {
            return usual;
        };
        self.file.only(
            table,
            &[
                "silence",
                "expected",
                "late",
                "line",
                "queue",
                "windows",
                "follow",
                "stale",
                "missing",
                "missing_percent",
                "grace",
                "within",
                "on_after",
                "off_after",
                "reach",
            ],
        );
        let was = usual.settings;
        let whole = |number: Option<u32>, usual: u64| number.map_or(usual, u64::from);
        let settings = Settings {
            silence: self.lasting(table, "silence", was.silence),
            expected: self
                .file
                .count(table, "expected", 1_000_000)
                .map_or(was.expected, f64::from),
            late: self.lasting(table, "late", was.late),
            line: self.lasting(table, "line", was.line),
            queue: self.messages(table, was.queue),
            windows: self.lasting(table, "windows", was.windows),
            follow: self.lasting(table, "follow", was.follow),
            stale: self.lasting(table, "stale", was.stale),
            on_after: self
                .file
                .duration(table, "on_after")
                .unwrap_or(was.on_after),
            off_after: self
                .file
                .duration(table, "off_after")
                .unwrap_or(was.off_after),
            reach: self.file.duration(table, "reach").unwrap_or(was.reach),
            look_gap: was.look_gap,
        };
        let number = self.file.count(table, "missing", u32::MAX - 1);
        let percent = self.file.count(table, "missing_percent", 100);
        Thresholds {
            settings,
            tolerance: Tolerance {
                number: whole(number, usual.tolerance.number),
                percent: whole(percent, usual.tolerance.percent),
            },
            grace: self.file.duration(table, "grace").unwrap_or(usual.grace),
            within: self.file.duration(table, "within").unwrap_or(usual.within),
        }
    }

    /// A duration, or `"never"`.
    fn lasting(
        &mut self,
        table: Section<'_>,
        key: &str,
        usual: Option<Duration>,
    ) -> Option<Duration> {
        let Some((text, at)) = self.file.text(table, key) else {
            return usual;
        };
        if text == "never" {
            return None;
        }
        match positive_duration(text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let why = format!("`{key}` is `{text}`: {error}, or never");
                self.file.problem(at, why);
                usual
            }
        }
    }

    /// A number of messages, or `"never"`.
    fn messages(&mut self, table: Section<'_>, usual: Option<u64>) -> Option<u64> {
        let value = table.table.get("queue");
        if value.and_then(|value| value.get_ref().as_str()) == Some("never") {
            return None;
        }
        let number = self.file.count(table, "queue", u32::MAX - 1);
        number.map(u64::from).or(usual)
    }

    fn health(&mut self, section: Section<'_>) -> Option<HealthSource> {
        let table = self.file.section(section, "health")?;
        self.file.only(
            table,
            &[
                "url",
                "every",
                "components",
                "pointer",
                "maintenance",
                "trouble",
                "maintenance_status",
                "target",
            ],
        );
        let url = self.url(table);
        let every = self
            .file
            .duration(table, "every")
            .unwrap_or(HEALTH_EVERY_MIN);
        if every < HEALTH_EVERY_MIN {
            self.wrong(table, "every", "once a minute is the most: 1m");
        }
        let target = if table.table.contains_key("target") {
            self.plain(table, "target")
        } else {
            None
        };
        let maintenance_status = self.statuses(table);
        if target.is_some() && !maintenance_status.is_empty() {
            self.wrong(
                table,
                "maintenance_status",
                "has a meaning only without `target`",
            );
        }
        let meaning = self.meaning(table);
        Some(HealthSource {
            url: url?,
            every,
            meaning,
            maintenance_status,
            timeouts: HEALTH_TIMEOUTS,
            target,
        })
    }

    fn meaning(&mut self, table: Section<'_>) -> Meaning {
        let trouble = self.texts(table, "trouble").unwrap_or_default();
        let maintenance = self.texts(table, "maintenance");
        let components = self.texts(table, "components");
        let Some((pointer, at)) = self.file.text(table, "pointer") else {
            if maintenance.is_some() {
                self.wrong(
                    table,
                    "maintenance",
                    "has a meaning only with `pointer`: a status page says itself what is maintenance",
                );
            }
            return Meaning::StatusPage {
                components: components.unwrap_or_default(),
                trouble,
            };
        };
        if !pointer.is_empty() && !pointer.starts_with('/') {
            self.file.problem(
                at,
                format_args!("`pointer` is `{pointer}`; write a JSON pointer such as /state/mode"),
            );
        }
        if components.is_some() {
            self.wrong(
                table,
                "components",
                "has a meaning only without `pointer`: they are those of a status page",
            );
        }
        Meaning::Pointer {
            pointer: pointer.to_owned(),
            maintenance: maintenance.unwrap_or_default(),
            trouble,
        }
    }

    fn statuses(&mut self, table: Section<'_>) -> Vec<u16> {
        let Some((entries, _)) = self.file.array(table, "maintenance_status") else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for entry in entries {
            let status = entry
                .get_ref()
                .as_integer()
                .and_then(|number| u16::from_str_radix(number.as_str(), number.radix()).ok())
                .filter(|status| (100..600).contains(status));
            match status {
                Some(status) => found.push(status),
                None => self
                    .file
                    .problem(entry.span().start, "a status is a number from 100 to 599"),
            }
        }
        found
    }

    fn url(&mut self, table: Section<'_>) -> Option<Url> {
        let (text, at) = self.file.required(table, "url")?;
        match Url::parse(text) {
            Ok(url)
                if matches!(url.scheme(), "http" | "https")
                    && url.has_host()
                    && url.fragment().is_none()
                    && url.username().is_empty()
                    && url.password().is_none() =>
            {
                Some(url)
            }
            _ => {
                // The text may hold a password: it is not repeated.
                self.file.problem(
                    at,
                    "`url` is no URL such as https://host/path, without user and fragment",
                );
                None
            }
        }
    }

    fn wrong(&mut self, table: Section<'_>, key: &str, why: &str) {
        let at = table.table.get(key);
        let at = at.map_or(table.at, |value| value.span().start);
        self.file.problem(at, format_args!("`{key}`: {why}"));
    }
}
