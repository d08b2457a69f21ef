//! From a verdict on a request to what is written down for every row. Pure.

use crate::batch::Prepared;
use platform::outcome;
use platform::retry::{Cause, Schedule};
use std::time::Duration;
use store::sync::Fate;
use target::Fate as Said;

/// What became of a request, and of each row in it.
pub type Verdict = outcome::Verdict<Said>;

/// What is written down for one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// How the attempt ended.
    pub fate: Fate,
    /// The pause before the next one.
    pub retry_in: Duration,
    /// The platform's words, or ours.
    pub message: Option<String>,
}

/// What follows from a verdict.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Every row has a fate, in the order of the rows.
    Settle(Vec<Settlement>),
    /// The rows go again in two requests, to find the one that spoils them.
    Halve(String),
    /// The rows go again with a new token.
    NewToken(String),
}

/// Decides. `renewed` says that the token was renewed for this very request; `random` in 0..1 spreads the retries.
#[must_use]
pub fn decide(
    verdict: Verdict,
    rows: &[Prepared],
    schedule: Schedule,
    renewed: bool,
    random: f64,
) -> Next {
    let all = |fate: Fate, cause: Cause, hint: Option<Duration>, why: &str| {
        let settlements = rows.iter().map(|row| Settlement {
            fate,
            retry_in: delay(schedule, row, cause, hint, random),
            message: Some(why.to_owned()),
        });
        Next::Settle(settlements.collect())
    };
    match verdict {
        Verdict::Rows(fates) => Next::Settle(
            rows.iter()
                .zip(fates)
                .map(|(row, fate)| one(row, fate, schedule, random))
                .collect(),
        ),
        Verdict::Slow { wait, why } => all(Fate::Snooze, Cause::Snoozed, Some(wait), &why),
        Verdict::Halve { why } if rows.len() > 1 => Next::Halve(why),
        Verdict::Halve { why } => all(Fate::Rejected, Cause::Failed, None, &why),
        Verdict::Unauthorised { why } if !renewed => Next::NewToken(why),
        // The target as a whole rests; its rows stay due, so that they go as soon as it is mended.
        Verdict::Unauthorised { why } | Verdict::Pause { why } => Next::Settle(vec![
            Settlement {
                fate: Fate::Snooze,
                retry_in: Duration::ZERO,
                message: Some(why),
            };
            rows.len()
        ]),
        Verdict::Broken { hint, why } => all(Fate::Retry, Cause::Failed, hint, &why),
        Verdict::Unknown { hint, why } => all(Fate::Unknown, Cause::Failed, hint, &why),
    }
}

fn one(row: &Prepared, said: Said, schedule: Schedule, random: f64) -> Settlement {
    match said {
        Said::Accepted => Settlement {
            fate: match row.pushed {
                Some(_) => Fate::Accepted,
                None => Fate::Retracted,
            },
            retry_in: Duration::ZERO,
            message: None,
        },
        Said::Later(later) => {
            let (fate, cause) = if later.is_spent {
                (Fate::Retry, Cause::Failed)
            } else {
                (Fate::Snooze, Cause::Snoozed)
            };
            Settlement {
                fate,
                retry_in: delay(schedule, row, cause, later.hint, random),
                message: Some(later.why),
            }
        }
        Said::Rejected { why } => Settlement {
            fate: Fate::Rejected,
            retry_in: Duration::ZERO,
            message: Some(why),
        },
        Said::Unknown { hint, why } => Settlement {
            fate: Fate::Unknown,
            retry_in: delay(schedule, row, Cause::Failed, hint, random),
            message: Some(why),
        },
    }
}

