use super::*;
use crate::normalise::message::Message;
use crate::normalise::plan;
use adapter::Mappings;
use bytes::Bytes;
use schema::{
    AgentId, AgentRef, BodyFormat, CustomerKey, DeliveryId, Details, Direction, DurationKind,
    FactKey, JobId, JobRef, Leg, LegId, LegKind, LegOutcome, MetricVersion, Millis, QueueId,
    RawDelivery, SourceRank, State, Track, UtcMicros,
};

/// A message of one delivery with so many events, of which every fifth is terminal.
fn message(lane: Lane, job: Option<JobRef>, count: usize) -> Message {
    let events: Vec<String> = (0..count)
        .map(|n| {
            let state = if n % 5 == 0 { "completed" } else { "queued" };
            format!(
                r#"{{"timestamp":"2024-05-15T14:32:10Z","data":{{"event_id":"e{n}","interaction_id":"i{n}","state":"{state}"}}}}"#
            )
        })
        .collect();
    Message {
        id: MessageId::generate(),
        lane,
        deliveries: vec![RawDelivery {
            id: DeliveryId::generate(),
            subscription: "hook".into(),
            tenant: "acme".into(),
            format: BodyFormat::GenesysWebhook,
            correlation: "c-9".into(),
            received_at: UtcMicros::from_millis(1_715_783_600_000),
            job,
            body: Bytes::from(events.join("\n")),
        }],
        whole: None,
    }
}

/// Queue, job and number of facts of each message made.
fn check(
    batch: &[Message],
    publish: impl Fn(usize) -> bool,
) -> Vec<(Queue, Option<JobRef>, usize)> {
    let plan = plan::plan(batch, &Mappings::none(), &|_| true);
    let publish: Vec<bool> = (0..plan.items.len()).map(publish).collect();
    messages(plan, &publish)
        .unwrap()
        .iter()
        .map(|outgoing| {
            let message = EventsMessage::decode(&outgoing.body).unwrap();
            assert_eq!(message.id.0, outgoing.message_id);
            assert_eq!(outgoing.correlation, "c-9");
            (outgoing.queue, message.job, message.events.len())
        })
        .collect()
}

#[test]
fn terminal_facts_go_ahead_and_messages_are_bounded() {
    let mut made = check(&[message(Lane::Live, None, 1300)], |_| true);
    made.sort_unstable_by_key(|found| (found.0, found.2));
    let (terminal, progress) = (Queue::EventsTerminal, Queue::EventsProgress);
    assert_eq!(
        made,
        [
            (terminal, None, 260),
            (progress, None, 40),
            (progress, None, 500),
            (progress, None, 500),
        ]
    );
}

#[test]
fn the_facts_of_one_interaction_travel_together_and_its_end_takes_them_along() {
    let event = |id: &str, interaction: &str, state: &str| {
        format!(
            r#"{{"timestamp":"2024-05-15T14:32:10Z","data":{{"event_id":"{id}","interaction_id":"{interaction}","state":"{state}"}}}}"#
        )
    };
    let mut batch = message(Lane::Live, None, 0);
    batch.deliveries[0].body = [
        event("1", "ends", "offered"),
        event("2", "goes on", "offered"),
        event("3", "ends", "completed"),
        event("4", "goes on", "queued"),
        event("5", "ends", "wrapped_up"),
    ]
    .join("\n")
    .into();
    let batch = [batch];
    let plan = plan::plan(&batch, &Mappings::none(), &|_| true);
    let publish = vec![true; plan.items.len()];
    let mut made = messages(plan, &publish).unwrap();
    made.sort_unstable_by_key(|outgoing| outgoing.queue);
    let keys = |outgoing: &Outgoing| -> Vec<String> {
        let message = EventsMessage::decode(&outgoing.body).unwrap();
        let facts = message.events.iter();
        facts
            .map(|event| event.fact.key.as_str().to_owned())
            .collect()
    };
    assert_eq!(made.len(), 2);
    assert_eq!(
        (made[0].queue, keys(&made[0])),
        (
            Queue::EventsTerminal,
            vec!["e:1".into(), "e:3".into(), "e:5".into()]
        )
    );
    assert_eq!(
        (made[1].queue, keys(&made[1])),
        (Queue::EventsProgress, vec!["e:2".into(), "e:4".into()])
    );
}

#[test]
fn history_has_a_lane_of_its_own_and_jobs_are_kept_apart() {
    let job = Some(JobRef {
        id: JobId::generate(),
        version: MetricVersion(2),
    });
    let batch = [
        message(Lane::History, job, 10),
        message(Lane::History, None, 10),
    ];
    let mut made = check(&batch, |_| true);
    made.sort_unstable_by_key(|found| found.1.is_some());
    let history = Queue::EventsHistory;
    assert_eq!(made, [(history, None, 10), (history, job, 10)]);
}

