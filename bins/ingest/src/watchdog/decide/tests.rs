use super::*;

const QUIET_AFTER: Duration = Duration::from_secs(600);

fn at(seconds: i64) -> UtcMicros {
    UtcMicros::from_millis(seconds * 1000)
}

/// A subscription under a clock that the test moves.
struct World {
    standing: Standing,
    gaps: Vec<(UtcMicros, UtcMicros)>,
}

impl World {
    fn new() -> Self {
        Self {
            standing: Standing {
                subscription: "s".to_owned(),
                tenant: "t".to_owned(),
                watched_since: at(0),
                last_received_at: None,
                state: State::Unknown,
                since: at(0),
                reason: String::new(),
                silent_from: None,
                resumed_at: None,
                checked_at: None,
                findings: String::new(),
            },
            gaps: Vec::new(),
        }
    }

    /// A delivery, noted as the store notes it.
    fn delivery(&mut self, seconds: i64) {
        let standing = &mut self.standing;
        let after = match standing.silent_from {
            Some(from) => at(seconds) > from,
            None => standing.state != State::Ok,
        };
        if after && standing.resumed_at.is_none() {
            standing.resumed_at = Some(at(seconds));
        }
        standing.last_received_at = standing.last_received_at.max(Some(at(seconds)));
    }

    /// A round at this second, all deliveries worked off.
    fn round(&mut self, seconds: i64, word: Option<&Word>) -> State {
        self.round_with(seconds, Some(seconds), None, word)
    }

    fn round_with(
        &mut self,
        seconds: i64,
        worked_off: Option<i64>,
        usual: Option<&Usual>,
        word: Option<&Word>,
    ) -> State {
        let verdict = decide(Known {
            standing: &self.standing,
            now: at(seconds),
            worked_off: worked_off.map(at),
            quiet_after: QUIET_AFTER,
            usual,
            word,
        });
        if let Some(verdict) = verdict {
            self.standing.state = verdict.state;
            self.standing.since = verdict.since;
            self.standing.reason = verdict.reason;
            self.standing.silent_from = verdict.silent_from;
            self.standing.resumed_at = verdict.resumed_at;
            self.gaps.extend(verdict.gap);
        }
        self.standing.state
    }
}

fn word(view: View) -> Word {
    Word {
        view,
        why: "the platform says so".to_owned(),
    }
}

#[test]
fn silence_makes_it_quiet_and_lasting_deliveries_make_it_ok_again_with_one_gap() {
    let mut world = World::new();
    assert_eq!(world.round(5, None), State::Unknown);
    world.delivery(100);
    assert_eq!(world.round(103, None), State::Ok);
    assert_eq!(world.round(699, None), State::Ok);
    assert_eq!(world.round(700, None), State::Quiet);
    assert_eq!(world.standing.since, at(700));
    assert_eq!(world.round(5_000, None), State::Quiet);
    world.delivery(5_001);
    assert_eq!(
        world.round(5_003, None),
        State::Quiet,
        "one delivery is no traffic"
    );
    world.delivery(5_030);
    assert_eq!(world.round(5_033, None), State::Quiet);
    world.delivery(5_061);
    assert_eq!(world.round(5_063, None), State::Ok);
    assert_eq!(world.gaps, [(at(100), at(5_001))]);
    assert_eq!(world.round(5_066, None), State::Ok);
    assert_eq!(world.gaps.len(), 1);
}

#[test]
fn a_stray_delivery_is_no_end_of_a_silence() {
    let mut world = World::new();
    world.delivery(100);
    world.round(103, None);
    world.round(700, None);
    world.delivery(2_000);
    assert_eq!(world.round(2_003, None), State::Quiet);
    assert_eq!(world.round(2_600, None), State::Quiet);
    for second in [9_000, 9_070] {
        world.delivery(second);
        world.round(second + 3, None);
    }
    assert_eq!(world.standing.state, State::Ok);
    assert_eq!(world.gaps, [(at(100), at(9_000))], "one, and whole");
}

