use super::*;
use crate::normalise::message::Message;
use crate::normalise::plan::plan;
use crate::normalise::plan::tests::{event, message};
use adapter::Mappings;
use schema::{JobId, JobRef, MetricVersion};
use uuid::Uuid;

const AT: &str = "2024-05-15T14:32:10.451Z";

/// A delivery of this number with this body.
fn delivery(number: u128, body: &str) -> Message {
    let mut message = message(&[body.as_bytes()]);
    message.deliveries[0].id = DeliveryId(Uuid::from_u128(number));
    message
}

struct Memory(Recent);

impl Memory {
    fn new(events_max: usize) -> Self {
        Self(Recent::new(events_max, Duration::from_secs(3600)))
    }

    fn look(&self, message: &Message) -> Vec<Known> {
        self.looked(message).known
    }

    fn looked(&self, message: &Message) -> Looked {
        let messages = [message.clone()];
        self.0.look(&plan(&messages, &Mappings::none(), &|_| true))
    }

    /// As if the log had these items now, each brought by `by`, and their facts were published.
    fn learn(&self, message: &Message, by: Option<u128>) {
        let looked = self.looked(message);
        let by = by.map(|number| DeliveryId(Uuid::from_u128(number)));
        self.0.learn(&looked, &vec![by; looked.known.len()]);
    }
}

#[test]
fn only_what_is_in_the_log_is_known_and_only_with_its_content() {
    let memory = Memory::new(100);
    let first = delivery(1, &event("e1", AT));
    assert_eq!(memory.look(&first), [Known::Nothing]);
    memory.learn(&first, None); // the store refused it
    assert_eq!(
        memory.look(&delivery(2, &event("e1", AT))),
        [Known::Nothing]
    );

    memory.learn(&first, Some(1));
    let copies = format!("[{}, {}]", event("e1", AT), event("e2", AT));
    assert_eq!(
        memory.look(&delivery(2, &copies)),
        [Known::Copy, Known::Nothing]
    );
    let revised = event("e1", AT).replace("talk_time_ms\":1", "talk_time_ms\":2");
    assert_eq!(memory.look(&delivery(3, &revised)), [Known::OtherContent]);
    memory.learn(&delivery(3, &revised), Some(3));
    for body in [&event("e1", AT), &revised] {
        assert_eq!(memory.look(&delivery(5, body)), [Known::Copy], "{body}");
    }
    let moved = event("e1", "2024-05-15T14:32:10.452Z");
    assert_eq!(memory.look(&delivery(4, &moved)), [Known::OtherContent]);
}

/// Only the log knows what the broker's own repetition means.
#[test]
fn the_delivery_that_brought_an_event_is_asked_about_again_and_others_are_not() {
    let memory = Memory::new(100);
    let body = event("e1", AT);
    memory.learn(&delivery(1, &body), Some(1));
    assert_eq!(memory.look(&delivery(1, &body)), [Known::Nothing]);
    // A copy is no bringer: after it, too, the first delivery is asked about.
    memory.learn(&delivery(2, &body), Some(1));
    assert_eq!(memory.look(&delivery(1, &body)), [Known::Nothing]);
    assert_eq!(memory.look(&delivery(2, &body)), [Known::Copy]);
}

#[test]
fn one_subscription_knows_nothing_of_another() {
    let memory = Memory::new(100);
    let body = event("e1", AT);
    memory.learn(&delivery(1, &body), Some(1));
    let mut other = delivery(2, &body);
    other.deliveries[0].subscription = "other".into();
    assert_eq!(memory.look(&other), [Known::Nothing]);
}

/// Its version is evaluated also where no fact is new.
#[test]
fn what_a_job_brings_is_never_known_and_is_remembered() {
    let memory = Memory::new(100);
    let body = event("e1", AT);
    let mut of_job = delivery(1, &body);
    of_job.deliveries[0].job = Some(JobRef {
        id: JobId(Uuid::from_u128(9)),
        version: MetricVersion(2),
    });
    memory.learn(&of_job, Some(1));
    memory.learn(&of_job, Some(1));
    let mut again = of_job.clone();
    again.deliveries[0].id = DeliveryId(Uuid::from_u128(2));
    assert_eq!(memory.look(&again), [Known::Nothing]);
    assert_eq!(memory.look(&delivery(3, &body)), [Known::Copy]);
}

#[test]
fn it_is_bounded_and_what_keeps_coming_stays() {
    let memory = Memory::new(20);
    let kept = event("kept", AT);
    memory.learn(&delivery(1, &kept), Some(1));
    for number in 2..200_u128 {
        memory.learn(
            &delivery(number, &event(&number.to_string(), AT)),
            Some(number),
        );
        memory.learn(&delivery(1_000 + number, &kept), Some(1));
        assert!(memory.0.events_known() <= 20);
    }
    assert_eq!(memory.look(&delivery(5_000, &kept)), [Known::Copy]);
    assert_eq!(
        memory.look(&delivery(5_000, &event("2", AT))),
        [Known::Nothing]
    );
}

#[test]
fn without_room_nothing_is_known() {
    let memory = Memory::new(0);
    let body = event("e1", AT);
    memory.learn(&delivery(1, &body), Some(1));
    assert_eq!(memory.look(&delivery(2, &body)), [Known::Nothing]);
}
