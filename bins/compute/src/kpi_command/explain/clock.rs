//! What local time a rule counted in: the wall clock of the instants that it read, and the hours of the schedules that it asked. Pure.

use kpi::{Definition, Library, Step};
use schema::UtcMicros;
use std::fmt::Write as _;
use std::sync::Arc;
use timezone::{Schedule, Zone};

const MINUTE_MICROS: i64 = 60_000_000;

/// What rules ask for when they ask for local time.
const ASKING: [&str; 3] = ["inHours(", "businessTime(", "local"];

/// The clock of one evaluation, and the schedules of its definition.
#[derive(Debug)]
pub(super) struct Clock {
    zone: Zone,
    schedules: Vec<Used>,
}

/// A schedule under the name that expressions have for it.
#[derive(Debug)]
struct Used {
    /// `schedules.hours`.
    path: String,
    /// `eight_to_six@1`.
    label: String,
    schedule: Arc<Schedule>,
}

impl Clock {
    /// `zone`: the one that was resolved for the evaluation.
    pub(super) fn of(definition: &Definition, library: &Library, zone: &str) -> Option<Self> {
        let root: serde_json::Value = toml::from_str(definition.text()).unwrap_or_default();
        let schedules = root["schedules"].as_object().into_iter().flatten();
        Some(Self {
            zone: Zone::parse(zone).ok()?,
            schedules: schedules
                .filter_map(|(alias, label)| {
                    let label = label.as_str()?;
                    let (name, version) = label.split_once('@')?;
                    let schedule = library.schedule(name, version.parse().ok()?)?;
                    Some(Used {
                        path: format!("schedules.{alias}"),
                        label: label.to_owned(),
                        schedule: Arc::clone(schedule),
                    })
                })
                .collect(),
        })
    }

    /// What there is to say beside the inputs of a rule: of each instant its local time, of each schedule its hours around it.
    pub(super) fn notes(&self, step: &Step) -> Vec<(String, String)> {
        if !ASKING.iter().any(|word| step.text.contains(word)) {
            return Vec::new();
        }
        let instants = step
            .inputs
            .iter()
            .filter_map(|(path, value)| Some((path, adapter::instant::parse(value)?)));
        let asked: Vec<&Used> = self
            .schedules
            .iter()
            .filter(|used| mentions(&step.text, &used.path))
            .collect();
        let mut notes = Vec::new();
        for (path, at) in instants {
            notes.push((path.clone(), self.wall_clock(at)));
            for used in &asked {
                notes.push((used.path.clone(), self.hours(used, at)));
            }
        }
        notes
    }

    /// `Fri 2024-05-17 21:25:36 -06:00`.
    fn wall_clock(&self, at: UtcMicros) -> String {
        let local = self.zone.local(at.0);
        format!(
            "{} {}",
            local.date.format("%a %Y-%m-%d"),
            time(self.zone, at)
        )
    }

    /// `eight_to_six@1 is closed then; Fri 2024-05-17: open 08:00–18:00`, and whether that day is unlike the same weekday around it.
    fn hours(&self, used: &Used, at: UtcMicros) -> String {
        let date = self.zone.local(at.0).date;
        let state = if used.schedule.contains(self.zone, at.0) {
            "open"
        } else {
            "closed"
        };
        let on = |date| spans(&used.schedule, self.zone, self.zone.day(date));
        let hours = on(date);
        let mut text = format!(
            "{} is {state} then; {}: {hours}",
            used.label,
            date.format("%a %Y-%m-%d")
        );
        // Seven dates, not seven times 24 hours.
        let before = (0..7).try_fold(date, |date, _| date.pred_opt()).map(on);
        let after = (0..7).try_fold(date, |date, _| date.succ_opt()).map(on);
        if let (Some(before), Some(after)) = (before, after)
            && before == after
            && before != hours
        {
            // Writing to a string cannot fail.
            write!(
                text,
                " (a holiday or an exception: a week before and after {before})"
            )
            .ok();
        }
        text
    }
}

/// `21:25:36 -06:00`.
pub(super) fn time(zone: Zone, at: UtcMicros) -> String {
    let local = zone.local(at.0);
    let minutes = local.offset_seconds.abs() / 60;
    let sign = if local.offset_seconds < 0 { '-' } else { '+' };
    format!(
        "{:02}:{:02}:{:02} {sign}{:02}:{:02}",
        local.hour,
        local.minute,
        local.second,
        minutes / 60,
        minutes % 60
    )
}

/// Whether the text has the path, and not only a longer one that begins like it.
fn mentions(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let behind = text.get(at + path.len()..).unwrap_or_default();
        !behind.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_')
    })
}

