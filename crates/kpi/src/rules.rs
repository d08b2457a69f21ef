//! What an operator may change about the metrics, by version, as TOML:
//!
//! ```toml
//! [[version]]
//! version = 2
//! excluded_dispositions = ["IVR_SELF_SERVICE", "TEST_CALL"]
//! business_hours = { open = "08:00", close = "18:00" }   # local time, half open; may pass midnight
//! default_zone = "Europe/Berlin"                           # for interactions without an agent's zone
//! ```
//!
//! Version 1 is built in: the classic rule. A file may define it anew, which is wise only before anything was computed by it. A
//! version that no rules were defined for uses the highest defined one below it.

use compact_str::CompactString;
use schema::MetricVersion;
use serde::Deserialize;
use timezone::Zone;

/// The rules of all versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleBook {
    /// Ascending by version, never empty, the first is version 1.
    versions: Vec<Rules>,
}

/// The rules of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The version.
    pub version: MetricVersion,
    /// Interactions with one of these dispositions count as zero in `adjusted_aht`. Compared as they are written.
    pub excluded_dispositions: Vec<CompactString>,
    /// Interactions that begin outside these hours count as zero in `adjusted_aht`; `None` for round the clock.
    pub business_hours: Option<BusinessHours>,
    /// The zone of interactions without a known zone of an agent's; `None` for UTC, flagged.
    pub default_zone: Option<Zone>,
}

/// A stretch of the local day, half open. Where it closes before it opens, it passes midnight; where both are equal, it is all day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusinessHours {
    /// The first minute of the day inside.
    pub open_minute: u32,
    /// The first minute of the day outside again; 1440 is midnight.
    pub close_minute: u32,
}

impl BusinessHours {
    /// Whether a minute of the day (0 to 1439) is inside.
    #[must_use]
    pub const fn contains(&self, minute: u32) -> bool {
        if self.open_minute < self.close_minute {
            self.open_minute <= minute && minute < self.close_minute
        } else {
            self.open_minute <= minute || minute < self.close_minute
        }
    }
}

/// The rules could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// The text is no TOML, or a member has the wrong type or name. The source has line and column.
    #[error("the rules are not valid TOML of the documented shape")]
    Toml(#[source] toml::de::Error),
    /// Values that cannot be. All of them are listed.
    #[error("the rules cannot be used: {}", problems.join("; "))]
    Invalid {
        /// Each names the version, the member and what is allowed.
        problems: Vec<String>,
    },
}

impl Rules {
    /// The classic rule.
    fn classic() -> Self {
        Self {
            version: MetricVersion::FIRST,
            excluded_dispositions: vec![
                CompactString::const_new("IVR_SELF_SERVICE"),
                CompactString::const_new("IVR_TRANSFER_EXTERNAL"),
            ],
            business_hours: Some(BusinessHours {
                open_minute: 8 * 60,
                close_minute: 18 * 60,
            }),
            default_zone: None,
        }
    }
}

impl RuleBook {
    /// Version 1 alone: the classic rule.
    #[must_use]
    pub fn builtin() -> Self {
        Self {
            versions: vec![Rules::classic()],
        }
    }

    /// The versions that the text defines, and the built-in version 1 unless it defines that too.
    pub fn from_toml(text: &str) -> Result<Self, RuleError> {
        let file: File = toml::from_str(text).map_err(RuleError::Toml)?;
        let mut problems = Vec::new();
        let mut book = Self {
            versions: Vec::with_capacity(file.version.len() + 1),
        };
        for section in file.version {
            let rules = section.check(&mut problems);
            match book.place(rules.version) {
                Ok(_) => problems.push(format!("version {} is defined twice", rules.version)),
                Err(place) => book.versions.insert(place, rules),
            }
        }
        if !problems.is_empty() {
            return Err(RuleError::Invalid { problems });
        }
        if let Err(place) = book.place(MetricVersion::FIRST) {
            book.versions.insert(place, Rules::classic());
        }
        Ok(book)
    }

    /// The rules of the highest defined version that is not above `version`.
    #[must_use]
    pub fn rules(&self, version: MetricVersion) -> &Rules {
        let place = match self.place(version) {
            Ok(place) => place,
            Err(above) => above.saturating_sub(1),
        };
        &self.versions[place]
    }

