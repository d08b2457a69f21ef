//! What the questions asked of an interaction cost: `cargo run --release -p session --example questions`.
//!
//! The interaction has the facts of a transferred call in the guide's events, and then those of a record with legs. Prints
//! nanoseconds by the wall clock; on a busy machine take the least of several runs.

use schema::{DurationKind, State};
use session::{Session, Timeline};
use std::hint::black_box;
use std::time::Instant;

const EVENTS: &str = r#"{"v":1,"f":[
    {"k":"e:1","a":0,"b":{"st":"offered","q":"queue_01"}},
    {"k":"e:2","a":2000000,"b":{"st":"queued","q":"queue_01"}},
    {"k":"e:3","a":30000000,"b":{"st":"connected","ag":{"i":"agent_0007","z":"Europe/Berlin"},"q":"queue_01","m":{"wait":28000}}},
    {"k":"e:4","a":90000000,"b":{"st":"held","ag":{"i":"agent_0007","z":"Europe/Berlin"},"q":"queue_01","m":{"hold":12000}}},
    {"k":"e:5","a":150000000,"b":{"st":"transferred","ag":{"i":"agent_0007","z":"Europe/Berlin"},"q":"queue_01","d":"TRANSFER","m":{"talk":90000}}},
    {"k":"e:6","a":300000000,"b":{"st":"completed","ag":{"i":"agent_0012","z":"Asia/Kolkata"},"q":"queue_01","d":"RESOLVED","m":{"talk":230000,"hold":12000,"wait":28000}}},
    {"k":"e:7","a":345000000,"b":{"st":"wrapped_up","ag":{"i":"agent_0012","z":"Asia/Kolkata"},"q":"queue_01","m":{"wrap":45000}}}]}"#;

const RECORD: &str = r#"{"v":1,"f":[
    {"k":"i","a":0,"s":"s","b":{"st":"completed","x":{"md":"voice","dr":"inbound","en":345000000}}},
    {"k":"l:a","a":28000000,"s":"s","b":{"ag":{"i":"agent_0007"},"q":"queue_01","d":"TRANSFER","m":{"talk":90000,"hold":12000,"wrap":5000,"alert":2000},"x":{"l":{"i":"a","k":"agent","e":155000000,"o":"transferred","an":30000000,"h":1,"lh":12000,"tr":"consult"}}}},
    {"k":"l:b","a":152000000,"s":"s","b":{"ag":{"i":"agent_0012"},"q":"queue_02","d":"RESOLVED","m":{"talk":140000,"wrap":45000,"alert":2000},"x":{"l":{"i":"b","k":"agent","e":345000000,"o":"answered","an":155000000,"h":0}}}},
    {"k":"l:c","a":0,"s":"s","b":{"x":{"l":{"i":"c","k":"customer","e":300000000}}}},
    {"k":"l:f","a":1000000,"s":"s","b":{"x":{"l":{"i":"f","k":"ivr","e":2000000}}}},
    {"k":"l:q","a":2000000,"s":"s","b":{"q":"queue_01","m":{"wait":28000},"x":{"l":{"i":"q","k":"queue","e":30000000,"o":"answered","an":30000000}}}},
    {"k":"l:r","a":151000000,"s":"s","b":{"q":"queue_02","m":{"wait":4000},"x":{"l":{"i":"r","k":"queue","e":155000000,"o":"answered","an":155000000}}}}]}"#;

fn measure<T>(name: &str, ask: impl Fn() -> T) {
    const ROUNDS: u32 = 200_000;
    for _ in 0..ROUNDS / 10 {
        black_box(ask());
    }
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(ask());
    }
    println!(
        "  {:>6.0} ns  {name}",
        start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
    );
}

/// What almost every definition reads: no field of a leg.
fn usual(timeline: &Timeline<'_>) -> impl Sized {
    let totals = timeline.durations();
    (
        (timeline.status(), timeline.outcome(), timeline.start()),
        (
            timeline.first_agent(),
            timeline.queue(),
            timeline.disposition(),
        ),
        totals.get(DurationKind::Talk),
        totals.get(DurationKind::Hold),
        (
            timeline.transfers(),
            timeline.holds(),
            timeline.answered_at(),
        ),
    )
}

fn main() -> Result<(), session::SessionError> {
    for (name, text) in [("guide's events", EVENTS), ("record with legs", RECORD)] {
        let session = Session::from_json(text)?;
        let timeline = session.timeline();
        let held = State::Held;
        println!("{name}, {} facts", session.len());
        measure("timeline()", || session.timeline());
        measure("usual questions together", || usual(&timeline));
        measure("durations()", || timeline.durations());
        measure("outcome()", || timeline.outcome());
        measure("transfers()", || timeline.transfers());
        measure("holds()", || timeline.holds());
        measure("longest_hold()", || timeline.longest_hold());
        measure("missed_alerts()", || timeline.missed_alerts());
        measure("agent_count()", || timeline.agent_count());
        measure("answered_at()", || timeline.answered_at());
        measure("abandoned_after()", || timeline.abandoned_after());
        measure("state_time(held)", || timeline.state_time(&held));
        measure("timeline() and legs()", || session.timeline().legs());
        measure("legs() again", || timeline.legs());
        measure("withdrawn_legs()", || timeline.withdrawn_legs());
    }
    Ok(())
}
