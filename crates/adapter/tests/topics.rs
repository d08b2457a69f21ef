//! Genesys' own events about conversations: what each topic states, in every frame it comes in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do
#![allow(clippy::needless_pass_by_value)] // values are written where they are used

use adapter::{ItemError, Mapped, Mappings, Outcome, Split, Stated, map, split};
use schema::{
    BodyFormat, Direction, DurationKind, Durations, Fact, FactKey, Leg, LegKind, LegOutcome,
    Millis, SourceRank, State, Transfer, UtcMicros,
};
use serde_json::{Value, json};

const CONVERSATION: &str = "0b7c1f1e-3a6b-4c43-9d0a-5f2f7f3f9d11";
const SESSION: &str = "5e1d9a70-61c4-4a0b-8f0e-0c9b7b7a1d22";

/// 2026-05-04T10:00:00Z, in milliseconds.
const TEN: i64 = 1_777_888_800_000;

fn outcome_with(body: &Value, mappings: &Mappings) -> Result<Outcome, ItemError> {
    map(
        &BodyFormat::GenesysWebhook,
        body.to_string().as_bytes(),
        mappings,
    )
}

fn outcome(body: &Value) -> Result<Outcome, ItemError> {
    outcome_with(body, &Mappings::none())
}

fn mapped(body: &Value) -> Mapped {
    match outcome(body) {
        Ok(Outcome::Mapped(mapped)) => mapped,
        other => panic!("{other:?}"),
    }
}

fn ignored(body: &Value) -> String {
    match outcome(body) {
        Ok(Outcome::Ignored { kind }) => kind,
        other => panic!("{other:?}"),
    }
}

fn refused(body: &Value) -> ItemError {
    match outcome(body) {
        Err(error) => error,
        other => panic!("{other:?}"),
    }
}

/// The one fact of an event.
fn fact(body: &Value) -> Fact {
    let Stated::Interaction {
        interaction,
        mut facts,
        ..
    } = mapped(body).stated
    else {
        panic!("not about an interaction")
    };
    assert_eq!(interaction.as_str(), CONVERSATION);
    let fact = facts.pop().unwrap();
    assert!(facts.is_empty(), "{facts:?}");
    fact
}

fn leg(fact: &Fact) -> &Leg {
    fact.statement.leg().unwrap()
}

fn topic(what: &str) -> String {
    format!("v2.detail.events.conversation.{CONVERSATION}.{what}")
}

/// A body that has `second` as its instant, and these members besides.
fn body(second: i64, more: &Value) -> Value {
    let mut body = json!({"eventTime": TEN + second * 1000, "conversationId": CONVERSATION, "participantId": "p-1", "sessionId": SESSION,
        "mediaType": "VOICE", "provider": "Edge", "direction": "INBOUND", "ani": "tel:+15550100071", "dnis": "tel:+15550100072"});
    let members = body.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    body
}

fn frame(topic: &str, body: &Value) -> Value {
    json!({"topicName": topic, "version": "2", "eventBody": body, "metadata": {"CorrelationId": "c-1"},
        "timestamp": "2026-05-04T10:30:00.435Z"})
}

/// The stamp of [`frame`].
fn published() -> UtcMicros {
    UtcMicros((TEN + 30 * 60_000 + 435) * 1000)
}

fn event(what: &str, second: i64, more: &Value) -> Value {
    frame(&topic(what), &body(second, more))
}

fn at(second: i64) -> UtcMicros {
    UtcMicros((TEN + second * 1000) * 1000)
}

fn durations<const N: usize>(stated: [(DurationKind, i64); N]) -> Durations {
    stated
        .into_iter()
        .fold(Durations::default(), |all, (kind, millis)| {
            all.with(kind, Millis(millis))
        })
}

