//! Short words for the tests: a call is told fact by fact, then measured.

use kpi::{Catalogue, Definition, Library, MetricValue, Subject};
use schema::{
    AgentId, AgentRef, CustomerKey, Details, Direction, DurationKind, Fact, FactKey, Leg, LegId,
    LegKind, Millis, QueueId, SourceRank, State, Statement, UtcMicros,
};
use session::Session;
use std::sync::{Arc, LazyLock};

/// 2024-05-15T14:00:00Z: ten in the morning in New York, a quarter to eight in the evening in Kathmandu.
pub(crate) const TEN_IN_NEW_YORK: i64 = 1_715_781_600_000;

pub(crate) static SHIPPED: LazyLock<Catalogue> = LazyLock::new(Catalogue::shipped);

/// A call, told so far.
#[derive(Default, Clone)]
pub(crate) struct Call {
    pub(crate) session: Session,
    facts: u8,
    pub(crate) swept: bool,
}

/// One fact about a call; the key follows the order of telling, the instant is in milliseconds since [`TEN_IN_NEW_YORK`].
#[derive(Clone)]
pub(crate) struct Told(pub(crate) Fact);

pub(crate) fn at(second: i64) -> Told {
    at_millis(second * 1000)
}

pub(crate) fn at_millis(millis: i64) -> Told {
    Told(Fact {
        key: FactKey::interaction(),
        at: UtcMicros::from_millis(TEN_IN_NEW_YORK + millis),
        revision: None,
        rank: SourceRank::Event,
        statement: Statement::default(),
    })
}

pub(crate) fn second(second: i64) -> UtcMicros {
    UtcMicros::from_millis(TEN_IN_NEW_YORK + second * 1000)
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

    pub(crate) fn queue(mut self, id: &str) -> Self {
        self.0.statement.queue = Some(QueueId::new(id));
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

    pub(crate) fn details(mut self, say: impl FnOnce(&mut Details)) -> Self {
        say(self.0.statement.details.get_or_insert_default());
        self
    }

    pub(crate) fn direction(self, direction: Direction) -> Self {
        self.details(|details| details.direction = Some(direction))
    }

    pub(crate) fn media(self, media: &str) -> Self {
        self.details(|details| details.media = Some(media.into()))
    }

    pub(crate) fn customer(self, key: &str) -> Self {
        self.details(|details| details.customer_key = Some(CustomerKey::new(key)))
    }

    pub(crate) fn leg(self, id: &str, kind: LegKind, say: impl FnOnce(&mut Leg)) -> Self {
        let mut leg = Leg::new(LegId::new(id), kind);
        say(&mut leg);
        self.details(|details| details.leg = Some(leg))
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

    pub(crate) fn swept(mut self) -> Self {
        self.swept = true;
        self
    }

    /// Every row that a catalogue gives.
    pub(crate) fn rows_of(&self, catalogue: &Catalogue) -> Vec<MetricValue> {
        let timeline = self.session.timeline();
        let subject = Subject {
            tenant: "acme",
            interaction: "int_1",
            timeline: &timeline,
            swept: self.swept,
        };
        let mut rows = Vec::new();
        catalogue.evaluate(&subject, &mut rows);
        rows
    }

    /// The rows of one shipped metric.
    pub(crate) fn rows(&self, metric: &str) -> Vec<MetricValue> {
        let rows = self.rows_of(&SHIPPED);
        rows.into_iter()
            .filter(|row| row.metric == metric)
            .collect()
    }

    /// The only row of one shipped metric.
    pub(crate) fn measured(&self, metric: &str) -> MetricValue {
        let mut rows = self.rows(metric);
        assert_eq!(rows.len(), 1, "{metric} is given once");
        rows.remove(0)
    }

    /// The only row of one shipped metric: see [`shown`].
    pub(crate) fn value(&self, metric: &str) -> String {
        shown(&self.measured(metric))
    }

    /// The only row of a definition of one's own.
    pub(crate) fn measured_by(&self, definition: Definition, library: Library) -> MetricValue {
        let catalogue = Catalogue::new(vec![Arc::new(definition)], library);
        let mut rows = self.rows_of(&catalogue);
        assert_eq!(rows.len(), 1, "one row a definition");
        rows.remove(0)
    }
}

/// `80.5`, or `absent: not_stated`, or `0: excluded_disposition` where a rule asked for the zero.
pub(crate) fn shown(row: &MetricValue) -> String {
    match (row.value, &row.metadata.reason) {
        (Some(value), None) => value.to_string(),
        (Some(value), Some(reason)) => format!("{value}: {reason}"),
        (None, Some(reason)) => format!("absent: {reason}"),
        (None, None) => "absent without a reason".to_owned(),
    }
}

/// A definition of one's own: `rest` goes behind name, version and unit.
pub(crate) fn definition(unit: &str, rest: &str) -> Definition {
    let text = format!("name = 'own'\nversion = 1\nunit = '{unit}'\n{rest}");
    Definition::read("own.toml", &text, &Library::shipped())
        .unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}
