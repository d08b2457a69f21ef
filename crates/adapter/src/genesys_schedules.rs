//! Genesys workforce management: the published schedules of agents, as `agentschedules/search` gives them.
//!
//! A body is such an answer (`agentSchedules`, mostly inside of `result`), an array of them, or one of them a line. The schedule of one
//! agent is one item; what the answer says about all of them (the zone, the codes, when it was fetched) goes with each.
//!
//! | member | here |
//! | --- | --- |
//! | `user.id` (`userId`) | the agent |
//! | `shifts[].activities[]`: `startDate`, `lengthMinutes` | from when to when something is scheduled; elapsed minutes, so no change of clocks matters |
//! | `activityCodeId` | what. Its category, if the answer has `activityCodes`, else the code itself |
//! | `fullDayTimeOffMarkers[]`: `businessUnitDate` | time off for that date in `businessUnitTimeZone`; without a zone it is not known when that is |
//! | `metadata.dateModified`, else `fetchedAt` of the answer | the revision stamp |
//! | `businessUnitTimeZone` | of the markers only. It is no agent's zone |
//!
//! `activityCodes` and `fetchedAt` are not the platform's: whoever fetches the answer adds the list that `…/activitycodes` gives (its
//! `entities` with `id` and `category`) and the instant. Categories are named as presences are: `OnQueueWork` is `on_queue`, `Meal` is
//! `meal`, `TimeOff` is `time_off`.
//!
//! **An edited schedule.** A fact's key is its shift and its place in it ([`FactKey::scheduled`]), so the later copy of a shift takes the
//! place of the earlier one, place by place, and the greater revision holds. The places that a shorter copy no longer has, to the
//! sixteenth, state that nothing is scheduled from the shift's end on. Without any revision stamp an edit cannot be told from
//! what it edited; then the greater content holds, which is arbitrary. A shift that was deleted is not in the later answer at
//! all and stays as it was stated.

use crate::agent_time::{agent, state_name};
use crate::error::{BodyError, ItemError};
use crate::map::{Mapped, Outcome, Stated};
use crate::node::{Node, tree};
use crate::unfold::Allowance;
use crate::{instant, json};
use compact_str::CompactString;
use schema::{AgentFact, AgentStatement, EventId, FactKey, Millis, SourceRank, UtcMicros};
use std::borrow::Cow;
use std::ops::Range;
use timezone::{NaiveDate, Zone};

/// So many places of a shift are stated anew by each copy, so that a shorter one leaves nothing of a longer one.
const PLACES: usize = 16;

/// Members of an answer that go with each of its schedules.
const SHARED: [&str; 3] = ["businessUnitTimeZone", "activityCodes", "fetchedAt"];

/// The schedules of one value of a body, each in an answer of its own; or the value itself.
pub(crate) fn open<'a>(
    body: &'a [u8],
    span: Range<usize>,
    allowance: &mut Allowance,
) -> Result<Vec<Cow<'a, [u8]>>, BodyError> {
    opened(body, span.clone(), allowance).unwrap_or_else(|| Ok(vec![Cow::Borrowed(&body[span])]))
}

fn opened<'a>(
    body: &'a [u8],
    span: Range<usize>,
    allowance: &mut Allowance,
) -> Option<Result<Vec<Cow<'a, [u8]>>, BodyError>> {
    let outer = members(body, &span)?;
    let answer = match named(&outer, body, "agentSchedules") {
        Some(_) => outer,
        None => match named(&outer, body, "result") {
            Some(result) => {
                let mut inner = members(body, &result)?;
                // What was added to the answer may stand beside its result.
                for shared in SHARED {
                    if named(&inner, body, shared).is_none() {
                        let found = outer.iter().rev();
                        let mut found =
                            found.filter(|(name, _)| &body[name.clone()] == shared.as_bytes());
                        inner.extend(found.next().cloned());
                    }
                }
                inner
            }
            None => outer,
        },
    };
    let Some(list) = named(&answer, body, "agentSchedules") else {
        // An answer that found nothing has no such member.
        return named(&answer, body, "businessUnitTimeZone").map(|_| Ok(Vec::new()));
    };
    if &body[list.clone()] == b"null" {
        return Some(Ok(Vec::new()));
    }
    if body[list.start] != b'[' {
        return None;
    }
    let (schedules, _) = json::elements(body, list.start).ok()?;
    let mut shared = Vec::new();
    for (name, value) in &answer {
        if is_shared(&body[name.clone()]) {
            shared.extend_from_slice(&[b"\"", &body[name.clone()], b"\":"].concat());
            shared.extend_from_slice(&body[value.clone()]);
            shared.push(b',');
        }
    }
    let item = |schedule: Range<usize>| {
        [
            b"{",
            &shared[..],
            b"\"agentSchedules\":[",
            &body[schedule],
            b"]}",
        ]
        .concat()
    };
    Some(
        allowance
            .take(schedules.len(), shared.len())
            .map(|()| schedules.into_iter().map(item).map(Cow::Owned).collect()),
    )
}