#[test]
fn pitfall_32_an_event_is_the_same_in_every_frame() {
    let what = "user.end";
    let body = body(
        95,
        &json!({"userId": "anna", "queueId": "q", "disconnectType": "CLIENT", "interactingDurationMs": 80_000, "heldDurationMs": 5_000,
            "alertingDurationMs": 3_000, "contactingDurationMs": 0, "dialingDurationMs": 0}),
    );
    let mut whole = frame(&topic(what), &body);
    // The stamp of publication is the frame's alone.
    whole.as_object_mut().unwrap().remove("timestamp");
    let mut templated = whole.clone();
    templated["topicName"] = json!("v2.detail.events.conversation.{id}.user.end");
    let bus = |id: &str, detail: &Value| {
        json!({"version": "0", "id": id, "detail-type": "v2.detail.events.conversation.{id}.user.end",
        "source": "aws.partner/genesys.com/cloud/o/b", "account": "1", "time": "2026-05-04T10:30:01Z", "region": "us-east-1", "resources": [],
        "detail": detail})
    };
    let mut flat = body.clone();
    flat["topicName"] = json!("v2.detail.events.conversation.{id}.user.end");
    let mut texts = flat.clone();
    for name in [
        "eventTime",
        "interactingDurationMs",
        "heldDurationMs",
        "alertingDurationMs",
    ] {
        texts[name] = json!(texts[name].to_string());
    }
    let wanted = mapped(&whole);
    for other in [
        &templated,
        &bus("one", &whole),
        &bus("one", &templated),
        // Whatever transforms the input may leave the body alone.
        &bus("one", &body),
        &flat,
    ] {
        assert_eq!(mapped(other), wanted, "{other}");
    }
    // A workflow posts texts: other bytes, and the same statement.
    assert_eq!(mapped(&texts).stated, wanted.stated);
    assert_eq!(mapped(&texts).event_id, wanted.event_id);
    let lines = format!("{whole}\n{flat}\n");
    let array = json!([whole, bus("two", &whole)]).to_string();
    for text in [lines, array] {
        let Split::Items(items) = split(&BodyFormat::GenesysWebhook, text.as_bytes()) else {
            panic!("not split")
        };
        assert_eq!(items.len(), 2);
        for item in items {
            let found = map(&BodyFormat::GenesysWebhook, &item.raw, &Mappings::none());
            assert_eq!(found, Ok(Outcome::Mapped(wanted.clone())));
        }
    }
}

#[test]
fn pitfall_16_a_publication_under_another_id_is_a_copy() {
    let body = body(
        60,
        &json!({"disconnectType": "PEER", "interactingDurationMs": 60_000}),
    );
    let publish = |id: &str, stamp: &str| {
        let mut detail = frame(&topic("customer.end"), &body);
        detail["timestamp"] = json!(stamp);
        detail["metadata"] = json!({"CorrelationId": id});
        json!({"id": id, "time": stamp, "detail-type": "t", "detail": detail})
    };
    let once = mapped(&publish("a", "2026-05-04T10:01:00.1Z"));
    let delivered = mapped(&publish("b", "2026-05-04T10:01:00.100Z"));
    let logged = |mapped: &Mapped| (mapped.event_id.clone(), mapped.at, mapped.digest);
    assert_eq!(logged(&once), logged(&delivered), "the key of the log");
    assert_eq!(once, delivered);
    assert_eq!(once.at, at(60));
    // Published anew it is a row of its own, because its stamp holds against what was published meanwhile; and the same statement.
    let again = mapped(&publish("c", "2026-05-04T10:04:00.1Z"));
    assert_eq!(once.event_id, again.event_id);
    assert_ne!(once.digest, again.digest);
    let but_for_its_stamp = |mapped: &Mapped| {
        let mut fact = mapped.stated.facts()[0].clone();
        fact.revision = None;
        fact
    };
    assert_eq!(but_for_its_stamp(&once), but_for_its_stamp(&again));
    // Content that differs is a revision of the same statement, and so is a twin a moment later.
    let mut revised = body.clone();
    revised["interactingDurationMs"] = json!(59_000);
    let revised = mapped(&frame(&topic("customer.end"), &revised));
    assert_eq!(once.event_id, revised.event_id);
    assert_ne!(once.digest, revised.digest);
    let mut twin = body.clone();
    twin["eventTime"] = json!(TEN + 60_003);
    let twin = mapped(&frame(&topic("customer.end"), &twin));
    let key = |mapped: &Mapped| mapped.stated.facts()[0].key.clone();
    assert_eq!(key(&once), key(&twin));
    assert_eq!(key(&once), key(&revised));
}