/// The claim counted this attempt already: the schedule is asked about those before it.
fn delay(
    schedule: Schedule,
    row: &Prepared,
    cause: Cause,
    hint: Option<Duration>,
    random: f64,
) -> Duration {
    let before = u32::try_from(row.due.attempt.saturating_sub(1)).unwrap_or(0);
    schedule.next(before, cause, hint, random).delay
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Bounds;
    use crate::batch::tests::{due, genesys, planned};

    fn rows(count: usize, attempt: i32) -> Vec<Prepared> {
        let adapter = genesys();
        let due = (0..count)
            .map(|n| {
                let mut due = due(&format!("i{n}"), 1, Some(1.0));
                due.attempt = attempt;
                due
            })
            .collect();
        planned(due, &adapter, Bounds::of(&adapter, 100))
            .requests
            .remove(0)
    }

    fn settle(verdict: Verdict, count: usize, renewed: bool) -> Vec<Settlement> {
        let rows = rows(count, 3);
        match decide(verdict, &rows, Schedule::default(), renewed, 1.0) {
            Next::Settle(settlements) => settlements,
            other => panic!("{other:?}"),
        }
    }

    fn why() -> String {
        "words".to_owned()
    }

    #[test]
    fn trouble_of_the_platform_spends_an_attempt_and_waits_by_the_schedule() {
        for (verdict, fate) in [
            (
                Verdict::Broken {
                    hint: None,
                    why: why(),
                },
                Fate::Retry,
            ),
            (
                Verdict::Unknown {
                    hint: None,
                    why: why(),
                },
                Fate::Unknown,
            ),
        ] {
            for settlement in settle(verdict, 2, false) {
                assert_eq!((settlement.fate, settlement.retry_in.as_secs()), (fate, 4));
            }
        }
    }

    #[test]
    fn throttling_is_a_snooze_for_as_long_as_was_asked() {
        let verdict = Verdict::Slow {
            wait: Duration::from_secs(100),
            why: why(),
        };
        let settlement = &settle(verdict, 1, false)[0];
        assert_eq!(settlement.fate, Fate::Snooze);
        assert!(settlement.retry_in >= Duration::from_secs(100));
    }

    #[test]
    fn a_refusal_without_culprit_halves_until_one_is_left() {
        let halve = || Verdict::Halve { why: why() };
        let decided = decide(halve(), &rows(2, 1), Schedule::default(), false, 0.5);
        assert_eq!(decided, Next::Halve(why()));
        assert_eq!(settle(halve(), 1, false)[0].fate, Fate::Rejected);
    }

    #[test]
    fn a_refused_token_is_renewed_once_and_then_no_row_is_blamed() {
        let refused = || Verdict::Unauthorised { why: why() };
        let decided = decide(refused(), &rows(2, 1), Schedule::default(), false, 0.5);
        assert_eq!(decided, Next::NewToken(why()));
        for verdict in [refused(), Verdict::Pause { why: why() }] {
            for settlement in settle(verdict, 2, true) {
                assert_eq!(settlement.fate, Fate::Snooze);
            }
        }
    }

    #[test]
    fn what_is_accepted_of_a_row_without_a_value_is_its_retraction() {
        let mut rows = rows(2, 1);
        rows[1].pushed = None;
        let accepted = Verdict::Rows(vec![Said::Accepted; 2]);
        let decided = decide(accepted, &rows, Schedule::default(), false, 0.5);
        let Next::Settle(settlements) = decided else {
            panic!("{decided:?}")
        };
        let fates: Vec<Fate> = settlements.iter().map(|settled| settled.fate).collect();
        assert_eq!(fates, [Fate::Accepted, Fate::Retracted]);
    }

    #[test]
    fn each_row_of_a_mixed_answer_goes_its_own_way() {
        let later = |is_spent| {
            Said::Later(target::Later {
                hint: None,
                is_spent,
                why: why(),
            })
        };
        let fates = vec![
            Said::Accepted,
            later(false),
            later(true),
            Said::Rejected { why: why() },
            Said::Unknown {
                hint: None,
                why: why(),
            },
        ];
        let fates: Vec<Fate> = settle(Verdict::Rows(fates), 5, false)
            .iter()
            .map(|settlement| settlement.fate)
            .collect();
        let expected = [
            Fate::Accepted,
            Fate::Snooze,
            Fate::Retry,
            Fate::Rejected,
            Fate::Unknown,
        ];
        assert_eq!(fates, expected);
    }
}
