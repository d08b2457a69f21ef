//! Genesys' external metrics of employee performance: a metric's sum and count of an agent's workday.
//!
//! `POST …/externalmetrics/data` with `{"items": […]}`, at most 100. An item is `{metricId, userId, dateOccurred, value, count}`: the day's
//! sum in the definition's unit and how many values it is the sum of; the platform shows the one divided by the other. `type` is left out,
//! as in the real requests that are known: `Total`, the default, overwrites, so that a repetition does no harm; `Cumulative` would add.
//! A null deletes the datum. A 200 says of each item whether it was processed. `dateOccurred` is a date by the agent's clock, at most 7 days
//! ago and 30 days ahead.
//!
//! Which `metricId` a KPI has is found by the name of its definition, see [`definitions`].

use crate::adapter::{Amount, Encoded, Held, NO_PATH, Place, Sent, Step};
use crate::answer::{self, Names, Notes};
use crate::capability::{Kind, LookBack};
use crate::decimal::Decimal;
use crate::item::{Figures, Item, Subject};
use crate::outcome::{Answer, Fate};
use crate::path::PathTemplate;
use definitions::{Definition, Unit};
use schema::{AgentId, LocalDay, UtcMicros};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use timezone::Zone;

pub mod definitions;
#[cfg(test)]
mod tests;

/// How an agent is named in an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UserBy {
    /// `userId`: our agent ids are the platform's user ids.
    #[default]
    Id,
    /// `userEmail`: they are addresses.
    Email,
}

/// What the target is configured to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalMetrics {
    path: PathTemplate,
    user: UserBy,
    /// By the KPI's name.
    definitions: BTreeMap<String, Definition>,
    /// By the KPI's name, once they are known.
    ids: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Wire<'a> {
    #[serde(rename = "metricId")]
    metric_id: &'a str,
    #[serde(rename = "userId", skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(rename = "userEmail", skip_serializing_if = "Option::is_none")]
    user_email: Option<&'a str>,
    #[serde(rename = "dateOccurred")]
    date_occurred: &'a str,
}

impl ExternalMetrics {
    /// With these definitions, by the names of the KPIs; which ids they have is still to be found out.
    #[must_use]
    pub const fn new(
        path: PathTemplate,
        user: UserBy,
        definitions: BTreeMap<String, Definition>,
    ) -> Self {
        Self {
            path,
            user,
            definitions,
            ids: BTreeMap::new(),
        }
    }

    /// By the names of the KPIs.
    #[must_use]
    pub const fn definitions(&self) -> &BTreeMap<String, Definition> {
        &self.definitions
    }

    /// With the ids of its definitions, by the names of the KPIs.
    #[must_use]
    pub fn with_ids(self, ids: BTreeMap<String, String>) -> Self {
        Self { ids, ..self }
    }

    /// With a stand-in for each id that is not known: to say what would be sent, and not to send it.
    #[must_use]
    pub fn with_stand_ins(self) -> Self {
        let known = self.ids.clone();
        let ids = self.definitions.keys().map(|metric| {
            let id = known.get(metric).cloned().unwrap_or_default();
            (metric.clone(), id)
        });
        let ids = ids.collect();
        self.with_ids(ids)
    }

