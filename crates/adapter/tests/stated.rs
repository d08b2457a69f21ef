//! What an item states: whom it is about, which texts it brings, and the customer's key.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{CustomerIdentity, Stated, customer_key};
use schema::{
    AgentFact, AgentId, AgentRef, AgentStatement, CustomerKey, Details, Fact, FactKey,
    InteractionId, LegId, LegKind, Presence, QueueId, Routing, SourceRank, State, Statement,
    TenantId, Track, UtcMicros,
};

const SECRET: &[u8] = b"a secret of sixteen bytes or more";

fn fact(statement: Statement) -> Fact {
    Fact {
        key: FactKey::event("e"),
        at: UtcMicros(1),
        revision: None,
        rank: SourceRank::Event,
        statement,
    }
}

fn call(customer: Option<&str>) -> Stated {
    let with_leg = Statement {
        state: Some(State::Completed),
        queue: Some(QueueId::new("q")),
        details: Some(Box::new(Details {
            leg: Some(schema::Leg::new(LegId::new("l"), LegKind::Agent)),
            ..Details::default()
        })),
        ..Statement::default()
    };
    Stated::Interaction {
        interaction: InteractionId::new("i"),
        facts: vec![fact(Statement::default()), fact(with_leg)],
        terminal: true,
        customer: customer.map(CustomerIdentity::new),
    }
}

fn agent() -> Stated {
    Stated::Agent {
        agent: AgentRef {
            id: AgentId::new("a"),
            zone: None,
        },
        facts: vec![AgentFact {
            key: FactKey::agent_state(Track::Presence, UtcMicros(1)),
            at: UtcMicros(1),
            until: None,
            revision: None,
            rank: SourceRank::Event,
            statement: AgentStatement {
                presence: Some(Presence::Other("on a boat".into())),
                routing: Some(Routing::Idle),
                scheduled: Some("meal".into()),
                reason: Some("r".into()),
                team: Some("t".into()),
            },
        }],
    }
}

fn keys(stated: &Stated) -> Vec<Option<CustomerKey>> {
    let key = |fact: &Fact| fact.statement.details.as_ref()?.customer_key.clone();
    stated.facts().iter().map(key).collect()
}

#[test]
fn every_fact_gets_the_customers_key_and_the_identity_is_gone() {
    let tenant = TenantId::new("acme");
    let mut named = call(Some("tel:+1 (555) 010-0123"));
    named.key_customer(SECRET, &tenant);
    let key = customer_key(SECRET, "acme", "+15550100123");
    assert!(key.is_some());
    assert_eq!(keys(&named), [key.clone(), key]);
    // What a fact told before is told still.
    assert!(named.facts()[1].statement.leg().is_some());
    let Stated::Interaction { customer, .. } = &named else {
        panic!("about an interaction")
    };
    assert_eq!(*customer, None);

    for nobody in [None, Some("anonymous"), Some("")] {
        let mut stated = call(nobody);
        stated.key_customer(SECRET, &tenant);
        assert_eq!(keys(&stated), [None, None]);
        assert_eq!(stated.facts(), call(None).facts());
    }
    let mut of_agent = agent();
    of_agent.key_customer(SECRET, &tenant);
    assert_eq!(of_agent, agent());
}

#[test]
fn the_texts_of_keys_are_all_named() {
    let call = call(None);
    let texts: Vec<_> = call.key_texts().collect();
    assert_eq!(texts, [("queue_id", "q"), ("leg_id", "l")]);
    assert_eq!((call.subject().as_ref(), call.is_terminal()), ("i", true));

    let agent = agent();
    let texts: Vec<_> = agent.key_texts().collect();
    let key = FactKey::agent_state(Track::Presence, UtcMicros(1));
    assert_eq!(
        texts,
        [
            ("agent_id", "a"),
            ("fact_key", key.as_str()),
            ("presence", "on a boat"),
            ("routing", "idle"),
            ("scheduled", "meal"),
            ("reason", "r"),
            ("team", "t"),
        ]
    );
    assert_eq!(
        (agent.subject().as_ref(), agent.is_terminal()),
        ("agent:a", false)
    );
    assert_eq!((agent.interaction(), agent.facts()), (None, &[][..]));
}
