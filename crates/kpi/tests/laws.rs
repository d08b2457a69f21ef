//! What holds for the metrics of all sessions, however awkward.

#[path = "../../session/tests/support/awkward.rs"]
mod awkward;

use awkward::{fact, facts};
use kpi::{METRICS, MetricValue, Reason, RuleBook, evaluate, evaluate_only};
use proptest::prelude::*;
use schema::{Fact, MetricVersion};
use session::Session;

fn folded(facts: &[Fact]) -> Session {
    let mut session = Session::default();
    for fact in facts {
        session.insert(fact.clone());
    }
    session
}

fn metrics(session: &Session, version: u16) -> Vec<MetricValue> {
    let (book, version) = (RuleBook::builtin(), MetricVersion(version));
    let mut values = Vec::new();
    evaluate(
        &session.timeline(),
        book.rules(version),
        version,
        &mut values,
    );
    values
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// L1, L2 and L6: the metrics are a function of the facts.
    #[test]
    fn any_order_with_any_repetition_gives_the_same_metrics_to_the_byte(
        (one, other) in facts().prop_flat_map(|facts| (Just(facts.clone()), Just([facts.clone(), facts].concat()).prop_shuffle()))
    ) {
        let (one, other) = (metrics(&folded(&one), 1), metrics(&folded(&other), 1));
        prop_assert_eq!(&one, &other);
        let bytes = |values: &[MetricValue]| {
            values
                .iter()
                .map(|value| format!("{:?} {} {}", value.value.map(f64::to_bits), value.metadata, value.provenance))
                .collect::<Vec<_>>()
        };
        prop_assert_eq!(bytes(&one), bytes(&other));
    }

    /// L5, and guarantee 11: a value is a number of seconds, or it is absent for a reason.
    #[test]
    fn each_metric_of_an_ended_interaction_has_a_value_or_a_reason(facts in facts()) {
        let session = folded(&facts);
        let timeline = session.timeline();
        let values = metrics(&session, 1);
        let withheld = match (session.is_overfull(), timeline.is_reopened()) {
            (true, _) => Some(Reason::OverfullSession),
            (false, true) => Some(Reason::Reopened),
            (false, false) => None,
        };
        if timeline.terminal().is_none() && withheld.is_none() {
            prop_assert!(values.is_empty());
            return Ok(());
        }
        let names: Vec<_> = values.iter().map(|value| value.metric).collect();
        prop_assert_eq!(names, METRICS);
        for value in &values {
            match value.value {
                Some(seconds) => {
                    prop_assert!(seconds.is_finite() && seconds >= 0.0);
                    let by_rule = matches!(
                        value.metadata.reason,
                        Some(Reason::ExcludedDisposition | Reason::OutsideBusinessHours)
                    );
                    prop_assert!(value.metadata.reason.is_none() || (by_rule && seconds.to_bits() == 0));
                }
                None => prop_assert!(value.metadata.reason.is_some()),
            }
            let zoned = value.metric == "adjusted_aht" && withheld.is_none();
            prop_assert_eq!(value.metadata.zone_source.is_some(), zoned);
            prop_assert_eq!(value.provenance.tzdb.is_some(), zoned);
            if withheld.is_some() {
                prop_assert_eq!(value.metadata.reason, withheld);
            }
        }
        // The classic rule always has a number, unless a number it would need cannot be.
        let adjusted = &values[0];
        if adjusted.value.is_none() && withheld.is_none() {
            prop_assert_eq!(adjusted.metadata.reason, Some(Reason::ImplausibleDuration));
        }
    }

    #[test]
    fn asking_for_some_metrics_gives_those_of_all(facts in facts(), wanted in prop::sample::subsequence(METRICS.to_vec(), 0..=6)) {
        let session = folded(&facts);
        let book = RuleBook::builtin();
        let mut some = Vec::new();
        evaluate_only(&wanted, &session.timeline(), book.rules(MetricVersion(1)), MetricVersion(1), &mut some);
        let all: Vec<_> = metrics(&session, 1)
            .into_iter()
            .filter(|value| wanted.contains(&value.metric))
            .collect();
        prop_assert_eq!(some, all);
    }

    /// Guarantee 5: asking for another version changes the label and nothing else while its rules are the same.
    #[test]
    fn a_version_without_rules_of_its_own_has_the_values_of_the_one_below(facts in facts(), more in fact()) {
        let session = folded(&[facts, vec![more]].concat());
        let (first, ninth) = (metrics(&session, 1), metrics(&session, 9));
        prop_assert_eq!(first.len(), ninth.len());
        for (first, ninth) in first.into_iter().zip(ninth) {
            prop_assert_eq!(ninth.version, MetricVersion(9));
            prop_assert_eq!(first, MetricValue { version: MetricVersion(1), ..ninth });
        }
    }
}
