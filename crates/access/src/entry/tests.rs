use super::*;
use platform::token::Grant;
use runtime::toml_file::secret::Secrets;
use std::path::Path;
use std::time::Duration;

const USUAL: Limit = Limit::new(300, Duration::from_secs(60), 1);

/// What `look` finds in the text as an entry `platform`, and what is wrong with it.
fn read<T>(text: &str, look: impl FnOnce(&mut TomlFile<'_>, Entry<'_>) -> T) -> (T, Vec<String>) {
    let mut file = TomlFile::new("f", text);
    let root = file.parse();
    let section = Section {
        table: root.get_ref(),
        at: 0,
    };
    let entry = Entry {
        name: "platform",
        section,
    };
    let found = look(&mut file, entry);
    (found, file.into_problems())
}

fn grant(text: &str, usual: Option<GrantKind>) -> (Option<Grant>, Vec<String>) {
    let secrets = Secrets {
        folder: Path::new("."),
        variable: &|name| (name == "SECRET").then(|| "hush".to_owned()),
    };
    read(text, |file, entry| entry.grant(file, usual, secrets))
}

#[test]
fn tables_give_what_they_say_and_else_what_is_usual() {
    let text = "[rate]\nrequests = 30\nlapse = '2s'\n[timeouts]\nread = '2s'\n[retry]\nbreaker_failures = 3\nbreaker_cool_down = '1h'\n";
    let ((), problems) = read(text, |file, entry| {
        let limit = entry.limit(file, Some(USUAL)).unwrap();
        assert_eq!((limit.requests, limit.period), (30, USUAL.period));
        assert_eq!(limit.lapse, Duration::from_secs(2));
        let usual = Timeouts::default();
        let timeouts = entry.timeouts(file, usual);
        assert_eq!(timeouts.read, Duration::from_secs(2));
        assert_eq!(
            (timeouts.connect, timeouts.total),
            (usual.connect, usual.total)
        );
        let (schedule, policy) = entry.retry(file);
        assert_eq!(schedule, Schedule::default());
        assert_eq!(policy.failures, 3);
        // The longest pause is never shorter than the first one.
        assert_eq!(policy.cool_down, Duration::from_secs(3600));
        assert!(policy.longest >= policy.cool_down);
    });
    assert_eq!(problems, Vec::<String>::new());
    let ((), problems) = read("", |file, entry| {
        assert_eq!(entry.limit(file, Some(USUAL)), Some(USUAL));
        assert_eq!(entry.limit(file, None), None);
        assert_eq!(
            entry.timeouts(file, Timeouts::default()),
            Timeouts::default()
        );
    });
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn what_cannot_be_is_named_with_its_line() {
    let text = "[rate]\nrequests = 2\nburst = 3\n[timeouts]\nconnect = '2m'\nidle = '1s'\n[retry]\nlongest = '1ms'\nbreaker_failures = 0\n";
    let ((), problems) = read(text, |file, entry| {
        assert_eq!(entry.limit(file, Some(USUAL)), None);
        entry.timeouts(file, Timeouts::default());
        entry.retry(file);
    });
    assert_eq!(
        problems,
        [
            "f:1: [platform.rate]: a burst of 3 is more than the 2 requests allowed in a whole period",
            "f:6: unknown setting `idle`; known here: connect, read, total",
            "f:4: `total` is shorter than `connect`",
            "f:9: `breaker_failures` is 0; allowed are 1 to 1000",
            "f:7: `longest` is shorter than `first`",
        ]
    );
}

#[test]
fn credentials_are_of_the_usual_kind_unless_they_name_another() {
    let text = "[credentials]\ntoken_url = 'https://login.example.com/t'\nclient_id = 'me'\nclient_secret = { env = 'SECRET' }\n";
    let (found, problems) = grant(text, Some(GrantKind::ClientCredentials));
    assert!(
        matches!(&found, Some(Grant::ClientCredentials { client_id, client_secret, .. })
            if client_id == "me" && client_secret.expose() == "hush"),
        "{found:?}: {problems:?}"
    );
    let named = format!("{text}grant = 'access-key'\n");
    let (found, _) = grant(&named, Some(GrantKind::ClientCredentials));
    assert!(matches!(found, Some(Grant::AccessKey { .. })), "{found:?}");
}

#[test]
fn credentials_that_are_missing_or_wrong_are_named_without_what_they_hold() {
    assert_eq!(
        grant("", None).1,
        ["f:1: [platform.credentials] is missing"]
    );
    let text = "[credentials]\ngrant = 'magic'\ntoken_url = 'https://me:hunter2@login.example.com'\nclient_id = ' '\n";
    let (found, problems) = grant(text, None);
    assert!(found.is_none());
    assert_eq!(
        problems,
        [
            "f:3: `token_url` is no URL such as https://host, without user, query and fragment",
            "f:2: `grant` is `magic`; known are client-credentials, access-key",
            "f:4: `client_id` is empty",
            "f:1: `client_secret` is missing",
        ]
    );
    let (_, problems) = grant(
        "[credentials]\nclient_id = 'a'\nclient_secret = 'b'\n",
        None,
    );
    assert_eq!(problems, ["f:1: `token_url` is missing"]);
}

#[test]
fn a_url_has_a_query_where_it_is_a_whole_address_and_nowhere_else() {
    let text = "a = 'https://h/p?x=1'\nb = 'https://h/p#x'\nc = 'mailto:x'\nd = ' '\n";
    let ((), problems) = read(text, |file, entry| {
        let section = entry.section;
        assert!(http_url(file, section, "a", Query::Allowed).is_some());
        assert!(http_url(file, section, "a", Query::Refused).is_none());
        for key in ["b", "c", "d", "absent"] {
            assert!(http_url(file, section, key, Query::Allowed).is_none());
        }
    });
    assert_eq!(
        problems,
        [
            "f:1: `a` is no URL such as https://host, without user, query and fragment",
            "f:2: `b` is no URL such as https://host, without user and fragment",
            "f:3: `c` is no URL such as https://host, without user and fragment",
            "f:4: `d` is empty",
        ]
    );
}

#[test]
fn a_credential_has_one_limit() {
    let ((), problems) = read("", |file, entry| {
        let slower = Limit {
            requests: 1,
            ..USUAL
        };
        let mut limits = Limits::default();
        for (credential, limit) in [("c", USUAL), ("c", USUAL), ("other", slower), ("c", slower)] {
            limits.note(file, entry, credential, limit);
        }
    });
    assert_eq!(
        problems,
        [
            "f:1: another platform has the same credentials and another [platform.rate]; the limit belongs to the credential"
        ]
    );
}
