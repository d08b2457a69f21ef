//! One call: what happens in it, and what is awkward about it.

use crate::random::Random;
use chrono::{NaiveDate, TimeZone};
use chrono_tz::Tz;

pub(super) const ZONES: [&str; 16] = [
    "America/New_York",
    "America/Chicago",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Europe/London",
    "Europe/Berlin",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Manila",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
];

/// First days of the three-day stretches in which calls begin: clocks change or months end in each.
const STRETCHES: [(i32, u32, u32); 6] = [
    (2024, 3, 9),   // North America forward
    (2024, 3, 30),  // Europe forward, and March ends
    (2024, 10, 26), // Europe back
    (2024, 10, 31), // October ends
    (2024, 11, 2),  // North America back
    (2025, 4, 4),   // Lord Howe and Chatham back
];

/// Agents whose events name no zone.
const NAMELESS_ZONE_EACH: u32 = 61;

/// One event before it is written.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) call: usize,
    pub(super) ordinal: usize,
    pub(super) queue: i64,
    pub(super) customer: i64,
    /// By the platform's clock, milliseconds since 1970.
    pub(super) at: i64,
    /// When it reaches us.
    pub(super) arrives: i64,
    pub(super) kind: &'static str,
    pub(super) state: &'static str,
    pub(super) agent: Option<u32>,
    pub(super) disposition: Option<&'static str>,
    pub(super) talk: Option<i64>,
    pub(super) hold: Option<i64>,
    pub(super) wrap: Option<i64>,
    pub(super) wait: Option<i64>,
    pub(super) updated_at: Option<i64>,
    /// How the timestamp is written.
    pub(super) notation: Notation,
}

/// Ways of writing one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// Milliseconds and `Z`.
    Millis,
    /// Whole seconds and `Z`, where the instant allows it.
    Short,
    /// Six decimals and `Z`.
    Micros,
    /// Milliseconds and an offset.
    Offset,
}

/// The zone an agent names.
pub(super) fn zone_of(agent: u32) -> Option<&'static str> {
    (!agent.is_multiple_of(NAMELESS_ZONE_EACH)).then(|| ZONES[agent as usize % ZONES.len()])
}

struct Draft<'r> {
    random: &'r mut Random,
    blank: Event,
    events: Vec<Event>,
    now: i64,
}

impl Draft<'_> {
    fn pass(&mut self, from_ms: i64, to_ms: i64) {
        self.now += self.random.between(from_ms, to_ms);
    }

    fn emit(&mut self, kind: &'static str, state: &'static str) -> &mut Event {
        self.events.push(Event {
            at: self.now,
            ordinal: self.events.len(),
            kind,
            state,
            ..self.blank.clone()
        });
        let last = self.events.len() - 1;
        &mut self.events[last]
    }
}

/// The events of the call with this number.
pub(super) fn call(random: &mut Random, number: usize) -> Vec<Event> {
    let agent = agent(random);
    let now = start(random, agent);
    let blank = Event {
        call: number,
        ordinal: 0,
        queue: random.between(0, 40),
        customer: random.between(0, 50_000),
        at: now,
        arrives: now,
        kind: "",
        state: "",
        agent: None,
        disposition: None,
        talk: None,
        hold: None,
        wrap: None,
        wait: None,
        updated_at: None,
        notation: Notation::Millis,
    };
    let mut draft = Draft {
        random,
        blank,
        events: Vec::new(),
        now,
    };
    draft.emit("offered", "offered");
    draft.pass(200, 4_000);
    draft.emit("queued", "queued");
    let wait = draft.random.between(0, 90_000);
    draft.now += wait;
    match draft.random.between(0, 100) {
        0..8 => draft.emit("ended", "abandoned").wait = Some(wait),
        8..15 => self_service(&mut draft, wait),
        15..21 => missed(&mut draft, wait),
        _ => answered(&mut draft, agent, wait),
    }
    let Draft {
        random, mut events, ..
    } = draft;
    spoil(random, &mut events);
    deliver(random, &mut events);
    events
}

