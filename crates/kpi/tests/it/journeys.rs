//! Definitions over the contacts of one customer.

use crate::call::{Call, Told, at, definition, second, shown};
use kpi::{Catalogue, Library, MetricValue, Reason, Scope, Subject};
use proptest::prelude::*;
use schema::{Direction, LegKind, State, UtcMicros};
use std::sync::Arc;

const DAY: i64 = 86_400;

/// Long after everything here.
const LATE: i64 = 1000 * DAY;

/// A contact that begins and ends at these seconds.
fn contact(begins: i64, ends: i64) -> Call {
    let began = at(begins)
        .state(State::Connected)
        .agent("anna", None)
        .queue("support")
        .customer("k1");
    ended(Call::default().told(began), ends)
}

fn ended(call: Call, ends: i64) -> Call {
    call.told(at(ends).state(State::Completed).disposition("RESOLVED"))
}

fn with(call: Call, more: impl FnOnce(Told) -> Told, begins: i64) -> Call {
    call.told(more(at(begins)))
}

/// One minute long, on that day.
fn on_day(day: i64) -> Call {
    contact(day * DAY, day * DAY + 60)
}

fn outbound(day: i64) -> Call {
    with(
        on_day(day),
        |told| told.direction(Direction::Outbound),
        day * DAY,
    )
}

/// The row of each contact, in the order given.
fn rows_as_of(rest: &str, unit: &str, calls: &[Call], as_of: i64) -> Vec<Option<MetricValue>> {
    let own = definition(unit, &format!("scope = 'journey'\n{rest}"));
    let catalogue = Catalogue::new(vec![Arc::new(own)], Library::shipped());
    rows_of(&catalogue, calls, as_of)
}

fn rows_of(catalogue: &Catalogue, calls: &[Call], as_of: i64) -> Vec<Option<MetricValue>> {
    let ids = (0..calls.len()).map(|nth| format!("{nth:04}"));
    let named: Vec<(String, &Call)> = ids.zip(calls).collect();
    rows_of_named(catalogue, &named, as_of)
}

fn rows_of_named(
    catalogue: &Catalogue,
    calls: &[(String, &Call)],
    as_of: i64,
) -> Vec<Option<MetricValue>> {
    let timelines: Vec<_> = calls
        .iter()
        .map(|(_, call)| call.session.timeline())
        .collect();
    let contacts: Vec<Subject<'_>> = timelines
        .iter()
        .zip(calls)
        .map(|(timeline, (interaction, call))| Subject {
            tenant: "acme",
            interaction,
            timeline,
            swept: call.swept,
        })
        .collect();
    let journey = catalogue.journey(&contacts);
    (0..contacts.len())
        .map(|index| {
            let mut rows = Vec::new();
            journey.evaluate(&[0], index, second(as_of), &mut rows);
            assert!(rows.len() <= 1);
            rows.pop()
        })
        .collect()
}

fn shown_as_of(rest: &str, unit: &str, calls: &[Call], as_of: i64) -> Vec<String> {
    rows_as_of(rest, unit, calls, as_of)
        .iter()
        .map(|row| row.as_ref().map_or("no row".to_owned(), shown))
        .collect()
}

fn field(field: &str, unit: &str, calls: &[Call]) -> Vec<String> {
    let rest = format!("value = '{field}'\n[journey]\nwithin = '7d'");
    shown_as_of(&rest, unit, calls, LATE)
}

const RESOLVED: &str =
    "filter = 'journey.first'\nvalue = '!journey.repeated'\n[journey]\nwithin = '7d'";

#[test]
fn a_row_is_about_a_contact() {
    let own = "value = 'journey.contacts'\n[journey]\nwithin = '7d'\n[[windows]]\nby = ['queue']\nsizes = ['day']";
    let rows = rows_as_of(own, "count", &[on_day(0)], LATE);
    let row = rows[0].as_ref().unwrap();
    assert_eq!(row.scope, Scope::Journey);
    assert_eq!(row.scope.as_str(), "");
    assert_eq!(row.timestamp, second(0));
    assert_eq!(row.counted_at, Some(second(60)));
    assert_eq!(row.agent.as_ref().unwrap().as_str(), "anna");
    assert_eq!(row.queue.as_ref().unwrap().as_str(), "support");
    assert_eq!(row.metadata.outcome, Some("completed"));
}