#[test]
fn a_customers_line_begins_and_ends() {
    let start = event("customer.start", 0, &json!({"externalContactId": "x-7"}));
    let began = fact(&start);
    assert_eq!(began.key, FactKey::part(SESSION, "customer.start"));
    assert_eq!((began.at, began.revision), (at(0), Some(published())));
    assert_eq!(began.rank, SourceRank::Event);
    assert_eq!(began.statement.state, None);
    assert_eq!(*leg(&began), Leg::new(SESSION.into(), LegKind::Customer));
    let details = began.statement.details.as_deref().unwrap();
    assert_eq!(details.media.as_deref(), Some("voice"));
    assert_eq!(details.direction, Some(Direction::Inbound));
    assert!(!mapped(&start).stated.is_terminal());
    let end = event(
        "customer.end",
        90,
        &json!({"disconnectType": "PEER", "interactingDurationMs": 89_000}),
    );
    let ended = fact(&end);
    // Dated by the beginning, so that a start that was lost is missed by nobody.
    assert_eq!((ended.at, ended.revision), (at(1), Some(published())));
    assert_eq!(leg(&ended).ended_at, Some(at(90)));
    assert!(ended.statement.durations.is_empty());
    assert!(mapped(&end).stated.is_terminal());
    assert_eq!(mapped(&end).at, at(90));
}

#[test]
fn the_customer_is_who_the_record_would_name() {
    let customer = |body: &Value| match mapped(body).stated {
        Stated::Interaction { customer, .. } => customer.map(|who| who.as_str().to_owned()),
        Stated::Agent { .. } => panic!("about an agent"),
    };
    let of = |what: &str, more: &Value| customer(&event(what, 0, more));
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        of("customer.start", &json!({"externalContactId": "x-7"})),
        some("x-7")
    );
    assert_eq!(of("customer.start", &json!({})), some("tel:+15550100071"));
    assert_eq!(
        of("customer.end", &json!({"direction": "OUTBOUND"})),
        some("tel:+15550100072")
    );
    assert_eq!(
        of(
            "customer.start",
            &json!({"ani": null, "addressFrom": "a@example.org", "mediaType": "EMAIL"})
        ),
        some("a@example.org")
    );
    assert_eq!(
        of(
            "contact",
            &json!({"conversationExternalContactIds": ["x-8"]})
        ),
        some("x-8")
    );
    // Who calls an agent or a queue is told by the customer's own line alone.
    assert_eq!(of("user.start", &json!({"userId": "anna"})), None);
    assert_eq!(
        of(
            "acd.start",
            &json!({"conversationExternalContactIds": ["x-8"]})
        ),
        None
    );
}

#[test]
fn a_wait_in_a_queue_ends_as_it_says() {
    let start = fact(&event("acd.start", 5, &json!({"queueId": "q"})));
    assert_eq!(leg(&start).kind, LegKind::Queue);
    assert_eq!(start.statement.queue.as_ref().unwrap().as_str(), "q");
    let end = |more: &Value| {
        let mut all =
            json!({"queueId": "q", "connectedDurationMs": 10_000, "disconnectType": "TRANSFER"});
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        fact(&event("acd.end", 15, &all))
    };
    let answered = end(&json!({"acdOutcome": "ANSWERED", "answeredUserId": "anna"}));
    assert_eq!(answered.at, at(5));
    assert_eq!(
        answered.statement.durations,
        durations([(DurationKind::QueueWait, 10_000)])
    );
    assert_eq!(
        answered.statement.agent, None,
        "the agent's part is told by its own session"
    );
    assert_eq!(leg(&answered).answered_at, Some(at(15)));
    assert_eq!(leg(&answered).ended_at, Some(at(15)));
    let outcome = |more: &Value| leg(&end(more)).outcome;
    assert_eq!(
        outcome(&json!({"acdOutcome": "ANSWERED"})),
        Some(LegOutcome::Answered)
    );
    assert_eq!(
        outcome(&json!({"acdOutcome": "ABANDON"})),
        Some(LegOutcome::Abandoned)
    );
    assert_eq!(
        outcome(&json!({"acdOutcome": "FLOW_OUT"})),
        Some(LegOutcome::FlowedOut)
    );
    assert_eq!(
        outcome(&json!({"acdOutcome": "flowOut"})),
        Some(LegOutcome::FlowedOut)
    );
    // An outcome of a later release, or none: who answered, or who hung up, tells.
    assert_eq!(outcome(&json!({"acdOutcome": "DIVERTED"})), None);
    assert_eq!(
        outcome(&json!({"answeredUserId": "anna"})),
        Some(LegOutcome::Answered)
    );
    assert_eq!(
        outcome(&json!({"disconnectType": "PEER"})),
        Some(LegOutcome::Abandoned)
    );
    assert_eq!(
        outcome(&json!({"disconnectType": "PEER", "mediaType": "CALLBACK"})),
        None
    );
}

