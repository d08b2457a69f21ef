use super::*;
use crate::normalise::message::Whole;
use adapter::{CustomerIdentity, Stated};
use bytes::Bytes;
use proptest::prelude::*;
use schema::{AgentId, AgentRef, EventId, FactKey, MessageId, Presence, Routing, SourceRank};

const RECEIVED: UtcMicros = UtcMicros(1_715_783_600_000_000); // 2024-05-15T14:33:20Z

/// An event of the guide's shape; `id` and `time` as given.
pub(in crate::normalise) fn event(id: &str, time: &str) -> String {
    format!(
        r#"{{"event_type":"x","timestamp":"{time}","data":{{"event_id":"{id}","interaction_id":"int_1","type":"telephony:call:ended","state":"completed","metrics":{{"talk_time_ms":1}},"participants":[]}}}}"#
    )
}

pub(in crate::normalise) fn message(bodies: &[&[u8]]) -> Message {
    Message {
        id: MessageId(Uuid::from_u128(1)),
        lane: Lane::Live,
        deliveries: bodies
            .iter()
            .zip(1..)
            .map(|(body, id)| RawDelivery {
                id: DeliveryId(Uuid::from_u128(id)),
                subscription: "hook".into(),
                tenant: "acme".into(),
                format: BodyFormat::GenesysWebhook,
                correlation: "c".into(),
                received_at: RECEIVED,
                job: None,
                body: Bytes::copy_from_slice(body),
            })
            .collect(),
        whole: None,
    }
}

/// Received, to be logged, to be quarantined, ignored; they add up.
fn check(message: Message) -> (i64, usize, usize, i64) {
    let messages = [message];
    let plan = plan(&messages, &Mappings::none(), &|_| true);
    let received = plan.origins.iter().map(|origin| origin.received).sum();
    let ignored = plan.origins.iter().map(|origin| origin.ignored).sum();
    let (logged, refused) = (plan.items.len(), plan.refused.len());
    let held: i64 = plan.refused.iter().map(|bad| bad.items).sum();
    let sum = i64::try_from(logged).unwrap() + held + ignored;
    assert_eq!(received, sum, "{plan:?}");
    (received, logged, refused, ignored)
}

#[test]
fn bad_items_beyond_number_are_held_together_and_the_good_ones_among_them_go_on() {
    let good = event("e1", "2024-05-15T14:32:10.451Z");
    let bad = |count: usize| vec!["0"; count].join(",");
    let few = format!("[{good},{}]", bad(REFUSED_MAX));
    let received = i64::try_from(REFUSED_MAX).unwrap() + 1;
    assert_eq!(
        check(message(&[few.as_bytes()])),
        (received, 1, REFUSED_MAX, 0)
    );
    let many = format!("[{good},{}]", bad(REFUSED_MAX + 1));
    let bodies = [good.as_bytes(), many.as_bytes(), good.as_bytes()];
    // Its neighbours are not affected, neither in its own body nor in others.
    assert_eq!(check(message(&bodies)), (received + 3, 3, 1, 0));
    let messages = [message(&bodies)];
    let plan = plan(&messages, &Mappings::none(), &|_| true);
    let [whole] = plan.refused.as_slice() else {
        panic!("{:?}", plan.refused.len());
    };
    assert_eq!(
        (whole.origin, whole.index, whole.stage),
        (1, -1, Stage::Split)
    );
    assert_eq!(whole.raw.as_ref(), many.as_bytes());
    assert_eq!(whole.items, received);
    assert!(
        whole.reason.contains("the first, at 1: (item)"),
        "{}",
        whole.reason
    );
}

#[test]
fn every_item_of_every_delivery_has_its_place() {
    let good = event("e1", "2024-05-15T14:32:10.451Z");
    let other = event("e2", "2024-05-15T14:32:11Z");
    let array = format!("[{good}, {{\"data\":{{}}}}, {other}]");
    let lines = format!("{good}\n{other}\n");
    let bodies: [&[u8]; 6] = [
        good.as_bytes(),
        array.as_bytes(),
        lines.as_bytes(),
        b"[]",
        b"no json at all",
        b"",
    ];
    assert_eq!(check(message(&bodies)), (8, 5, 3, 0));
}

