//! What became of each item, in the order of the body.

use super::source::Source;
use crate::format_words::words;
use crate::normalise::plan::{Item, Plan, Refused, plan};
use crate::subscriptions::Subscription;
use schema::UtcMicros;
use std::cmp::Reverse;
use store::partitions::is_plausible;
use timezone::Zone;

/// A body after the steps that decide what becomes of it.
pub(super) struct View<'a> {
    pub(super) subscription: Option<&'a Subscription>,
    /// Its format, as the file says it.
    pub(super) format: String,
    /// Its size.
    pub(super) bytes: usize,
    /// Whether *receive* would answer that there is nothing in it, and store nothing.
    pub(super) is_nothing: bool,
    pub(super) lines: Vec<Line<'a>>,
}

/// An item and its fate.
pub(super) struct Line<'a> {
    /// Its position in the body; -1 for the body as a whole.
    pub(super) index: i32,
    pub(super) fate: Fate<'a>,
}

pub(super) enum Fate<'a> {
    Mapped(Box<Item<'a>>),
    Ignored { kind: String },
    Refused(Box<Refused<'a>>),
}

impl<'a> View<'a> {
    /// Does to the body what *normalise* would do, up to the first step that needs a server.
    pub(super) fn of(source: &'a Source) -> Self {
        let is_nothing = source.subscription.is_some() && source.is_nothing();
        let Plan {
            origins,
            items,
            refused,
            ignored,
            raw_key: _, // nothing is stored
        } = plan(&source.messages, &source.mappings, &is_plausible);
        let mapped = items.into_iter().map(|item| Line {
            index: item.index,
            fate: Fate::Mapped(Box::new(item)),
        });
        let refused = refused.into_iter().map(|bad| Line {
            index: bad.index,
            fate: Fate::Refused(Box::new(bad)),
        });
        let ignored = ignored.into_iter().map(|item| Line {
            index: item.index,
            fate: Fate::Ignored { kind: item.kind },
        });
        let mut lines: Vec<Line<'a>> = mapped.chain(refused).chain(ignored).collect();
        if is_nothing {
            lines.clear();
        }
        lines.sort_by_key(|line| line.index);
        let origin = origins.first();
        Self {
            subscription: source.subscription.as_ref(),
            format: origin.map_or_else(String::new, |origin| words(&origin.delivery.format)),
            bytes: origin.map_or(0, |origin| origin.delivery.body.len()),
            is_nothing,
            lines,
        }
    }

    pub(super) fn mapped(&self) -> usize {
        self.count(|fate| matches!(fate, Fate::Mapped(_)))
    }

    pub(super) fn refused(&self) -> usize {
        self.count(|fate| matches!(fate, Fate::Refused(_)))
    }

    pub(super) fn ignored(&self) -> usize {
        self.count(|fate| matches!(fate, Fate::Ignored { .. }))
    }

    fn count(&self, is: impl Fn(&Fate<'_>) -> bool) -> usize {
        self.lines.iter().filter(|line| is(&line.fate)).count()
    }

    /// The largest body that the subscription takes, where this one is larger.
    pub(super) fn limit_exceeded(&self) -> Option<usize> {
        let limit = self.subscription?.max_body_bytes;
        (self.bytes > limit).then_some(limit)
    }

    /// The kinds that were ignored, the most frequent first.
    pub(super) fn kinds(&self) -> Vec<(&str, usize)> {
        let mut kinds = std::collections::BTreeMap::new();
        for line in &self.lines {
            if let Fate::Ignored { kind } = &line.fate {
                *kinds.entry(kind.as_str()).or_insert(0) += 1;
            }
        }
        let mut kinds: Vec<(&str, usize)> = kinds.into_iter().collect();
        kinds.sort_by_key(|(_, count)| Reverse(*count));
        kinds
    }
}

/// The zone that a stated name leads to; `None` where nobody knows it.
pub(super) fn zone_in_use(stated: &str) -> Option<&'static str> {
    Zone::parse(stated).ok().map(Zone::name)
}

/// Which of several statements holds; `None` where nobody asks, or where it is no instant but one counted down, so that the earliest holds.
pub(super) fn revision(revision: Option<UtcMicros>) -> Option<String> {
    revision.filter(|at| at.0 >= 0).map(|at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_that_counts_down_is_no_instant() {
        assert_eq!(revision(Some(UtcMicros(-1_715_783_600_000_000))), None);
        let at = UtcMicros(1_715_783_600_000_000);
        assert_eq!(revision(Some(at)), Some(at.to_string()));
    }
}
