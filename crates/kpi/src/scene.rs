//! What an expression is evaluated on: one interaction, one leg of it, or a contact among its customer's others, seen through
//! one definition.

use crate::fields::{InteractionField, JourneyField, LegField};
use crate::functions::{Function, STATES};
use crate::journey::Among;
use crate::record::{Record, ZoneRule};
use crate::texts::Texts;
use crate::words::{Kinds, WORDS};
use chrono::Datelike as _;
use compact_str::format_compact;
use expression::{Failure, FunctionId, Host, Missing, Object, Run, Value};
use schema::{DurationKind, Millis, State};
use session::DurationFact;
use std::cell::OnceCell;
use std::sync::Arc;
use timezone::{Local, Places, Resolved, Schedule, Zone};

/// A leg's index among the host's objects is the interaction's, shifted by this, and its own place. A session holds 2000 facts and
/// so fewer legs than that.
const LEG_BITS: u32 = 16;

/// What the wall clock at an instant costs, with a text made of it.
const CLOCK_STEPS: u32 = 32;

/// What a day of business time costs.
const DAY_STEPS: u32 = 4;

/// The host of a definition's expressions.
#[derive(Debug)]
pub(crate) struct Scene<'s, 'a> {
    /// The interaction that the definition is evaluated for.
    own: &'s Record<'a>,
    /// How that stands among the others, in a journey.
    among: Option<&'s Among>,
    /// The others, itself included, and the places among them of those of its chain.
    records: &'s [Record<'a>],
    chain: &'s [usize],
    /// The leg that the definition is evaluated for.
    leg: Option<usize>,
    schedules: &'s [Arc<Schedule>],
    zone_rule: &'s ZoneRule,
    usual_zone: bool,
    places: &'s Places,
    zone: OnceCell<Resolved<'a>>,
    texts: Texts,
    kinds: Kinds,
}

impl<'s, 'a> Scene<'s, 'a> {
    pub(crate) fn new(
        record: &'s Record<'a>,
        leg: Option<usize>,
        definition: &'s crate::Definition,
        places: &'s Places,
    ) -> Self {
        Self {
            own: record,
            among: None,
            records: &[],
            chain: &[],
            leg,
            schedules: definition.schedules_used(),
            zone_rule: definition.zone_rule(),
            usual_zone: definition.has_usual_zone(),
            places,
            zone: OnceCell::new(),
            texts: Texts::default(),
            kinds: WORDS.kinds,
        }
    }

