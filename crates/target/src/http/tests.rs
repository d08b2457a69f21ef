use super::*;
use crate::adapter::{Adapter, Held};
use crate::item::tests::{of_interaction, of_leg};
use serde_json::json;

fn setup() -> Setup {
    Setup {
        path: PathTemplate::parse("/in", &Grain::ALL).unwrap(),
        method: Method::Put,
        grains: vec![Grain::Interaction, Grain::Leg],
        items_max: 10,
        bytes_max: 10_000,
        content_type: "application/json".to_owned(),
        item: r#"{"key": {{ key }}, "of": {{ interaction }}, "leg": {{ leg }}, "n": {{ value }}}"#
            .to_owned(),
        batch: r#"{"rows": [{{ items }}], "n": {{ count }}}"#.to_owned(),
        separator: ",".to_owned(),
        retraction: None,
        answers: Answers::default(),
    }
}

fn adapter(setup: Setup) -> Adapter {
    Adapter::Http(Box::new(Http::new(setup).unwrap()))
}

fn encode(adapter: &Adapter, item: &Item) -> Encoded {
    match adapter.step(item, Held::Unknown, UtcMicros(0)) {
        Step::Send(encoded) => encoded,
        other => panic!("{other:?}"),
    }
}

fn read(adapter: &Adapter, items: &[Item], status: u16, body: &Value) -> Option<Vec<Fate>> {
    let encoded: Vec<Encoded> = items.iter().map(|item| encode(adapter, item)).collect();
    let pairs = items.iter().zip(&encoded);
    let sent: Vec<Sent<'_>> = pairs
        .map(|(item, encoded)| Sent { item, encoded })
        .collect();
    let answer = Answer {
        status,
        body: Some(body),
        words: "words",
    };
    adapter.read(&sent, &answer)
}

#[test]
fn a_body_is_what_the_templates_make_of_it_and_no_value_breaks_out() {
    let adapter = adapter(setup());
    let items = [
        encode(
            &adapter,
            &of_interaction("a\",\"b\": </x> {{ key }}\u{1F600}\n", 65.7),
        ),
        encode(&adapter, &of_leg("c", "leg", 1.0)),
    ];
    let call = adapter.call(&items[0].place, &items);
    assert_eq!((call.method, call.path.as_str()), (Method::Put, "/in"));
    let body: Value = serde_json::from_str(&call.body).unwrap();
    assert_eq!(
        body["rows"][0]["of"],
        "a\",\"b\": </x> {{ key }}\u{1F600}\n"
    );
    assert_eq!(body["rows"][0]["n"], 65.7);
    assert_eq!(body["rows"][0]["leg"], Value::Null);
    assert_eq!(body["rows"][1]["leg"], "leg");
    assert_eq!(body["n"], 2);
    let bytes: usize = items.iter().map(|item| item.json.len()).sum();
    let overhead = adapter.overhead(&items[0].place, items.len());
    assert!(call.body.len() <= bytes + overhead);
}

#[test]
fn a_day_has_its_figures() {
    let adapter = adapter(Setup {
        grains: vec![Grain::AgentDay],
        item: r"[{{ agent }}, {{ day }}, {{ numerator }}, {{ denominator }}, {{ zone }}, {{ interaction }}]"
            .to_owned(),
        ..setup()
    });
    let json = encode(&adapter, &example(Grain::AgentDay)).json;
    assert_eq!(
        json,
        r#"["agent", "2024-05-15", 1, 1, "Europe/Berlin", null]"#
    );
}

#[test]
fn lines_are_items_too() {
    let adapter = adapter(Setup {
        batch: "{{ items }}\n".to_owned(),
        separator: "\n".to_owned(),
        content_type: "application/x-ndjson".to_owned(),
        ..setup()
    });
    let items = [
        encode(&adapter, &of_interaction("a", 1.0)),
        encode(&adapter, &of_interaction("b", 2.0)),
    ];
    let call = adapter.call(&items[0].place, &items);
    assert_eq!(call.body.lines().count(), 2);
    assert_eq!(call.content_type, "application/x-ndjson");
}