#[test]
fn pitfall_22_an_agents_part_has_what_it_consists_of() {
    let end = fact(&event(
        "user.end",
        100,
        &json!({"userId": "anna", "queueId": "q", "disconnectType": "PEER", "interactingDurationMs": 60_000, "heldDurationMs": 5_000,
            "alertingDurationMs": 2_000, "contactingDurationMs": 1_000, "dialingDurationMs": 7_000, "callbackDurationMs": 0}),
    ));
    assert_eq!(
        end.statement.durations,
        durations([
            (DurationKind::Talk, 60_000),
            (DurationKind::Hold, 5_000),
            (DurationKind::Alert, 2_000),
            (DurationKind::Contacting, 1_000),
            (DurationKind::Dialing, 7_000),
        ]),
        "no handle time: its parts are stated"
    );
    assert_eq!(end.at, at(25));
    let leg = leg(&end);
    assert_eq!(leg.answered_at, Some(at(35)));
    assert_eq!(leg.ended_at, Some(at(100)));
    assert_eq!(leg.outcome, Some(LegOutcome::Answered));
    assert_eq!(leg.holds, None, "how many is not stated");
    assert_eq!(end.statement.agent.as_ref().unwrap().id.as_str(), "anna");
    assert_eq!(end.statement.queue.as_ref().unwrap().as_str(), "q");
}

#[test]
fn pitfall_23_how_an_agents_part_ended_is_told_by_what_happened_in_it() {
    let end = |how: Value, talk: i64, alert: i64| {
        let body = json!({"userId": "anna", "disconnectType": how, "interactingDurationMs": talk, "heldDurationMs": 0, "alertingDurationMs": alert});
        let fact = fact(&event("user.end", 100, &body));
        let leg = leg(&fact);
        (
            leg.outcome,
            leg.transfer,
            fact.statement.durations.get(DurationKind::Hold),
        )
    };
    let none = Some(Millis::ZERO);
    assert_eq!(
        end(json!("CLIENT"), 9, 1),
        (Some(LegOutcome::Answered), None, none)
    );
    for (how, kind) in [
        ("TRANSFER", Transfer::Unspecified),
        ("CONFERENCE_TRANSFER", Transfer::Unspecified),
        ("CONSULT_TRANSFER", Transfer::Consult),
        ("consultTransfer", Transfer::Consult),
    ] {
        let transferred = Some(LegOutcome::Transferred);
        assert_eq!(
            end(json!(how), 9, 1),
            (transferred, Some(kind), none),
            "{how}"
        );
    }
    // The system's, not the agent's.
    assert_eq!(
        end(json!("FORWARD_TRANSFER"), 9, 1),
        (Some(LegOutcome::Answered), None, none)
    );
    // It rang: the agent, or whoever let go of the alert, missed it, unless the customer did.
    let missed = Some(LegOutcome::NotResponding);
    for how in [
        "CLIENT",
        "SYSTEM",
        "NO_ANSWER_TRANSFER",
        "TIMEOUT",
        "SOMETHING_NEW",
    ] {
        assert_eq!(end(json!(how), 0, 8_000), (missed, None, None), "{how}");
    }
    assert_eq!(
        end(json!("PEER"), 0, 8_000),
        (Some(LegOutcome::Abandoned), None, None)
    );
    assert_eq!(end(json!(null), 0, 0), (None, None, None));
}