/// Contacts on days 0, 6 and 20 within 7 days: the first is not resolved, the second its repeat, the third a new first.
#[test]
fn a_repeat_belongs_to_the_contact_before_it_and_a_later_one_is_new() {
    let calls = [on_day(0), on_day(6), on_day(20)];
    assert_eq!(
        shown_as_of(RESOLVED, "share", &calls, LATE),
        ["0", "absent: filtered", "1"]
    );
    assert_eq!(field("journey.contacts", "count", &calls), ["2", "2", "1"]);
    assert_eq!(field("journey.position", "count", &calls), ["1", "2", "1"]);
    assert_eq!(
        field("journey.since_previous", "seconds", &calls),
        [
            "absent: not_stated".to_owned(),
            (6 * DAY - 60).to_string(),
            "absent: not_stated".to_owned()
        ]
    );
    assert_eq!(
        field("journey.until_next", "seconds", &calls),
        [
            (6 * DAY - 60).to_string(),
            "absent: not_stated".to_owned(),
            "absent: not_stated".to_owned()
        ]
    );
}

#[test]
fn exactly_the_time_after_the_end_is_a_repeat_and_later_is_none() {
    let next = |micros: i64| {
        let mut fact = at(60 + 7 * DAY).customer("k1").0;
        fact.at = UtcMicros(fact.at.0 + micros);
        ended(Call::default().told(Told(fact)), 120 + 7 * DAY)
    };
    let first = |micros| {
        let calls = [contact(0, 60), next(micros)];
        shown_as_of(RESOLVED, "share", &calls, LATE)
    };
    assert_eq!(first(0), ["0", "absent: filtered"]);
    assert_eq!(first(1), ["1", "1"]);
}

#[test]
fn what_the_centre_began_and_callbacks_are_no_repeats_but_what_nobody_states_is() {
    let callback = with(on_day(2), |told| told.media("callback"), 2 * DAY);
    for other in [outbound(2), callback] {
        let calls = [on_day(0), other];
        let resolved = shown_as_of(RESOLVED, "share", &calls, LATE);
        assert_eq!(resolved, ["1", "absent: filtered"]);
        // It is a part of the matter all the same.
        assert_eq!(field("journey.position", "count", &calls), ["1", "2"]);
        assert_eq!(field("journey.contacts", "count", &calls), ["1", "2"]);
        let all = field("size(journey.interactions)", "count", &calls);
        assert_eq!(all, ["2", "2"]);
    }
    let inbound = with(
        on_day(2),
        |told| told.direction(Direction::Inbound),
        2 * DAY,
    );
    let calls = [on_day(0), inbound];
    assert_eq!(shown_as_of(RESOLVED, "share", &calls, LATE)[0], "0");
    // What began nothing carries no chain on: the third is not within the time of the first.
    let calls = [on_day(0), outbound(6), on_day(10)];
    assert_eq!(field("journey.first", "share", &calls), ["1", "0", "1"]);
}

#[test]
fn a_contact_in_which_a_callback_was_promised_counts() {
    let promised = |day: i64| {
        let begins = day * DAY;
        let call = with(on_day(day), |told| told.media("voice"), begins);
        with(call, |told| told.media("callback"), begins + 30)
    };
    let calls = [on_day(0), promised(2)];
    assert_eq!(shown_as_of(RESOLVED, "share", &calls, LATE)[0], "0");
    for (name, expected) in [
        ("first_contact_resolution", ["0", "absent: filtered"]),
        ("repeat_contact", ["0", "1"]),
        ("contacts_per_issue", ["2", "absent: filtered"]),
    ] {
        let calls = [promised(0), on_day(2)];
        assert_eq!(shipped(name, &calls, LATE), expected, "{name}");
    }
}

#[test]
fn a_line_that_stays_open_behind_the_customer_hides_no_repeat() {
    // Genesys ends such a conversation weeks later, with the party whom the agent called besides.
    let line = |call, id, direction, begins, ends| {
        let leg = at(begins)
            .direction(direction)
            .leg(id, LegKind::Customer, |leg| {
                leg.ended_at = Some(second(ends));
            });
        Call::told(call, leg)
    };
    let long = contact(0, 60 * DAY);
    let long = line(long, "customer", Direction::Inbound, 0, 600);
    let long = line(long, "besides", Direction::Outbound, 300, 60 * DAY);
    assert_eq!(
        shipped("first_contact_resolution", &[long.clone(), on_day(2)], LATE),
        ["0", "absent: filtered"]
    );
    let alone = shipped("first_contact_resolution", &[long], 7 * DAY + 600);
    assert_eq!(
        alone,
        ["1"],
        "the days count from when the customer was gone"
    );
}

