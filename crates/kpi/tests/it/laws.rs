//! What holds for the rows of all sessions, however awkward, and for every definition that ships.

use crate::awkward::{fact, facts};
use crate::call::{SHIPPED, definition};
use kpi::{Catalogue, Grain, Library, MetricValue, Reason, Scope, Subject};
use proptest::prelude::*;
use schema::{Fact, LegKind, MetricVersion};
use session::Session;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

/// The catalogue, and definitions that ask for what it does not: local days, times of states and agents, division.
static ALL: LazyLock<Catalogue> = LazyLock::new(|| {
    let own = [
        (
            "number",
            "value = 'localDay(interaction.started_at) < \"2024-11-04\" ? 1 : 0'",
        ),
        (
            "seconds",
            "value = 'stateTime(\"connected\") + orZero(agentTime(\"anna\", \"talk\"))'",
        ),
        (
            "share",
            "value = 'orZero(interaction.hold) / orZero(interaction.talk)'",
        ),
        (
            "seconds",
            "value = 'businessTime(interaction.started_at, interaction.ended_at, schedules.hours)'\n[schedules]\nhours = 'eight_to_six@1'\n[zone]\norder = ['queue']\ndefault = 'Australia/Lord_Howe'",
        ),
        (
            "number",
            "scope = 'leg'\nvalue = 'localHour(leg.started_at) * 60 + localMinute(leg.started_at)'",
        ),
        (
            "count",
            "value = 'size(interaction.legs.filter(l, interaction.legs.exists(m, m.agent == l.agent && m.id != l.id)))'",
        ),
    ];
    let own = own.map(|(unit, rest)| Arc::new(definition(unit, rest)));
    let definitions = SHIPPED.definitions().iter().cloned().chain(own);
    Catalogue::new(definitions.collect(), Library::shipped())
});

fn folded(facts: &[Fact]) -> Session {
    let mut session = Session::default();
    for fact in facts {
        session.insert(fact.clone());
    }
    session
}

fn rows_of(catalogue: &Catalogue, session: &Session, swept: bool) -> Vec<MetricValue> {
    let timeline = session.timeline();
    let subject = Subject {
        tenant: "acme",
        interaction: "int_1",
        timeline: &timeline,
        swept,
    };
    let mut rows = Vec::new();
    catalogue.evaluate(&subject, &mut rows);
    rows
}

/// The bytes of a row that reach the store.
fn bytes(rows: &[MetricValue]) -> Vec<String> {
    rows.iter()
        .map(|row| {
            format!(
                "{} {} {:?} {:?} {} {:?} {:?} {} {}",
                row.metric,
                row.version,
                row.scope,
                row.value.map(f64::to_bits),
                row.timestamp,
                row.agent,
                row.queue,
                row.metadata,
                row.provenance
            )
        })
        .collect()
}

fn row<'r>(rows: &'r [MetricValue], metric: &str) -> Option<&'r MetricValue> {
    rows.iter().find(|row| row.metric == metric)
}

