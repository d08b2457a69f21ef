//! One conversation of the past, made up from its number: who waited where and how long, which agents talked, held and wrapped up.
//!
//! This is what happened, apart from how a platform tells it; both platforms' records and the truth are made from it.

/// No ordinary conversation lasts longer, milliseconds; only those of `long_every` and `open_every` do.
pub(crate) const LONGEST: i64 = 6 * 3_600_000;

/// What became of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Answered,
    Abandoned,
    IvrOnly,
    Rona,
    Transferred,
    Consulted,
    Callback,
    Outbound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Voice,
    Chat,
    Callback,
}

/// A stay in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) queue: u32,
    pub(crate) from: i64,
    pub(crate) until: i64,
    pub(crate) abandoned: bool,
}

impl Wait {
    pub(crate) const fn lasted(&self) -> i64 {
        self.until - self.from
    }
}

/// How an agent passed the customer on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    Blind,
    /// After asking another agent at this instant.
    Consult(i64),
}

/// A stretch on the line with the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) held: bool,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// One agent's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) agent: u32,
    pub(crate) queue: Option<u32>,
    /// Which of the waits led to it.
    pub(crate) wait: Option<usize>,
    /// It rang, from when to when.
    pub(crate) alert: Option<(i64, i64)>,
    /// Contacting and dialling, one after the other, of a call that the agent began: from, until, until.
    pub(crate) reaching: Option<(i64, i64, i64)>,
    /// Talk and hold, each following the one before; empty when the agent did not answer.
    pub(crate) stretches: Vec<Stretch>,
    pub(crate) wrap: Option<(i64, i64)>,
    pub(crate) passed: Option<Passed>,
    pub(crate) code: u32,
}

impl Turn {
    pub(crate) fn answered(&self) -> bool {
        !self.stretches.is_empty()
    }

    fn sum(&self, held: bool) -> i64 {
        let of = self.stretches.iter().filter(|it| it.held == held);
        of.map(|it| it.until - it.from).sum()
    }

    pub(crate) fn talk(&self) -> i64 {
        self.sum(false)
    }

    pub(crate) fn hold(&self) -> i64 {
        self.sum(true)
    }

    pub(crate) fn holds(&self) -> usize {
        self.stretches.iter().filter(|it| it.held).count()
    }

    pub(crate) fn wrapped(&self) -> Option<i64> {
        self.wrap.map(|(from, until)| until - from)
    }

    /// When the agent's part of the line began.
    pub(crate) fn began(&self) -> i64 {
        let alert = self.alert.map(|(from, _)| from);
        let reaching = self.reaching.map(|(from, ..)| from);
        let talk = self.stretches.first().map(|it| it.from);
        alert.or(reaching).or(talk).unwrap_or(0)
    }

    /// When talk and hold ended; the alert's end when there were none.
    pub(crate) fn left(&self) -> i64 {
        let alert = self.alert.map_or(0, |(_, until)| until);
        self.stretches.last().map_or(alert, |it| it.until)
    }

    /// When all of it was over.
    pub(crate) fn done(&self) -> i64 {
        self.wrap.map_or(self.left(), |(_, until)| until)
    }
}

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conversation {
    pub(crate) number: u64,
    pub(crate) day: u64,
    /// Which of its day.
    pub(crate) index: u64,
    pub(crate) start: i64,
    pub(crate) kind: Kind,
    pub(crate) media: Media,
    /// In the IVR, from when to when.
    pub(crate) ivr: Option<(i64, i64)>,
    pub(crate) waits: Vec<Wait>,
    pub(crate) turns: Vec<Turn>,
    /// When the customer's line went down (of a callback: the first).
    pub(crate) customer_left: i64,
    /// How long another party keeps the line: until when; `i64::MAX` for ever.
    pub(crate) kept_open: Option<i64>,
    /// When all of it was over; `None` for never.
    pub(crate) end: Option<i64>,
}

impl Conversation {
    /// When the centre's own part was over, without anybody who keeps the line.
    pub(crate) fn over(&self) -> i64 {
        let waits = self.waits.iter().map(|wait| wait.until);
        let turns = self.turns.iter().map(Turn::done);
        let ivr = self.ivr.map(|(_, until)| until);
        let ends = waits.chain(turns).chain(ivr).max().unwrap_or(self.start);
        ends.max(self.customer_left)
    }
}