#[test]
fn a_definition_says_itself_what_counts_as_a_repeat() {
    let rest = "value = '!journey.repeated'\n[journey]\nwithin = '7d'\nrepeat = 'interaction.disposition in lists.open && inHours(interaction.started_at, schedules.hours)'\n[lists]\nopen = ['RESOLVED']\n[schedules]\nhours = 'eight_to_six@1'";
    // Ten in the morning in New York is two in the afternoon in UTC, which holds where no zone is stated.
    let calls = [on_day(0), on_day(1)];
    assert_eq!(shown_as_of(rest, "share", &calls, LATE), ["0", "1"]);
    let night = contact(DAY + 43_200, DAY + 43_260);
    assert_eq!(
        shown_as_of(rest, "share", &[on_day(0), night], LATE),
        ["1", "1"]
    );
}

#[test]
fn contacts_that_overlap_are_one_matter() {
    // A call while a chat is open, then one that begins as the chat ends.
    let calls = [contact(0, 3600), contact(600, 900), contact(3600, 3700)];
    assert_eq!(
        field("journey.since_previous", "seconds", &calls),
        ["absent: not_stated", "0", "0"]
    );
    assert_eq!(field("journey.position", "count", &calls), ["1", "2", "3"]);
    // Neither is a repeat of the chat: it was not over. The last one is a repeat of the call.
    assert_eq!(field("journey.repeated", "share", &calls), ["0", "1", "0"]);
    // The chain reaches as far as the longest of them, not as the latest.
    let calls = [
        contact(0, 10 * DAY),
        contact(DAY, DAY + 60),
        contact(16 * DAY, 16 * DAY + 60),
    ];
    assert_eq!(field("journey.position", "count", &calls), ["1", "2", "3"]);
    assert_eq!(
        field("journey.since_previous", "seconds", &calls)[2],
        (6 * DAY).to_string()
    );
}

#[test]
fn a_verdict_waits_until_nothing_can_change_it() {
    let until = 60 + 7 * DAY;
    let alone = |as_of| shown_as_of(RESOLVED, "share", &[on_day(0)], as_of)[0].clone();
    assert_eq!(alone(60), "absent: not_final");
    assert_eq!(alone(until - 1), "absent: not_final");
    assert_eq!(alone(until), "1");
    // That it was repeated is final at once, and so is what a rule leaves out.
    let calls = [on_day(0), on_day(1)];
    assert_eq!(
        shown_as_of(RESOLVED, "share", &calls, DAY + 60),
        ["0", "absent: filtered"]
    );
    // How often the customer came back it does not decide, and those who never will are not known before either.
    let contacts = "filter = 'journey.first'\nvalue = 'journey.contacts'\n[journey]\nwithin = '7d'";
    let count = |as_of| shown_as_of(contacts, "count", &calls, as_of)[0].clone();
    assert_eq!(count(until - 1), "absent: not_final");
    assert_eq!(count(until), "2");
    // What only looks back has nothing to wait for.
    let repeats = "value = '!journey.first'\n[journey]\nwithin = '7d'";
    assert_eq!(shown_as_of(repeats, "share", &calls, 0), ["0", "1"]);
}

#[test]
fn an_open_contact_has_no_row_and_is_a_repeat_all_the_same() {
    let open = Call::default().told(at(DAY).state(State::Queued).customer("k1"));
    assert_eq!(
        shown_as_of(RESOLVED, "share", &[on_day(0), open.clone()], DAY),
        ["0", "no row"]
    );
    let given_up = [on_day(0), open.swept()];
    assert_eq!(
        shown_as_of(RESOLVED, "share", &given_up, LATE),
        ["0", "absent: incomplete"]
    );
}

#[test]
fn rules_read_the_contact_itself_and_those_of_its_chain() {
    let calls = [on_day(0), on_day(3), on_day(40)];
    let since_the_first = "journey.interactions.exists(i, i.id != interaction.id && interaction.started_at - i.started_at > duration(\"24h\"))";
    assert_eq!(field(since_the_first, "share", &calls), ["0", "1", "0"]);
    assert_eq!(
        field(
            "size(interaction.legs.filter(l, l.agent == \"anna\"))",
            "count",
            &calls
        ),
        ["1", "1", "1"]
    );
    let legs_of_all = "sum(journey.interactions.map(i, size(i.legs)))";
    assert_eq!(field(legs_of_all, "count", &calls), ["2", "2", "1"]);
    assert_eq!(
        field("stateTime(\"connected\")", "seconds", &calls),
        ["60", "60", "60"]
    );
    assert_eq!(
        field(
            "localDay(interaction.started_at) == \"2024-05-18\"",
            "share",
            &calls
        ),
        ["0", "1", "0"]
    );
}

