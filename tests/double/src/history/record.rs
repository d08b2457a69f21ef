//! A conversation as Genesys' analytics tell it: participants, their sessions, their metrics and segments.
//!
//! The figures keep to the identities that real records keep: the handle time is contacting, dialling, talk, hold and after-call
//! work together and never the alert; the parts of talk and hold add up to their complete figures; an agent's time to answer is
//! the stay in the queue that led to it; the conversation ends with the last segment of anybody.

use super::conversation::{Conversation, Kind, Media, Passed, Turn, Wait};

/// A figure, and when it was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) value: i64,
    pub(crate) at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) kind: &'static str,
    pub(crate) from: i64,
    /// `i64::MAX`: it lasts for ever.
    pub(crate) until: i64,
    /// How it ended; empty when that is not said.
    pub(crate) how: &'static str,
    pub(crate) queue: Option<u32>,
    /// The code of a wrap-up; `None` when there is none.
    pub(crate) code: Option<u32>,
}

/// What a session went through in a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) kind: &'static str,
    /// Where it led to; `None`: the customer was done in it.
    pub(crate) to: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// Which part of the conversation it is, for its id.
    pub(crate) part: u64,
    pub(crate) media: &'static str,
    pub(crate) direction: &'static str,
    /// The part that it is connected to.
    pub(crate) peer: Option<u64>,
    pub(crate) flow: Option<Flow>,
    pub(crate) wrap_skipped: bool,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Participant {
    pub(crate) part: u64,
    pub(crate) purpose: &'static str,
    pub(crate) user: Option<u32>,
    /// The queue whose name it has.
    pub(crate) queue: Option<u32>,
    pub(crate) sessions: Vec<Session>,
}

/// Which part is what.
const CUSTOMER: u64 = 1;
const CUSTOMER_CALLBACK: u64 = 2;
const IVR: u64 = 3;
const KEEPER: u64 = 4;
const WAITS: u64 = 10;
const TURNS: u64 = 20;
const DIALLED: u64 = 30;

/// Participants in no order of time: the agents' before the queues', as it can be.
pub(crate) fn participants(it: &Conversation) -> Vec<Participant> {
    let mut all = Vec::with_capacity(6);
    all.push(customer(it));
    all.extend(it.ivr.map(|ivr| through_ivr(it, ivr)));
    if it.number.is_multiple_of(2) {
        waits(it, &mut all);
        turns(it, &mut all);
    } else {
        turns(it, &mut all);
        waits(it, &mut all);
    }
    all.extend(it.kept_open.map(|until| keeper(it, until)));
    all
}

const fn media(it: &Conversation) -> &'static str {
    match it.media {
        Media::Voice => "voice",
        Media::Chat => "chat",
        Media::Callback => "callback",
    }
}

const fn metric(name: &'static str, value: i64, at: i64) -> Metric {
    Metric { name, value, at }
}

fn segment(kind: &'static str, from: i64, until: i64) -> Segment {
    Segment {
        kind,
        from,
        until,
        how: "",
        queue: None,
        code: None,
    }
}

impl Segment {
    const fn left(self, how: &'static str) -> Self {
        Self { how, ..self }
    }

    const fn of(self, queue: Option<u32>) -> Self {
        Self { queue, ..self }
    }
}

fn customer(it: &Conversation) -> Participant {
    let outbound = it.kind == Kind::Outbound;
    let queue = it.waits.first().map(|wait| wait.queue);
    let (from, left) = match it.turns.first().and_then(|turn| turn.reaching) {
        Some((.., dialled)) if outbound => (dialled, it.customer_left),
        _ => (it.start + 30, it.customer_left),
    };
    let how = match it.kind {
        Kind::Abandoned | Kind::IvrOnly | Kind::Callback => "endpoint",
        _ if it.number.is_multiple_of(3) => "endpoint",
        _ => "peer",
    };
    let mut line = Session {
        part: CUSTOMER,
        media: if it.media == Media::Chat { "chat" } else { "voice" },
        direction: if outbound { "outbound" } else { "inbound" },
        peer: outbound.then_some(TURNS),
        flow: None,
        wrap_skipped: false,
        metrics: vec![
            metric("nConnected", 1, from),
            metric("tConnected", left - from, left),
        ],
        segments: Vec::with_capacity(2),
    };
    if !outbound {
        line.segments.push(segment("system", it.start, from));
    }
    line.segments
        .push(segment("interact", from, left).of(queue).left(how));
    let mut sessions = vec![line];
    if it.kind == Kind::Callback
        && let (Some(wait), Some(turn)) = (it.waits.first(), it.turns.last())
    {
        sessions.push(Session {
            part: CUSTOMER_CALLBACK,
            media: "callback",
            direction: "outbound",
            peer: None,
            flow: None,
            wrap_skipped: false,
            metrics: vec![
                metric("nConnected", 1, wait.from),
                metric("tConnected", turn.left() - wait.from, turn.left()),
            ],
            segments: vec![
                segment("interact", wait.from, turn.left())
                    .of(Some(wait.queue))
                    .left("client"),
            ],
        });
    }
    Participant {
        part: 100,
        purpose: if outbound { "external" } else { "customer" },
        user: None,
        queue: None,
        sessions,
    }
}

