//! Genesys' own figures of agents' and queues' days: sums over conversations and over users' statuses.
//!
//! They are not history: nothing goes into the line. They are written where the comparison finds them.

use super::zone_days::{Clocks, Cursor, ZoneDay, write};
use super::{Ask, Fault, Step};
use crate::platforms::Kind;
use platform::history::genesys::{Aggregate, Aggregates, Genesys};
use reconcile::Measure;
use std::collections::BTreeMap;
use store::reconciliation::figures::FigureRow;
use timezone::Zone;

/// Of agents and of queues. Their counts say how many of each there are, their sums how long they took [notes 3.2, 3.3].
const CONVERSATIONS: [&str; 9] = [
    "nOffered",
    "tAnswered",
    "tAbandon",
    "tHandle",
    "tTalkComplete",
    "tHeldComplete",
    "tAcw",
    "tDialing",
    "tContacting",
];
const USERS: &str = "tSystemPresence";
/// The presences in which a user is not signed in, and the one in which contacts are routed to them [notes 7].
const OFFLINE: &str = "OFFLINE";
const ON_QUEUE: &str = "ON_QUEUE";

/// One step: a day of one zone.
pub(super) async fn step(ask: &Ask<'_>, cursor: Option<&str>) -> Result<Step, Fault> {
    let mut cursor: Cursor = super::read(cursor)?;
    let Kind::Genesys(settings) = &ask.platform.kind else {
        return Err(Fault::refused("the platform is not Genesys Cloud"));
    };
    let usual = ask.platform.settlement.as_ref();
    let clocks = Clocks::of(ask, usual.map_or(Zone::UTC, |settlement| settlement.zone)).await?;
    let days = cursor
        .days
        .get_or_insert_with(|| clocks.days(ask.chunk.from, ask.chunk.to));
    let Some(day) = days.first().cloned() else {
        return Ok(Step::Done { expected: None });
    };
    if let Some(wait) = day.wait(settings.query_lag, ask.now) {
        return Ok(Step::Wait {
            cursor: Some(super::kept(&cursor)?),
            wait,
            reason: "data",
        });
    }
    let genesys = ask.genesys().await?;
    let agents = ask
        .answer(genesys.aggregates(asked(&day, "userId", &CONVERSATIONS)))
        .await?;
    let queues = ask
        .answer(genesys.aggregates(asked(&day, "queueId", &CONVERSATIONS)))
        .await?;
    let presences = statuses(ask, &genesys, &day).await?;
    let mut rows = Vec::new();
    for (agent, sums) in by_group(&agents, "userId") {
        if clocks.has_agent(&agent, &day.zone) {
            rows.extend(conversations(&day, (&agent, ""), &sums));
        }
    }
    for (queue, sums) in by_group(&queues, "queueId") {
        if clocks.has_queue(&queue, &day.zone) {
            rows.extend(conversations(&day, ("", &queue), &sums));
        }
    }
    for (agent, (logged_in, on_queue)) in presences {
        if clocks.has_agent(&agent, &day.zone) {
            let of = |measure, value| day.figure(measure, (&agent, ""), value, None);
            rows.push(of(Measure::LoggedIn, logged_in));
            rows.push(of(Measure::OnQueue, on_queue));
        }
    }
    write(ask, &rows).await?;
    days.remove(0);
    Ok(Step::Moved(super::kept(&cursor)?))
}

fn asked<'a>(day: &ZoneDay, group: &'a str, metrics: &'a [&'a str]) -> Aggregates<'a> {
    Aggregates {
        from: day.from,
        to: day.to,
        // The day is one part, whatever its length.
        granularity: None,
        zone: None,
        group_by: match group {
            "queueId" => &["queueId"],
            _ => &["userId"],
        },
        metrics,
        filter: None,
    }
}