    /// The versions defined, ascending.
    pub fn versions(&self) -> impl Iterator<Item = MetricVersion> + '_ {
        self.versions.iter().map(|rules| rules.version)
    }

    fn place(&self, version: MetricVersion) -> Result<usize, usize> {
        self.versions
            .binary_search_by_key(&version, |rules| rules.version)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    version: Vec<Section>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    version: u16,
    #[serde(default)]
    excluded_dispositions: Vec<CompactString>,
    business_hours: Option<Hours>,
    default_zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hours {
    open: String,
    close: String,
}

impl Section {
    fn check(self, problems: &mut Vec<String>) -> Rules {
        let version = self.version;
        if version == 0 {
            problems.push("version 0: versions begin with 1".to_owned());
        }
        let mut minute = |member: &str, text: &str, max: u32| {
            minute_of_day(text)
                .filter(|minute| *minute <= max)
                .unwrap_or_else(|| {
                    problems.push(format!(
                        "version {version}: business_hours.{member} is {text:?}, but a local time from 00:00 to {:02}:{:02} is needed",
                        max / 60,
                        max % 60
                    ));
                    0
                })
        };
        let business_hours = self.business_hours.map(|hours| BusinessHours {
            open_minute: minute("open", &hours.open, 1439),
            close_minute: minute("close", &hours.close, 1440),
        });
        let default_zone = self.default_zone.and_then(|text| match Zone::parse(&text) {
            Ok(zone) => Some(zone),
            Err(error) => {
                problems.push(format!("version {version}: default_zone: {error}"));
                None
            }
        });
        Rules {
            version: MetricVersion(version),
            excluded_dispositions: self.excluded_dispositions,
            business_hours,
            default_zone,
        }
    }
}

/// `"08:30"` → 510.
fn minute_of_day(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |text: &str| {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u32>().ok())?
    };
    let (hour, minute) = (two_digits(hour)?, two_digits(minute)?);
    (minute < 60).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_without_rules_uses_the_highest_below_it() {
        let book = RuleBook::from_toml(
            "[[version]]\nversion = 5\n[[version]]\nversion = 3\nexcluded_dispositions = ['TEST']",
        )
        .unwrap();
        let used: Vec<u16> = [0, 1, 2, 3, 4, 5, 900]
            .into_iter()
            .map(|version| book.rules(MetricVersion(version)).version.0)
            .collect();
        assert_eq!(used, [1, 1, 1, 3, 3, 5, 5]);
        assert_eq!(book.rules(MetricVersion(1)), &Rules::classic());
        assert_eq!(book.rules(MetricVersion(4)).excluded_dispositions, ["TEST"]);
    }

    #[test]
    fn all_problems_are_listed_at_once() {
        let text = "
            [[version]]
            version = 2
            business_hours = { open = '8:00', close = '24:01' }
            default_zone = 'Europe/Atlantis'
            [[version]]
            version = 2
        ";
        let Err(RuleError::Invalid { problems }) = RuleBook::from_toml(text) else {
            panic!("the rules were accepted");
        };
        assert_eq!(problems.len(), 4, "{problems:#?}");
        assert!(problems[0].contains("version 2: business_hours.open is \"8:00\""));
    }

    #[test]
    fn a_misspelt_member_is_refused_with_its_place() {
        let error = RuleBook::from_toml("[[version]]\nversion = 2\nexcluded = ['A']").unwrap_err();
        let RuleError::Toml(source) = error else {
            panic!("another error: {error}");
        };
        assert!(source.to_string().contains("line 3"), "{source}");
    }

    #[test]
    fn hours_may_pass_midnight_and_are_half_open() {
        let night = BusinessHours {
            open_minute: 22 * 60,
            close_minute: 6 * 60,
        };
        let inside: Vec<bool> = [21 * 60 + 59, 22 * 60, 2 * 60, 5 * 60 + 59, 6 * 60]
            .into_iter()
            .map(|minute| night.contains(minute))
            .collect();
        assert_eq!(inside, [false, true, true, true, false]);
        let all_day = BusinessHours {
            open_minute: 0,
            close_minute: 1440,
        };
        assert!(all_day.contains(0) && all_day.contains(1439));
    }
}
