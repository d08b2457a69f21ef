use super::*;
use crate::evidence::{Counted, Feed, Marks, Storm};
use crate::health::{Said, Word};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000;

fn at(second: i64) -> UtcMicros {
    UtcMicros(second * SECOND)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A subscription that was heard of at an instant, the newest event being so much older.
fn heard(at_second: i64, behind: i64, now: i64, expected: f64) -> Feed {
    Feed::Pushed {
        name: "events".to_owned(),
        heard: Some(at(at_second)),
        newest: Some(at(at_second - behind)),
        until: Some(at(now)),
        expected: Some(expected),
        off: None,
    }
}

/// A platform under way, a look every five seconds.
struct World {
    memory: Memory,
    settings: Settings,
    changes: Vec<(i64, PlatformState)>,
    last: Option<Judgement>,
}

impl World {
    fn new() -> Self {
        Self {
            memory: Memory::default(),
            settings: Settings::default(),
            changes: Vec::new(),
            last: None,
        }
    }

    fn look(&mut self, evidence: &Evidence) -> &Judgement {
        let judged = judge(&self.memory, evidence, &self.settings);
        if judged.state != self.memory.state {
            self.changes.push((evidence.now.0 / SECOND, judged.state));
        }
        // As it is kept: what cannot be read back would be forgotten.
        self.memory = Memory::parse(&judged.memory.to_json().unwrap());
        assert_eq!(self.memory, judged.memory);
        self.last.insert(judged)
    }

    /// Looks every five seconds from one instant to another at what `see` says.
    fn run(&mut self, from: i64, to: i64, see: impl Fn(i64) -> Evidence) {
        for second in (from..to).step_by(5) {
            self.look(&see(second));
        }
    }

    fn reason(&self) -> &str {
        &self.last.as_ref().unwrap().reason
    }
}

fn with_feed(now: i64, feed: Feed) -> Evidence {
    Evidence {
        feeds: Seen::Known(vec![feed]),
        line: Seen::Known(Duration::ZERO),
        queue: Seen::Known(0),
        ..Evidence::none(at(now))
    }
}

#[test]
fn a_quarter_of_an_hour_of_silence_and_the_burst_after_it() {
    let mut world = World::new();
    // Two events a second; the last one at 600.
    world.run(0, 600, |now| with_feed(now, heard(now, 1, now, 2.0)));
    world.run(600, 1500, |now| {
        let silent = f64::from(i32::try_from(now - 600).unwrap());
        with_feed(now, heard(600, 1, now, 2.0 * silent))
    });
    let first: Vec<_> = world.changes.clone();
    assert_eq!(
        first.iter().map(|change| change.1).collect::<Vec<_>>(),
        [PlatformState::Syncing, PlatformState::Stale]
    );
    assert!(first[0].0 - 600 <= 60, "within a minute: {first:?}");
    assert_eq!(
        world.reason(),
        "nothing new was received of events for 14 min 55 s, and about 1,790 events were to be expected"
    );
    let judged = world.last.as_ref().unwrap();
    assert_eq!((judged.code, judged.lag), ("silence", seconds(895)));
    let reach = i64::try_from(world.settings.reach.as_secs()).unwrap();
    assert_eq!(judged.doubtful_from, Some(at(600 - reach)));
    // The burst: five minutes, in which a quarter of an hour of events comes.
    world.run(1500, 1800, |now| {
        let newest = 600 + (now - 1500) * 4;
        with_feed(now, heard(now, (now - newest).max(1), now, 0.0))
    });
    assert_eq!(world.memory.state, PlatformState::Syncing);
    assert_eq!(
        world.last.as_ref().unwrap().doubtful_from,
        Some(at(600 - reach)),
        "one trouble goes over into the next, and the doubt is one"
    );
    world.run(1800, 1900, |now| with_feed(now, heard(now, 1, now, 2.0)));
    assert_eq!(world.memory.state, PlatformState::Live);
    let judged = world.last.as_ref().unwrap();
    assert_eq!((judged.doubtful_from, judged.reason.as_str()), (None, ""));
    assert_eq!(world.changes.len(), 4, "{:?}", world.changes);
}

#[test]
fn a_night_is_no_silence() {
    let mut world = World::new();
    world.run(0, 36_000, |now| with_feed(now, heard(0, 0, now, 3.0)));
    assert!(world.changes.is_empty());
}

#[test]
fn what_has_to_deliver_whatever_is_usual_is_silent_at_night_too() {
    let mut world = World::new();
    world.run(0, 60, |now| {
        let mut feed = heard(0, 0, now, 0.0);
        if let Feed::Pushed { expected, .. } = &mut feed {
            *expected = None;
        }
        with_feed(now, feed)
    });
    assert_eq!(world.memory.state, PlatformState::Syncing);
    assert_eq!(
        world.reason(),
        "nothing new was received of events for 55 s"
    );
}

#[test]
fn one_stray_delivery_ends_no_silence() {
    let mut world = World::new();
    let silent = |last: i64, now: i64| {
        with_feed(
            now,
            heard(last, 0, now, f64::from(i32::try_from(now - last).unwrap())),
        )
    };
    world.run(0, 300, |now| silent(0, now));
    world.run(300, 600, |now| silent(300, now));
    assert_eq!(
        world.changes.iter().map(|it| it.1).collect::<Vec<_>>(),
        [PlatformState::Syncing]
    );
}

#[test]
fn what_is_fetched_is_behind_by_more_than_usual() {
    let mut world = World::new();
    let followed = |now: i64, behind: i64| Feed::Followed {
        name: "cxone-contacts".to_owned(),
        until: at(now - behind),
        usual: seconds(960),
    };
    world.run(0, 100, |now| with_feed(now, followed(now, 1200)));
    assert!(world.changes.is_empty());
    world.run(100, 200, |now| with_feed(now, followed(now, 1300)));
    assert_eq!(world.memory.state, PlatformState::Syncing);
    assert_eq!(
        world.reason(),
        "cxone-contacts is fetched up to 1969-12-31T23:41:35.000Z, 21 min 40 s ago, and 16 min are usual"
    );
    world.run(200, 300, |now| with_feed(now, followed(now, 1600)));
    assert_eq!(world.memory.state, PlatformState::Stale);
}

#[test]
fn each_other_piece_of_evidence_is_told_with_its_numbers() {
    let base = |now: i64| with_feed(now, heard(now, 0, now, 0.0));
    let of = |change: &dyn Fn(&mut Evidence)| {
        let mut world = World::new();
        world.run(0, 20, |now| {
            let mut evidence = base(now);
            change(&mut evidence);
            evidence
        });
        let judged = world.last.unwrap();
        (
            judged.state,
            judged.code,
            judged.reason,
            judged.doubtful_from,
        )
    };
    let reach = |second: i64| Some(at(second - 1800));
    assert_eq!(
        of(&|evidence| evidence.line = Seen::Known(seconds(31))),
        (
            PlatformState::Syncing,
            "line",
            "what is received waits 31 s to be processed".to_owned(),
            // At the first of the four looks.
            reach(-31)
        )
    );
    assert_eq!(
        of(&|evidence| evidence.line = Seen::Known(seconds(600))).0,
        PlatformState::Stale
    );
    assert_eq!(
        of(&|evidence| evidence.queue = Seen::Known(12_345)).2,
        "12,345 messages wait in the queues of the live lane"
    );
    let marks = Marks {
        count: 7,
        since: at(-75),
        from: at(-900),
    };
    assert_eq!(
        of(&|evidence| evidence.windows = Seen::Known(Some(marks))),
        (
            PlatformState::Syncing,
            "windows",
            "7 changes wait to be added up, the first for 1 min 30 s".to_owned(),
            Some(at(-900))
        )
    );
    let storm = Storm {
        active: true,
        owed: 40,
        from: Some(at(-100)),
    };
    assert_eq!(
        of(&|evidence| evidence.storm = Seen::Known(storm)),
        (
            PlatformState::Syncing,
            "storm",
            "compute is in a storm, and 40 interactions are still to be evaluated".to_owned(),
            reach(-100)
        )
    );
    let counted = |quarter: i64, theirs, ours, short| Counted {
        from: at(quarter * 900),
        to: at((quarter + 1) * 900),
        theirs,
        ours,
        short,
    };
    assert_eq!(
        of(&|evidence| {
            evidence.counts = Seen::Known(vec![
                counted(0, 100, 99, false),
                counted(1, 1000, 700, true),
                counted(2, 1000, 0, true),
            ]);
        }),
        (
            PlatformState::Syncing,
            "counts",
            "the platform counts 2,000 from 1970-01-01T00:15:00.000Z to 1970-01-01T00:45:00.000Z, and 700 are here"
                .to_owned(),
            None
        )
    );
    assert_eq!(
        of(&|evidence| evidence.health =
            Seen::Known(Said::new(Word::Trouble, "Analytics: major outage")))
        .2,
        "the platform says: Analytics: major outage"
    );
    assert_eq!(
        of(&|evidence| {
            evidence.health = Seen::Known(Said::new(Word::Maintenance, "Upgrade"));
            evidence.queue = Seen::Known(5000);
        }),
        (
            PlatformState::Maintenance,
            "maintenance",
            "the platform says: Upgrade; 5,000 messages wait in the queues of the live lane"
                .to_owned(),
            reach(0)
        )
    );
    let off = Feed::Pushed {
        name: "events".to_owned(),
        heard: None,
        newest: None,
        until: None,
        expected: Some(0.0),
        off: Some("the platform has it disabled".to_owned()),
    };
    assert_eq!(
        of(&|evidence| evidence.feeds = Seen::Known(vec![off.clone()])).2,
        "events delivers nothing: the platform has it disabled"
    );
}

#[test]
fn what_cannot_be_seen_any_more_stays_as_it_was_and_what_is_not_watched_any_more_is_forgotten() {
    let mut world = World::new();
    let looked = |now: i64, queue| Evidence {
        queue,
        ..Evidence::none(at(now))
    };
    world.run(0, 20, |now| looked(now, Seen::Known(5000)));
    assert_eq!(world.memory.state, PlatformState::Syncing);
    world.run(20, 2000, |now| looked(now, Seen::Unknown));
    assert_eq!(world.memory.state, PlatformState::Syncing);
    world.run(2000, 2010, |now| looked(now, Seen::Unwatched));
    assert_eq!(world.memory.state, PlatformState::Live);
}

#[test]
fn a_silent_subscription_is_told_though_another_one_delivers_or_cannot_tell() {
    let mut world = World::new();
    world.run(0, 120, |now| {
        let silent = f64::from(i32::try_from(now).unwrap());
        let mut unknown = heard(now, 0, now, 0.0);
        if let Feed::Pushed { until, .. } = &mut unknown {
            *until = None;
        }
        let feeds = vec![heard(now, 0, now, 0.0), unknown, heard(0, 0, now, silent)];
        Evidence {
            feeds: Seen::Known(feeds),
            ..Evidence::none(at(now))
        }
    });
    assert_eq!(world.memory.state, PlatformState::Syncing);
}

#[test]
fn a_reason_says_that_it_is_over_and_how_long_that_has_to_last() {
    let mut world = World::new();
    let looked = |now: i64, queue| Evidence {
        queue: Seen::Known(queue),
        ..Evidence::none(at(now))
    };
    world.run(0, 20, |now| looked(now, 5000));
    world.run(20, 40, |now| looked(now, 1));
    assert_eq!(
        world.reason(),
        "5,000 messages wait in the queues of the live lane; all of that has been over for 15 s, and must stay so for 30 s"
    );
    assert!(world.last.as_ref().unwrap().causes[0].calm);
    world.run(40, 55, |now| looked(now, 1));
    assert_eq!(world.changes.last(), Some(&(50, PlatformState::Live)));
}

#[test]
fn a_memory_of_another_release_is_none() {
    assert_eq!(Memory::parse("{\"state\": 7}"), Memory::default());
    assert_eq!(Memory::parse(""), Memory::default());
    // What it knows more is passed over.
    let more = Memory::parse("{\"state\":\"stale\",\"mood\":\"good\"}");
    assert_eq!(more.state, PlatformState::Stale);
}

/// How far behind everything is at one look.
#[derive(Debug, Clone, Copy)]
struct Lags {
    silence: u32,
    expected: u32,
    behind: u32,
    line: u32,
    queue: u32,
    windows: u32,
    owed: u32,
    follow: u32,
    short: bool,
    word: Word,
    /// Of nothing but the line and the queue anything can be found out.
    blind: bool,
}

fn any_lags() -> impl Strategy<Value = Lags> {
    let word =
        prop_oneof![6 => Just(Word::Up), 1 => Just(Word::Trouble), 1 => Just(Word::Maintenance)];
    // Around the thresholds.
    let few = || prop_oneof![3 => 0_u32..40, 1 => 0_u32..1300];
    (
        (few(), few(), few(), few()),
        (
            prop_oneof![3 => 0_u32..400, 1 => 0_u32..2000],
            few(),
            prop_oneof![5 => Just(0_u32), 1 => 1_u32..9],
            few(),
        ),
        (
            proptest::bool::weighted(0.1),
            word,
            proptest::bool::weighted(0.1),
        ),
    )
        .prop_map(
            |(
                (silence, expected, behind, line),
                (queue, windows, owed, follow),
                (short, word, blind),
            )| Lags {
                silence,
                expected,
                behind,
                line,
                queue,
                windows,
                owed,
                follow,
                short,
                word,
                blind,
            },
        )
}

impl Lags {
    fn evidence(self, now: UtcMicros) -> Evidence {
        let ago = |seconds: u32| UtcMicros(now.0 - i64::from(seconds) * SECOND);
        let pushed = |heard, newest, expected| Feed::Pushed {
            name: "s".to_owned(),
            heard: Some(heard),
            newest,
            until: Some(now),
            expected: Some(expected),
            off: None,
        };
        // How late events are is measured of one that delivers, so that one lag hides no other.
        let feeds = vec![
            pushed(ago(self.silence), None, f64::from(self.expected)),
            pushed(now, Some(ago(self.behind)), 0.0),
            Feed::Followed {
                name: "f".to_owned(),
                until: ago(self.follow),
                usual: seconds(60),
            },
        ];
        let marks = (self.windows > 0).then(|| Marks {
            count: 1,
            since: ago(self.windows),
            from: ago(900),
        });
        let counted = Counted {
            from: ago(1800),
            to: ago(900),
            theirs: 100,
            ours: 50,
            short: self.short,
        };
        let storm = Storm {
            active: false,
            owed: u64::from(self.owed),
            from: None,
        };
        let seen = |blind| {
            if blind {
                Seen::Unknown
            } else {
                Seen::Known(())
            }
        };
        Evidence {
            now,
            feeds: seen(self.blind).map(|()| feeds),
            line: Seen::Known(seconds(u64::from(self.line))),
            queue: Seen::Known(u64::from(self.queue)),
            windows: seen(self.blind).map(|()| marks),
            storm: seen(self.blind).map(|()| storm),
            counts: seen(self.blind).map(|()| vec![counted]),
            health: seen(self.blind).map(|()| Said::new(self.word, "said")),
        }
    }

    fn worse(self, by: Self) -> Self {
        Self {
            silence: self.silence + by.silence,
            expected: self.expected + by.expected,
            behind: self.behind + by.behind,
            line: self.line + by.line,
            queue: self.queue + by.queue,
            windows: self.windows + by.windows,
            owed: self.owed + by.owed,
            follow: self.follow + by.follow,
            short: self.short || by.short,
            // Trouble and maintenance are two things: what is neither may become either.
            word: if self.word == Word::Up {
                by.word
            } else {
                self.word
            },
            blind: self.blind,
        }
    }
}

/// Mostly in step, now and then late.
fn any_step() -> impl Strategy<Value = i64> {
    prop_oneof![9 => 1_i64..8, 1 => 20_i64..90]
}

proptest! {
    /// More of any lag, at any look, never makes a better state at any look.
    #[test]
    fn monotone_in_lag(steps in proptest::collection::vec((any_step(), any_lags(), any_lags()), 1..60)) {
        let settings = Settings::default();
        let (mut one, mut worse, mut now) = (Memory::default(), Memory::default(), 0);
        for (step, lags, more) in steps {
            now += step;
            one = judge(&one, &lags.evidence(at(now)), &settings).memory;
            worse = judge(&worse, &lags.worse(more).evidence(at(now)), &settings).memory;
            prop_assert!(worse.state >= one.state, "{:?} after {:?}", worse.state, one.state);
        }
    }

    /// The same looks make the same states, through the store or not.
    #[test]
    fn deterministic(steps in proptest::collection::vec((any_step(), any_lags()), 1..60)) {
        let settings = Settings::default();
        let (mut kept, mut held, mut now) = (Memory::default(), Memory::default(), 0);
        for (step, lags) in steps {
            now += step;
            let evidence = lags.evidence(at(now));
            let first = judge(&kept, &evidence, &settings);
            let second = judge(&held, &evidence, &settings);
            prop_assert_eq!(&first, &second);
            kept = Memory::parse(&first.memory.to_json().unwrap());
            held = second.memory;
        }
    }

    /// Noise around any one threshold changes the state once at most, and a peak shorter than the dwell never.
    #[test]
    fn noise_does_not_flap(noise in proptest::collection::vec(15_u32..60, 10..300), which in 0_usize..4) {
        let settings = Settings::default();
        let (mut memory, mut changes, mut now) = (Memory::default(), 0, 0);
        for amount in noise {
            now += 5;
            // All of it at half the threshold or more: what is on stays on.
            let none = Lags { silence: 0, expected: 1000, behind: 0, line: 0, queue: 0, windows: 0, owed: 0, follow: 0, short: false, word: Word::Up, blind: false };
            let lags = match which {
                0 => Lags { silence: amount.max(18), ..none },
                1 => Lags { line: amount, ..none },
                2 => Lags { queue: amount * 40, ..none },
                _ => Lags { windows: amount * 2, ..none },
            };
            let next = judge(&memory, &lags.evidence(at(now)), &settings).memory;
            changes += u32::from(next.state != memory.state);
            memory = next;
        }
        prop_assert!(changes <= 1);
    }

    /// Two changes of the state are at least the shorter dwell apart, whatever happens.
    #[test]
    fn changes_are_apart(steps in proptest::collection::vec((1_i64..8, any_lags()), 1..200)) {
        let settings = Settings::default();
        let (mut memory, mut now) = (Memory::default(), 0);
        let mut left: Option<i64> = None;
        for (step, lags) in steps {
            now += step;
            let next = judge(&memory, &lags.evidence(at(now)), &settings).memory;
            // From live to anything and back: on for ten seconds, off for thirty.
            if next.state != memory.state && next.state == PlatformState::Live {
                let was = left.unwrap_or(now);
                prop_assert!(now - was >= 30, "live again after {} s", now - was);
            }
            if next.state != memory.state && memory.state == PlatformState::Live {
                left = Some(now);
            }
            memory = next;
        }
    }
}