#[test]
fn acw_and_wrapup_of_one_code_are_two_words_for_one_work() {
    let code = json!({"userId": "anna", "queueId": "q", "wrapupCode": "ININ-WRAP-UP-TIMEOUT", "wrapupDurationMs": 25_000});
    let work = fact(&event("acw", 125, &code));
    assert_eq!(work.key, FactKey::part(SESSION, "acw:ININ-WRAP-UP-TIMEOUT"));
    assert_eq!(work.at, at(100));
    assert_eq!(
        work.statement.durations,
        durations([(DurationKind::Wrap, 25_000)])
    );
    assert_eq!(
        work.statement.disposition.as_deref(),
        Some("ININ-WRAP-UP-TIMEOUT")
    );
    assert_eq!(leg(&work).ended_at, Some(at(125)));
    // The code alone, later: neither time nor another end.
    let mut late = code.clone();
    late["wrapupDurationMs"] = json!(0);
    let coded = fact(&event("wrapup", 500, &late));
    assert!(coded.statement.durations.is_empty());
    assert_eq!(leg(&coded).ended_at, None);
    assert_eq!(
        coded.statement.disposition.as_deref(),
        Some("ININ-WRAP-UP-TIMEOUT")
    );
    // Without a code, and without a time.
    let bare = fact(&event("acw", 125, &json!({})));
    assert_eq!(bare.statement.disposition, None);
    assert_eq!(leg(&bare).kind, LegKind::Agent);
    // Of two codes in one instant, both are logged.
    let other = mapped(&event("acw", 125, &json!({"wrapupCode": "b"})));
    assert_ne!(other.event_id, mapped(&event("acw", 125, &code)).event_id);
}

#[test]
fn a_passage_through_a_flow_ends_by_the_rules_of_a_record() {
    let outcome = |more: Value| {
        let mut all =
            json!({"flowType": "INBOUNDCALL", "flowId": "f", "connectedDurationMs": 20_000});
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let fact = fact(&event("flow.end", 30, &all));
        assert_eq!((leg(&fact).kind, fact.at), (LegKind::Ivr, at(10)));
        leg(&fact).outcome
    };
    assert_eq!(
        outcome(
            json!({"exitReason": "TRANSFER", "transferType": "ACD", "disconnectType": "TRANSFER"})
        ),
        None
    );
    assert_eq!(
        outcome(json!({"exitReason": "DISCONNECT"})),
        Some(LegOutcome::Abandoned)
    );
    assert_eq!(
        outcome(json!({"disconnectType": "PEER"})),
        Some(LegOutcome::Abandoned)
    );
    assert_eq!(
        outcome(json!({"exitReason": "FLOW_DISCONNECT", "disconnectType": "SYSTEM"})),
        Some(LegOutcome::Answered)
    );
    for failed in [
        "FLOW_ERROR_DISCONNECT",
        "SESSION_EXPIRE_DISCONNECT",
        "RECOGNITION_FAILURE_EXIT",
    ] {
        assert_eq!(outcome(json!({ "exitReason": failed })), None, "{failed}");
    }
    assert_eq!(outcome(json!({})), None);
    let outcome = |value: &str| {
        let fact = fact(&event(
            "flow.outcome",
            20,
            &json!({"flowOutcomeId": "o", "flowOutcomeValue": value}),
        ));
        assert_eq!(fact.key, FactKey::part(SESSION, "flow.outcome:o"));
        // It does not say whether the session is a flow's or the queue's in which the flow plays.
        assert_eq!(leg(&fact).kind, LegKind::Other);
        leg(&fact).outcome
    };
    assert_eq!(outcome("SUCCESS"), Some(LegOutcome::Answered));
    assert_eq!(outcome("FAILURE"), None);
    // What plays while the customer waits is the queue's own session: neither a passage nor its end.
    for what in ["flow.start", "flow.end"] {
        let music = fact(&event(
            what,
            30,
            &json!({"flowType": "INQUEUECALL", "exitReason": "DISCONNECT"}),
        ));
        assert_eq!(*leg(&music), Leg::new(SESSION.into(), LegKind::Other));
    }
}

#[test]
fn a_voicemail_is_a_part_of_no_kind() {
    assert_eq!(
        leg(&fact(&event("voicemail.start", 1, &json!({})))).kind,
        LegKind::Other
    );
    let end = fact(&event(
        "voicemail.end",
        31,
        &json!({"voicemailDurationMs": 30_000}),
    ));
    assert_eq!(
        (leg(&end).kind, end.at, leg(&end).ended_at),
        (LegKind::Other, at(1), Some(at(31)))
    );
}

