//! Messages from the broker: what can be read is written as what is read again, and nothing takes more than it should.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schema::{EventsMessage, RawMessage};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = RawMessage::decode(bytes) {
        let bodies: usize = message
            .deliveries
            .iter()
            .map(|delivery| delivery.body.len())
            .sum();
        assert!(bodies <= bytes.len());
        let written = message.encode().expect("what was read can be written");
        assert_eq!(
            RawMessage::decode(&written).expect("and read again"),
            message
        );
    }
    if let Ok(message) = EventsMessage::decode(bytes) {
        assert!(message.events.len() + message.agents.len() <= bytes.len());
        let written = message.encode().expect("what was read can be written");
        assert_eq!(
            EventsMessage::decode(&written).expect("and read again"),
            message
        );
    }
});