#[test]
fn only_what_is_told_is_published() {
    let batch = [message(Lane::Live, None, 10)];
    assert_eq!(check(&batch, |_| false), []);
    let third = check(&batch, |n| n == 3);
    assert_eq!(third, [(Queue::EventsProgress, None, 1)]);
}

/// Makes each item of a plan one about an agent, of so many: the nth has n + 1 facts.
fn of_agents(plan: &mut plan::Plan<'_>, agents: usize) {
    for (n, item) in plan.items.iter_mut().enumerate() {
        let fact = |place: usize| {
            let at = UtcMicros(i64::try_from(n * 1000 + place).unwrap());
            AgentFact {
                key: FactKey::agent_state(Track::Presence, at),
                at,
                until: None,
                revision: None,
                rank: SourceRank::Event,
                statement: AgentStatement {
                    presence: Some(Presence::Available),
                    ..AgentStatement::default()
                },
            }
        };
        item.mapped.stated = Stated::Agent {
            agent: AgentRef {
                id: AgentId::new(format!("a{}", n % agents)),
                zone: Some("Europe/Berlin".into()),
            },
            facts: (0..=n).map(fact).collect(),
        };
    }
}

#[test]
fn facts_about_agents_travel_together_and_are_never_urgent() {
    for (lane, queue) in [
        (Lane::Live, Queue::EventsProgress),
        (Lane::History, Queue::EventsHistory),
    ] {
        let batch = [message(lane, None, 12)];
        let mut plan = plan::plan(&batch, &Mappings::none(), &|_| true);
        of_agents(&mut plan, 3);
        let made = messages(plan, &[true; 12]).unwrap();
        assert_eq!(made.len(), 1, "{lane:?}");
        assert_eq!(made[0].queue, queue);
        let message = EventsMessage::decode(&made[0].body).unwrap();
        assert_eq!((message.events.len(), message.agents.len()), (0, 78));
        let agents: Vec<&str> = message
            .agents
            .iter()
            .map(|told| told.agent.id.as_str())
            .collect();
        assert!(agents.is_sorted(), "{agents:?}");
        assert!(
            message
                .agents
                .iter()
                .all(|told| told.tenant.as_str() == "acme"
                    && told.agent.zone.as_deref() == Some("Europe/Berlin"))
        );
    }
}

#[test]
fn facts_of_both_kinds_share_a_message_and_its_bounds() {
    let batch = [message(Lane::Live, None, 60), message(Lane::Live, None, 3)];
    let mut plan = plan::plan(&batch, &Mappings::none(), &|_| true);
    let rest = plan.items.split_off(60);
    of_agents(&mut plan, 60);
    plan.items.extend(rest);
    let told = vec![true; plan.items.len()];
    let counts: Vec<(Queue, usize, usize)> = messages(plan, &told)
        .unwrap()
        .iter()
        .map(|outgoing| {
            let message = EventsMessage::decode(&outgoing.body).unwrap();
            (outgoing.queue, message.events.len(), message.agents.len())
        })
        .collect();
    let agents: usize = counts.iter().map(|found| found.2).sum();
    assert_eq!(agents, 60 * 61 / 2);
    let events: usize = counts.iter().map(|found| found.1).sum();
    assert_eq!(events, 3);
    assert!(
        counts
            .iter()
            .all(|(_, events, agents)| (1..=FACTS_MAX + 60).contains(&(events + agents))),
        "{counts:?}"
    );
    assert!(
        counts
            .iter()
            .any(|(_, events, agents)| *events > 0 && *agents > 0),
        "{counts:?}"
    );
    let urgent = counts
        .iter()
        .filter(|found| found.0 == Queue::EventsTerminal);
    assert!(urgent.clone().count() == 1 && urgent.clone().all(|found| found.2 == 0));
}

#[test]
fn one_agents_huge_history_is_parted() {
    let batch = [message(Lane::History, None, 1_500)];
    let mut plan = plan::plan(&batch, &Mappings::none(), &|_| true);
    of_agents(&mut plan, 1);
    let mut told = vec![false; 1_500];
    told[1_499] = true;
    let made = messages(plan, &told).unwrap();
    let sizes: Vec<usize> = made
        .iter()
        .map(|outgoing| EventsMessage::decode(&outgoing.body).unwrap().agents.len())
        .collect();
    assert_eq!(sizes, [FACTS_MAX_EVER, 500]);
}

