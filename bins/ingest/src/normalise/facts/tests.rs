use super::*;
use crate::normalise::message::Message;
use crate::normalise::plan;
use adapter::Mappings;
use bytes::Bytes;
use schema::{BodyFormat, DeliveryId, JobId, MetricVersion, RawDelivery, UtcMicros};

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
