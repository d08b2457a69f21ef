//! Stretches of time that carry something, and a finger that moves along them.

use schema::UtcMicros;

/// A half-open stretch of time with what holds in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span<T> {
    pub(crate) from: UtcMicros,
    pub(crate) to: UtcMicros,
    pub(crate) what: T,
}

/// The one of these disjoint and ascending spans that covers an instant.
pub(crate) fn covering<T>(spans: &[Span<T>], at: UtcMicros) -> Option<&Span<T>> {
    let next = spans.partition_point(|span| span.to <= at);
    spans.get(next).filter(|span| span.from <= at)
}

/// Where a reader is in spans that are disjoint and ascending.
#[derive(Debug)]
pub(crate) struct Finger<'a, T> {
    ahead: &'a [Span<T>],
}

impl<'a, T> Finger<'a, T> {
    pub(crate) const fn new(spans: &'a [Span<T>]) -> Self {
        Self { ahead: spans }
    }

    /// What holds at this instant, which is no earlier than the one asked for before.
    pub(crate) fn at(&mut self, instant: UtcMicros) -> Option<&'a T> {
        while let Some((first, rest)) = self.ahead.split_first() {
            if instant < first.to {
                return (first.from <= instant).then_some(&first.what);
            }
            self.ahead = rest;
        }
        None
    }
}
