//! Groups and their keys, and the texts that they are stored as.

use compact_str::CompactString;
use proptest::prelude::*;
use std::collections::HashMap;
use window::{Dimension, Dimensions, GroupBy, GroupKey};

fn dimension() -> impl Strategy<Value = Dimension> {
    prop_oneof![
        Just(Dimension::Agent),
        Just(Dimension::Direction),
        Just(Dimension::Media),
        Just(Dimension::Platform),
        Just(Dimension::Queue),
        Just(Dimension::Team),
        prop_oneof!["[a-z]{1,6}", "[,%:\"\\\\\u{0}-\u{20}a]{1,4}", "\\PC{1,5}"]
            .prop_map(|name| Dimension::Attribute(name.into())),
    ]
}

#[test]
fn dimensions_are_sorted_and_named_once() {
    let by = |text: &str| GroupBy::parse(text).unwrap();
    assert_eq!(by("").text(), "");
    assert_eq!(by("").dimensions(), []);
    assert_eq!(by("queue").text(), "queue");
    assert_eq!(by("queue,media,queue").text(), "media,queue");
    assert_eq!(
        by("team,attribute:brand,agent,platform,direction").text(),
        "agent,attribute:brand,direction,platform,team"
    );
    let odd = GroupBy::new(vec![Dimension::Attribute("50%, more".into())]);
    assert_eq!(odd.text(), "attribute:50%25%2C more");
    for text in [
        "skill",
        "queue,",
        ",",
        "Queue",
        "attribute:",
        "attribute",
        "attribute:%",
        "attribute:%zz",
        "attribute:%ff",
        "attribute:%é",
    ] {
        assert!(GroupBy::parse(text).is_err(), "{text}");
    }
    let error = Dimension::parse("skill").unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown dimension \"skill\": queue, media, direction, agent, team, platform or attribute:NAME is needed"
    );
}

#[test]
fn a_key_has_the_values_in_the_order_of_the_dimensions() {
    let attributes: [(CompactString, CompactString); 2] = [
        ("brand".into(), "Ä \"x\"\n".into()),
        ("site".into(), "porto".into()),
    ];
    let of = Dimensions {
        queue: Some("support"),
        media: Some("voice"),
        direction: Some("inbound"),
        agent: None,
        team: Some("sales"),
        platform: Some("genesys"),
        attributes: &attributes,
    };
    let key = |text: &str| GroupBy::parse(text).unwrap().key(&of).text().to_owned();
    assert_eq!(key(""), "[]");
    assert_eq!(key("queue"), r#"["support"]"#);
    assert_eq!(key("queue,agent"), r#"[null,"support"]"#);
    assert_eq!(
        key("agent,media,queue,direction,team,platform"),
        r#"[null,"inbound","voice","genesys","support","sales"]"#
    );
    assert_eq!(key("attribute:brand"), r#"["Ä \"x\"\n"]"#);
    assert_eq!(key("attribute:colour"), "[null]");
}

#[test]
fn a_map_of_keys_is_asked_with_a_text() {
    let by = GroupBy::parse("queue,agent").unwrap();
    let of = Dimensions {
        queue: Some("support"),
        ..Dimensions::default()
    };
    let map = HashMap::from([(by.key(&of), 1)]);
    let mut buffer = String::from("old");
    by.key_into(&of, &mut buffer);
    assert_eq!(map.get(buffer.as_str()), Some(&1));
}

#[test]
fn a_text_that_is_not_the_shortest_is_no_key() {
    for text in [
        "",
        "[",
        "]",
        "[null",
        "null",
        "[ null]",
        "[null,]",
        "[,null]",
        "[\"a\"",
        "[\"a]",
        "[\"a\"\"b\"]",
        "[1]",
        "[true]",
        "[\"\\u0061\"]",
        "[\"\\/\"]",
        "[\"\\u001F\"]",
        "[\"\\\"]",
        "[\"\\u00\"]",
        "[\"\n\"]",
        "[\"a\"]x",
        "[\"\\ud800\"]",
        "[\"\\é\"]",
        "[\"\\u+041\"]",
    ] {
        assert!(GroupKey::parse(text).is_err(), "{text}");
    }
    let text = "[\"\\u0000\\u001f\\b\\t\\n\\f\\r\u{7f}/\",null]";
    let key = GroupKey::parse(text).unwrap();
    assert_eq!(
        key.values(),
        [Some("\0\x1f\x08\t\n\x0c\r\x7f/".into()), None]
    );
}

proptest! {
    #[test]
    fn a_group_is_what_its_text_says(dimensions in prop::collection::vec(dimension(), 0..6)) {
        let by = GroupBy::new(dimensions.clone());
        let text = by.text();
        prop_assert_eq!(GroupBy::parse(&text), Ok(by.clone()), "{}", text);
        prop_assert!(!text.bytes().any(|byte| byte.is_ascii_control()));
        for dimension in by.dimensions() {
            prop_assert!(dimensions.contains(dimension));
            prop_assert_eq!(Dimension::parse(&dimension.name()), Ok(dimension.clone()));
        }
    }

    #[test]
    fn a_key_is_what_its_text_says(values in prop::collection::vec(prop::option::of(prop_oneof![any::<String>(), "[\"\\\\a\u{0}-\u{1f}]{0,30}"]), 0..5)) {
        let key = GroupKey::new(values.iter().map(Option::as_deref));
        prop_assert_eq!(GroupKey::parse(key.text()), Ok(key.clone()));
        let read: Vec<_> = key.values().into_iter().map(|value| value.map(String::from)).collect();
        prop_assert_eq!(read, values);
    }

    #[test]
    fn any_text_is_a_key_or_none(text in prop_oneof![any::<String>(), "\\[[\"\\\\,a0ulnf\u{0}-\u{20}]{0,12}\\]"]) {
        if let Ok(key) = GroupKey::parse(&text) {
            prop_assert_eq!(key.text(), text.as_str());
        }
        if let Ok(by) = GroupBy::parse(&text) {
            prop_assert_eq!(GroupBy::parse(&by.text()), Ok(by));
        }
    }
}
