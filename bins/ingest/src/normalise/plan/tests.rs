use super::*;
use crate::normalise::message::Whole;
use bytes::Bytes;
use proptest::prelude::*;
use schema::MessageId;

const RECEIVED: UtcMicros = UtcMicros(1_715_783_600_000_000); // 2024-05-15T14:33:20Z

/// An event of the guide's shape; `id` and `time` as given.
fn event(id: &str, time: &str) -> String {
    format!(
        r#"{{"event_type":"x","timestamp":"{time}","data":{{"event_id":"{id}","interaction_id":"int_1","type":"telephony:call:ended","state":"completed","metrics":{{"talk_time_ms":1}},"participants":[]}}}}"#
    )
}

fn message(bodies: &[&[u8]]) -> Message {
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
    let sum = i64::try_from(logged + refused).unwrap() + ignored;
    assert_eq!(received, sum, "{plan:?}");
    (received, logged, refused, ignored)
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
