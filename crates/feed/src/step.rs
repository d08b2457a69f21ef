//! What to do with an interval that was made up, given what was sent of it before.

use crate::Revision;
use crate::definition::Empty;
use crate::digest::Digest;

/// The newest revision of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// Its number.
    pub revision: Revision,
    /// What is in it.
    pub digest: Digest,
    /// The receiver has it.
    pub is_sent: bool,
    /// It is certain that the receiver does not have it.
    pub is_absent: bool,
    /// Whether it corrects an earlier one.
    pub is_correction: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing: the receiver has what there is.
    Done,
    /// Nothing: there is nothing in it, the receiver has nothing of it, and is to get no empty files.
    Skip,
    /// It goes.
    Send {
        /// As this revision.
        revision: Revision,
        /// It corrects what the receiver has, or may have.
        is_correction: bool,
    },
}

/// Decides. `is_empty`: it has no rows; `again`: it is to be sent whether the receiver has it or not.
///
/// The same content goes under the same number, so that a file that comes twice is the same file. Other content has the next number, unless
/// it is certain that nobody has seen the one that it takes the place of.
#[must_use]
pub fn step(
    last: Option<&Last>,
    digest: Digest,
    is_empty: bool,
    again: bool,
    empty: Empty,
) -> Step {
    let skips = is_empty && empty == Empty::Skip;
    let Some(last) = last else {
        return if skips {
            Step::Skip
        } else {
            Step::Send {
                revision: Revision::FIRST,
                is_correction: false,
            }
        };
    };
    // Nothing was ever seen of it, by anybody.
    if last.is_absent && !last.is_correction && skips {
        return Step::Skip;
    }
    if last.digest == digest || last.is_absent {
        return if last.is_sent && !again {
            Step::Done
        } else {
            Step::Send {
                revision: last.revision,
                is_correction: last.is_correction,
            }
        };
    }
    Step::Send {
        revision: last.revision.next(),
        is_correction: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEND: fn(u32, bool) -> Step = |revision, is_correction| Step::Send {
        revision: Revision(revision),
        is_correction,
    };

    fn last(revision: u32, content: u8, is_sent: bool, is_absent: bool) -> Last {
        Last {
            revision: Revision(revision),
            digest: Digest([content; 32]),
            is_sent,
            is_absent,
            is_correction: revision > 1,
        }
    }

    #[test]
    fn a_revision_is_one_content_for_ever() {
        let (same, other) = (Digest([1; 32]), Digest([2; 32]));
        let send = |last: &Last, digest, again| step(Some(last), digest, false, again, Empty::Send);
        assert_eq!(step(None, same, false, false, Empty::Skip), SEND(1, false));
        let sent = last(1, 1, true, false);
        assert_eq!(send(&sent, same, false), Step::Done);
        assert_eq!(
            send(&sent, same, true),
            SEND(1, false),
            "a replay is the same file"
        );
        assert_eq!(send(&sent, other, false), SEND(2, true));
        assert_eq!(send(&sent, other, true), SEND(2, true));
        let broken_off = last(2, 1, false, false);
        assert_eq!(send(&broken_off, same, false), SEND(2, true));
        assert_eq!(send(&broken_off, other, false), SEND(3, true));
        let failed = last(1, 1, false, true);
        assert_eq!(
            send(&failed, other, false),
            SEND(1, false),
            "nobody saw the other"
        );
    }

    #[test]
    fn an_empty_interval_is_skipped_only_where_the_receiver_has_nothing_of_it() {
        let (empty, skip) = (Digest([0; 32]), Empty::Skip);
        assert_eq!(step(None, empty, true, true, skip), Step::Skip);
        assert_eq!(step(None, empty, true, false, Empty::Send), SEND(1, false));
        let sent = last(1, 1, true, false);
        assert_eq!(step(Some(&sent), empty, true, false, skip), SEND(2, true));
        let failed = last(1, 1, false, true);
        assert_eq!(step(Some(&failed), empty, true, false, skip), Step::Skip);
    }

    proptest! {
        /// Whatever happens to the files on the way, what the receiver holds under one number is one content, and in the end it holds the
        /// newest content under the highest.
        #[test]
        fn the_receiver_ends_with_the_newest_content(
            rounds in prop::collection::vec((0_u8..3, 0_u8..4, any::<bool>()), 1..40),
        ) {
            let mut held: std::collections::BTreeMap<u32, u8> = std::collections::BTreeMap::new();
            let mut last: Option<Last> = None;
            let mut rounds = rounds;
            let newest = rounds.last().map_or(0, |round| round.0);
            rounds.push((newest, 0, false));
            for (content, fate, again) in rounds {
                let digest = Digest([content; 32]);
                let Step::Send { revision, is_correction } = step(last.as_ref(), digest, false, again, Empty::Send) else {
                    continue;
                };
                prop_assert_eq!(is_correction, revision > Revision::FIRST);
                // 0: sent. 1: sent, and nobody learnt of it. 2: lost, and nobody knows. 3: certainly not sent.
                let before = last.is_some_and(|last| last.revision == revision && !last.is_absent);
                if fate < 2 {
                    let known = held.insert(revision.0, content);
                    prop_assert!(known.is_none_or(|known| known == content), "revision {:?} has two contents", revision);
                }
                last = Some(Last {
                    revision,
                    digest,
                    is_sent: fate == 0,
                    is_absent: fate == 3 && !before,
                    is_correction,
                });
            }
            prop_assert_eq!(held.values().next_back(), Some(&newest));
        }
    }
}