/// How long each user was signed in, and on queue, in milliseconds.
async fn statuses(
    ask: &Ask<'_>,
    genesys: &Genesys,
    day: &ZoneDay,
) -> Result<BTreeMap<String, (i64, i64)>, Fault> {
    let found = ask
        .answer(genesys.user_aggregates(asked(day, "userId", &[USERS])))
        .await?;
    let mut times: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for one in found.iter().filter(|one| one.metric == USERS) {
        let (Some(user), Some(status)) = (one.group.get("userId"), &one.qualifier) else {
            continue;
        };
        let sum = whole(one.stats.sum);
        let (logged_in, on_queue) = times.entry(user.clone()).or_default();
        if !status.eq_ignore_ascii_case(OFFLINE) {
            *logged_in = logged_in.saturating_add(sum);
        }
        if status.eq_ignore_ascii_case(ON_QUEUE) {
            *on_queue = on_queue.saturating_add(sum);
        }
    }
    Ok(times)
}

/// Count and sum of each metric of each group, whatever other dimensions they come in.
type Sums = BTreeMap<String, (i64, i64)>;

fn by_group(found: &[Aggregate], dimension: &str) -> BTreeMap<String, Sums> {
    let mut groups: BTreeMap<String, Sums> = BTreeMap::new();
    for one in found {
        // What belongs to no queue, or to no agent.
        let Some(name) = one.group.get(dimension).filter(|name| !name.is_empty()) else {
            continue;
        };
        let sums = groups.entry(name.clone()).or_default();
        let (count, sum) = sums.entry(one.metric.clone()).or_default();
        *count = count.saturating_add(whole(one.stats.count));
        *sum = sum.saturating_add(whole(one.stats.sum));
    }
    groups
}

fn conversations(day: &ZoneDay, subject: (&str, &str), sums: &Sums) -> Vec<FigureRow> {
    let mut rows = Vec::new();
    let of = |name: &str| sums.get(name).copied();
    let counts = [
        ("nOffered", Measure::Offered),
        ("tAnswered", Measure::Answered),
        ("tAbandon", Measure::Abandoned),
        ("tHandle", Measure::Handled),
    ];
    for (name, measure) in counts {
        if let Some((count, _)) = of(name) {
            rows.push(day.figure(measure, subject, count, None));
        }
    }
    let times = [
        ("tHandle", Measure::Handle),
        ("tTalkComplete", Measure::Talk),
        ("tHeldComplete", Measure::Hold),
        ("tAcw", Measure::Wrap),
        ("tDialing", Measure::Dial),
        ("tContacting", Measure::Contact),
    ];
    for (name, measure) in times {
        if let Some((count, sum)) = of(name) {
            rows.push(day.figure(measure, subject, sum, Some(count)));
        }
    }
    rows
}

/// A count or a sum, which the platform's answers write as a decimal number.
#[allow(clippy::cast_possible_truncation)] // milliseconds of a day of everybody are far below 2^53
fn whole(number: Option<f64>) -> i64 {
    number.unwrap_or_default().round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::history::genesys::Stats;
    use schema::UtcMicros;

    fn one(user: &str, media: &str, metric: &str, count: f64, sum: f64) -> Aggregate {
        let group = [("userId", user), ("mediaType", media)];
        Aggregate {
            group: group
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            from: UtcMicros(0),
            to: UtcMicros(1),
            metric: metric.to_owned(),
            qualifier: None,
            stats: Stats {
                count: Some(count),
                sum: Some(sum),
                ..Stats::default()
            },
        }
    }

    #[test]
    fn sums_of_a_group_add_up_over_everything_else() {
        let found = [
            one("u", "voice", "tHandle", 3.0, 87_000.0),
            one("u", "chat", "tHandle", 1.0, 13_000.0),
            one("", "voice", "tHandle", 9.0, 9.0),
        ];
        let groups = by_group(&found, "userId");
        assert_eq!(groups.len(), 1);
        let day = ZoneDay {
            zone: "UTC".to_owned(),
            from: UtcMicros(0),
            to: UtcMicros(1),
        };
        let rows = conversations(&day, ("u", ""), &groups["u"]);
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (row.measure.as_str(), row.value, row.items))
            .collect();
        assert_eq!(seen, [("handled", 4, None), ("handle", 100_000, Some(4))]);
    }
}
