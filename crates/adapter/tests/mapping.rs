//! Mapping files: the one that ships, and every problem of a broken one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{ItemError, Mapped, Mapping, Mappings, Outcome, Split, Stated, map, split};
use schema::{
    AgentFact, BodyFormat, Direction, DurationKind, FactKey, LegKind, Presence, Routing, State,
    Track, UtcMicros,
};

const SHIPPED: &str = include_str!("../../../deploy/mappings/cxone-interaction-events.toml");
const EVENTS: &[u8] = include_bytes!("../../../tests/fixtures/cxone/interaction-events.jsonl");

fn through(text: &str, raw: &[u8]) -> Result<Outcome, ItemError> {
    let mappings = Mappings::none().with("m", Mapping::parse("m.toml", text).unwrap());
    map(
        &BodyFormat::Mapped {
            mapping: "m".into(),
        },
        raw,
        &mappings,
    )
}

fn shipped(index: usize) -> Outcome {
    let Split::Items(items) = split(
        &BodyFormat::Mapped {
            mapping: "m".into(),
        },
        EVENTS,
    ) else {
        panic!("the fixture is lines of JSON")
    };
    through(SHIPPED, &items[index].raw).unwrap()
}

fn mapped(outcome: Outcome) -> Mapped {
    match outcome {
        Outcome::Mapped(mapped) => mapped,
        Outcome::Ignored { kind } => panic!("ignored: {kind}"),
    }
}

#[test]
fn the_shipped_mapping_reads_a_scripts_events() {
    let ended = mapped(shipped(2));
    assert_eq!(ended.event_id.as_str(), "3b6b0f0e-3");
    assert_eq!(ended.stated.subject(), "123178879053");
    assert!(ended.stated.is_terminal());
    let fact = &ended.stated.facts()[0];
    assert_eq!(fact.key.as_str(), "e:3b6b0f0e-3");
    assert_eq!(
        fact.at,
        adapter::instant::parse("2026-11-02T16:33:15.5Z").unwrap()
    );
    assert_eq!(
        fact.revision,
        adapter::instant::parse("2026-11-02T16:33:15Z")
    );
    let statement = &fact.statement;
    assert_eq!(statement.state, Some(State::Completed));
    let agent = statement.agent.as_ref().unwrap();
    assert_eq!(
        (agent.id.as_str(), agent.zone.as_deref()),
        ("7000001", Some("America/Denver"))
    );
    assert_eq!(statement.queue.as_ref().unwrap().as_str(), "4149350");
    assert_eq!(statement.disposition.as_deref(), Some("12"));
    // The agent's time includes hold, which is taken out of talk; after-call work comes later.
    let durations = statement.durations;
    assert_eq!(durations.get(DurationKind::Talk).unwrap().0, 1_348_250);
    assert_eq!(durations.get(DurationKind::Hold).unwrap().0, 20_250);
    assert_eq!(durations.get(DurationKind::QueueWait).unwrap().0, 27_000);
    assert_eq!(durations.get(DurationKind::Wrap), None);
    let details = statement.details.as_ref().unwrap();
    assert_eq!(details.media.as_deref(), Some("voice"));
    assert_eq!(details.direction, Some(Direction::Inbound));
    let leg = details.leg.as_ref().unwrap();
    assert_eq!(
        (leg.id.as_str(), leg.kind),
        ("123178879053", LegKind::Agent)
    );

    assert_eq!(
        mapped(shipped(1)).at,
        adapter::instant::parse("2026-11-02T16:10:27Z").unwrap(),
        "an offset without a colon"
    );
    let wrapped = mapped(shipped(4));
    assert_eq!(
        wrapped.stated.facts()[0].statement.state,
        Some(State::WrappedUp)
    );
    assert_eq!(
        wrapped.stated.facts()[0]
            .statement
            .durations
            .get(DurationKind::Wrap)
            .unwrap()
            .0,
        33_250
    );
    assert!(!wrapped.stated.is_terminal());
}