#[test]
fn an_agents_state_is_of_the_session_that_it_is_about() {
    let state = |name: &str, more: Value| {
        let mut all = json!({"currentState": name, "userId": "anna", "sessionStart": TEN, "currentStateStart": TEN + 7_000});
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        frame("v2.detail.events.agent.anna.state", &body(8, &all))
    };
    for (name, wanted) in [
        ("ALERT", State::Alerting),
        ("INTERACT", State::Connected),
        ("HOLD", State::Held),
    ] {
        let fact = fact(&state(name, json!({})));
        assert_eq!(
            (fact.statement.state.clone(), fact.at),
            (Some(wanted), at(7))
        );
        assert_eq!(leg(&fact).kind, LegKind::Agent);
        assert!(!mapped(&state(name, json!({}))).stated.is_terminal());
    }
    let gone = fact(&state("TERMINATED", json!({})));
    assert_eq!(
        (gone.statement.state.clone(), leg(&gone).ended_at),
        (None, Some(at(7)))
    );
    let other = fact(&state("A_STATE_OF_NEXT_YEAR", json!({})));
    assert_eq!(
        (other.statement.state.clone(), leg(&other).ended_at),
        (None, None)
    );
    // Of no conversation it is nobody's part.
    let idle = frame(
        "v2.detail.events.agent.anna.state",
        &json!({"eventTime": TEN, "userId": "anna", "currentState": "IDLE"}),
    );
    assert_eq!(ignored(&idle), "v2.detail.events.agent.{id}.state");
}

fn metric(name: &str, value: i64, more: Value) -> Value {
    let mut body = json!({"recordId": "r-1", "metric": name, "metricDate": "2026-05-04T10:01:00.250Z", "value": value,
        "conversationId": CONVERSATION, "sessionId": SESSION, "purpose": "agent", "userId": "anna", "queueId": "q", "mediaType": "voice",
        "direction": "inbound", "usedRouting": "Standard", "disconnectType": "transferDnd"});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    frame(
        &format!("v2.analytics.conversation.{CONVERSATION}.metrics"),
        &body,
    )
}

#[test]
fn a_metric_record_is_worth_more_than_an_event_and_has_an_id_of_its_own() {
    for (name, kind) in [
        ("tTalkComplete", DurationKind::Talk),
        ("tHeldComplete", DurationKind::Hold),
        ("tAcw", DurationKind::Wrap),
        ("tAlert", DurationKind::Alert),
        ("tDialing", DurationKind::Dialing),
        ("tContacting", DurationKind::Contacting),
        ("tHandle", DurationKind::Handle),
    ] {
        let event = metric(name, 1234, json!({}));
        let found = mapped(&event);
        assert_eq!(found.event_id.as_str(), "r-1");
        let fact = fact(&event);
        assert_eq!(fact.rank, SourceRank::MetricRecord);
        assert_eq!(fact.statement.durations, durations([(kind, 1234)]));
        assert_eq!(fact.at, UtcMicros((TEN + 60_250) * 1000));
        assert_eq!(leg(&fact).kind, LegKind::Agent);
    }
    let of_queue = json!({"purpose": "acd", "userId": null});
    for (name, outcome) in [
        ("tAcd", None),
        ("tAbandon", Some(LegOutcome::Abandoned)),
        ("tFlowOut", Some(LegOutcome::FlowedOut)),
    ] {
        let fact = fact(&metric(name, 99, of_queue.clone()));
        assert_eq!(
            fact.statement.durations,
            durations([(DurationKind::QueueWait, 99)])
        );
        assert_eq!(
            (leg(&fact).kind, leg(&fact).outcome),
            (LegKind::Queue, outcome)
        );
    }
    let stated = |name: &str| leg(&fact(&metric(name, 1, json!({})))).clone();
    assert_eq!(
        stated("tAnswered").answered_at,
        Some(UtcMicros((TEN + 60_250) * 1000))
    );
    assert_eq!(
        stated("tNotResponding").outcome,
        Some(LegOutcome::NotResponding)
    );
    assert_eq!(
        stated("nConsultTransferred").transfer,
        Some(Transfer::Consult)
    );
    assert_eq!(stated("nBlindTransferred").transfer, Some(Transfer::Blind));
    // What says nothing that a leg has, or what is of another's part, is named.
    for name in [
        "nOffered",
        "tHeld",
        "tTalk",
        "oServiceLevel",
        "nTransferred",
        "tNew",
    ] {
        let kind = format!("v2.analytics.conversation.{{id}}.metrics {name}");
        assert_eq!(ignored(&metric(name, 1, json!({}))), kind);
    }
    ignored(&metric("tTalkComplete", 1, json!({"purpose": "external"})));
    ignored(&metric("tTalkComplete", 1, json!({"sessionId": null})));
    // Without the record's id it is made as every other.
    let made = mapped(&metric("tAcw", 1, json!({"recordId": null})));
    assert!(made.event_id.as_str().starts_with("made-"));
    assert_ne!(
        made.event_id,
        mapped(&metric("tTalkComplete", 1, json!({"recordId": null}))).event_id
    );
}