type Members = Vec<(Range<usize>, Range<usize>)>;

/// Names and values of an object, as places in the body.
fn members(body: &[u8], span: &Range<usize>) -> Option<Members> {
    if body.get(span.start) != Some(&b'{') {
        return None;
    }
    json::members(body, span.start)
}

fn named(members: &Members, body: &[u8], wanted: &str) -> Option<Range<usize>> {
    members
        .iter()
        .rev()
        .find(|(name, _)| &body[name.clone()] == wanted.as_bytes())
        .map(|(_, value)| value.clone())
}

fn is_shared(name: &[u8]) -> bool {
    SHARED.iter().any(|shared| shared.as_bytes() == name)
}

/// Maps the schedule of one agent.
pub(crate) fn map(raw: &[u8]) -> Result<Outcome, ItemError> {
    const EXPECTED: &str = "the schedule of one agent";
    let value = tree(raw)?;
    let answer = Node::root(&value);
    if !answer.is_object() {
        return Err(ItemError::item(raw, "an answer with agentSchedules"));
    }
    let schedules = answer.list("agentSchedules")?;
    let [schedule] = &schedules[..] else {
        return Err(match schedules.len() {
            0 => ItemError::missing("agentSchedules", EXPECTED),
            more => ItemError::described("agentSchedules", format!("{more} schedules"), EXPECTED),
        });
    };
    let user = match schedule.object("user")? {
        Some(user) => user.name("id")?,
        None => schedule.name("userId")?,
    }
    .ok_or_else(|| ItemError::missing(schedule.at("user.id"), "the user's id"))?;
    let plan = Plan::read(&answer, schedule)?;
    let facts = plan.facts(schedule)?;
    let Some(first) = facts.iter().map(|fact| fact.at).min() else {
        return Ok(Outcome::Ignored {
            kind: "an agent without shifts".to_owned(),
        });
    };
    Ok(Outcome::Mapped(Mapped {
        event_id: EventId::new(&user),
        // When it was made: what it plans may lie months ahead, where the log keeps nothing.
        at: plan.revision.unwrap_or(first),
        digest: json::digest(raw),
        stated: Stated::Agent {
            agent: agent(&user),
            facts,
        },
    }))
}

/// What holds for all parts of a schedule.
struct Plan {
    revision: Option<UtcMicros>,
    zone: Option<Zone>,
    /// Codes and their categories.
    codes: Vec<(String, String)>,
}

impl Plan {
    fn read(answer: &Node<'_>, schedule: &Node<'_>) -> Result<Self, ItemError> {
        let modified = match schedule.object("metadata")? {
            Some(metadata) => metadata.instant("dateModified")?,
            None => None,
        };
        let fetched = answer.instant("fetchedAt")?;
        let zone = match answer.name("businessUnitTimeZone")? {
            Some(name) => Some(Zone::parse(&name).map_err(|_| {
                ItemError::new("businessUnitTimeZone", &name, "the name of a time zone")
            })?),
            None => None,
        };
        let mut codes = Vec::new();
        for entry in answer.list("activityCodes")? {
            // The list itself, or the answer of the call that gives it.
            let inner = entry.list("entities")?;
            for code in inner.iter().chain([&entry]) {
                if let (Some(id), Some(category)) = (code.name("id")?, code.name("category")?) {
                    codes.push((id, category));
                }
            }
        }
        Ok(Self {
            revision: modified.or(fetched),
            zone,
            codes,
        })
    }

    fn facts(&self, schedule: &Node<'_>) -> Result<Vec<AgentFact>, ItemError> {
        let mut shifts = Vec::new();
        for shift in schedule.list("shifts")? {
            shifts.push(self.shift(&shift)?);
        }
        let starts: Vec<UtcMicros> = shifts.iter().map(|shift| shift.start).collect();
        let mut facts = Vec::new();
        for shift in shifts {
            let places = shift.facts.len();
            facts.extend(shift.facts);
            if let (Some(end), Some(_)) = (shift.end, self.revision)
                && !starts.contains(&end)
            {
                let rest = places..PLACES;
                facts.extend(rest.map(|place| {
                    let key = FactKey::scheduled(&shift.id, place);
                    self.fact(key, end, None, CompactString::default())
                }));
            }
        }
        for marker in schedule.list("fullDayTimeOffMarkers")? {
            facts.extend(self.marker(&marker)?);
        }
        Ok(facts)
    }

