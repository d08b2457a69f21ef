//! Short words for the tests of the metrics: a call is told fact by fact, then measured.

use crate::{MetricValue, Reason, RuleBook, evaluate_only};
use schema::{
    AgentId, AgentRef, Details, DurationKind, Fact, FactKey, Leg, LegId, LegKind, LegOutcome,
    MetricVersion, Millis, SourceRank, State, Statement, UtcMicros,
};
use session::Session;

/// 2024-05-15T14:00:00Z: ten in the morning in New York, a quarter to eight in the evening in Kathmandu.
pub(crate) const TEN_IN_NEW_YORK: i64 = 1_715_781_600_000;

/// A call, told so far.
#[derive(Default)]
pub(crate) struct Call {
    session: Session,
    facts: u8,
}

/// One fact about a call; the key follows the order of telling, the instant is in seconds since [`TEN_IN_NEW_YORK`].
pub(crate) struct Told(Fact);

pub(crate) fn at(second: i64) -> Told {
    Told(Fact {
        key: FactKey::interaction(),
        at: UtcMicros::from_millis(TEN_IN_NEW_YORK + second * 1000),
        revision: None,
        rank: SourceRank::Event,
        statement: Statement::default(),
    })
}

impl Told {
    pub(crate) fn state(mut self, state: State) -> Self {
        self.0.statement.state = Some(state);
        self
    }

    pub(crate) fn agent(mut self, id: &str, zone: Option<&str>) -> Self {
        self.0.statement.agent = Some(AgentRef {
            id: AgentId::new(id),
            zone: zone.map(Into::into),
        });
        self
    }

    pub(crate) fn disposition(mut self, disposition: &str) -> Self {
        self.0.statement.disposition = Some(disposition.into());
        self
    }

    pub(crate) fn lasts(mut self, kind: DurationKind, millis: i64) -> Self {
        self.0.statement.durations.set(kind, Millis(millis));
        self
    }

    pub(crate) fn leg(mut self, id: &str, kind: LegKind, outcome: Option<LegOutcome>) -> Self {
        let leg = Leg {
            outcome,
            ..Leg::new(LegId::new(id), kind)
        };
        self.0.statement.details = Some(Box::new(Details {
            leg: Some(leg),
            ..Details::default()
        }));
        self
    }
}

impl Call {
    pub(crate) fn told(mut self, told: Told) -> Self {
        self.facts += 1;
        let mut fact = told.0;
        fact.key = FactKey::event(&format!("{:03}", self.facts));
        self.session.insert(fact);
        self
    }

    /// The same call, ended a minute after it began.
    pub(crate) fn ended(self) -> Self {
        self.told(at(60).state(State::Completed))
    }

    /// The one metric, by the built-in rules.
    pub(crate) fn measured(&self, metric: &str) -> MetricValue {
        self.measured_by(&RuleBook::builtin(), metric)
    }

    /// The one metric, by these rules.
    pub(crate) fn measured_by(&self, book: &RuleBook, metric: &str) -> MetricValue {
        let mut values = Vec::new();
        let version = MetricVersion::FIRST;
        evaluate_only(
            &[metric],
            &self.session.timeline(),
            book.rules(version),
            version,
            &mut values,
        );
        assert_eq!(values.len(), 1, "{metric} is given once");
        values.remove(0)
    }

    /// Seconds, or the reason why there are none.
    pub(crate) fn seconds(&self, metric: &str) -> Result<f64, Reason> {
        let value = self.measured(metric);
        value.value.ok_or_else(|| value.metadata.reason.unwrap())
    }
}