#[test]
fn others_than_those_of_the_chain_and_within_the_time_change_nothing() {
    let everything = "value = 'orElse(journey.until_next, parameters.never) + orElse(journey.since_previous, parameters.never)'\n[journey]\nwithin = '7d'\n[parameters]\nnever = '0s'";
    let near = [on_day(20), on_day(26), on_day(30)];
    let far = [near.to_vec(), vec![on_day(0), on_day(45), on_day(100)]].concat();
    let (near, far) = (
        rows_as_of(everything, "seconds", &near, LATE),
        rows_as_of(everything, "seconds", &far, LATE),
    );
    assert_eq!(near[..], far[..3]);
}

#[test]
fn a_reason_can_stand_in_place_of_every_value() {
    let own = definition("share", &format!("scope = 'journey'\n{RESOLVED}"));
    let catalogue = Catalogue::new(vec![Arc::new(own)], Library::shipped());
    let call = on_day(0);
    let timeline = call.session.timeline();
    let contact = Subject {
        tenant: "acme",
        interaction: "a",
        timeline: &timeline,
        swept: false,
    };
    let journey = catalogue.journey(&[contact]);
    let mut rows = Vec::new();
    journey.withhold(&[0, 9], 0, &Reason::TOO_MANY_CONTACTS, &mut rows);
    assert_eq!(rows.len(), 1);
    assert_eq!(shown(&rows[0]), "absent: too_many_contacts");
    assert_eq!(journey.final_at(&[0], 0), Some(second(60 + 7 * DAY)));
    assert_eq!(journey.final_at(&[], 0), None);
    let rule = catalogue.definitions()[0].journey();
    let within = rule.map(kpi::JourneyRule::within);
    assert_eq!(within, Some(schema::Millis(7 * DAY * 1000)));
    // Nothing but the rows of contacts is about journeys.
    assert!(call.rows_of(&catalogue).is_empty());
}

