//! One conversation of the past, made up from its number: who waited where and how long, which agents talked, held and wrapped up.
//!
//! This is what happened, apart from how a platform tells it; both platforms' records and the truth are made from it.

use super::ids::mix;
use super::plan::Plan;
use crate::config::History;
use crate::random::Random;

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

/// Draws conversations.
#[derive(Debug, Clone)]
pub(crate) struct Draw {
    plan: Plan,
    history: History,
    first_pool: u32,
    second_pool: u32,
    kinds: [(Kind, u32); 7],
}

impl Draw {
    pub(crate) fn new(history: &History) -> Self {
        let shares = &history.shares;
        let agents = history.agents.max(2);
        let second_pool = (agents / 4).max(1);
        Self {
            plan: Plan::new(history),
            first_pool: agents - second_pool,
            second_pool,
            kinds: [
                (Kind::Abandoned, shares.abandoned),
                (Kind::IvrOnly, shares.ivr_only),
                (Kind::Rona, shares.rona),
                (Kind::Transferred, shares.transferred),
                (Kind::Consulted, shares.consulted),
                (Kind::Callback, shares.callback),
                (Kind::Outbound, shares.outbound),
            ],
            history: history.clone(),
        }
    }

    pub(crate) const fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn agents(&self) -> u32 {
        self.first_pool + self.second_pool
    }

    /// Which conversations of a day an agent may have a part in: every so-many-th, from which one on.
    pub(crate) fn turns_of(&self, agent: u32) -> (u64, u64) {
        if agent < self.first_pool {
            (u64::from(agent), u64::from(self.first_pool))
        } else {
            (u64::from(agent - self.first_pool), u64::from(self.second_pool))
        }
    }

    /// Whether it is one of those that appear late.
    pub(crate) fn is_late(&self, number: u64) -> bool {
        let late = self.history.late.per_mille;
        late > 0 && (self.chosen(number, 0x17, late) || self.plan.day_of(number).1 == 1)
    }

    /// Whether it never ends or ends late.
    pub(crate) fn is_kept(&self, number: u64) -> bool {
        self.is_nth(number, self.history.open_every) || self.is_nth(number, self.history.long_every)
    }

    /// The next number after this one (or this one) that never ends or ends late.
    pub(crate) fn next_kept(&self, number: u64) -> u64 {
        let next = |every: u64| {
            let nth = Self::nth(every)?;
            let behind = (number + every - nth % every) % every;
            Some(if behind == 0 { number } else { number + every - behind })
        };
        [self.history.open_every, self.history.long_every]
            .into_iter()
            .filter_map(next)
            .min()
            .unwrap_or(u64::MAX)
    }

    const fn nth(every: u64) -> Option<u64> {
        if every == 0 { None } else { Some(every / 2) }
    }

    fn is_nth(&self, number: u64, every: u64) -> bool {
        Self::nth(every).is_some_and(|nth| number % every == nth)
    }

    fn chosen(&self, number: u64, salt: u64, per_mille: u32) -> bool {
        let drawn = mix(self.history.seed ^ mix(number ^ salt << 50)) % 1_000;
        drawn < u64::from(per_mille)
    }

    /// The conversation with this number; as it is told first, or as it is told later.
    pub(crate) fn draw(&self, number: u64, revised: bool) -> Conversation {
        let (day, index) = self.plan.day_of(number);
        let start = self.plan.start_of(number);
        let mut random = Random::new(mix(self.history.seed ^ mix(number)));
        let kind = self.kind(&mut random);
        let chat = kind == Kind::Answered && permille(&mut random, self.history.shares.chat);
        let mut conversation = Conversation {
            number,
            day,
            index,
            start,
            kind,
            media: match kind {
                Kind::Callback => Media::Callback,
                _ if chat => Media::Chat,
                _ => Media::Voice,
            },
            ivr: None,
            waits: Vec::new(),
            turns: Vec::new(),
            customer_left: start,
            kept_open: None,
            end: None,
        };
        Story {
            draw: self,
            random,
            it: &mut conversation,
        }
        .tell();
        if revised && self.is_revised(&conversation) {
            let wrap = conversation.turns.iter_mut().rev().find_map(|turn| turn.wrap.as_mut());
            if let Some((_, until)) = wrap {
                *until += self.history.revised.by_ms;
            }
        }
        if self.is_nth(number, self.history.open_every) {
            conversation.kept_open = Some(i64::MAX);
        } else if self.is_nth(number, self.history.long_every) {
            let more = i64::try_from(self.history.long_ms).unwrap_or(i64::MAX / 4);
            conversation.kept_open = Some(conversation.customer_left + more);
        }
        let over = conversation.over();
        conversation.end = match conversation.kept_open {
            Some(i64::MAX) => None,
            Some(until) => Some(over.max(until)),
            None => Some(over),
        };
        conversation
    }