#[test]
fn only_attributes_that_are_declared_are_kept_and_they_are_the_conversations() {
    let kept = Mappings::none().keeping(["brand", "site"].map(str::to_owned).into());
    let mut body = body(
        9,
        &json!({"attributes": {"brand": "Blue", "site": 7, "birthday": "1970-01-01"}}),
    );
    body.as_object_mut().unwrap().remove("sessionId");
    let event = frame(&topic("attributes"), &body);
    let Ok(Outcome::Mapped(found)) = outcome_with(&event, &kept) else {
        panic!("not mapped")
    };
    let attributes: Vec<_> = found
        .stated
        .facts()
        .iter()
        .flat_map(|fact| {
            let details = fact.statement.details.as_deref().unwrap();
            assert_eq!(details.leg, None);
            assert_eq!(details.attributes.len(), 1, "each is a fact of its own");
            &details.attributes
        })
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(attributes, [("brand", "Blue"), ("site", "7")]);
    let kind = "v2.detail.events.conversation.{id}.attributes";
    assert_eq!(ignored(&event), kind, "nobody asked for any");
    let kept = Mappings::none().keeping(["other".to_owned()].into());
    assert_eq!(
        outcome_with(&event, &kept),
        Ok(Outcome::Ignored {
            kind: kind.to_owned()
        })
    );
}

#[test]
fn outbound_and_contact_are_the_conversations() {
    for what in ["outbound", "contact"] {
        let fact = fact(&event(
            what,
            1,
            &json!({"outboundCampaignId": "k", "direction": "OUTBOUND"}),
        ));
        let details = fact.statement.details.as_deref().unwrap();
        assert_eq!(
            (&details.leg, details.direction),
            (&None, Some(Direction::Outbound))
        );
    }
}

#[test]
fn pitfall_29_names_of_another_case_absent_members_and_words_of_tomorrow() {
    let spelled = json!({"topicName": topic("user.end"), "eventBody": {"EventTime": TEN + 10_000, "conversation_id": CONVERSATION,
        "SessionId": SESSION, "userid": "anna", "INTERACTINGDURATIONMS": 4_000, "disconnectType": "Client", "mediaType": "HOLOGRAM",
        "direction": "SIDEWAYS", "utilizationLabel": {"new": [1]}}});
    let found = fact(&spelled);
    assert_eq!(found.statement.agent.as_ref().unwrap().id.as_str(), "anna");
    assert_eq!(
        found.statement.durations,
        durations([(DurationKind::Talk, 4_000)])
    );
    let details = found.statement.details.as_deref().unwrap();
    assert_eq!(
        (details.media.as_deref(), details.direction),
        (Some("hologram"), None)
    );
    // As little as there can be. The conversation is in the topic, the instant in the frame.
    let little = json!({"topicName": topic("user.start"), "timestamp": "2026-05-04T10:00:03Z", "eventBody": {"sessionId": SESSION}});
    assert_eq!(fact(&little).at, at(3));
    // `UNKNOWN` says nothing.
    let unknown = fact(&event(
        "acd.end",
        1,
        &json!({"mediaType": "UNKNOWN", "direction": "UNKNOWN", "acdOutcome": "UNKNOWN"}),
    ));
    let details = unknown.statement.details.as_deref().unwrap();
    assert_eq!(
        (
            details.media.as_deref(),
            details.direction,
            leg(&unknown).outcome
        ),
        (None, None, None)
    );
}