fn agent(random: &mut Random) -> u32 {
    u32::try_from(random.between(0, 1_000)).unwrap_or(0)
}

/// When the call begins: somewhere in a stretch, or within a millisecond of an edge of the agent's business hours.
fn start(random: &mut Random, agent: u32) -> i64 {
    let (year, month, day) = *random.pick(&STRETCHES);
    let Some(first) = NaiveDate::from_ymd_opt(year, month, day) else {
        return 0;
    };
    let midnight = first.and_hms_opt(0, 0, 0).unwrap_or_default();
    let within = random.between(0, 3 * 86_400_000);
    if random.chance(0.8) {
        return midnight.and_utc().timestamp_millis() + within;
    }
    let hours = *random.pick(&[8, 18]);
    let day = chrono::Days::new(u64::try_from(within / 86_400_000).unwrap_or(0));
    let edge = (first + day).and_hms_opt(hours, 0, 0).unwrap_or_default();
    let zone: Tz = zone_of(agent)
        .and_then(|zone| zone.parse().ok())
        .unwrap_or(Tz::UTC);
    // Clocks change at night, so the edge is there, and once.
    let edge = zone.from_local_datetime(&edge).earliest();
    edge.map_or(0, |edge| edge.timestamp_millis()) + random.between(-1, 2)
}

fn self_service(draft: &mut Draft<'_>, wait: i64) {
    let ended = draft.emit("ended", "completed");
    ended.talk = Some(0);
    ended.wait = Some(wait);
    ended.disposition = Some("IVR_SELF_SERVICE");
}

fn missed(draft: &mut Draft<'_>, wait: i64) {
    for _ in 0..draft.random.between(1, 4) {
        let ringing = agent(draft.random);
        draft.emit("alerting", "alerting").agent = Some(ringing);
        draft.pass(10_000, 30_000);
    }
    draft.emit("ended", "missed").wait = Some(wait);
}

fn answered(draft: &mut Draft<'_>, first: u32, wait: i64) {
    if draft.random.chance(0.06) {
        // Rings at another agent in vain: that agent takes no part, and it is not that agent's zone which counts.
        let deaf = agent(draft.random);
        draft.emit("alerting", "alerting").agent = Some(deaf);
        draft.pass(10_000, 30_000);
    }
    let mut agent_now = first;
    let connected = draft.emit("connected", "connected");
    connected.agent = Some(first);
    connected.wait = Some(wait);
    let (mut talk, mut hold) = (0, 0);
    let legs = match draft.random.between(0, 100) {
        0..65 => 1,
        65..90 => 2,
        _ => 3,
    };
    for leg in 0..legs {
        let talked = draft.random.between(15_000, 600_000);
        draft.now += talked / 2;
        if draft.random.chance(0.35) {
            let held = draft.random.between(5_000, 120_000);
            hold += held;
            let event = draft.emit("held", "held");
            event.hold = Some(hold);
            event.agent = Some(agent_now);
            draft.now += held;
        }
        draft.now += talked - talked / 2;
        talk += talked;
        if leg + 1 < legs {
            let disposition =
                *draft
                    .random
                    .pick(&["TRANSFER", "TRANSFER", "IVR_TRANSFER_EXTERNAL"]);
            let event = draft.emit("transferred", "transferred");
            event.talk = Some(talk);
            event.agent = Some(agent_now);
            event.disposition = Some(disposition);
            agent_now = agent(draft.random);
            draft.pass(0, 5_000);
            if draft.random.chance(0.7) {
                draft.emit("connected", "connected").agent = Some(agent_now);
            }
        }
    }
    if draft.random.chance(0.04) {
        return; // the end never comes
    }
    let dispositions = [
        "RESOLVED",
        "RESOLVED",
        "CALLBACK",
        "ESCALATED",
        "IVR_TRANSFER_EXTERNAL",
    ];
    let disposition = *draft.random.pick(&dispositions);
    let states_it = draft.random.chance(0.9);
    let ended = draft.emit("ended", "completed");
    ended.talk = Some(talk);
    ended.hold = Some(hold);
    ended.wait = Some(wait);
    ended.agent = Some(agent_now);
    ended.disposition = states_it.then_some(disposition);
    let wrap = draft.random.between(3_000, 120_000);
    draft.now += wrap;
    if draft.random.chance(0.85) {
        let wrapped = draft.emit("wrapped_up", "wrapped_up");
        wrapped.wrap = Some(wrap);
        wrapped.agent = Some(agent_now);
    }
}