/// Of a metric that has one row.
fn value(rows: &[MetricValue], metric: &str) -> Option<f64> {
    row(rows, metric)?.value
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(512), ..ProptestConfig::default() })]

    /// Guarantee 2: the rows are a function of the facts, to the byte.
    #[test]
    fn any_order_with_any_repetition_gives_the_same_rows(
        (one, other) in facts().prop_flat_map(|facts| (Just(facts.clone()), Just([facts.clone(), facts].concat()).prop_shuffle()))
    ) {
        let (one, other) = (rows_of(&ALL, &folded(&one), true), rows_of(&ALL, &folded(&other), true));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(bytes(&one), bytes(&other));
    }

    /// Guarantee 2: so does any split into batches that are folded apart and then joined, also through the stored form.
    #[test]
    fn any_split_gives_the_same_rows(facts in facts(), at in any::<prop::sample::Index>(), stored in any::<bool>()) {
        let (one, other) = facts.split_at(at.index(facts.len() + 1));
        let (mut joined, other) = (folded(one), folded(other));
        joined.join(other);
        if stored {
            joined = Session::from_json(&joined.to_json()).unwrap();
        }
        let (whole, joined) = (rows_of(&ALL, &folded(&facts), false), rows_of(&ALL, &joined, false));
        prop_assert_eq!(bytes(&whole), bytes(&joined));
    }

    /// Guarantee 4: one row a definition, and one a definition of legs and leg, whether it is an agent's now or was.
    #[test]
    fn each_row_is_there_once(facts in facts()) {
        let session = folded(&facts);
        let rows = rows_of(&ALL, &session, true);
        let keys: BTreeSet<(&str, u16, &str, bool)> = rows
            .iter()
            // The definitions of one's own above have one name, and units and scopes that tell them apart.
            .filter(|row| row.metric != "own")
            .map(|row| (row.metric.as_str(), row.version.0, row.scope.as_str(), row.scope == Scope::Interaction))
            .collect();
        prop_assert_eq!(keys.len(), rows.iter().filter(|row| row.metric != "own").count());
        let timeline = session.timeline();
        if timeline.start().is_none() {
            prop_assert!(rows.is_empty());
            return Ok(());
        }
        let legs = timeline.legs().iter().filter(|leg| leg.kind == LegKind::Agent).count()
            + timeline.withdrawn_legs().len();
        let expected: usize = ALL
            .definitions()
            .iter()
            .map(|definition| match definition.scope() {
                Grain::Interaction => 1,
                Grain::Leg => legs,
                Grain::Journey | Grain::AgentTime => 0,
            })
            .sum();
        prop_assert_eq!(rows.len(), expected);
    }

    /// Guarantee 11: a value is a finite number, or it is absent for a reason.
    #[test]
    fn each_row_has_a_value_or_a_reason(facts in facts(), swept in any::<bool>()) {
        let session = folded(&facts);
        let timeline = session.timeline();
        let rows = rows_of(&ALL, &session, swept);
        let open = timeline.terminal().is_none();
        let withheld = match (session.is_overfull(), timeline.is_reopened()) {
            (true, _) => Some(Reason::OVERFULL_SESSION),
            (false, true) => Some(Reason::REOPENED),
            (false, false) => (open && swept).then_some(Reason::INCOMPLETE),
        };
        if open && withheld.is_none() {
            prop_assert!(rows.is_empty());
            return Ok(());
        }
        for row in &rows {
            let reason = row.metadata.reason.as_ref();
            match row.value {
                Some(value) => {
                    prop_assert!(value.is_finite() && (value > 0.0 || value.to_bits() == 0), "{:?}", row);
                    let by_rule = reason.is_some_and(|reason| {
                        ["excluded_disposition", "outside_business_hours"].contains(&reason.name())
                    });
                    prop_assert!(reason.is_none() || (by_rule && value.to_bits() == 0), "{:?}", row);
                }
                None => prop_assert!(reason.is_some()),
            }
            if withheld.is_some() {
                let withdrawn = reason == Some(&Reason::WITHDRAWN);
                prop_assert!(row.value.is_none() && (withdrawn || reason == withheld.as_ref()));
                prop_assert!(row.metadata.zone.is_none());
            }
            prop_assert_eq!(row.metadata.zone_source.is_some(), row.provenance.tzdb.is_some());
        }
        // The classic rule always has a number, unless a number it would need cannot be.
        if let Some(adjusted) = rows.first()
            && adjusted.value.is_none()
            && withheld.is_none()
        {
            prop_assert_eq!(adjusted.metadata.reason.as_ref(), Some(&Reason::IMPLAUSIBLE_DURATION));
        }
    }

    /// Shares are 0 or 1 for one interaction or leg, so that their mean is the ratio of sums.
    #[test]
    fn shares_are_of_one_interaction_or_leg(facts in facts()) {
        for row in rows_of(&SHIPPED, &folded(&facts), false) {
            if row.metadata.unit == kpi::Unit::Share
                && let Some(share) = row.value
            {
                prop_assert!([0.0, 1.0].contains(&share), "{:?}", row);
            }
        }
    }

    /// What is counted in one denominator is in it for all of its numerators, and they are parts of one whole.
    #[test]
    fn counts_and_shares_are_parts_of_one_whole(facts in facts()) {
        let rows = rows_of(&SHIPPED, &folded(&facts), false);
        let Some(offered) = value(&rows, "offered") else { return Ok(()) };
        let handled = value(&rows, "handled");
        prop_assert!(handled.is_some());
        // Offered: each has one ending, and what is not offered has none.
        let endings = ["abandoned", "flowed_out"].map(|ending| value(&rows, ending));
        for (ending, metric) in endings.iter().zip(["abandoned", "flowed_out"]) {
            prop_assert_eq!(ending.is_some(), offered > 0.5, "{}", metric);
        }
        if offered > 0.5 {
            let ended: f64 = endings.iter().flatten().sum::<f64>() + handled.unwrap_or(0.0);
            prop_assert!(ended <= 1.0, "{:?} {:?}", endings, handled);
        }
        // Handled: every rate of handled interactions has a value, and no rate of others.
        for metric in ["transferred", "blind_transferred", "consult_transferred", "conferenced", "agents"] {
            prop_assert_eq!(value(&rows, metric).is_some(), handled == Some(1.0), "{}", metric);
        }
        for absent in ["speed_of_answer", "first_answer_in_hours", "customer_handle_time", "held", "holds", "service_level_answered"] {
            prop_assert!(handled == Some(1.0) || value(&rows, absent).is_none(), "{}", absent);
        }
        let waited = |row: &MetricValue| row.metadata.reason.as_ref() == Some(&Reason::FILTERED);
        let gave_up = row(&rows, "time_to_abandon").is_some_and(|row| !waited(row));
        prop_assert!(!gave_up || handled == Some(0.0));
    }

    /// A part is there with its whole, and is not more.
    #[test]
    fn parts_are_at_most_their_wholes(facts in facts()) {
        let rows = rows_of(&SHIPPED, &folded(&facts), false);
        for (part, whole) in [
            ("blind_transferred", "transferred"),
            ("consult_transferred", "transferred"),
            ("short_abandoned", "abandoned"),
            ("service_level_answered", "service_level_offered"),
            ("service_level_without_short", "service_level_offered"),
            ("service_level_positive", "service_level_offered"),
            ("service_level_offered", "service_level_with_missed"),
            ("customer_handle_time", "handle_time"),
        ] {
            let Some(part_value) = value(&rows, part) else { continue };
            let Some(whole_value) = value(&rows, whole) else {
                return Err(TestCaseError::fail(format!("{part} without {whole}")));
            };
            // Of service levels the numerators are compared: what counts for the narrower denominator counts for the wider.
            if part == "service_level_positive" {
                prop_assert!(part_value >= whole_value, "{} {}", part, whole);
            } else if part.starts_with("service_level") {
                prop_assert!(part_value.to_bits() == whole_value.to_bits(), "{} {}", part, whole);
            } else {
                prop_assert!(part_value <= whole_value, "{} {} {} {}", part, part_value, whole, whole_value);
            }
        }
        // Only dialling and contacting are in the one and not in the other, which can be what withholds it.
        if let Some(adjusted) = value(&rows, "adjusted_aht_transfers") {
            let handle = row(&rows, "handle_time").unwrap();
            let withheld = handle.metadata.reason.as_ref() == Some(&Reason::IMPLAUSIBLE_DURATION);
            let at_most = handle.value.map_or(withheld || adjusted == 0.0, |handle| adjusted <= handle);
            prop_assert!(at_most, "{} {:?}", adjusted, handle);
        }
    }

    /// The agents' view and the customers': what an agent's leg says, the interaction says too.
    #[test]
    fn legs_and_interaction_tell_one_story(facts in facts()) {
        let rows = rows_of(&SHIPPED, &folded(&facts), false);
        let (Some(handled), Some(missed)) = (value(&rows, "handled"), value(&rows, "missed")) else { return Ok(()) };
        let sum = |metric: &str| -> f64 {
            rows.iter().filter(|row| row.metric == metric).filter_map(|row| row.value).sum()
        };
        let filtered = |row: &MetricValue| {
            [Reason::FILTERED, Reason::WITHDRAWN].iter().any(|reason| row.metadata.reason.as_ref() == Some(reason))
        };
        // Legs that an agent answered, those of mere consultations left out.
        let answered = rows.iter().filter(|row| row.metric == "leg_transferred" && !filtered(row)).count();
        prop_assert!(answered == 0 || handled > 0.5, "answered legs of an interaction that nobody handled");
        prop_assert!(sum("leg_missed") <= missed, "{} legs missed, {} alerts", sum("leg_missed"), missed);
        // No source states the end of a part that is neither an event nor a leg.
        let told = |fact: &Fact| fact.key.is_event() || fact.statement.leg().is_some() || fact.statement.state.is_none();
        if sum("leg_transferred") > 0.0 && facts.iter().all(told) {
            prop_assert_eq!(value(&rows, "transferred"), Some(1.0));
        }
    }

    #[test]
    fn asking_for_some_definitions_gives_the_rows_of_all(facts in facts(), wanted in prop::sample::subsequence((0..SHIPPED.definitions().len()).collect::<Vec<_>>(), 0..=6)) {
        let session = folded(&facts);
        let timeline = session.timeline();
        let subject = Subject { tenant: "acme", interaction: "int_1", timeline: &timeline, swept: false };
        let mut some = Vec::new();
        SHIPPED.evaluate_some(&wanted, &subject, &mut some);
        let names: BTreeSet<&str> = wanted.iter().map(|place| SHIPPED.definitions()[*place].name()).collect();
        let all: Vec<_> = rows_of(&SHIPPED, &session, false)
            .into_iter()
            .filter(|row| names.contains(row.metric.as_str()))
            .collect();
        prop_assert_eq!(some, all);
    }

    /// Guarantee 5: another version of a definition adds rows and changes none.
    #[test]
    fn a_second_version_beside_the_first_changes_nothing_of_it(facts in facts(), more in fact()) {
        let session = folded(&[facts, vec![more]].concat());
        let second = kpi::shipped_definitions()[0].text.replace("version = 1", "version = 2");
        let second = kpi::Definition::read("v2", &second, &Library::shipped()).unwrap();
        let definitions = SHIPPED.definitions().iter().cloned().chain([Arc::new(second)]);
        let both = Catalogue::new(definitions.collect(), Library::shipped());
        let (alone, beside) = (rows_of(&SHIPPED, &session, false), rows_of(&both, &session, false));
        prop_assert_eq!(&beside[..alone.len()], &alone[..]);
        for row in &beside[alone.len()..] {
            prop_assert_eq!(row.version, MetricVersion(2));
            prop_assert_eq!(row.value.map(f64::to_bits), alone[0].value.map(f64::to_bits));
            prop_assert_eq!(&row.metadata, &alone[0].metadata);
        }
    }

    /// An explanation is of the row that the catalogue gives, and says how each rule went.
    #[test]
    fn explanations_are_of_the_same_rows(facts in facts(), place in 0..SHIPPED.definitions().len()) {
        let session = folded(&facts);
        let timeline = session.timeline();
        let subject = Subject { tenant: "acme", interaction: "int_1", timeline: &timeline, swept: false };
        let mut rows = Vec::new();
        SHIPPED.evaluate_some(&[place], &subject, &mut rows);
        let explained: Vec<MetricValue> = SHIPPED.explain(place, &subject).into_iter().map(|one| one.metric).collect();
        prop_assert_eq!(rows, explained);
    }
}
