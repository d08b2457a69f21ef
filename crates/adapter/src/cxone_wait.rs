//! The wait of a written contact as a leg of its own, for records that tell of it in the agent's row.

use crate::duration;
use compact_str::CompactString;
use schema::{
    Details, DurationKind, Durations, Fact, FactKey, Leg, LegId, LegKind, LegOutcome, Millis,
    QueueId, SourceRank, Statement, UtcMicros,
};

/// A wait that ended with an agent.
pub(crate) struct Wait {
    contact: String,
    from: UtcMicros,
    until: Option<UtcMicros>,
    waited: Millis,
    queue: Option<QueueId>,
}

impl Wait {
    /// The wait, where there was one. Without a word on what came before it, it began with the contact.
    pub(crate) fn of(
        contact: &str,
        start: UtcMicros,
        before: Option<Millis>,
        waited: Option<Millis>,
        queue: Option<QueueId>,
    ) -> Option<Self> {
        let waited = waited.filter(|waited| *waited != Millis::ZERO)?;
        let from = duration::end(start, before.unwrap_or(Millis::ZERO)).unwrap_or(start);
        Some(Self {
            contact: contact.to_owned(),
            from,
            until: duration::end(from, waited),
            waited,
            queue,
        })
    }

    /// The fact of the record that tells of it.
    pub(crate) fn fact(self, revision: Option<UtcMicros>, media: Option<CompactString>) -> Fact {
        let leg = Leg {
            ended_at: self.until,
            answered_at: self.until,
            outcome: Some(LegOutcome::Answered),
            ..Leg::new(LegId::new(&self.contact), LegKind::Queue)
        };
        Fact {
            key: FactKey::leg(&format!("{}:queue", self.contact)),
            at: self.from,
            revision,
            rank: SourceRank::SettledRecord,
            statement: Statement {
                queue: self.queue,
                durations: Durations::default().with(DurationKind::QueueWait, self.waited),
                details: Some(Box::new(Details {
                    leg: Some(leg),
                    media,
                    ..Details::default()
                })),
                ..Statement::default()
            },
        }
    }
}
