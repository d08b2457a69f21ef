//! Who the customer is, as each format names them: beside the facts, never in one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{Mappings, Outcome, Split, Stated, map, split};
use schema::BodyFormat;
use serde_json::{Value, json};

/// The customer of the one item of a body. No fact may know of them.
fn customer(format: &BodyFormat, body: &str) -> Option<String> {
    let Split::Items(items) = split(format, body.as_bytes()) else {
        panic!("{body} cannot be split")
    };
    let [item] = &items[..] else {
        panic!("{items:?}")
    };
    let Ok(Outcome::Mapped(mapped)) = map(format, &item.raw, &Mappings::none()) else {
        panic!("{body}")
    };
    let shown = format!("{mapped:?}");
    let Stated::Interaction {
        customer, facts, ..
    } = mapped.stated
    else {
        panic!("{shown}")
    };
    let told = format!("{facts:?}");
    customer.map(|customer| {
        let customer = customer.as_str().to_owned();
        assert!(!shown.contains(&customer) && !told.contains(&customer));
        customer
    })
}

fn webhook(participants: &Value) -> Option<String> {
    let event = json!({"event_type": "analytics:events:publish", "timestamp": "2026-05-04T10:00:00Z", "data": {"event_id": "e",
        "interaction_id": "i", "state": "completed", "participants": participants}});
    customer(&BodyFormat::GenesysWebhook, &event.to_string())
}

#[test]
fn the_guide_names_a_participant() {
    let agent = json!({"id": "a", "type": "agent", "timezone": "UTC"});
    let one = json!({"id": "cust-1", "type": "Customer"});
    let other = json!({"id": "cust-2", "type": "customer"});
    assert_eq!(
        webhook(&json!([agent, one, other])).as_deref(),
        Some("cust-1")
    );
    assert_eq!(webhook(&json!([one, agent])).as_deref(), Some("cust-1"));
    assert_eq!(webhook(&one).as_deref(), Some("cust-1"));
    assert_eq!(webhook(&json!([agent])), None);
    assert_eq!(webhook(&json!([{"type": "customer"}, agent])), None);
    assert_eq!(
        webhook(&json!([{"id": {}, "type": "customer"}])),
        None,
        "no reason to refuse an event"
    );
    assert_eq!(
        webhook(&json!([{"id": 77_123_456, "type": "customer"}])).as_deref(),
        Some("77123456")
    );
}

fn party(contact: Option<&str>, session: &Value, start: &str) -> Value {
    let mut session = session.clone();
    session["sessionId"] = json!(format!("s-{start}"));
    session["segments"] = json!([{"segmentType": "interact", "segmentStart": start}]);
    json!({"purpose": "customer", "externalContactId": contact, "sessions": [session]})
}

fn conversation(direction: &str, participants: &[Value]) -> Option<String> {
    let record = json!({"conversationId": "c", "conversationStart": "2026-05-04T10:00:00Z", "originatingDirection": direction,
        "participants": participants});
    customer(&BodyFormat::GenesysDetails, &record.to_string())
}

#[test]
fn a_conversation_names_a_contact_or_an_address() {
    let (early, late) = ("2026-05-04T10:00:00Z", "2026-05-04T10:05:00Z");
    let call = json!({"ani": "tel:+15550100001", "dnis": "tel:+15550100002"});
    let mail = json!({"addressFrom": "ada@example.invalid", "addressTo": "us@example.invalid"});
    let of = |direction: &str, participants: &[Value]| conversation(direction, participants);
    assert_eq!(
        of("inbound", &[party(Some("contact-1"), &call, early)]).as_deref(),
        Some("contact-1")
    );
    assert_eq!(
        of("inbound", &[party(None, &call, early)]).as_deref(),
        Some("tel:+15550100001")
    );
    assert_eq!(
        of("outbound", &[party(None, &call, early)]).as_deref(),
        Some("tel:+15550100002")
    );
    assert_eq!(
        of("inbound", &[party(None, &mail, early)]).as_deref(),
        Some("ada@example.invalid")
    );
    assert_eq!(
        of("outbound", &[party(Some(""), &mail, early)]).as_deref(),
        Some("us@example.invalid")
    );
    // The first to come, wherever it stands; who has no address is passed over.
    let conferenced = party(Some("contact-2"), &call, late);
    assert_eq!(
        of(
            "inbound",
            &[conferenced.clone(), party(Some("contact-1"), &call, early)]
        )
        .as_deref(),
        Some("contact-1")
    );
    assert_eq!(
        of("inbound", &[conferenced, party(None, &json!({}), early)]).as_deref(),
        Some("contact-2")
    );
    let agent = json!({"purpose": "agent", "userId": "u", "sessions": [{"sessionId": "x", "ani": "tel:+15550100009"}]});
    assert_eq!(of("inbound", &[agent]), None);
}

fn contact(members: &Value) -> Option<String> {
    let mut row = json!({"contactId": 5, "masterContactId": 5, "contactStartDate": "2026-05-04T10:00:00Z", "isOutbound": false,
        "fromAddress": "+15550100001", "toAddress": "+15550100900"});
    for (name, value) in members.as_object().unwrap() {
        row[name] = value.clone();
    }
    customer(&BodyFormat::CxoneContacts, &row.to_string())
}

#[test]
fn a_contact_names_the_address_on_the_customers_side() {
    assert_eq!(contact(&json!({})).as_deref(), Some("+15550100001"));
    assert_eq!(
        contact(&json!({"isOutbound": "True"})).as_deref(),
        Some("+15550100900")
    );
    assert_eq!(
        contact(&json!({"fromAddress": null, "fromAddr": "5550100001"})).as_deref(),
        Some("5550100001")
    );
    assert_eq!(contact(&json!({"fromAddress": ""})), None);
    assert_eq!(contact(&json!({"fromAddress": []})), None);
    assert_eq!(
        contact(&json!({"masterContactId": 4})),
        None,
        "another contact created it"
    );
}

#[test]
fn a_line_of_the_call_detail_report_names_the_number() {
    let format = BodyFormat::CxoneCallDetail { zone: "UTC".into() };
    let of = |master: &str, number: &str| {
        let body = format!(
            "contact_id,master_contact_id,ANI_DIALNUM,start_date,start_time\n5,{master},{number},05/04/2026,10:00:00\n"
        );
        customer(&format, &body)
    };
    assert_eq!(of("5", "+15550100101").as_deref(), Some("+15550100101"));
    assert_eq!(of("", "+15550100101").as_deref(), Some("+15550100101"));
    assert_eq!(of("4", "+15550100101"), None);
    assert_eq!(of("5", ""), None);
}