#[test]
fn the_bytes_of_an_item_are_those_that_came() {
    let spaced = event("e1", "2024-05-15T14:32:10.451Z").replace(':', " :  ");
    let body = format!("[ {spaced} ]");
    let messages = [message(&[body.as_bytes()])];
    let plan = plan(&messages, &Mappings::none(), &|_| true);
    // The time has no longer a form that can be read: the item is quarantined, byte for byte.
    assert_eq!(plan.refused[0].raw, spaced.as_bytes());
    assert_eq!(
        (plan.refused[0].index, plan.refused[0].stage),
        (0, Stage::Map)
    );
    assert!(plan.refused[0].field.is_some());
}

#[test]
fn a_body_that_is_no_json_is_one_bad_item() {
    let messages = [message(&[b"\xff\xfe nonsense"])];
    let plan = plan(&messages, &Mappings::none(), &|_| true);
    let bad = &plan.refused[0];
    assert_eq!((bad.index, bad.stage), (-1, Stage::Split));
    assert_eq!(bad.raw.as_ref(), b"\xff\xfe nonsense");
}

#[test]
fn implausible_instants_are_refused_by_the_field_timestamp() {
    for (time, fits) in [
        ("1999-12-31T23:59:59.999Z", false),
        ("2000-01-01T00:00:00Z", true),
        ("2024-05-22T14:33:20Z", true),
        ("2024-05-22T14:33:20.001Z", false),
        ("2099-01-01T00:00:00Z", false),
    ] {
        let body = event("e", time);
        let messages = [message(&[body.as_bytes()])];
        let plan = plan(&messages, &Mappings::none(), &|_| true);
        assert_eq!(plan.items.len(), usize::from(fits), "{time}");
        if !fits {
            let field = plan.refused[0].field.as_ref().unwrap();
            assert_eq!(field.0, "timestamp", "{time}");
        }
    }
    // What the store would not take is found before the store is asked.
    let body = event("e", "2024-05-15T14:32:10Z");
    let messages = [message(&[body.as_bytes()])];
    let plan = plan(&messages, &Mappings::none(), &|_| false);
    assert_eq!((plan.items.len(), plan.refused.len()), (0, 1));
}

/// A conversation record whose one session began at this time.
fn record(conversation: &str, segment: &str, queue: &str) -> Message {
    let body = format!(
        r#"{{"conversationId":"c","conversationStart":"{conversation}","participants":[{{"purpose":"acd","sessions":[{{"sessionId":"s","segments":[{{"segmentStart":"{segment}","queueId":"{queue}"}}]}}]}}]}}"#
    );
    let mut message = message(&[body.as_bytes()]);
    message.deliveries[0].format = BodyFormat::GenesysDetails;
    message
}

#[test]
fn an_implausible_instant_of_any_fact_refuses_the_item() {
    let start = "2024-05-15T14:00:00Z";
    for (segment, fits) in [
        ("2024-05-15T14:32:10Z", true),
        ("2024-05-22T14:33:20Z", true),
        ("2024-05-22T14:33:20.001Z", false),
        ("2099-01-01T00:00:00Z", false),
    ] {
        let messages = [record(start, segment, "q")];
        let plan = plan(&messages, &Mappings::none(), &|_| true);
        assert_eq!(plan.items.len(), usize::from(fits), "{segment}");
        if !fits {
            let field = plan.refused[0].field.as_ref().unwrap();
            assert_eq!(field.0, "timestamp", "{segment}");
        }
    }
    // What the store would not take is found in every fact.
    let messages = [record(start, "2024-05-15T14:32:10Z", "q")];
    let between = UtcMicros::from_millis(1_715_783_000_000); // 14:23:20
    let plan = plan(&messages, &Mappings::none(), &|at| at < between);
    assert_eq!((plan.items.len(), plan.refused.len()), (0, 1));
}

#[test]
fn ids_that_no_table_takes_are_refused() {
    let long = "x".repeat(1_001);
    let body = event(&long, "2024-05-15T14:32:10Z");
    assert_eq!(check(message(&[body.as_bytes()])), (1, 0, 1, 0));
}