#[test]
fn what_a_retry_renews_is_no_content() {
    assert_eq!(mapped(shipped(2)), mapped(shipped(3)));
}

#[test]
fn an_event_type_that_is_not_listed_is_ignored_by_name() {
    assert_eq!(
        shipped(5),
        Outcome::Ignored {
            kind: "RecordingStarted".into()
        }
    );
}

const SMALL: &str = "version = 1\n[event]\nat = { path = \"t\", form = \"epoch_ms\" }\ninteraction = { path = [\"root\", \"id\"], none = [\"0\"] }\n\
    state = { path = \"s\", values = { End = \"completed\" } }\nagent = \"people[?role=agent].id\"\n[durations.talk]\npath = \"talk\"\nunit = \"ms\"\n";

#[test]
fn several_paths_are_tried_in_turn_and_none_means_none() {
    let of = |json: &str| mapped(through(SMALL, json.as_bytes()).unwrap());
    assert_eq!(
        of(r#"{"t":1,"root":"0","id":"x","s":"End"}"#)
            .stated
            .subject(),
        "x"
    );
    assert_eq!(
        of(r#"{"t":1,"root":5,"id":"x","s":"End"}"#)
            .stated
            .subject(),
        "5"
    );
    let whole = of(
        r#"{"t":1715783530451,"id":"x","s":"End","talk":"12.6","people":[{"role":"customer"},{"role":"agent","id":"a"}]}"#,
    );
    assert_eq!(whole.at.0, 1_715_783_530_451_000);
    assert_eq!(
        whole.stated.facts()[0]
            .statement
            .agent
            .as_ref()
            .unwrap()
            .id
            .as_str(),
        "a"
    );
    assert_eq!(
        whole.stated.facts()[0]
            .statement
            .durations
            .get(DurationKind::Talk)
            .unwrap()
            .0,
        13
    );
    assert_eq!(whole.stated.facts()[0].statement.details, None);
    // Without an id one is made, the same for the same event.
    assert_eq!(
        whole.event_id,
        of(r#"{"id":"x","s":"End","t":1715783530451,"people":{"role":"agent","id":"a"}}"#).event_id
    );
}

#[test]
fn what_cannot_be_read_is_named_by_its_path() {
    for (json, field, value) in [
        (r#"{"t":1,"id":"x"}"#, "s", "nothing"),
        (r#"{"t":1,"id":"x","s":"Begin"}"#, "s", "Begin"),
        (r#"{"t":1,"s":"End"}"#, "root or id", "nothing"),
        (r#"{"id":"x","s":"End"}"#, "t", "nothing"),
        (r#"{"id":"x","s":"End","t":"now"}"#, "t", "\"now\""),
        (r#"{"id":{},"s":"End","t":1}"#, "id", "an object"),
        (
            r#"{"id":"x","s":"End","t":1,"talk":"long"}"#,
            "talk",
            "\"long\"",
        ),
        (r#"{"id":"x","s":"End","t":1,"talk":[]}"#, "talk", "a list"),
    ] {
        let error = through(SMALL, json.as_bytes()).unwrap_err();
        assert_eq!(
            (error.field.as_str(), error.value.as_str()),
            (field, value),
            "{json}"
        );
    }
    assert_eq!(through(SMALL, b"[]").unwrap_err().field, "(item)");
    let error = map(
        &BodyFormat::Mapped {
            mapping: "gone".into(),
        },
        b"{}",
        &Mappings::none(),
    )
    .unwrap_err();
    assert_eq!(
        (error.field.as_str(), error.value.as_str()),
        ("(mapping)", "gone")
    );
}

#[test]
fn every_problem_of_a_file_is_listed_with_its_line() {
    let text = "version = 2\ncolour = 1\n[event]\nat = { path = \"t\", form = \"julian\" }\ninteraction = [\"a..b\", 5]\n\
        state = { path = \"s\", values = { End = \"done\" }, other = \"panic\" }\nqueue = { paths = \"q\" }\n[durations.talk]\npath = \"x[\"\n\
        unit = \"h\"\n[durations.nap]\npath = \"y\"\nunit = \"s\"\n";
    let problems = Mapping::parse("m.toml", text).unwrap_err();
    for (line, part) in [
        (1, "version must be 1"),
        (2, "colour is unknown"),
        (4, "event.at.form"),
        (5, "\"a..b\""),
        (5, "event.interaction must be text"),
        (6, "event.state.values.End"),
        (6, "event.state.other"),
        (7, "event.queue.paths is unknown; allowed are path, none"),
        (7, "event.queue.path is missing"),
        (9, "a bracket is not closed"),
        (10, "durations.talk.unit"),
        (11, "durations.nap is unknown"),
    ] {
        let start = format!("m.toml:{line}: ");
        assert!(
            problems
                .iter()
                .any(|problem| problem.starts_with(&start) && problem.contains(part)),
            "no problem in line {line} about {part:?} among {problems:#?}"
        );
    }
    assert_eq!(problems.len(), 12, "{problems:#?}");
}

#[test]
fn what_is_needed_is_asked_for() {
    let problems = Mapping::parse("m.toml", "version = 1\n[event]\nid = \"x\"\n").unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:?}");
    for name in ["event.at", "event.interaction", "event.state"] {
        assert!(
            problems
                .iter()
                .any(|problem| problem.contains(&format!("{name} is missing"))),
            "{problems:?}"
        );
    }
    assert_eq!(Mapping::parse("m.toml", "").unwrap_err().len(), 2);
    let syntax = Mapping::parse("m.toml", "version = 1\n[event\nat = = 5\n").unwrap_err();
    assert!(
        syntax.len() >= 2 && syntax[0].starts_with("m.toml:2: "),
        "{syntax:?}"
    );
}

const STATES: &str = "version = 1\n[agent_state]\nagent = { path = \"who\", none = [\"0\"] }\nagent_zone = \"zone\"\n\
    at = { path = \"t\", form = \"epoch_s\" }\nuntil = { path = \"end\", form = \"epoch_s\" }\nlasted = { path = \"secs\", unit = \"s\" }\n\
    presence = { path = \"s\", values = { READY = \"on_queue\", PAUSE = \"break\", OUT = \"offline\" }, other = \"ignore\" }\n\
    routing = { path = \"s\", values = { READY = \"idle\", TALK = \"interacting\" }, other = \"ignore\" }\n\
    scheduled = \"plan\"\nreason = \"why\"\nteam = \"team\"\nrevision = { path = \"rev\", form = \"epoch_s\" }\nper_delivery = [\"sent\"]\n";

/// What is stated of which agent.
fn states(text: &str, json: &str) -> (Mapped, Vec<AgentFact>) {
    let mapped = mapped(through(text, json.as_bytes()).unwrap());
    let Stated::Agent { facts, .. } = &mapped.stated else {
        panic!("{mapped:?}")
    };
    let facts = facts.clone();
    (mapped, facts)
}

#[test]
fn states_of_agents_are_read_by_a_table_of_their_own() {
    let (ready, facts) = states(
        STATES,
        r#"{"who":7,"zone":"Europe/Berlin","t":100,"end":160,"secs":5,"s":"READY","why":"w","team":"red","rev":200}"#,
    );
    let Stated::Agent { agent, .. } = &ready.stated else {
        panic!("{ready:?}")
    };
    assert_eq!(
        (agent.id.as_str(), agent.zone.as_deref()),
        ("7", Some("Europe/Berlin"))
    );
    assert_eq!(ready.at, UtcMicros(100_000_000));
    let [presence, routing] = &facts[..] else {
        panic!("{facts:?}")
    };
    assert_eq!(
        presence.key,
        FactKey::agent_state(Track::Presence, ready.at)
    );
    assert_eq!(presence.until, Some(UtcMicros(160_000_000)));
    assert_eq!(presence.revision, Some(UtcMicros(200_000_000)));
    assert_eq!(presence.statement.presence, Some(Presence::OnQueue));
    assert_eq!(presence.statement.reason.as_deref(), Some("w"));
    assert_eq!(presence.statement.team.as_deref(), Some("red"));
    assert_eq!(routing.statement.routing, Some(Routing::Idle));
    assert_eq!(routing.revision, Some(UtcMicros(200_000_000)));
    assert_eq!(routing.statement.team, None, "said once");

    // One track alone; how long instead of until when.
    let (_, facts) = states(
        STATES,
        r#"{"who":7,"t":100,"secs":"5.5","s":"TALK","team":"red"}"#,
    );
    let [routing] = &facts[..] else {
        panic!("{facts:?}")
    };
    assert_eq!(routing.statement.routing, Some(Routing::Interacting));
    assert_eq!(routing.statement.team.as_deref(), Some("red"));
    assert_eq!(routing.until, Some(UtcMicros(105_500_000)));
    let (_, facts) = states(STATES, r#"{"who":7,"t":100,"secs":5,"s":"OUT"}"#);
    assert_eq!(facts[0].statement.presence, Some(Presence::Offline));
    assert_eq!(facts[0].until, None, "it has no end of its own");
}

#[test]
fn a_plan_is_a_statement_that_an_edit_can_replace_by_its_id() {
    let (one, facts) = states(
        STATES,
        r#"{"who":7,"t":100,"end":200,"plan":"Team Meeting"}"#,
    );
    assert_eq!(
        facts[0].statement.scheduled.as_deref(),
        Some("team_meeting")
    );
    assert_eq!(facts[0].key, FactKey::agent_state(Track::Schedule, one.at));
    let with_id = STATES.replace("[agent_state]", "[agent_state]\nid = \"id\"");
    let (one, facts) = states(
        &with_id,
        r#"{"id":"p1","who":7,"t":100,"end":200,"plan":"meal"}"#,
    );
    assert_eq!(one.event_id.as_str(), "p1");
    assert_eq!(facts[0].key, FactKey::scheduled("p1", 0));
}

#[test]
fn copies_of_a_state_are_one_and_other_states_are_others() {
    let of = |json: &str| states(STATES, json).0;
    let one = of(r#"{"who":7,"t":100,"s":"READY","sent":1}"#);
    assert_eq!(one, of(r#"{"sent":2,"s":"READY","t":100,"who":7}"#));
    assert_ne!(
        one.event_id,
        of(r#"{"who":7,"t":100,"s":"PAUSE"}"#).event_id
    );
    assert_ne!(
        one.event_id,
        of(r#"{"who":8,"t":100,"s":"READY"}"#).event_id
    );
}

#[test]
fn one_file_can_tell_agents_from_interactions() {
    let both = format!(
        "{STATES}[event]\nat = {{ path = \"t\", form = \"epoch_s\" }}\ninteraction = \"call\"\nstate = \"s\"\ncustomer = \"from\"\n"
    );
    let call = mapped(
        through(
            &both,
            br#"{"call":"c","t":100,"s":"completed","from":"+15550100001"}"#,
        )
        .unwrap(),
    );
    let Stated::Interaction { customer, .. } = &call.stated else {
        panic!("{call:?}")
    };
    assert_eq!(customer.as_ref().unwrap().as_str(), "+15550100001");
    let (agent, _) = states(&both, r#"{"who":7,"t":100,"s":"PAUSE"}"#);
    assert_eq!(agent.stated.subject(), "agent:7");
    let Outcome::Ignored { kind } = through(STATES, br#"{"who":7,"t":100,"s":"LUNCH"}"#).unwrap()
    else {
        panic!("no word of the tables")
    };
    assert_eq!(kind, "no state of an agent");
    let nothing = STATES.replace(
        "scheduled = \"plan\"",
        "scheduled = { path = \"plan\", values = { FREE = \"\" } }",
    );
    let (_, facts) = states(&nothing, r#"{"who":7,"t":100,"plan":"FREE"}"#);
    assert_eq!(
        facts[0].statement.scheduled.as_deref(),
        Some(""),
        "nothing is scheduled any more"
    );
    let refusing = STATES.replace(", other = \"ignore\"", "");
    let error = through(&refusing, br#"{"who":7,"t":100,"s":"LUNCH"}"#).unwrap_err();
    assert_eq!(
        (error.field.as_str(), error.expected.as_str()),
        ("s", "one of OUT, PAUSE, READY")
    );
    for (json, field) in [
        (r#"{"who":0,"t":100,"s":"READY"}"#, "who"),
        (r#"{"who":7,"s":"READY"}"#, "t"),
        (r#"{"who":7,"t":100,"s":"READY","secs":"long"}"#, "secs"),
    ] {
        assert_eq!(through(STATES, json.as_bytes()).unwrap_err().field, field);
    }
}

/// Its copies would be dropped as equal, and which of two contents holds would depend on which copy came first.
#[test]
fn what_the_revision_is_read_from_is_content() {
    let event = |paths: &str, renewed: &str| {
        format!(
            "version = 1\n[event]\nat = {{ path = \"t\" }}\ninteraction = \"i\"\nstate = \"s\"\nrevision = {{ path = {paths} }}\n\
             per_delivery = {renewed}\n"
        )
    };
    let states = "version = 1\n[agent_state]\nagent = \"a\"\nat = { path = \"t\" }\npresence = \"s\"\nrevision = { path = \"sent\" }\n\
                  per_delivery = \"sent\"\n";
    for (text, place) in [
        (event("\"sent\"", "[\"try\", \"sent\"]"), "event"),
        (event("[\"u\", \"sent.at\"]", "[\"sent\"]"), "event"),
        (states.to_owned(), "agent_state"),
    ] {
        let problems = Mapping::parse("m.toml", &text).unwrap_err();
        let start = format!("m.toml:7: {place}.per_delivery: \"sent\"");
        assert!(
            matches!(&problems[..], [one] if one.starts_with(&start)),
            "{problems:#?}"
        );
    }
    for fine in [
        event("\"u\"", "[\"sent\"]"),
        event("\"a.sent\"", "[\"sent\"]"),
    ] {
        assert!(Mapping::parse("m.toml", &fine).is_ok(), "{fine}");
    }
}

#[test]
fn every_problem_of_the_table_of_agents_is_listed() {
    let text = "version = 1\n[agent_state]\nat = { path = \"t\" }\ncolour = \"c\"\nlasted = \"d\"\n\
        [durations.talk]\npath = \"x\"\nunit = \"s\"\n";
    let problems = Mapping::parse("m.toml", text).unwrap_err();
    for (line, part) in [
        (2, "agent_state.agent is missing"),
        (2, "one of presence, routing, scheduled is needed"),
        (4, "agent_state.colour is unknown"),
        (5, "agent_state.lasted must be a table"),
        (6, "durations are those of an [event]"),
    ] {
        let start = format!("m.toml:{line}: ");
        assert!(
            problems
                .iter()
                .any(|problem| problem.starts_with(&start) && problem.contains(part)),
            "no problem in line {line} about {part:?} among {problems:#?}"
        );
    }
    assert_eq!(problems.len(), 5, "{problems:#?}");
    let text = "version = 1\nevent = 5\n[agent_state]\nagent = \"a\"\nat = \"t\"\npresence = { path = \"s\", values = { X = \"asleep\" } }\n";
    let problems = Mapping::parse("m.toml", text).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(
        problems[0].contains("event must be a table"),
        "{problems:?}"
    );
    assert!(
        problems[1].contains("agent_state.presence.values.X"),
        "{problems:?}"
    );
}

#[test]
fn attributes_are_the_organisations_own() {
    let text = "version = 1\n[event]\nid = \"id\"\nat = { path = \"at\" }\ninteraction = \"call\"\n\
                state = { path = \"state\", other = \"keep\" }\n[event.attributes]\nbrand = \"custom.brand\"\n\
                site = { path = [\"custom.site\", \"site\"], none = [\"-\"] }\nline = \"custom.line\"\n";
    let raw = br#"{"id": "1", "at": "2024-05-14T15:00:00Z", "call": "c1", "state": "completed",
                   "custom": {"brand": "blue", "site": "-", "other": "x"}, "site": "porto"}"#;
    let mapped = mapped(through(text, raw).unwrap());
    let details = mapped.stated.facts()[0].statement.details.as_ref().unwrap();
    let attributes = details.attributes.iter();
    let attributes: Vec<(&str, &str)> = attributes
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(attributes, [("brand", "blue"), ("site", "porto")]);
    let wrong = format!("{text}[event.attributes.more]\nfrom = \"x\"\n");
    let problems = Mapping::parse("m.toml", &wrong).unwrap_err();
    assert!(
        problems[1].contains("event.attributes.more.from is unknown"),
        "{problems:?}"
    );
}

/// Events in a wrapper, with local times, lengths by the clock and what is usual where nothing is said.
const WRAPPED: &str = "version = 1\nitems = [\"payload.events\", \"events\"]\n[event]\n\
    at = { path = \"t\", form = \"local\", zone = \"America/Denver\" }\ninteraction = \"id\"\n\
    state = { path = \"s\", values = { End = \"completed\" }, default = \"End\" }\nagent = \"who\"\n\
    agent_zone = { default = \"America/Denver\" }\nmedia = { path = \"m\", default = \"Voice\" }\n\
    queue = { path = \"q\", none = [\"0\"], default = \"main\" }\n\
    [event.attributes]\nsite = { default = \"north\" }\n\
    [durations.talk]\npath = \"talk\"\nunit = \"clock\"\n[durations.hold]\npath = \"hold\"\nunit = \"iso8601\"\n\
    [durations.wrap]\npath = \"wrap\"\nunit = \"min\"\n";

fn items(text: &str, body: &str) -> Vec<String> {
    let mappings = Mappings::none().with("m", Mapping::parse("m.toml", text).unwrap());
    let format = BodyFormat::Mapped {
        mapping: "m".into(),
    };
    match adapter::split_with(&format, body.as_bytes(), &mappings) {
        Split::Items(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                assert_eq!(item.index, index);
                String::from_utf8(item.raw.to_vec()).unwrap()
            })
            .collect(),
        Split::Unreadable { reason } => panic!("{reason}"),
    }
}

#[test]
fn what_is_around_the_items_is_opened_and_each_stands_alone() {
    let body = r#"[{"payload":{"events":[{"id":"a"}, {"id":"b"}]}},{"id":"bare"},{"events":{"id":"c"}},{"events":null}]"#;
    let each = [
        r#"{"id":"a"}"#,
        r#"{"id":"b"}"#,
        r#"{"id":"bare"}"#,
        r#"{"id":"c"}"#,
    ];
    assert_eq!(items(WRAPPED, body), each);
    assert_eq!(items(SMALL, r#"{"events":[1]}"#), [r#"{"events":[1]}"#]);
    let nobody = adapter::split_with(
        &BodyFormat::Mapped {
            mapping: "gone".into(),
        },
        b"[1,2]",
        &Mappings::none(),
    );
    assert!(matches!(nobody, Split::Items(items) if items.len() == 2));
}

#[test]
fn what_is_usual_holds_where_nothing_is_stated() {
    let of = |json: &str| mapped(through(WRAPPED, json.as_bytes()).unwrap());
    let bare = of(
        r#"{"id":"x","t":"2026-01-15T08:00:00","who":"7","q":"0","talk":"1:00:00.5","hold":"PT1M","wrap":1.5}"#,
    );
    assert_eq!(bare.at.to_string(), "2026-01-15T15:00:00.000Z");
    assert!(bare.stated.is_terminal());
    let statement = &bare.stated.facts()[0].statement;
    let agent = statement.agent.as_ref().unwrap();
    assert_eq!(agent.zone.as_deref(), Some("America/Denver"));
    assert_eq!(statement.queue.as_ref().unwrap().as_str(), "main");
    let details = statement.details.as_ref().unwrap();
    assert_eq!(details.media.as_deref(), Some("voice"));
    assert_eq!(details.attributes["site"], "north");
    let lengths = [DurationKind::Talk, DurationKind::Hold, DurationKind::Wrap];
    let lengths = lengths.map(|kind| statement.durations.get(kind).unwrap().0);
    assert_eq!(lengths, [3_600_500, 60_000, 90_000]);

    let told = of(r#"{"id":"x","t":"2026-01-15T08:00:00Z","s":"End","m":"Chat","q":"9"}"#);
    assert_eq!(told.at.to_string(), "2026-01-15T08:00:00.000Z");
    let statement = &told.stated.facts()[0].statement;
    assert_eq!(statement.queue.as_ref().unwrap().as_str(), "9");
    assert_eq!(
        statement.details.as_ref().unwrap().media.as_deref(),
        Some("chat")
    );
    for (json, field) in [
        (r#"{"id":"x","t":"noon"}"#, "t"),
        (
            r#"{"id":"x","t":"2026-01-15T08:00:00","talk":"12"}"#,
            "talk",
        ),
        (
            r#"{"id":"x","t":"2026-01-15T08:00:00","hold":"1:00"}"#,
            "hold",
        ),
    ] {
        assert_eq!(through(WRAPPED, json.as_bytes()).unwrap_err().field, field);
    }
}

#[test]
fn what_cannot_be_meant_is_said_with_what_can() {
    let text = "version = 1\nitems = \"a[0].b\"\n[event]\nid = { path = \"i\", default = \"x\" }\nat = { path = \"t\", form = \"local\" }\n\
        interaction = \"c\"\nagent_zone = \"z\"\nqueue = { default = \"\" }\nmedia = { none = [\"x\"] }\n\
        ended_at = { path = \"e\", zone = \"Europe/Berlin\" }\nrevision = { path = \"r\", form = \"local\", zone = \"Mars\" }\n\
        state = { path = \"s\", values = { End = \"completed\", Off = \"gone\" }, default = \"End?\" }\n\
        [durations.talk]\npath = \"x\"\nunit = \"hours\"\n";
    let problems = Mapping::parse("m.toml", text).unwrap_err();
    for (line, part) in [
        (2, "items: path \"a[0].b\" must be made of names alone"),
        (4, "event.id.default is unknown; allowed are path, none"),
        (5, "event.at.zone is missing"),
        (7, "event.agent_zone is that of an event.agent"),
        (8, "event.queue.default must be text that is not empty"),
        (
            9,
            "event.media.path is missing, and there is no default either",
        ),
        (10, "event.ended_at.zone has a meaning only with form"),
        (11, "event.revision.zone must be the name of a zone"),
        (
            12,
            "event.state.values.Off must mean one of offered, queued",
        ),
        (12, "event.state.default is \"End?\""),
        (15, "durations.talk.unit must be \"ms\", \"s\", \"min\""),
    ] {
        assert!(
            problems
                .iter()
                .any(|problem| problem.starts_with(&format!("m.toml:{line}: {part}"))),
            "{line}: {part} in {problems:#?}"
        );
    }
    assert_eq!(problems.len(), 11, "{problems:#?}");
}
