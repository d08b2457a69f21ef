use super::*;

fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

fn file(more: &str) -> String {
    format!(
        "version = 1\n[[token]]\nname = \"one\"\nsha256 = \"{}\"\ntenants = [\"b\", \"a\"]\n{more}\n\
         [[token]]\nname = \"all\"\nsha256 = \"{}\"\ntenants = [\"*\"]\nscopes = [\"read\", \"jobs\"]\n",
        digest("first"),
        digest("second")
    )
}

#[test]
fn a_token_is_found_by_what_it_is_and_reaches_what_it_names() {
    let tokens = parse("tokens.toml", &file("")).unwrap();
    let one = tokens.find("first", UtcMicros(0)).unwrap();
    assert_eq!(one.reach, Reach::Of(vec!["a".to_owned(), "b".to_owned()]));
    assert!(one.covers("a") && !one.covers("c") && !one.jobs);
    let all = tokens.find("second", UtcMicros(0)).unwrap();
    assert!(all.covers("c") && all.jobs);
    for wrong in ["", "first ", "First", "third", &digest("first")] {
        assert_eq!(
            tokens.find(wrong, UtcMicros(0)),
            Err(Refused::Unknown),
            "{wrong:?}"
        );
    }
}

#[test]
fn an_expired_token_is_none_from_that_instant_on() {
    let tokens = parse("tokens.toml", &file("expires = \"1970-01-01T00:00:01Z\"")).unwrap();
    let just_before = UtcMicros(999_999);
    assert!(tokens.find("first", just_before).is_ok());
    assert!(tokens.named("one", just_before).is_ok());
    for at in [UtcMicros(1_000_000), UtcMicros(i64::MAX)] {
        assert_eq!(tokens.find("first", at), Err(Refused::Expired));
        assert_eq!(tokens.named("one", at), Err(Refused::Expired));
    }
}

#[test]
fn every_problem_is_listed_with_its_line_and_no_secret() {
    let text = "version = 1\n[[token]]\nname = \"a b\"\nsha256 = \"hunter2\"\nscopes = [\"write\"]\nexpires = \"tomorrow\"\n\
                [[token]]\nname = \"x\"\nsha256 = \"00\"\ntenants = [\"*\", \"acme\"]\ncolour = 1\n";
    let problems = parse("tokens.toml", text).unwrap_err();
    for words in [
        "tokens.toml:3: `name` is \"a b\"",
        "tokens.toml:4: `sha256` is not 64",
        "tokens.toml:2: `tenants` is missing",
        "tokens.toml:2: `scopes` has \"write\"",
        "tokens.toml:6: `expires` is \"tomorrow\"",
        "tokens.toml:7: `tenants` has \"*\"",
        "tokens.toml:11: unknown setting `colour`",
    ] {
        assert!(
            problems.iter().any(|problem| problem.starts_with(words)),
            "{words}: {problems:#?}"
        );
    }
    assert!(!problems.concat().contains("hunter2"));
}

#[test]
fn names_and_digests_are_unique() {
    let twice = file("").replace("\"all\"", "\"one\"");
    assert!(parse("t", &twice).unwrap_err()[0].contains("two tokens are called `one`"));
    let twice = file("").replace(&digest("second"), &digest("first"));
    assert!(parse("t", &twice).unwrap_err()[0].contains("digest of another token"));
}

#[test]
fn a_token_never_prints_its_digest() {
    let tokens = parse("tokens.toml", &file("")).unwrap();
    let shown = format!("{tokens:?}");
    assert!(
        shown.contains("one") && !shown.contains(&digest("first")),
        "{shown}"
    );
    assert!(!shown.contains("digest"), "{shown}");
}

#[test]
fn a_changed_file_is_read_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml");
    std::fs::write(&path, file("")).unwrap();
    let live = LiveTokens::new(load(&path).unwrap());
    let mut seen = None;
    assert!(!reload::look(&path, &live, &mut seen));
    std::fs::write(&path, "version = 1\n[[token]]\n").unwrap();
    assert!(!reload::look(&path, &live, &mut seen));
    assert_eq!(live.get().len(), 2);
    std::fs::remove_file(&path).unwrap();
    assert!(!reload::look(&path, &live, &mut seen));
    assert!(live.get().find("first", UtcMicros(0)).is_ok());
    std::fs::write(&path, file("").replace(&digest("first"), &digest("other"))).unwrap();
    assert!(reload::look(&path, &live, &mut seen));
    assert_eq!(
        live.get().find("first", UtcMicros(0)),
        Err(Refused::Unknown)
    );
    assert!(live.get().find("other", UtcMicros(0)).is_ok());
}

#[test]
fn the_example_is_a_file_of_tokens() {
    let text = include_str!("../../../../../deploy/config/tokens.toml");
    let tokens = parse("tokens.toml", text).unwrap();
    assert_eq!(tokens.len(), 2);
    assert!(tokens.named("history-desk", UtcMicros(0)).unwrap().jobs);
}
