use super::*;

static TABLE: [Parameter; 5] = [
    Parameter {
        name: "metric",
        kind: Kind::Kpi,
        required: true,
        about: "",
        example: None,
    },
    Parameter {
        name: "from",
        kind: Kind::Instant,
        required: false,
        about: "",
        example: None,
    },
    Parameter {
        name: "versions",
        kind: Kind::Versions,
        required: false,
        about: "",
        example: None,
    },
    Parameter {
        name: "limit",
        kind: Kind::Limit(1000, 100),
        required: false,
        about: "",
        example: None,
    },
    Parameter {
        name: "group_by",
        kind: Kind::GroupBy,
        required: false,
        about: "",
        example: None,
    },
];

fn read(text: &str) -> Result<Query, Vec<String>> {
    Query::read(Some(text), &TABLE).map_err(|problem| {
        let error = |error: Invalid| {
            format!(
                "{}={}: {}",
                error.field,
                error.value.unwrap_or_default(),
                error.allowed
            )
        };
        problem.errors.into_iter().map(error).collect()
    })
}

#[test]
fn values_are_read_by_their_kind() {
    let query = read(
        "metric=talk_time&from=2024-03-01T00%3A00%3A00%2B01%3A00&versions=3,1&group_by=queue,media",
    )
    .unwrap();
    assert_eq!(query.text(&TABLE[0]), Some("talk_time"));
    assert_eq!(
        query.instant(&TABLE[1]),
        Some(UtcMicros(1_709_247_600_000_000))
    );
    assert_eq!(
        query.versions(&TABLE[2]),
        [MetricVersion(1), MetricVersion(3)]
    );
    assert_eq!(query.limit(&TABLE[3]), 100);
    assert_eq!(query.text(&TABLE[4]), Some("media,queue"));
    assert_eq!(
        read("metric=a&group_by=").unwrap().text(&TABLE[4]),
        Some("")
    );
}

#[test]
fn everything_wrong_is_said_at_once_with_what_was_sent_and_what_is_allowed() {
    let errors = read("from=2024-03-01&versions=1,1&limit=0&limit=1001&colour=red&group_by=shoe")
        .unwrap_err();
    assert_eq!(errors.len(), 7, "{errors:#?}");
    assert!(
        errors[0].starts_with("from=2024-03-01: an instant with a zone"),
        "{errors:#?}"
    );
    assert!(
        errors[4].starts_with("colour=red: no such parameter; there are: metric, from"),
        "{errors:#?}"
    );
    assert!(
        errors[6].starts_with("metric=: must be there: the name of a KPI"),
        "{errors:#?}"
    );
    for more in [
        "limit=%2B5",
        "limit=5.0",
        "versions=",
        "versions=0",
        "versions=32768",
        "from=9999999-01-01T00:00:00Z",
    ] {
        assert!(read(&format!("metric=a&{more}")).is_err(), "{more}");
    }
    assert!(read("metric=Talk").is_err() && read(&format!("metric={}", "a".repeat(64))).is_err());
}

#[test]
fn pages_of_one_list_have_one_identity() {
    let of = |text: &str| read(text).unwrap().identity();
    assert_eq!(
        of("metric=a&limit=5&versions=1,2"),
        of("versions=2,1&metric=a")
    );
    assert_ne!(of("metric=a"), of("metric=b"));
}