#[test]
fn a_backlog_is_no_silence() {
    let mut world = World::new();
    world.delivery(100);
    world.round(103, None);
    assert_eq!(world.round_with(90_000, Some(101), None, None), State::Ok);
    assert_eq!(world.round_with(90_000, None, None, None), State::Ok);
}

#[test]
fn what_never_delivered_is_quiet_after_its_time_and_has_no_gap() {
    let mut world = World::new();
    assert_eq!(world.round(599, None), State::Unknown);
    assert_eq!(world.round(600, None), State::Quiet);
    world.delivery(700);
    assert_eq!(world.round(703, None), State::Ok);
    assert!(world.gaps.is_empty());
}

#[test]
fn a_silence_that_is_usual_is_none() {
    let hour = |hour: i64, events| (UtcMicros(hour * 3_600_000_000), events);
    // Nothing ever comes in the second hour of this week's day.
    let usual = Usual::new(&[hour(0, 50), hour(1, 0)]);
    let week = 7 * 86_400;
    let mut world = World::new();
    world.delivery(week + 3_600);
    world.round(week + 3_603, None);
    let late = week + 7_100;
    assert_eq!(
        world.round_with(late, Some(late), Some(&usual), None),
        State::Ok
    );
    assert_eq!(world.round_with(late, Some(late), None, None), State::Quiet);
}

#[test]
fn the_platforms_word_goes_before_traffic_and_holds_until_it_says_otherwise() {
    for (view, state) in [
        (View::Disabled, State::Disabled),
        (View::Missing, State::Missing),
    ] {
        let mut world = World::new();
        world.delivery(100);
        let (good, bad, unknown) = (word(View::Enabled), word(view), Word::none());
        assert_eq!(world.round(103, Some(&good)), State::Ok);
        assert_eq!(world.round(200, Some(&bad)), state);
        assert_eq!(world.standing.reason, "the platform says so");
        world.delivery(210);
        assert_eq!(
            world.round(213, Some(&bad)),
            state,
            "what trickles in changes nothing"
        );
        assert_eq!(world.round(4_000, Some(&unknown)), state);
        assert_eq!(world.round(5_000, Some(&good)), State::Quiet);
        for second in [5_100, 5_170] {
            world.delivery(second);
            world.round(second + 3, Some(&good));
        }
        assert_eq!(world.standing.state, State::Ok);
        assert_eq!(world.gaps, [(at(100), at(5_100))]);
    }
}

#[test]
fn who_is_not_asked_any_more_is_judged_by_traffic_alone() {
    let mut world = World::new();
    world.delivery(100);
    world.round(103, Some(&word(View::Disabled)));
    assert_eq!(world.round(200, None), State::Quiet);
    world.delivery(210);
    world.delivery(290);
    assert_eq!(world.round(293, None), State::Ok);
}

#[test]
fn what_delivers_seldom_is_ok_again_after_two_with_a_usual_pause_between() {
    // One event in each hour and a half, for the two weeks before.
    let week = 7 * 86_400;
    let hours = (0..2 * 7 * 24).filter(|hour| hour % 3 != 2);
    let hours: Vec<_> = hours
        .map(|hour| (UtcMicros(hour * 3_600_000_000), 1))
        .collect();
    let usual = Usual::new(&hours);
    let mut world = World::new();
    let start = 2 * week;
    let round = |world: &mut World, second| {
        world.round_with(start + second, Some(start + second), Some(&usual), None)
    };
    world.delivery(start);
    assert_eq!(round(&mut world, 5_399), State::Ok);
    assert_eq!(round(&mut world, 20_000), State::Quiet);
    world.delivery(start + 21_600);
    assert_eq!(round(&mut world, 21_603), State::Quiet);
    assert_eq!(
        round(&mut world, 26_000),
        State::Quiet,
        "a pause that is usual"
    );
    world.delivery(start + 27_000);
    assert_eq!(round(&mut world, 27_003), State::Ok);
    assert_eq!(world.gaps, [(at(start), at(start + 21_600))]);
}