/// What the sentences of the documentation say, worked out the slow way: for each contact over all the others.
fn slowly(contacts: &[(i64, i64, bool)], within: i64) -> Vec<(bool, Option<i64>, Option<i64>)> {
    let before = |one: usize, other: usize| (contacts[one].0, one) < (contacts[other].0, other);
    (0..contacts.len())
        .map(|own| {
            let (start, end, _) = contacts[own];
            let others = || (0..contacts.len()).filter(|other| contacts[*other].2);
            let since = others()
                .filter(|other| before(*other, own))
                .map(|other| (start - contacts[other].1).max(0))
                .filter(|since| *since <= within)
                .min();
            let next = others()
                .map(|other| contacts[other].0 - end)
                .filter(|until| *until > 0 && *until <= within)
                .min();
            (since.is_none(), since, next)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_contact_stands_as_a_slow_look_at_all_others_says(
        contacts in prop::collection::vec((0..40_i64, 0..12_i64, any::<bool>()), 1..14),
    ) {
        let times: Vec<(i64, i64, bool)> = contacts
            .iter()
            .map(|(start, length, counts)| (start * DAY, (start + length) * DAY, *counts))
            .collect();
        let calls: Vec<Call> = times
            .iter()
            .map(|(start, end, counts)| {
                let call = contact(*start, *end);
                if *counts { call } else { with(call, |told| told.direction(Direction::Outbound), *start) }
            })
            .collect();
        let first = field("journey.first", "share", &calls);
        let since = field("journey.since_previous", "seconds", &calls);
        let until = field("journey.until_next", "seconds", &calls);
        let time = |time: Option<i64>| time.map_or("absent: not_stated".to_owned(), |time| time.to_string());
        for (own, expected) in slowly(&times, 7 * DAY).into_iter().enumerate() {
            prop_assert_eq!(&first[own], if expected.0 { "1" } else { "0" });
            prop_assert_eq!(&since[own], &time(expected.1));
            prop_assert_eq!(&until[own], &time(expected.2));
        }
    }

    /// The order in which contacts are given does not matter, also where they begin at the same instant.
    #[test]
    fn any_order_gives_the_same_rows(
        (days, order) in prop::collection::vec(0..25_i64, 1..12)
            .prop_flat_map(|days| (Just(days.clone()), Just((0..days.len()).collect::<Vec<_>>()).prop_shuffle())),
    ) {
        let rest = "value = 'journey.position * 100 + journey.contacts * 10 + (journey.repeated ? 1 : 0)'\n[journey]\nwithin = '3d'";
        let own = definition("count", &format!("scope = 'journey'\n{rest}"));
        let catalogue = Catalogue::new(vec![Arc::new(own)], Library::shipped());
        let calls: Vec<Call> = days.iter().map(|day| on_day(*day)).collect();
        let in_order = rows_of(&catalogue, &calls, LATE);
        let shuffled: Vec<(String, &Call)> =
            order.iter().map(|nth| (format!("{nth:04}"), &calls[*nth])).collect();
        let rows = rows_of_named(&catalogue, &shuffled, LATE);
        for (nth, row) in order.iter().zip(&rows) {
            prop_assert_eq!(row, &in_order[*nth]);
        }
    }

    /// Contacts per issue: over a customer whose contacts all count, the chains' lengths add up to the contacts.
    #[test]
    fn chains_share_the_contacts_out(days in prop::collection::vec(0..60_i64, 1..20)) {
        let calls: Vec<Call> = days.iter().map(|day| on_day(*day)).collect();
        let rest = "filter = 'journey.first'\nvalue = 'journey.contacts'\n[journey]\nwithin = '7d'";
        let rows = rows_as_of(rest, "count", &calls, LATE);
        let sum: i64 = rows.iter().flatten().filter_map(MetricValue::scaled).sum();
        prop_assert_eq!(sum, i64::try_from(calls.len()).unwrap());
    }
}

/// The rows of a shipped definition of journeys.
fn shipped(name: &str, calls: &[Call], as_of: i64) -> Vec<String> {
    let shipped = kpi::shipped_definitions().iter();
    let text = shipped.clone().find(|one| one.name == name).unwrap().text;
    let own = kpi::Definition::read(name, text, &Library::shipped()).unwrap();
    let catalogue = Catalogue::new(vec![Arc::new(own)], Library::shipped());
    let rows = rows_of(&catalogue, calls, as_of);
    rows.iter()
        .map(|row| row.as_ref().map_or("no row".to_owned(), shown))
        .collect()
}

#[test]
fn the_shipped_definitions_say_the_same_of_the_days_0_6_and_20() {
    let calls = [on_day(0), on_day(6), on_day(20)];
    assert_eq!(
        shipped("first_contact_resolution", &calls, LATE),
        ["0", "absent: filtered", "1"]
    );
    assert_eq!(shipped("repeat_contact", &calls, LATE), ["0", "1", "0"]);
    assert_eq!(
        shipped("contacts_per_issue", &calls, LATE),
        ["2", "absent: filtered", "1"]
    );
    assert_eq!(
        shipped("first_contact_resolution", &calls, 20 * DAY + 60),
        ["0", "absent: filtered", "absent: not_final"]
    );
    // Nobody answered: there is nothing that could be resolved, and still the customer comes back.
    let gave_up = Call::default()
        .told(at(0).state(State::Queued).queue("support"))
        .told(at(60).state(State::Abandoned));
    let calls = [gave_up, on_day(1)];
    assert_eq!(
        shipped("first_contact_resolution", &calls, LATE),
        ["absent: filtered", "absent: filtered"]
    );
    assert_eq!(shipped("repeat_contact", &calls, LATE), ["0", "1"]);
    assert_eq!(
        shipped("repeat_contact", &[on_day(0), outbound(1)], LATE),
        ["0", "absent: filtered"]
    );
}

#[test]
fn the_guides_rule_wants_it_settled_and_nobody_called_back() {
    let rule = |calls: &[Call]| shipped("first_contact_resolution_disposition", calls, LATE);
    let said =
        |disposition: &'static str| with(on_day(0), move |told| told.disposition(disposition), 120);
    assert_eq!(rule(&[on_day(0)]), ["1"]);
    assert_eq!(rule(&[said("ESCALATED")]), ["0"]);
    assert_eq!(rule(&[said("")]), ["absent: not_stated"]);
    assert_eq!(rule(&[said(""), on_day(3)])[0], "0");
    assert_eq!(rule(&[on_day(0), on_day(3)])[0], "0");
    let callback = with(outbound(2), |told| told.media("callback"), 2 * DAY);
    assert_eq!(rule(&[on_day(0), callback])[0], "0");
    assert_eq!(rule(&[on_day(0), outbound(2)])[0], "1");
}
