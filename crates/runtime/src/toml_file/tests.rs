use super::*;

/// What `look` finds in the text, and what is wrong with it.
fn read<T>(text: &str, look: impl FnOnce(&mut TomlFile<'_>, Section<'_>) -> T) -> (T, Vec<String>) {
    let mut file = TomlFile::new("a.toml", text);
    let root = file.parse();
    let found = look(
        &mut file,
        Section {
            table: root.get_ref(),
            at: 0,
        },
    );
    (found, file.into_problems())
}

#[test]
fn a_good_file_has_no_problems() {
    let text =
        "name = \"x\"\nrows = 0x10\npause = \"250ms\"\nlist = [1, 2]\n[inner]\nkey = \"y\"\n";
    let ((), problems) = read(text, |file, root| {
        file.only(root, &["name", "rows", "pause", "list", "inner"]);
        assert_eq!(file.required(root, "name"), Some(("x", 7)));
        assert_eq!(file.number(root, "rows", 1..17), Some(16));
        let pause = file.duration(root, "pause");
        assert_eq!(pause, Some(Duration::from_millis(250)));
        let list = file.array(root, "list").map(|(list, _)| list.len());
        assert_eq!(list, Some(2));
        let inner = file.section(root, "inner").unwrap();
        assert_eq!(file.text(inner, "key").map(|(text, _)| text), Some("y"));
    });
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn what_is_optional_may_be_absent() {
    let ((), problems) = read("", |file, root| {
        assert_eq!(file.text(root, "a"), None);
        assert_eq!(file.number(root, "a", 1..9), None);
        assert_eq!(file.duration(root, "a"), None);
        assert!(file.section(root, "a").is_none());
        assert!(file.array(root, "a").is_none());
    });
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn a_wrong_type_is_named_with_the_expected_one() {
    let text = "a = 1\nb = \"x\"\nc = true\nd = 1.5\ne = \"x\"\n";
    let ((), problems) = read(text, |file, root| {
        assert_eq!(file.text(root, "a"), None);
        assert_eq!(file.number(root, "b", 1..9), None);
        assert_eq!(file.duration(root, "c"), None);
        assert!(file.section(root, "d").is_none());
        assert!(file.array(root, "e").is_none());
    });
    assert_eq!(
        problems,
        [
            "a.toml:1: `a` is of type integer; a text is expected",
            "a.toml:2: `b` is of type string; a whole number is expected",
            "a.toml:3: `c` is of type boolean; a text is expected",
            "a.toml:4: `d` is of type float; a table is expected",
            "a.toml:5: `e` is of type string; an array is expected",
        ]
    );
}

#[test]
fn both_ends_of_an_allowed_range_are_kept() {
    for (number, fits) in [
        ("0", false),
        ("1", true),
        ("8", true),
        ("9", false),
        ("-1", false),
        ("99999999999999999999", false),
    ] {
        let text = format!("n = {number}");
        let (found, problems) = read(&text, |file, root| file.number(root, "n", 1..9));
        assert_eq!(
            (found.is_some(), problems.is_empty()),
            (fits, fits),
            "{text}"
        );
        if !fits {
            let expected = format!("a.toml:1: `n` is {number}; allowed are 1 to 8");
            assert_eq!(problems, [expected]);
        }
    }
}

#[test]
fn a_duration_is_longer_than_zero() {
    let (found, problems) = read("d = \"0s\"\ne = \"soon\"", |file, root| {
        (file.duration(root, "d"), file.duration(root, "e"))
    });
    assert_eq!(found, (None, None));
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("a.toml:1: `d` is `0s`: must be longer than zero"));
    assert!(problems[1].starts_with("a.toml:2: `e` is `soon`: "));
}

/// A member that is absent has no line: the one of its table is given.
#[test]
fn what_is_missing_is_reported_where_its_table_begins() {
    let ((), problems) = read("\n\n[inner]\nblank = \"  \"\n", |file, root| {
        let inner = file.section(root, "inner").unwrap();
        assert_eq!(file.required(inner, "name"), None);
        assert_eq!(file.required(inner, "blank"), None);
    });
    assert_eq!(
        problems,
        ["a.toml:3: `name` is missing", "a.toml:4: `blank` is empty"]
    );
}

#[test]
fn text_that_is_no_toml_is_a_problem_and_the_rest_is_read() {
    let (name, problems) = read("name = \"x\"\noops oops\n", |file, root| {
        file.text(root, "name").map(|(text, _)| text.to_owned())
    });
    assert_eq!(name.as_deref(), Some("x"));
    assert!(
        !problems.is_empty()
            && problems
                .iter()
                .all(|problem| problem.starts_with("a.toml:2: ")),
        "{problems:?}"
    );
}

#[test]
fn an_offset_beyond_the_text_is_its_last_line() {
    let ((), problems) = read("a = 1\nb = 2", |file, _| file.problem(1000, "here"));
    assert_eq!(problems, ["a.toml:2: here"]);
}

#[test]
fn a_list_has_a_version_and_tables_and_nothing_else() {
    let names = |text: &str| {
        read(text, |file, root| {
            let mut taken = std::collections::BTreeSet::new();
            let tables = file.entries(root, 1, "door", &[], "nobody gets in");
            let names = tables
                .into_iter()
                .map(|table| file.own_name(table, &mut taken).map(str::to_owned));
            names.collect::<Vec<_>>()
        })
    };
    let text = "version = 1\n[[door]]\nname = \"front.1\"\n[[door]]\nname = \"back:2\"\n";
    let (found, problems) = names(text);
    let expected = ["front.1", "back:2"].map(|name| Some(name.to_owned()));
    assert_eq!((found.as_slice(), problems), (&expected[..], Vec::new()));
    for (text, expected) in [
        (
            "",
            &[
                "a.toml:1: `version` is missing; write `version = 1`",
                "a.toml:1: no [[door]]: nobody gets in",
            ][..],
        ),
        (
            "version = 2\ndoor = [1]\nwindow = 1",
            &[
                "a.toml:3: unknown setting `window`; known here: version, door",
                "a.toml:1: `version` is 2; allowed are 1 to 1",
                "a.toml:2: a [[door]] is a table",
            ][..],
        ),
        (
            "version = 1\ndoor = [{ name = \"a b\" }, { name = \"c\" }, { name = \"c\" }, {}]",
            &[
                "a.toml:2: `name` is `a b`; allowed are up to 128 letters, digits and . _ - :",
                "a.toml:2: the name `c` is taken by another",
                "a.toml:2: `name` is missing",
            ][..],
        ),
    ] {
        assert_eq!(names(text).1, expected, "{text}");
    }
}

#[test]
fn what_nobody_can_see_is_in_no_plain_text() {
    let text = "a = \"plain text\"\nb = \" x\"\nc = \"x\\u0007\"\nd = \"\"";
    let (found, problems) = read(text, |file, root| {
        ["a", "b", "c", "d"].map(|key| file.plain(root, key).map(str::to_owned))
    });
    assert_eq!(found, [Some("plain text".to_owned()), None, None, None]);
    assert_eq!(
        problems,
        [
            "a.toml:2: `b` is \" x\"; allowed is a text without surrounding blanks and control characters",
            "a.toml:3: `c` is \"x\\u{7}\"; allowed is a text without surrounding blanks and control characters",
            "a.toml:4: `d` is empty",
        ]
    );
}

#[test]
fn a_choice_is_among_the_known_words_or_the_usual_one() {
    let text = "a = \"left\"\nb = \"up\"\nc = 1";
    let (found, problems) = read(text, |file, root| {
        let known = [("left", 1), ("right", 2)];
        ["a", "b", "c", "d"].map(|key| file.choice(root, key, &known, 0))
    });
    assert_eq!(found, [Some(1), None, None, Some(0)]);
    assert_eq!(
        problems,
        [
            "a.toml:2: `b` is `up`; known are left, right",
            "a.toml:3: `c` is of type integer; a text is expected",
        ]
    );
}

#[test]
fn a_count_begins_at_one_and_a_flag_is_no_text() {
    let ((), problems) = read("a = 0\nb = 3\nc = true\nd = \"true\"", |file, root| {
        assert_eq!(file.count(root, "a", 3), None);
        assert_eq!(file.count(root, "b", 3), Some(3));
        assert_eq!(file.flag(root, "c"), Some(true));
        assert_eq!(file.flag(root, "d"), None);
    });
    assert_eq!(
        problems,
        [
            "a.toml:1: `a` is 0; allowed are 1 to 3",
            "a.toml:4: `d` is of type string; true or false is expected",
        ]
    );
}