    /// Whether every definition has its id: nothing can be sent before.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        self.definitions
            .keys()
            .all(|metric| self.ids.contains_key(metric))
    }

    pub(crate) fn step(&self, item: &Item, held: Held, now: UtcMicros) -> Step {
        let Subject::AgentDay {
            agent,
            day,
            figures,
        } = &item.subject
        else {
            return Step::Done;
        };
        let (Some(definition), Some(id)) = (
            self.definitions.get(&item.metric),
            self.ids.get(&item.metric),
        ) else {
            return Step::Refused(format!("no definition is configured for {}", item.metric));
        };
        if let Err(step) = in_reach(*day, figures.as_ref(), now) {
            return step;
        }
        let amount = match (item.value, figures) {
            (Some(_), Some(figures)) => match amount(definition, figures) {
                Ok(amount) => Some(amount),
                Err(why) => return Step::Refused(why),
            },
            _ => None,
        };
        let pushed = amount.as_ref().map(|(sum, points)| Amount {
            value: sum.number(),
            points: Some(*points),
        });
        if pushed.is_some() && held == Held::Has(pushed) {
            return Step::Done;
        }
        let Some(path) = self.path.of(item) else {
            return Step::Refused(NO_PATH.to_owned());
        };
        let date = day.to_string();
        let named = self.name(id, agent, &date);
        let json = match amount {
            Some((sum, points)) => format!("{named},\"value\":{sum},\"count\":{points}}}"),
            None => format!("{named},\"value\":null}}"),
        };
        Step::Send(Encoded {
            json,
            place: Place {
                path,
                head: String::new(),
            },
            amount: pushed,
        })
    }

    /// The members that name an item, with the object still open.
    fn name(&self, id: &str, agent: &AgentId, date: &str) -> String {
        let (user_id, user_email) = match self.user {
            UserBy::Id => (Some(agent.as_str()), None),
            UserBy::Email => (None, Some(agent.as_str())),
        };
        let wire = Wire {
            metric_id: id,
            user_id,
            user_email,
            date_occurred: date,
        };
        // Text only: writing it cannot fail.
        let mut json = serde_json::to_string(&wire).unwrap_or_default();
        json.pop();
        json
    }

    pub(crate) fn read(&self, sent: &[Sent<'_>], answer: &Answer<'_>) -> Option<Vec<Fate>> {
        let names = Names::new(sent.iter().map(|sent| self.key(sent.item)));
        // It may name an agent by both, and was asked about by one of them.
        let find = |entry: &Value| {
            let by = |user| names.find(&key_of(entry, user)?);
            by("userId").or_else(|| by("userEmail"))
        };
        if !answer.is_success() {
            return answer::read(sent.len(), answer, &find);
        }
        let mut notes = Notes::new(sent.len(), &find);
        let empty = Vec::new();
        let list = |name| {
            let list = answer.body.and_then(|body| body.get(name));
            list.and_then(Value::as_array).unwrap_or(&empty)
        };
        for entry in list("processedEntities") {
            notes.note(entry, Fate::Accepted);
        }
        for entry in list("unprocessedEntities") {
            notes.note(entry, answer::stated(entry, answer::refused(entry)));
        }
        // Whatever the status says: what is in neither list may or may not have been taken.
        Some(notes.finish(&answer::unmentioned()))
    }

    fn key(&self, item: &Item) -> String {
        let Subject::AgentDay { agent, day, .. } = &item.subject else {
            return String::new();
        };
        let id = self.ids.get(&item.metric).map_or("", String::as_str);
        key(agent.as_str(), id, &day.to_string())
    }
}

/// What names an item to the platform.
fn key(user: &str, id: &str, date: &str) -> String {
    // Addresses come back in whichever case the platform keeps them.
    format!("{}\n{id}\n{date}", user.to_lowercase())
}

fn key_of(entry: &Value, user: &str) -> Option<String> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    Some(key(text(user)?, text("metricId")?, text("dateOccurred")?))
}

/// Whether the platform takes a day, as seen today by the day's own clock. A day that nothing is in any more has none: it is in reach
/// where it is by some clock of the world.
fn in_reach(day: LocalDay, figures: Option<&Figures>, now: UtcMicros) -> Result<(), Step> {
    let Some(LookBack { back, ahead }) = Kind::GenesysExternalMetrics.capabilities().look_back
    else {
        return Ok(());
    };
    let zone = match figures {
        None => None,
        Some(figures) => match Zone::parse(&figures.zone) {
            Ok(zone) => Some(zone),
            Err(error) => return Err(Step::Refused(error.to_string())),
        },
    };
    let utc = LocalDay(Zone::UTC.epoch_day(now.0));
    let (earliest, latest) = match zone {
        Some(zone) => {
            let today = LocalDay(zone.epoch_day(now.0));
            (today, today)
        }
        None => (utc.plus(-1), utc.plus(1)),
    };
    if day < earliest.plus(-back) {
        return Err(Step::Expired(format!(
            "{day} is more than {back} days ago, which is as far back as the platform takes"
        )));
    }
    if day > latest.plus(ahead) {
        return Err(Step::Refused(format!(
            "{day} is more than {ahead} days ahead, which is as far as the platform takes"
        )));
    }
    Ok(())
}

/// The sum in the definition's unit, and how many values it is of.
fn amount(definition: &Definition, figures: &Figures) -> Result<(Decimal, i64), String> {
    let factor = match (definition.unit, figures.unit.as_str()) {
        (Unit::Seconds, "seconds") | (Unit::Number, _) | (Unit::Currency, "number") => 1,
        (Unit::Percent, "share") => 100,
        (unit, ours) => {
            return Err(format!(
                "the KPI's unit is {ours}, and its definition on the platform is in {}",
                unit.name()
            ));
        }
    };
    let sum = Decimal::of_ratio(
        figures.numerator,
        factor,
        figures.scale,
        definition.precision,
    )
    .ok_or_else(|| "the sum is too large".to_owned())?;
    // A time has no weights and a count of one: nothing deletes it but a null.
    let points = match definition.points {
        definitions::Points::Counted if figures.denominator > 0 => figures.denominator,
        definitions::Points::Counted | definitions::Points::One => 1,
    };
    Ok((sum, points))
}