    /// Whether it is told otherwise later.
    pub(crate) fn is_revised(&self, conversation: &Conversation) -> bool {
        let share = self.history.revised.per_mille;
        share > 0
            && conversation.turns.iter().any(|turn| turn.wrap.is_some())
            && self.chosen(conversation.number, 0x2B, share)
    }

    fn kind(&self, random: &mut Random) -> Kind {
        let mut drawn = random.index(1_000);
        for (kind, share) in self.kinds {
            let share = usize::try_from(share).unwrap_or(0);
            if drawn < share {
                return kind;
            }
            drawn -= share;
        }
        Kind::Answered
    }
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

fn permille(random: &mut Random, share: u32) -> bool {
    random.index(1_000) < usize::try_from(share).unwrap_or(0)
}

/// Tells one conversation from its beginning.
struct Story<'a> {
    draw: &'a Draw,
    random: Random,
    it: &'a mut Conversation,
}

impl Story<'_> {
    fn tell(mut self) {
        match self.it.kind {
            Kind::Outbound => self.outbound(),
            Kind::IvrOnly => {
                let until = self.ivr();
                self.it.customer_left = until;
            }
            Kind::Abandoned => {
                let offered = self.enter();
                let lasted = self.millis(900, 180_000);
                let wait = self.wait(offered, lasted, true);
                self.it.customer_left = self.it.waits[wait].until - 20;
            }
            Kind::Callback => {
                let hung_up = self.enter();
                self.it.customer_left = hung_up;
                let lasted = self.millis(60_000, 3 * 3_600_000);
                let wait = self.wait(hung_up + 60, lasted, false);
                self.turn(self.first(), Some(wait), None);
            }
            Kind::Rona => {
                let offered = self.enter();
                let lasted = self.millis(20_000, 90_000);
                let wait = self.wait(offered, lasted, false);
                self.missed(wait);
                let left = self.turn(self.first(), Some(wait), None);
                self.it.customer_left = left;
            }
            Kind::Answered => {
                let offered = self.enter();
                let lasted = self.wait_length();
                let wait = self.wait(offered, lasted, false);
                let left = self.turn(self.first(), Some(wait), None);
                self.it.customer_left = left;
            }
            Kind::Transferred => {
                let offered = self.enter();
                let lasted = self.wait_length();
                let wait = self.wait(offered, lasted, false);
                let left = self.turn(self.first(), Some(wait), Some(Passed::Blind));
                let lasted = self.wait_length();
                let wait = self.wait(left + 35, lasted, false);
                let left = self.turn(self.second(), Some(wait), None);
                self.it.customer_left = left;
            }
            Kind::Consulted => self.consulted(),
        }
    }

    fn outbound(&mut self) {
        let contacting = self.it.start + self.millis(400, 3_000);
        let dialled = contacting + self.millis(3_000, 25_000);
        let talk = self.millis(20_000, 400_000);
        self.it.turns.push(Turn {
            agent: self.first(),
            queue: None,
            wait: None,
            alert: None,
            reaching: Some((self.it.start, contacting, dialled)),
            stretches: vec![Stretch {
                held: false,
                from: dialled,
                until: dialled + talk,
            }],
            wrap: None,
            passed: None,
            code: 0,
        });
        self.it.customer_left = dialled + talk;
    }

    /// The first agent puts the customer on hold, asks a second one through another queue, and passes the customer on.
    fn consulted(&mut self) {
        let offered = self.enter();
        let lasted = self.wait_length();
        let wait = self.wait(offered, lasted, false);
        let answered = self.it.waits[wait].until + 15;
        let talked = answered + self.millis(30_000, 300_000);
        let asked = talked + self.millis(500, 2_000);
        let lasted = self.millis(2_000, 20_000);
        let second = self.wait(asked + 30, lasted, false);
        let joined = self.it.waits[second].until + 15;
        let together = self.millis(8_000, 45_000);
        let handed_over = joined + together;
        let stretch = |held, from, until| Stretch { held, from, until };
        let first = Turn {
            agent: self.first(),
            queue: Some(self.it.waits[wait].queue),
            wait: Some(wait),
            alert: Some(self.alert(wait)),
            reaching: None,
            stretches: vec![
                stretch(false, answered, talked),
                stretch(true, talked, handed_over),
            ],
            wrap: self.wrap(handed_over),
            passed: Some(Passed::Consult(asked)),
            code: self.code(),
        };
        self.it.turns.push(first);
        let until = handed_over + self.millis(30_000, 400_000);
        let turn = Turn {
            agent: self.second(),
            queue: Some(self.it.waits[second].queue),
            wait: Some(second),
            alert: Some(self.alert(second)),
            reaching: None,
            stretches: vec![stretch(false, joined, until)],
            wrap: self.wrap(until),
            passed: None,
            code: self.code(),
        };
        self.it.turns.push(turn);
        self.it.customer_left = until;
    }

    /// The agents of a conversation take turns, so that no agent has two at once when there are enough of them.
    fn first(&self) -> u32 {
        let pool = u64::from(self.draw.first_pool);
        u32::try_from(self.it.index % pool).unwrap_or(0)
    }

    fn second(&self) -> u32 {
        let pool = u64::from(self.draw.second_pool);
        self.draw.first_pool + u32::try_from(self.it.index % pool).unwrap_or(0)
    }

    fn millis(&mut self, from: i64, to: i64) -> i64 {
        self.random.between(from, to)
    }

    /// Mostly short, now and then long.
    fn wait_length(&mut self) -> i64 {
        let longest = *self.random.pick(&[12_000, 20_000, 40_000, 60_000, 300_000]);
        self.millis(1_500, longest)
    }

    /// Through the IVR, where there is one, to the queue's door; the instant.
    fn enter(&mut self) -> i64 {
        if self.it.media == Media::Chat {
            return self.it.start + self.millis(90, 400);
        }
        self.ivr() + 30
    }

    fn ivr(&mut self) -> i64 {
        let from = self.it.start + 40;
        let until = from + self.millis(6_000, 75_000);
        self.it.ivr = Some((from, until));
        until
    }

    /// The place of a wait that begins now.
    fn wait(&mut self, from: i64, lasted: i64, abandoned: bool) -> usize {
        let queues = i64::from(self.draw.history.queues.max(1));
        let mut queue = u32::try_from(self.millis(0, queues)).unwrap_or(0);
        if self.it.waits.iter().any(|wait| wait.queue == queue) && queues > 1 {
            queue = (queue + 1) % u32::try_from(queues).unwrap_or(1);
        }
        self.it.waits.push(Wait {
            queue,
            from,
            until: from + lasted,
            abandoned,
        });
        self.it.waits.len() - 1
    }

    fn alert(&mut self, wait: usize) -> (i64, i64) {
        let wait = self.it.waits[wait];
        let rang = self.millis(900, 8_000).min(wait.lasted() * 3 / 4);
        (wait.until - rang, wait.until)
    }

    /// An agent who lets it ring while the customer waits, and is sent into wrap-up for that, or not.
    fn missed(&mut self, wait: usize) {
        let begins = self.it.waits[wait].from + self.millis(200, 1_500);
        let until = begins + self.millis(5_000, 7_500);
        let wrap = self.random.chance(0.5).then(|| {
            let lasted = self.millis(10_000, 60_000);
            (until + 240, until + 240 + lasted)
        });
        self.it.turns.push(Turn {
            agent: self.second(),
            queue: Some(self.it.waits[wait].queue),
            wait: None,
            alert: Some((begins, until)),
            reaching: None,
            stretches: Vec::new(),
            wrap,
            passed: None,
            code: 0,
        });
    }

    /// An agent's ordinary part; when the customer was gone from it.
    fn turn(&mut self, agent: u32, wait: Option<usize>, passed: Option<Passed>) -> i64 {
        let (alert, answered, queue) = match wait {
            Some(wait) => {
                let stay = self.it.waits[wait];
                (Some(self.alert(wait)), stay.until + 15, Some(stay.queue))
            }
            None => (None, self.it.start, None),
        };
        let reaching = (self.it.kind == Kind::Callback).then(|| {
            let dialled = answered + self.millis(3_000, 15_000);
            (answered, answered, dialled)
        });
        let mut at = reaching.map_or(answered, |(.., dialled)| dialled);
        let mut stretches = Vec::with_capacity(5);
        let holds = if permille(&mut self.random, self.draw.history.shares.held) {
            self.millis(1, 3)
        } else {
            0
        };
        for nth in 0..=holds {
            let until = at + self.millis(20_000, 420_000 / (holds + 1));
            stretches.push(Stretch {
                held: false,
                from: at,
                until,
            });
            at = until;
            if nth < holds {
                let until = at + self.millis(4_000, 90_000);
                stretches.push(Stretch {
                    held: true,
                    from: at,
                    until,
                });
                at = until;
            }
        }
        let wrap = self.wrap(at);
        let code = self.code();
        self.it.turns.push(Turn {
            agent,
            queue,
            wait,
            alert,
            reaching,
            stretches,
            wrap,
            passed,
            code,
        });
        at
    }

    fn wrap(&mut self, from: i64) -> Option<(i64, i64)> {
        let longest = *self.random.pick(&[8_000, 30_000, 60_000, 120_000]);
        let lasted = self.millis(1_000, longest);
        (!permille(&mut self.random, self.draw.history.shares.wrap_skipped))
            .then_some((from, from + lasted))
    }

    fn code(&mut self) -> u32 {
        u32::try_from(self.millis(0, 12)).unwrap_or(0)
    }
}