/// Makes a good call awkward.
fn spoil(random: &mut Random, events: &mut Vec<Event>) {
    let ordinal = events.len();
    let ended = events
        .iter()
        .rfind(|it| it.talk.is_some_and(|talk| talk > 0))
        .cloned();
    if let Some(ended) = ended
        && random.chance(0.12)
    {
        // A later statement takes time away, and at times the disposition with it.
        let talk = ended.talk.map(|talk| talk - random.between(1, talk.max(2)));
        events.push(Event {
            at: ended.at + random.between(0, 7_200_000),
            ordinal,
            kind: "corrected",
            state: "corrected",
            talk,
            disposition: random.chance(0.3).then_some("RESOLVED"),
            wait: None,
            hold: None,
            ..ended
        });
    }
    if random.chance(0.08) {
        // All in one instant: only the ids tell first from last.
        let at = events[0].at;
        for event in events.iter_mut() {
            event.at = at;
        }
    }
    if random.chance(0.08) {
        // The agent's desktop keeps another time than the switch.
        let skew = random.between(-90_000, 90_000);
        for event in events.iter_mut().filter(|event| event.agent.is_some()) {
            event.at += skew;
        }
    }
    if random.chance(0.15) {
        revise(random, events);
    }
    if random.chance(0.06) {
        let notation = *random.pick(&[Notation::Short, Notation::Micros, Notation::Offset]);
        for event in events.iter_mut() {
            if notation == Notation::Short {
                event.at -= event.at.rem_euclid(1_000);
            }
            event.notation = notation;
        }
    }
}

/// Sends one or two of the events again with newer content under the same id.
fn revise(random: &mut Random, events: &mut Vec<Event>) {
    let chosen = random.index(events.len());
    let mut revision = events[chosen].clone();
    let first_is_stamped = random.chance(0.5);
    if first_is_stamped {
        events[chosen].updated_at = Some(revision.at);
    }
    for _ in 0..random.between(1, 3) {
        let since = revision.updated_at.unwrap_or(revision.at);
        revision.updated_at = Some(since + random.between(1, 600_000));
        let halved = |stated: Option<i64>| stated.map(|millis| millis / 2);
        match random.between(0, 4) {
            0 => revision.talk = halved(revision.talk),
            1 => revision.disposition = Some("CALLBACK"),
            2 => revision.at += random.between(-5_000, 5_000),
            _ => {
                revision.hold = halved(revision.hold);
                revision.wrap = halved(revision.wrap);
            }
        }
        events.push(revision.clone());
    }
}

/// When each event reaches us: mostly soon, at times late, a wrap-up now and then hours later, revisions after (or before!) what
/// they revise.
fn deliver(random: &mut Random, events: &mut [Event]) {
    for event in events {
        let sent = event.updated_at.unwrap_or(event.at);
        let delay = match random.between(0, 100) {
            0..90 => random.between(0, 300),
            90..98 => random.between(1_000, 900_000),
            _ => random.between(900_000, 26 * 3_600_000),
        };
        let late_wrap = event.state == "wrapped_up" && random.chance(0.1);
        let pause = if late_wrap {
            random.between(3_600_000, 6 * 3_600_000)
        } else {
            0
        };
        event.arrives = sent + delay + pause;
    }
}