#[test]
fn what_is_wrong_with_a_template_is_told_before_anything_is_sent() {
    type Change = fn(&mut Setup);
    let problems = |change: Change| {
        let mut setup = setup();
        change(&mut setup);
        let problems = Http::new(setup).unwrap_err();
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        texts.join("; ")
    };
    let cases: [(Change, &str); 7] = [
        (
            |setup| setup.item = "{\n\"a\": {{ keey }}}".to_owned(),
            "`item`, line 2: undefined value",
        ),
        (|setup| setup.item = "{{ key".to_owned(), "`item`, line 1"),
        (
            |setup| setup.item = "\"{{ key }}\"".to_owned(),
            "`item`, line 1: what it makes is no JSON",
        ),
        (
            |setup| setup.batch = "{\"rows\": []}".to_owned(),
            "it has no {{ items }}",
        ),
        (
            |setup| setup.batch = "[{{ items }}".to_owned(),
            "`batch`, line 1: what it makes is no JSON",
        ),
        (
            |setup| setup.retraction = Some("{{ 1 / 0 }}".to_owned()),
            "`retraction`",
        ),
        (
            |setup| {
                setup.item =
                    "[{% for a in range(9999) %}{% for b in range(9999) %}1,{% endfor %}{% endfor %}1]"
                        .to_owned();
            },
            "fuel",
        ),
    ];
    for (change, words) in cases {
        let found = problems(change);
        assert!(found.contains(words), "{words} in {found}");
    }
}

#[test]
fn a_value_is_taken_back_where_there_is_a_template_for_it() {
    let gone = Item {
        value: None,
        ..of_interaction("a", 0.0)
    };
    let plain = adapter(setup());
    assert!(!plain.capabilities().retracts);
    assert!(matches!(
        plain.step(&gone, Held::Unknown, UtcMicros(0)),
        Step::Refused(_)
    ));
    let able = adapter(Setup {
        retraction: Some(r#"{"key": {{ key }}, "gone": true}"#.to_owned()),
        ..setup()
    });
    assert_eq!(able.step(&gone, Held::Nothing, UtcMicros(0)), Step::Done);
    let encoded = encode(&able, &gone);
    assert_eq!(encoded.amount, None);
    assert!(encoded.json.ends_with("\"gone\": true}"));
}

#[test]
fn answers_are_read_by_pointers() {
    let pointer = |text| Pointer::parse(text);
    let setup = Setup {
        item: r#"{"id": {{ interaction }}, "n": {{ value }}}"#.to_owned(),
        answers: Answers {
            results: pointer("/out/all"),
            failed: pointer("/out/bad"),
            key: pointer("/id"),
            reason: pointer("/because/text"),
        },
        ..setup()
    };
    let adapter = adapter(setup);
    let items = ["a", "b", "c"].map(|id| of_interaction(id, 1.0));
    let body = json!({"out": {"all": [{"id": "b"}], "bad": [{"id": "a", "because": {"text": "too late"}}]}});
    let fates = read(&adapter, &items, 200, &body).unwrap();
    assert_eq!(
        fates[0],
        Fate::Rejected {
            why: "too late".to_owned()
        }
    );
    assert_eq!(fates[1], Fate::Accepted);
    assert!(matches!(fates[2], Fate::Unknown { .. }));
    // A refusal that names one; one that names none; one that is nobody's fault.
    let fates = read(&adapter, &items, 422, &body).unwrap();
    assert!(matches!(&fates[0], Fate::Rejected { .. }));
    assert!(matches!(&fates[2], Fate::Later(later) if !later.is_spent));
    assert_eq!(read(&adapter, &items, 400, &json!({})), None);
    assert_eq!(read(&adapter, &items, 404, &body), None);
}

#[test]
fn without_pointers_a_success_has_taken_all() {
    let adapter = adapter(setup());
    let items = [of_interaction("a", 1.0)];
    assert!(!adapter.capabilities().per_item);
    assert_eq!(
        read(&adapter, &items, 200, &json!({"errors": [{"key": "x"}]})),
        Some(vec![Fate::Accepted])
    );
}

#[test]
fn a_path_that_names_a_subject_makes_an_unknown_one_its_own_fault() {
    let adapter = adapter(Setup {
        path: PathTemplate::parse("/contacts/{contact}", &[Grain::Interaction, Grain::Leg])
            .unwrap(),
        ..setup()
    });
    assert!(adapter.capabilities().one_subject);
    let items = [of_interaction("a", 1.0)];
    let fates = read(&adapter, &items, 404, &json!({})).unwrap();
    assert!(matches!(&fates[..], [Fate::Rejected { .. }]));
}

#[test]
fn pointers_begin_with_a_slash() {
    for (text, good) in [
        ("", true),
        ("/a/0/b~1c~0", true),
        ("a", false),
        ("/a~2", false),
        ("/a~", false),
    ] {
        assert_eq!(Pointer::parse(text).is_some(), good, "{text}");
    }
}