#[test]
fn the_bound_of_an_agents_facts_bytes_holds_for_the_largest() {
    let text = "x".repeat(70_000);
    let instant = UtcMicros(i64::MAX);
    let agent = AgentRef {
        id: AgentId::new(&text),
        zone: Some(text.as_str().into()),
    };
    let fact = AgentFact {
        key: FactKey::event(&text),
        at: instant,
        until: Some(instant),
        revision: Some(instant),
        rank: SourceRank::MetricRecord,
        statement: AgentStatement {
            presence: Some(Presence::Other(text.as_str().into())),
            routing: Some(Routing::Other(text.as_str().into())),
            scheduled: Some(text.as_str().into()),
            reason: Some(text.as_str().into()),
            team: Some(text.as_str().into()),
        },
    };
    let tenant = TenantId::new(&text);
    let bound = agent_event_bytes_at_most(&tenant, &agent, &fact);
    let encoded = EventsMessage {
        v: ENVELOPE_VERSION,
        id: MessageId::generate(),
        correlation: "c".into(),
        job: None,
        events: Vec::new(),
        agents: vec![AgentEvent {
            tenant,
            agent,
            fact,
        }],
    };
    let bytes = encoded.encode().unwrap().len();
    assert!(bytes <= bound, "{bytes} > {bound}");
    assert!(bytes > 8 * text.len());
}

/// A record of one conversation with so many sessions, each of which has a wrap-up code of so many bytes.
fn record(sessions: usize, name: usize) -> Message {
    let name = "m".repeat(name);
    let sessions: Vec<String> = (0..sessions)
        .map(|n| {
            format!(
                r#"{{"sessionId":"s{n}","mediaType":"voice","segments":[{{"segmentType":"wrapup","segmentStart":"2024-05-15T14:32:10Z","wrapUpCode":"{name}"}}]}}"#
            )
        })
        .collect();
    let mut message = message(Lane::History, None, 0);
    message.deliveries[0].format = BodyFormat::GenesysDetails;
    message.deliveries[0].body = format!(
        r#"{{"conversationId":"c","conversationStart":"2024-05-15T14:32:10Z","participants":[{{"purpose":"agent","userId":"a","sessions":[{}]}}]}}"#,
        sessions.join(",")
    )
    .into();
    message
}

#[test]
fn one_huge_record_is_parted_by_facts_and_by_bytes() {
    let made = check(&[record(2_500, 1)], |_| true);
    let counts: Vec<usize> = made.iter().map(|found| found.2).collect();
    assert_eq!(counts, [1000, 1000, 501]);

    let batch = [record(900, 20_000)];
    let plan = plan::plan(&batch, &Mappings::none(), &|_| true);
    let made = messages(plan, &[true]).unwrap();
    let sizes: Vec<usize> = made.iter().map(|outgoing| outgoing.body.len()).collect();
    assert!(sizes.len() > 8, "{sizes:?}");
    assert!(
        sizes.iter().all(|size| *size <= BYTES_MAX + 1024),
        "{sizes:?}"
    );
    let facts: usize = made
        .iter()
        .map(|outgoing| EventsMessage::decode(&outgoing.body).unwrap().events.len())
        .sum();
    assert_eq!(facts, 901);
}

#[test]
fn the_bound_of_an_events_bytes_holds_for_the_largest() {
    let text = "x".repeat(70_000);
    let instant = UtcMicros(i64::MAX);
    let mut durations = schema::Durations::default();
    for kind in DurationKind::ALL {
        durations.set(kind, Millis(i64::MAX));
    }
    let fact = Fact {
        key: FactKey::event(&text),
        at: instant,
        revision: Some(instant),
        rank: SourceRank::MetricRecord,
        statement: Statement {
            state: Some(State::Other(text.as_str().into())),
            agent: Some(AgentRef {
                id: AgentId::new(&text),
                zone: Some(text.as_str().into()),
            }),
            queue: Some(QueueId::new(&text)),
            disposition: Some(text.as_str().into()),
            durations,
            details: Some(Box::new(Details {
                leg: Some(Leg {
                    ended_at: Some(instant),
                    outcome: Some(LegOutcome::NotResponding),
                    ..Leg::new(LegId::new(&text), LegKind::Customer)
                }),
                media: Some(text.as_str().into()),
                direction: Some(Direction::Outbound),
                customer_key: Some(CustomerKey::new(&text)),
                ended_at: Some(instant),
                attributes: (0..20)
                    .map(|number| (format!("{number}{text}").into(), text.as_str().into()))
                    .collect(),
            })),
        },
    };
    let (tenant, interaction) = (TenantId::new(&text), InteractionId::new(&text));
    let bound = bytes_at_most(&tenant, &interaction, &fact);
    let event = Event {
        tenant,
        interaction,
        fact,
    };
    let encoded = EventsMessage {
        v: ENVELOPE_VERSION,
        id: MessageId::generate(),
        correlation: "c".into(),
        job: None,
        events: vec![event],
        agents: Vec::new(),
    };
    let bytes = encoded.encode().unwrap().len();
    assert!(bytes <= bound, "{bytes} > {bound}");
    assert!(bytes > 10 * text.len());
}