#[test]
fn what_identifies_an_event_must_be_there() {
    let template = "v2.detail.events.conversation.{id}.acw";
    let lacking = |name: &str, topic: &str| {
        let mut body = body(1, &json!({}));
        body.as_object_mut().unwrap().remove(name);
        refused(&json!({"topicName": topic, "eventBody": body})).field
    };
    assert_eq!(
        lacking("conversationId", template),
        "eventBody.conversationId"
    );
    assert_eq!(lacking("sessionId", template), "eventBody.sessionId");
    assert_eq!(lacking("eventTime", template), "eventBody.eventTime");
    let wrong = refused(&event("acw", 1, &json!({"wrapupDurationMs": "long"})));
    assert_eq!(
        (wrong.field.as_str(), wrong.value.as_str()),
        ("eventBody.wrapupDurationMs", "\"long\"")
    );
    refused(&json!({"topicName": topic("acw"), "eventBody": [1]}));
    // A connection test that only knows its topic's template.
    refused(
        &json!({"topicName": template, "name": "a trigger", "target": {"id": "w", "type": "Workflow"}}),
    );
}

#[test]
fn pitfall_20_absurd_durations_are_kept_as_they_are_and_date_nothing() {
    for absurd in [-1_715_783_530_000, i64::MAX, i64::MIN + 1, 500 * 86_400_000] {
        let end = fact(&event(
            "user.end",
            100,
            &json!({"userId": "anna", "interactingDurationMs": absurd, "heldDurationMs": i64::MAX}),
        ));
        assert_eq!(
            end.statement.durations.get(DurationKind::Talk),
            Some(Millis(absurd))
        );
        assert_eq!((end.at, leg(&end).answered_at), (at(100), None));
        let wait = fact(&event(
            "acd.end",
            100,
            &json!({"connectedDurationMs": absurd}),
        ));
        assert_eq!(wait.at, at(100));
        let work = fact(&event("acw", 100, &json!({"wrapupDurationMs": absurd})));
        assert_eq!(
            (work.at, work.statement.durations.get(DurationKind::Wrap)),
            (at(100), Some(Millis(absurd)))
        );
    }
}

#[test]
fn topics_that_nobody_asked_for_are_ignored_under_their_names() {
    let uuid = "9a7b6c5d-1234-4f00-8e11-aabbccddeeff";
    let aggregates = json!({"group": {"mediaType": "voice", "flowId": uuid}, "data": [{"interval": "2026-05-04T10:00Z/PT30M", "metrics": []}]});
    let availability = json!({"dataAvailabilityDate": "2026-05-04T08:00:00Z"});
    for (topic, body, wanted) in [
        (
            format!("v2.analytics.flow.{uuid}.aggregates"),
            &aggregates,
            "v2.analytics.flow.{id}.aggregates",
        ),
        (
            format!("v2.analytics.flow.{uuid}.metrics"),
            &aggregates,
            "v2.analytics.flow.{id}.metrics",
        ),
        (
            format!("v2.analytics.queues.{uuid}.observations"),
            &aggregates,
            "v2.analytics.queues.{id}.observations",
        ),
        (
            format!("v2.analytics.users.{uuid}.aggregates"),
            &aggregates,
            "v2.analytics.users.{id}.aggregates",
        ),
        (
            format!("v2.analytics.wrapup.{uuid}.aggregates"),
            &aggregates,
            "v2.analytics.wrapup.{id}.aggregates",
        ),
        (
            "v2.analytics.conversations.details.jobs.availability".to_owned(),
            &availability,
            "v2.analytics.conversations.details.jobs.availability",
        ),
        (
            format!("v2.detail.events.conversation.{uuid}.something.new"),
            &availability,
            "v2.detail.events.conversation.{id}.something.new",
        ),
        (
            format!("v2.routing.queues.{uuid}.users"),
            &json!([]),
            "v2.routing.queues.{id}.users",
        ),
        (
            format!("v2.operations.events.{uuid}"),
            &json!("text"),
            "v2.operations.events.{id}",
        ),
    ] {
        let frame = frame(&topic, body);
        assert_eq!(ignored(&frame), wanted);
        assert_eq!(
            ignored(&json!({"id": "e", "detail-type": "t", "detail": frame})),
            wanted
        );
    }
    // A body alone does not name its topic.
    assert_eq!(ignored(&aggregates), "aggregates");
}
