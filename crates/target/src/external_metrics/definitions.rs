//! The definitions of external metrics, on the platform and in our configuration.
//!
//! `GET …/externalmetrics/definitions` lists them in pages, `POST` creates one. There are at most 50 in an
//! organisation, and a definition's unit never changes.

use crate::outcome::shorten;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The path of definitions, below the base URL.
pub const PATH: &str = "/api/v2/employeeperformance/externalmetrics/definitions";
/// Definitions an organisation may have.
pub const DEFINITIONS_MAX: usize = 50;
/// Definitions of a page: all there can be come on one.
pub const PAGE_SIZE: usize = 100;
/// The most decimal places a definition may have.
pub const PRECISION_MAX: u8 = 5;

/// The unit of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Percent: 100 is all.
    Percent,
    /// Any number.
    Number,
    /// Money.
    Currency,
}

/// Which values are good ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// High ones.
    HigherIsBetter,
    /// Low ones.
    LowerIsBetter,
    /// Those in between.
    TargetArea,
}

/// What `count` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Points {
    /// How many values the sum is of, so that the platform shows their mean; 1 of a time.
    #[default]
    Counted,
    /// Always 1, so that it shows the sum.
    One,
}

/// A definition as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name, by which it is found.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// Decimal places, at most [`PRECISION_MAX`].
    pub precision: u8,
    /// Which values are good ones.
    pub objective: Objective,
    /// Whether it may be used, where it is to be created.
    pub enabled: bool,
    /// What `count` is.
    pub points: Points,
}

/// A definition as the platform has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its unit, as the platform calls it.
    pub unit: String,
    /// Decimal places.
    pub precision: Option<u64>,
    /// Which values are good ones, as the platform calls it.
    pub objective: Option<String>,
    /// Whether it may be used.
    pub enabled: bool,
}

/// What is to be done before anything can be pushed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The ids that are known, by the names of the KPIs.
    pub ids: BTreeMap<String, String>,
    /// Names of KPIs whose definitions are to be created.
    pub missing: Vec<String>,
    /// What differs from the configuration and does no harm, in words.
    pub differences: Vec<String>,
}

/// Why definitions cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// The answer is no list of definitions, or none that was created.
    #[error("the answer about definitions cannot be read: {0}")]
    Unreadable(&'static str),
    /// It exists in another unit, which never changes.
    #[error(
        "the definition {name:?} exists on the platform in {theirs} and is configured in {ours}; a unit never changes, so use another name"
    )]
    Unit {
        /// Its name.
        name: String,
        /// The platform's.
        theirs: String,
        /// Ours.
        ours: &'static str,
    },
    /// There would be more than an organisation may have.
    #[error(
        "the organisation has {known} definitions of at most {DEFINITIONS_MAX}, and {missing} more are needed: {names}"
    )]
    TooMany {
        /// How many there are.
        known: usize,
        /// How many more.
        missing: usize,
        /// Their names.
        names: String,
    },
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $type {
            /// All of them, for messages that list what is allowed.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As the platform calls it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The one of this name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

words!(Unit { Seconds = "Seconds", Percent = "Percent", Number = "Number", Currency = "Currency" });
words!(Objective { HigherIsBetter = "HigherIsBetter", LowerIsBetter = "LowerIsBetter", TargetArea = "TargetArea" });
words!(Points { Counted = "counted", One = "one" });

impl Definition {
    /// The body that creates it.
    #[must_use]
    pub fn create_body(&self) -> Value {
        json!({
            "name": self.name,
            "unit": self.unit.name(),
            "precision": self.precision,
            "defaultObjectiveType": self.objective.name(),
            "enabled": self.enabled,
        })
    }
}

impl Known {
    /// A definition as an answer has it: one of a list, or the one that was created.
    pub fn read(entry: &Value) -> Result<Self, DefinitionError> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).map(shorten);
        let missing = || DefinitionError::Unreadable("a definition without id, name and unit");
        Ok(Self {
            id: text("id").ok_or_else(missing)?,
            name: text("name").ok_or_else(missing)?,
            unit: text("unit").ok_or_else(missing)?,
            precision: entry.get("precision").and_then(Value::as_u64),
            objective: text("defaultObjectiveType"),
            enabled: entry.get("enabled").and_then(Value::as_bool) != Some(false),
        })
    }
}

/// Compares what is configured, by the names of the KPIs, with all that the platform has. Of several with one name the first is used.
pub fn plan(
    wanted: &BTreeMap<String, Definition>,
    known: &[Known],
) -> Result<Plan, DefinitionError> {
    let mut plan = Plan::default();
    for (metric, ours) in wanted {
        let Some(theirs) = known.iter().find(|known| known.name == ours.name) else {
            plan.missing.push(metric.clone());
            continue;
        };
        if theirs.unit != ours.unit.name() {
            return Err(DefinitionError::Unit {
                name: ours.name.clone(),
                theirs: theirs.unit.clone(),
                ours: ours.unit.name(),
            });
        }
        plan.differences.extend(differences(ours, theirs));
        plan.ids.insert(metric.clone(), theirs.id.clone());
    }
    if known.len() + plan.missing.len() > DEFINITIONS_MAX && !plan.missing.is_empty() {
        let names = plan.missing.iter().filter_map(|metric| wanted.get(metric));
        let names: Vec<&str> = names.map(|definition| definition.name.as_str()).collect();
        return Err(DefinitionError::TooMany {
            known: known.len(),
            missing: names.len(),
            names: names.join(", "),
        });
    }
    Ok(plan)
}

fn differences(ours: &Definition, theirs: &Known) -> Vec<String> {
    let mut words = Vec::new();
    let name = &ours.name;
    if theirs.precision != Some(u64::from(ours.precision)) {
        let has = theirs
            .precision
            .map_or("none".to_owned(), |precision| precision.to_string());
        words.push(format!(
            "{name:?} has the precision {has} and is configured with {}",
            ours.precision
        ));
    }
    if theirs.objective.as_deref() != Some(ours.objective.name()) {
        let has = theirs.objective.as_deref().unwrap_or("none");
        words.push(format!(
            "{name:?} has the objective {has} and is configured with {}",
            ours.objective.name()
        ));
    }
    if ours.enabled && !theirs.enabled {
        words.push(format!("{name:?} is not enabled: nobody sees its values"));
    }
    words
}