    /// The scene of a contact, by its place among the records, that stands so among the others and has this chain.
    pub(crate) fn among(
        records: &'s [Record<'a>],
        own: usize,
        (among, chain): (&'s Among, &'s [usize]),
        definition: &'s crate::Definition,
        places: &'s Places,
    ) -> Option<Self> {
        let scene = Self::new(records.get(own)?, None, definition, places);
        Some(Self {
            among: Some(among),
            records,
            chain,
            ..scene
        })
    }

    /// Whether a contact that counts followed, as it may within a journey.
    pub(crate) fn is_repeated(&self) -> bool {
        self.among.is_some_and(|among| among.until_next.is_some())
    }

    /// The zone that holds for the subject.
    pub(crate) fn zone(&self) -> &Resolved<'a> {
        self.zone.get_or_init(|| {
            let record = self.own;
            record.zone(self.zone_rule, self.usual_zone, self.leg, self.places)
        })
    }

    /// The zone, where any rule asked for it.
    pub(crate) fn zone_asked_for(&self) -> Option<&Resolved<'a>> {
        self.zone.get()
    }

    /// The disposition of the subject.
    pub(crate) fn disposition(&self) -> Option<&'a str> {
        match self.leg {
            Some(place) => self.own.legs().get(place)?.disposition,
            None => self.own.disposition(),
        }
    }

    /// The interaction that expressions know by this index: 0 is the one that the definition is evaluated for, then come those of its
    /// chain.
    fn record(&self, index: u32) -> Option<&'s Record<'a>> {
        let Some(behind) = index.checked_sub(1) else {
            return Some(self.own);
        };
        let place = *self.chain.get(usize::try_from(behind).ok()?)?;
        self.records.get(place)
    }

    /// The interaction and the place of a leg.
    fn leg(&self, object: Object) -> Option<(&'s Record<'a>, usize)> {
        if object.index == OWN_LEG {
            return Some((self.own, self.leg?));
        }
        let place = usize::try_from(object.index & ((1 << LEG_BITS) - 1)).ok()?;
        Some((self.record(object.index >> LEG_BITS)?, place))
    }

    fn local(&self, arguments: &[Value<'_>]) -> Result<Local, Failure> {
        let zone = match arguments.get(1) {
            Some(Value::Str(name)) => {
                Zone::parse(name).map_err(|error| Failure::Host(error.to_string()))?
            }
            _ => self.zone().zone,
        };
        Ok(zone.local(timestamp(arguments.first())?))
    }

    fn text(&self, text: std::fmt::Arguments<'_>) -> Result<Value<'_>, Failure> {
        let kept = self.texts.keep(format_compact!("{text}"));
        kept.map(Value::Str).ok_or(Failure::TooMuchWork)
    }

    fn schedule(&self, handle: Option<&Value<'_>>) -> Result<&'s Schedule, Failure> {
        match handle {
            Some(Value::Handle(index)) => usize::try_from(*index)
                .ok()
                .and_then(|index| self.schedules.get(index))
                .map(Arc::as_ref)
                .ok_or_else(|| broken("there is no such schedule")),
            _ => Err(broken("a schedule was expected")),
        }
    }

    /// What a function's work is worth in steps of an expression, some 5 ns each. It depends on what is asked of which facts and never
    /// on what is cached, for who is refused must not depend on who asked before.
    fn cost(&self, function: Function, arguments: &[Value<'_>]) -> u32 {
        match function {
            Function::InHours
            | Function::LocalHour
            | Function::LocalMinute
            | Function::LocalWeekday
            | Function::LocalDay
            | Function::LocalWeek
            | Function::LocalMonth => CLOCK_STEPS,
            // Changes of clock and hours are crossed one by one; at worst each day has its own hours.
            Function::BusinessTime => {
                let at = |place: usize| match arguments.get(place) {
                    Some(Value::Timestamp(micros)) => *micros,
                    _ => 0,
                };
                let days = at(1).saturating_sub(at(0)).max(0) / 86_400_000_000;
                let days = u32::try_from(days).unwrap_or(u32::MAX);
                CLOCK_STEPS.saturating_add(days.saturating_mul(DAY_STEPS))
            }
            Function::StateTime => self.own.fact_count(),
            Function::AgentTime => {
                let legs = self.own.legs().len();
                u32::try_from(legs).unwrap_or(u32::MAX).saturating_mul(4)
            }
        }
    }

    fn journey(&self, field: JourneyField) -> Result<Value<'_>, Missing> {
        use JourneyField as F;
        let among = self.among.ok_or(Missing::NotStated)?;
        let count = |count: usize| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
        let time = |time: Option<Millis>| {
            let Millis(millis) = time.ok_or(Missing::NotStated)?;
            Ok(Value::Duration(millis))
        };
        match field {
            F::Contacts => Ok(count(among.contacts)),
            F::Position => Ok(count(among.position)),
            F::First => Ok(Value::Bool(among.position == 1)),
            F::SincePrevious => time(among.since_previous),
            F::UntilNext => time(among.until_next),
            F::Repeated => Ok(Value::Bool(among.until_next.is_some())),
            F::Interactions => Err(Missing::NotStated),
        }
    }
}

/// The index by which expressions know the leg that they are evaluated for; no leg in a list has it.
pub(crate) const OWN_LEG: u32 = u32::MAX;

fn broken(what: &str) -> Failure {
    Failure::Host(what.to_owned())
}

fn timestamp(value: Option<&Value<'_>>) -> Result<i64, Failure> {
    match value {
        Some(Value::Timestamp(micros)) => Ok(*micros),
        _ => Err(broken("an instant was expected")),
    }
}

fn chosen(value: Option<&Value<'_>>) -> Result<usize, Failure> {
    match value {
        Some(Value::Handle(index)) => {
            usize::try_from(*index).map_err(|_| broken("there is no such choice"))
        }
        _ => Err(broken("a choice was expected")),
    }
}

impl Host for Scene<'_, '_> {
    fn field(&self, of: Object, field: u16) -> Result<Value<'_>, Missing> {
        if of.of == self.kinds.interaction {
            let record = self.record(of.index).ok_or(Missing::NotStated)?;
            return record.field(InteractionField::from_id(field).ok_or(Missing::NotStated)?);
        }
        if of.of == self.kinds.leg {
            let (record, place) = self.leg(of).ok_or(Missing::NotStated)?;
            return record.leg_field(place, LegField::from_id(field).ok_or(Missing::NotStated)?);
        }
        self.journey(JourneyField::from_id(field).ok_or(Missing::NotStated)?)
    }

    fn list_len(&self, of: Object, field: u16) -> usize {
        if of.of == self.kinds.interaction {
            let Some(record) = self.record(of.index) else {
                return 0;
            };
            return match InteractionField::from_id(field) {
                Some(InteractionField::Legs) => record.legs().len().min(1 << LEG_BITS),
                Some(InteractionField::Dispositions) => record.dispositions().len(),
                _ => 0,
            };
        }
        match JourneyField::from_id(field) {
            Some(JourneyField::Interactions) if of.of == self.kinds.journey => {
                // The indexes of all of them, behind the 0, have to find room above the legs' bits.
                self.chain.len().min((1 << LEG_BITS) - 1)
            }
            _ => 0,
        }
    }

    fn list_item(&self, of: Object, field: u16, index: usize) -> Value<'_> {
        let place = u32::try_from(index).unwrap_or(u32::MAX);
        if of.of == self.kinds.journey {
            return Value::Object(Object {
                of: self.kinds.interaction,
                index: place.saturating_add(1),
            });
        }
        if InteractionField::from_id(field) == Some(InteractionField::Dispositions) {
            let record = self.record(of.index);
            let stated = record.and_then(|record| record.dispositions().get(index));
            return Value::Str(stated.copied().unwrap_or_default());
        }
        Value::Object(Object {
            of: self.kinds.leg,
            index: (of.index << LEG_BITS) | place,
        })
    }

    fn call(
        &self,
        function: FunctionId,
        arguments: &[Value<'_>],
        run: &mut Run,
    ) -> Result<Value<'_>, Failure> {
        let function =
            Function::from_id(function).ok_or_else(|| broken("there is no such function"))?;
        run.spend(self.cost(function, arguments))?;
        match function {
            Function::InHours => {
                let schedule = self.schedule(arguments.get(1))?;
                let at = timestamp(arguments.first())?;
                Ok(Value::Bool(schedule.contains(self.zone().zone, at)))
            }
            Function::BusinessTime => {
                let schedule = self.schedule(arguments.get(2))?;
                let from = timestamp(arguments.first())?;
                let to = timestamp(arguments.get(1))?;
                let micros = schedule.business_micros(self.zone().zone, from, to);
                Ok(Value::Duration(micros.div_euclid(1000)))
            }
            Function::StateTime => {
                let name = STATES.get(chosen(arguments.first())?);
                let name = name.ok_or_else(|| broken("there is no such state"))?;
                let lasted = self
                    .own
                    .subject()
                    .timeline
                    .state_time(&State::from_name(name));
                match lasted {
                    DurationFact::Stated(Millis(millis)) => Ok(Value::Duration(millis)),
                    DurationFact::Implausible(Millis(millis)) => {
                        Err(Failure::Implausible { millis })
                    }
                }
            }
            Function::AgentTime => {
                let Some(Value::Str(agent)) = arguments.first() else {
                    return Err(broken("an agent's id was expected"));
                };
                let place = chosen(arguments.get(1))?;
                let kind = DurationKind::ALL.get(place);
                let kind = kind.ok_or_else(|| broken("there is no such duration"))?;
                match self.own.agent_time(agent, *kind) {
                    Ok(Some(millis)) => Ok(Value::Duration(millis)),
                    Ok(None) | Err(Missing::NotStated) => Err(Failure::NotStated {
                        object: Object {
                            of: self.kinds.interaction,
                            index: 0,
                        },
                        field: InteractionField::of_duration(*kind) as u16,
                    }),
                    Err(Missing::Implausible(millis)) => Err(Failure::Implausible { millis }),
                }
            }
            Function::LocalHour => Ok(Value::Int(
                (self.local(arguments)?.minute_of_day() / 60).into(),
            )),
            Function::LocalMinute => Ok(Value::Int(self.local(arguments)?.minute_of_day().into())),
            Function::LocalWeekday => {
                let weekday = self.local(arguments)?.date.weekday();
                Ok(Value::Int(weekday.number_from_monday().into()))
            }
            Function::LocalDay => {
                let date = self.local(arguments)?.date;
                let (year, month, day) = (date.year(), date.month(), date.day());
                self.text(format_args!("{year:04}-{month:02}-{day:02}"))
            }
            Function::LocalWeek => {
                let week = self.local(arguments)?.date.iso_week();
                self.text(format_args!("{:04}-W{:02}", week.year(), week.week()))
            }
            Function::LocalMonth => {
                let date = self.local(arguments)?.date;
                self.text(format_args!("{:04}-{:02}", date.year(), date.month()))
            }
        }
    }
}