    fn shift(&self, shift: &Node<'_>) -> Result<Shift, ItemError> {
        let start = start(shift)?;
        let id = shift.name("id")?.unwrap_or_else(|| start.0.to_string());
        let mut facts = Vec::new();
        for activity in &shift.list("activities")? {
            let at = self::start(activity)?;
            let length = length(activity)?
                .ok_or_else(|| ItemError::missing(activity.at("lengthMinutes"), MINUTES))?;
            // Would stand at the instant of the one behind it.
            if length == Millis::ZERO {
                continue;
            }
            let what = self.activity(activity)?.ok_or_else(|| {
                ItemError::missing(activity.at("activityCodeId"), "the activity's code")
            })?;
            let key = FactKey::scheduled(&id, facts.len());
            facts.push(self.fact(key, at, Some(at.plus(length)), what));
        }
        let end = length(shift)?
            .map(|length| start.plus(length))
            .max(facts.iter().filter_map(|fact| fact.until).max());
        Ok(Shift {
            id,
            start,
            end,
            facts,
        })
    }

    /// The fact of a day that is free as a whole.
    fn marker(&self, marker: &Node<'_>) -> Result<Option<AgentFact>, ItemError> {
        const EXPECTED: &str = "a date like 2024-05-15";
        let Some(zone) = self.zone else {
            return Ok(None);
        };
        let text = marker
            .name("businessUnitDate")?
            .ok_or_else(|| ItemError::missing(marker.at("businessUnitDate"), EXPECTED))?;
        let date: NaiveDate = text
            .parse()
            .map_err(|_| ItemError::new(marker.at("businessUnitDate"), &text, EXPECTED))?;
        let (from, to) = zone.day(date);
        let what = match self.activity(marker)? {
            // A code without its category would not tell that this is time off.
            Some(what) if !self.codes.is_empty() => what,
            _ => CompactString::const_new("time_off"),
        };
        let key = FactKey::scheduled(&text, 0);
        Ok((to > from).then(|| self.fact(key, UtcMicros(from), Some(UtcMicros(to)), what)))
    }

    /// What is scheduled: the category of the code, or the code.
    fn activity(&self, activity: &Node<'_>) -> Result<Option<CompactString>, ItemError> {
        let Some(code) = activity.name("activityCodeId")? else {
            return Ok(None);
        };
        let category = self
            .codes
            .iter()
            .find(|(id, _)| *id == code)
            .map(|(_, category)| state_name(category));
        Ok(Some(match category.as_deref() {
            Some("on_queue_work") => CompactString::const_new("on_queue"),
            Some("off_queue_work") => CompactString::const_new("off_queue"),
            Some(category) => CompactString::new(category),
            None => CompactString::new(code.to_lowercase()),
        }))
    }

    fn fact(
        &self,
        key: FactKey,
        at: UtcMicros,
        until: Option<UtcMicros>,
        what: CompactString,
    ) -> AgentFact {
        AgentFact {
            key,
            at,
            until,
            revision: self.revision,
            rank: SourceRank::SettledRecord,
            statement: AgentStatement {
                scheduled: Some(what),
                ..AgentStatement::default()
            },
        }
    }
}

/// One shift, read.
struct Shift {
    id: String,
    start: UtcMicros,
    end: Option<UtcMicros>,
    /// One a place.
    facts: Vec<AgentFact>,
}

/// What is said where minutes cannot be read.
const MINUTES: &str = "a number of minutes";

fn start(node: &Node<'_>) -> Result<UtcMicros, ItemError> {
    node.instant("startDate")?
        .ok_or_else(|| ItemError::missing(node.at("startDate"), instant::EXPECTED))
}

fn length(node: &Node<'_>) -> Result<Option<Millis>, ItemError> {
    for name in ["lengthMinutes", "lengthInMinutes"] {
        let found = node.get(name);
        match found.millis() {
            Ok(None) => {}
            Ok(Some(minutes)) if minutes >= 0 => {
                return Ok(Some(Millis(minutes.saturating_mul(60_000))));
            }
            _ => return Err(ItemError::new(node.at(name), &found.shown(), MINUTES)),
        }
    }
    Ok(None)
}