/// An event that names this agent and disposition.
fn told_by(agent: &str, disposition: &str) -> String {
    let people = format!(
        r#""disposition":"{disposition}","participants":[{{"id":"{agent}","type":"agent"}}]"#
    );
    event("e", "2024-05-15T14:32:10Z").replace(r#""participants":[]"#, &people)
}

#[test]
fn an_id_that_no_key_of_the_store_takes_is_refused_with_its_field() {
    let instant = "2024-05-15T14:32:10Z";
    let leg = |id: &str| {
        let mut message = record(instant, instant, "q");
        let body = String::from_utf8(message.deliveries[0].body.to_vec()).unwrap();
        let body = body.replace(r#""sessionId":"s""#, &format!(r#""sessionId":"{id}""#));
        message.deliveries[0].body = Bytes::from(body);
        message
    };
    let agent = |id: &str| message(&[told_by(id, "SALE").as_bytes()]);
    let queue = |id: &str| record(instant, instant, id);
    for field in ["agent_id", "queue_id", "leg_id"] {
        // Bytes count, not characters.
        for (id, fits) in [
            ("x".repeat(500), true),
            ("é".repeat(250), true),
            ("x".repeat(501), false),
            ("é".repeat(251), false),
        ] {
            let messages = [match field {
                "agent_id" => agent(&id),
                "queue_id" => queue(&id),
                _ => leg(&id),
            }];
            let plan = plan(&messages, &Mappings::none(), &|_| true);
            assert_eq!(plan.items.len(), usize::from(fits), "{field} {id}");
            let Some(refused) = plan.refused.first() else {
                continue;
            };
            let (at, value, expected) = refused.field.as_ref().unwrap();
            assert_eq!(at, field, "{id}");
            assert!(value.chars().count() <= 201, "cut: {value}");
            assert_eq!(expected, "at most 500 bytes, without U+0000");
        }
    }
}

#[test]
fn texts_that_no_message_takes_are_refused() {
    for (bytes, fits) in [(60_000, true), (70_000, false)] {
        let body = told_by("anna", &"d".repeat(bytes));
        let messages = [message(&[body.as_bytes()])];
        let plan = plan(&messages, &Mappings::none(), &|_| true);
        assert_eq!(plan.items.len(), usize::from(fits), "{bytes}");
        assert_eq!(plan.refused.len(), usize::from(!fits), "{bytes}");
    }
}

/// An agent in some state from an instant on.
fn on_queue(at: UtcMicros) -> (AgentRef, AgentFact) {
    let agent = AgentRef {
        id: AgentId::new("anna"),
        zone: None,
    };
    let fact = AgentFact {
        key: FactKey::agent_state(Track::Presence, at),
        at,
        until: None,
        revision: None,
        rank: SourceRank::Event,
        statement: AgentStatement {
            presence: Some(Presence::OnQueue),
            ..AgentStatement::default()
        },
    };
    (agent, fact)
}

/// The field by which an item about an agent is refused; `stored` says what the log keeps.
fn refused_field(
    agent: AgentRef,
    fact: AgentFact,
    stored: &dyn Fn(UtcMicros) -> bool,
) -> Option<String> {
    let mapped = Mapped {
        event_id: EventId::new("e"),
        at: RECEIVED,
        digest: [0; 16],
        stated: Stated::Agent {
            agent,
            facts: vec![fact],
        },
    };
    acceptable(Outcome::Mapped(mapped), RECEIVED, stored)
        .err()
        .map(|error| error.field)
}

/// Puts a text into an agent's fact.
type Change<'a> = dyn Fn(&mut AgentRef, &mut AgentFact, &str) + 'a;

#[test]
fn texts_of_an_agents_state_are_bounded_like_ids() {
    let long = "x".repeat(501);
    let all = |change: &Change<'_>, text: &str| {
        let (mut agent, mut fact) = on_queue(RECEIVED);
        change(&mut agent, &mut fact, text);
        refused_field(agent, fact, &|_| true)
    };
    let changes: [(&str, &Change<'_>); 7] = [
        ("agent_id", &|agent, _, text| agent.id = AgentId::new(text)),
        ("fact_key", &|_, fact, text| {
            fact.key = FactKey::event(&text[2..]);
        }),
        ("presence", &|_, fact, text| {
            fact.statement.presence = Some(Presence::Other(text.into()));
        }),
        ("routing", &|_, fact, text| {
            fact.statement.routing = Some(Routing::Other(text.into()));
        }),
        ("scheduled", &|_, fact, text| {
            fact.statement.scheduled = Some(text.into());
        }),
        ("reason", &|_, fact, text| {
            fact.statement.reason = Some(text.into());
        }),
        ("team", &|_, fact, text| {
            fact.statement.team = Some(text.into());
        }),
    ];
    for (field, change) in changes {
        assert_eq!(all(change, &long).as_deref(), Some(field));
        assert_eq!(all(change, "some\0text").as_deref(), Some(field));
        assert_eq!(all(change, &long[1..]), None, "{field}");
    }
    let (mut agent, fact) = on_queue(RECEIVED);
    agent.zone = Some("z".repeat(70_000).into());
    let refused = refused_field(agent, fact, &|_| true);
    assert_eq!(refused.as_deref(), Some("(item)"));
}

#[test]
fn what_is_planned_may_lie_ahead_and_what_happened_may_not() {
    let days = |count: i64| UtcMicros(RECEIVED.0 + count * 86_400 * 1_000_000);
    let refused = |at: UtcMicros, until: Option<UtcMicros>, planned: bool| {
        let (agent, mut fact) = on_queue(at);
        fact.until = until;
        if planned {
            fact.statement = AgentStatement {
                scheduled: Some("on_queue".into()),
                ..AgentStatement::default()
            };
        }
        // The log keeps the item at its own instant; those of its facts lie in no month of the store.
        refused_field(agent, fact, &|at| at <= RECEIVED)
    };
    let (timestamp, until) = (Some("timestamp".to_owned()), Some("until".to_owned()));
    assert_eq!(refused(days(7), None, false), None);
    assert_eq!(refused(days(8), None, false), timestamp);
    assert_eq!(refused(days(8), None, true), None);
    assert_eq!(refused(days(399), Some(days(400)), true), None);
    assert_eq!(refused(days(399), Some(days(401)), true), until);
    assert_eq!(refused(days(401), None, true), timestamp);
    assert_eq!(refused(days(-1), Some(days(30)), false), None);
    assert_eq!(refused(UtcMicros(0), None, true), timestamp);
    assert_eq!(refused(days(-1), Some(UtcMicros(i64::MAX)), false), until);
    assert_eq!(refused(days(-1), Some(UtcMicros(i64::MIN)), false), until);
    // What the log does not keep is refused, planned or not.
    let (agent, fact) = on_queue(days(-1));
    assert_eq!(refused_field(agent, fact, &|_| false), timestamp);
}

#[test]
fn customers_get_a_key_only_where_there_is_a_secret() {
    let bodies = [
        event("e1", "2024-05-15T14:32:10Z"),
        event("e2", "2024-05-15T14:32:10Z"),
    ];
    let messages = [message(&[bodies[0].as_bytes(), bodies[1].as_bytes()])];
    let mut plan = plan(&messages, &Mappings::none(), &|_| true);
    if let Stated::Interaction { customer, .. } = &mut plan.items[1].mapped.stated {
        *customer = Some(CustomerIdentity::new("tel:+1 (555) 010-0123"));
    }
    let keys = |plan: &Plan<'_>| -> Vec<Option<String>> {
        let facts = plan.items.iter().map(|item| &item.mapped.stated.facts()[0]);
        facts
            .map(|fact| {
                let key = fact.statement.details.as_ref()?.customer_key.as_ref()?;
                Some(key.as_str().to_owned())
            })
            .collect()
    };
    assert_eq!(keys(&plan), [None, None]);
    plan.key_customers(&Secret::new("0123456789abcdef"));
    // As another implementation has it (Python's hmac).
    assert_eq!(
        keys(&plan),
        [None, Some("eIAIztD0Ro4ta78Cc0QAIQ".to_owned())]
    );
    assert!(!format!("{:?}", plan.items).contains("010-0123"));
}

#[test]
fn a_message_that_is_not_read_is_quarantined_delivery_by_delivery() {
    let good = event("e1", "2024-05-15T14:32:10.451Z");
    let mut message = message(&[good.as_bytes(), b"x"]);
    message.whole = Some(Whole {
        stage: Stage::Redelivered,
        reason: "it came back".into(),
    });
    assert_eq!(check(message), (2, 0, 2, 0));
}

#[test]
fn copies_have_one_key_and_revisions_another() {
    let key = |body: &str| {
        let messages = [message(&[body.as_bytes()])];
        plan(&messages, &Mappings::none(), &|_| true).items[0].key
    };
    let event = event("e1", "2024-05-15T14:32:10.451Z");
    assert_eq!(key(&event), key(&format!(" {event}\n")));
    assert_ne!(
        key(&event),
        key(&event.replace("talk_time_ms\":1", "talk_time_ms\":2"))
    );
}

proptest! {
    #[test]
    fn whatever_comes_is_counted(bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..6)) {
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        check(message(&bodies));
    }

    #[test]
    fn whatever_json_comes_is_counted(bodies in proptest::collection::vec("[\\[\\]{}\",:0-9a-z \n]{0,60}", 0..6)) {
        let bodies: Vec<&[u8]> = bodies.iter().map(String::as_bytes).collect();
        check(message(&bodies));
    }
}
