//! Stretches cut into what one chunk may be. Pure.

use crate::platforms::{Kind, Platform};
use crate::source::Source;
use schema::UtcMicros;
use std::time::Duration;
use store::chunks::NewChunk;

/// The chunks of a stretch: none longer than what the platform is asked for at a time.
pub(super) fn chunks(
    platform: &Platform,
    source: Source,
    from: UtcMicros,
    to: UtcMicros,
) -> Vec<NewChunk> {
    let span = match (&platform.kind, source) {
        (Kind::Genesys(genesys), _) => genesys.job_span,
        (Kind::Cxone(cxone), Source::CxoneReport | Source::CxoneExtraction) => cxone.report_span,
        (Kind::Cxone(cxone), _) => cxone.span,
    };
    cut(from, to, span)
        .into_iter()
        .map(|(from, to)| NewChunk {
            from,
            to,
            due_in: Duration::ZERO,
            cursor_json: None,
        })
        .collect()
}

fn cut(from: UtcMicros, to: UtcMicros, span: Duration) -> Vec<(UtcMicros, UtcMicros)> {
    let span = super::follow::micros(span).max(1_000_000);
    let mut all = Vec::new();
    let mut at = from;
    while at < to {
        let end = UtcMicros(at.0.saturating_add(span).min(to.0));
        all.push((at, end));
        at = end;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_touch_and_none_is_longer_than_asked_for() {
        let at = |second: i64| UtcMicros(second * 1_000_000);
        assert_eq!(
            cut(at(0), at(25), Duration::from_secs(10)),
            [(at(0), at(10)), (at(10), at(20)), (at(20), at(25))]
        );
        assert_eq!(cut(at(5), at(5), Duration::from_secs(10)), []);
    }
}