/// When the schedule is open on one date, by its wall clock: `open 08:00–12:00, 13:00–18:00`, `closed`. Hours begin and end with minutes.
fn spans(schedule: &Schedule, zone: Zone, (begin, end): (i64, i64)) -> String {
    let wall_clock = |at: i64| {
        let local = zone.local(at);
        format!("{:02}:{:02}", local.hour, local.minute)
    };
    let mut spans: Vec<String> = Vec::new();
    let mut opened = None;
    let mut at = begin;
    while at < end {
        match (schedule.contains(zone, at), opened) {
            (true, None) => opened = Some(at),
            (false, Some(open)) => {
                spans.push(format!("{}–{}", wall_clock(open), wall_clock(at)));
                opened = None;
            }
            _ => {}
        }
        at += MINUTE_MICROS;
    }
    if let Some(open) = opened {
        spans.push(format!("{}–24:00", wall_clock(open)));
    }
    if spans.is_empty() {
        return "closed".to_owned();
    }
    format!("open {}", spans.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICE: &str = "schedule = \"office\"\nversion = 3\n[weekly]\nweekdays = [\"08:00-12:00\", \"13:00-18:00\"]\n\
                          friday = [\"22:00-06:00\"]\n[[holiday]]\ndate = 2024-05-15\nname = \"A day off\"\n";

    fn clock(zone: &str) -> Clock {
        let library = Library::shipped().with([Schedule::read(OFFICE).unwrap()], None);
        let text = "name = 'x'\nversion = 1\nunit = 'share'\npriority = 'normal'\nscope = 'interaction'\ndescription = 'x'\n\
                    source = 'x'\naggregations = ['mean']\nvalue = 'inHours(interaction.started_at, schedules.hours)'\n\
                    [schedules]\nhours = 'office@3'\n";
        let definition = Definition::read("x.toml", text, &library).unwrap();
        Clock::of(&definition, &library, zone).unwrap()
    }

    fn notes(zone: &str, at: &str, text: &str) -> Vec<String> {
        let step = Step {
            rule: "value".to_owned(),
            text: text.to_owned(),
            result: "true".to_owned(),
            inputs: vec![
                ("interaction.started_at".to_owned(), at.to_owned()),
                ("interaction.queue".to_owned(), "sales".to_owned()),
            ],
        };
        clock(zone)
            .notes(&step)
            .into_iter()
            .map(|(path, text)| format!("{path} = {text}"))
            .collect()
    }

    const IN_HOURS: &str = "inHours(interaction.started_at, schedules.hours)";

    #[test]
    fn an_instant_has_its_local_time_and_a_schedule_its_hours_on_that_day() {
        assert_eq!(
            notes("America/Denver", "2024-05-17T03:25:36Z", IN_HOURS),
            [
                "interaction.started_at = Thu 2024-05-16 21:25:36 -06:00",
                "schedules.hours = office@3 is closed then; Thu 2024-05-16: open 08:00–12:00, 13:00–18:00",
            ]
        );
        assert!(
            notes("America/Denver", "2024-05-16T15:00:00Z", IN_HOURS)[1]
                .starts_with("schedules.hours = office@3 is open then; ")
        );
    }

    #[test]
    fn a_night_that_began_the_day_before_is_in_the_hours_of_the_day() {
        let told = notes("Europe/Berlin", "2024-05-18T03:00:00Z", IN_HOURS);
        assert_eq!(
            told[1],
            "schedules.hours = office@3 is open then; Sat 2024-05-18: open 00:00–06:00"
        );
        let told = notes("Europe/Berlin", "2024-05-17T21:00:00Z", IN_HOURS);
        assert!(
            told[1].ends_with("Fri 2024-05-17: open 22:00–24:00"),
            "{told:?}"
        );
    }

    #[test]
    fn a_day_unlike_the_same_weekday_around_it_is_told() {
        let told = notes("Europe/Berlin", "2024-05-15T10:00:00Z", IN_HOURS);
        assert_eq!(
            told[1],
            "schedules.hours = office@3 is closed then; Wed 2024-05-15: closed \
             (a holiday or an exception: a week before and after open 08:00–12:00, 13:00–18:00)"
        );
    }

    #[test]
    fn rules_that_ask_for_no_local_time_have_nothing_beside_them() {
        let at = "2024-05-15T10:00:00Z";
        assert!(notes("UTC", at, "interaction.queue == 'sales'").is_empty());
        assert_eq!(
            notes("UTC", at, "localHour(interaction.started_at) == 7"),
            ["interaction.started_at = Wed 2024-05-15 10:00:00 +00:00"]
        );
        assert!(!mentions("schedules.hours_of_night", "schedules.hours"));
    }
}