fn through_ivr(it: &Conversation, (from, until): (i64, i64)) -> Participant {
    let to = it.waits.first().map(|wait| wait.queue);
    let system = from - 10;
    let last = if to.is_some() { "tFlowExit" } else { "tFlowDisconnect" };
    Participant {
        part: 101,
        purpose: "ivr",
        user: None,
        queue: None,
        sessions: vec![Session {
            part: IVR,
            media: "voice",
            direction: "inbound",
            peer: Some(CUSTOMER),
            flow: Some(Flow {
                kind: "INBOUNDCALL",
                to,
            }),
            wrap_skipped: false,
            metrics: vec![
                metric("nFlow", 1, from),
                metric("tIvr", until - from, until),
                metric("tFlow", until - from, until),
                metric(last, until - from, until),
            ],
            segments: vec![
                segment("system", system, from),
                segment("ivr", from, until).left(if to.is_some() { "transfer" } else { "peer" }),
            ],
        }],
    }
}

fn waits(it: &Conversation, all: &mut Vec<Participant>) {
    for (nth, wait) in it.waits.iter().enumerate() {
        let nth = u64::try_from(nth).unwrap_or(0);
        all.push(Participant {
            part: 110 + nth,
            purpose: "acd",
            user: None,
            queue: Some(wait.queue),
            sessions: vec![stay(it, nth, wait)],
        });
    }
}

fn stay(it: &Conversation, nth: u64, wait: &Wait) -> Session {
    let mut metrics = vec![
        metric("nOffered", 1, wait.from),
        metric("tAcd", wait.lasted(), wait.until),
    ];
    if wait.abandoned {
        metrics.push(metric("tAbandon", wait.lasted(), wait.until));
    }
    // What asks a second agent is the first agent's line, not the customer's.
    let is_consult = it.kind == Kind::Consulted && nth == 1;
    Session {
        part: WAITS + nth,
        media: media(it),
        direction: "inbound",
        peer: Some(match it.media {
            _ if is_consult => TURNS,
            Media::Callback => CUSTOMER_CALLBACK,
            Media::Voice | Media::Chat => CUSTOMER,
        }),
        flow: (it.media == Media::Voice).then_some(Flow {
            kind: "INQUEUECALL",
            to: None,
        }),
        wrap_skipped: false,
        metrics,
        segments: vec![
            segment("delay", wait.from - 14, wait.from).of(Some(wait.queue)),
            segment("interact", wait.from, wait.until)
                .of(Some(wait.queue))
                .left(if wait.abandoned { "peer" } else { "transfer" }),
        ],
    }
}

fn turns(it: &Conversation, all: &mut Vec<Participant>) {
    for (nth, turn) in it.turns.iter().enumerate() {
        let nth = u64::try_from(nth).unwrap_or(0);
        let mut sessions = vec![agent(it, nth, turn)];
        if it.kind == Kind::Callback
            && let Some(call) = dialled(nth, turn)
        {
            sessions.push(call);
        }
        all.push(Participant {
            part: 120 + nth,
            purpose: if turn.queue.is_some() { "agent" } else { "user" },
            user: Some(turn.agent),
            queue: None,
            sessions,
        });
    }
}

/// The agent's session; of a callback the one that came from the queue, whose talk is on the line that the agent dialled.
fn agent(it: &Conversation, nth: u64, turn: &Turn) -> Session {
    let is_callback = it.kind == Kind::Callback;
    let mut metrics = Vec::with_capacity(14);
    let mut segments = Vec::with_capacity(8);
    if let Some((from, until)) = turn.alert {
        metrics.push(metric("tAlert", until - from, until));
        let missed = !turn.answered();
        if missed {
            metrics.push(metric("tNotResponding", until - from, until));
            metrics.push(metric("nError", 1, until));
        }
        segments.push(
            segment("alert", from, until)
                .of(turn.queue)
                .left(if missed { "client" } else { "" }),
        );
    }
    if let Some(wait) = turn.wait.and_then(|wait| it.waits.get(wait)) {
        metrics.push(metric("tAnswered", wait.lasted(), wait.until));
    }
    let mut reached = 0;
    if let Some((from, contacted, until)) = turn.reaching.filter(|_| !is_callback) {
        metrics.push(metric("tContacting", contacted - from, contacted));
        metrics.push(metric("tDialing", until - contacted, until));
        segments.push(segment("contacting", from, contacted));
        segments.push(segment("dialing", contacted, until));
        reached = until - from;
    }
    let left = turn.left();
    let mut handled = reached;
    if is_callback {
        let from = turn.alert.map_or(left, |(_, until)| until + 15);
        segments.push(segment("interact", from, left).of(turn.queue).left("client"));
    } else {
        handled += talk(turn, left_by(it, nth, turn), &mut metrics, &mut segments);
    }
    passed(turn, left, &mut metrics);
    if let Some((from, until)) = turn.wrap {
        metrics.push(metric("tAcw", until - from, until));
        handled += until - from;
        let how = if turn.answered() { left_by(it, nth, turn) } else { "client" };
        segments.push(Segment {
            code: Some(turn.code),
            ..segment("wrapup", from, until).of(turn.queue).left(how)
        });
    }
    if handled > 0 {
        metrics.push(metric("tHandle", handled, turn.done()));
    }
    Session {
        part: TURNS + nth,
        media: media(it),
        direction: if turn.reaching.is_some() { "outbound" } else { "inbound" },
        peer: (!is_callback).then_some(CUSTOMER),
        flow: None,
        wrap_skipped: turn.answered() && turn.queue.is_some() && turn.wrap.is_none(),
        metrics,
        segments,
    }
}

fn left_by(it: &Conversation, nth: u64, turn: &Turn) -> &'static str {
    match turn.passed {
        Some(Passed::Blind) => "transfer",
        Some(Passed::Consult(_)) => "consultTransfer",
        None if (it.number + nth).is_multiple_of(3) => "peer",
        None => "client",
    }
}

/// Talk and hold of a turn, and how long they were together.
fn talk(
    turn: &Turn,
    how: &'static str,
    metrics: &mut Vec<Metric>,
    segments: &mut Vec<Segment>,
) -> i64 {
    if !turn.answered() {
        return 0;
    }
    let left = turn.left();
    for stretch in &turn.stretches {
        let (name, kind) = if stretch.held { ("tHeld", "hold") } else { ("tTalk", "interact") };
        metrics.push(metric(name, stretch.until - stretch.from, stretch.until));
        let how = if stretch.until == left { how } else { "" };
        segments.push(
            segment(kind, stretch.from, stretch.until)
                .of(turn.queue)
                .left(how),
        );
    }
    metrics.push(metric("tTalkComplete", turn.talk(), left));
    if turn.holds() > 0 {
        metrics.push(metric("tHeldComplete", turn.hold(), left));
    }
    turn.talk() + turn.hold()
}

fn passed(turn: &Turn, left: i64, metrics: &mut Vec<Metric>) {
    match turn.passed {
        None => {}
        Some(Passed::Blind) => {
            metrics.push(metric("nBlindTransferred", 1, left));
            metrics.push(metric("nTransferred", 1, left));
        }
        Some(Passed::Consult(asked)) => {
            metrics.push(metric("nConsult", 1, asked));
            metrics.push(metric("nConsultTransferred", 1, left));
            metrics.push(metric("nTransferred", 1, left));
        }
    }
}

/// The call that the agent of a callback made.
fn dialled(nth: u64, turn: &Turn) -> Option<Session> {
    let (from, _, until) = turn.reaching?;
    let mut metrics = vec![metric("nOutbound", 1, from), metric("tDialing", until - from, until)];
    let mut segments = vec![segment("dialing", from, until).of(turn.queue)];
    let handled = until - from + talk(turn, "peer", &mut metrics, &mut segments);
    metrics.push(metric("tHandle", handled, turn.left()));
    Some(Session {
        part: DIALLED + nth,
        media: "voice",
        direction: "outbound",
        peer: None,
        flow: None,
        wrap_skipped: false,
        metrics,
        segments,
    })
}

/// Somebody else who stays on the line.
fn keeper(it: &Conversation, until: i64) -> Participant {
    let from = it.customer_left - 500;
    let mut metrics = vec![metric("nConnected", 1, from)];
    if until < i64::MAX {
        metrics.push(metric("tConnected", until - from, until));
    }
    Participant {
        part: 140,
        purpose: "external",
        user: None,
        queue: None,
        sessions: vec![Session {
            part: KEEPER,
            media: if it.media == Media::Chat { "chat" } else { "voice" },
            direction: "outbound",
            peer: None,
            flow: None,
            wrap_skipped: false,
            metrics,
            segments: vec![segment("interact", from, until).left(if until < i64::MAX {
                "endpoint"
            } else {
                ""
            })],
        }],
    }
}
