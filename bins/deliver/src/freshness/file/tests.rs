use super::*;

const SOUND: &str = r#"
version = 1
[[platform]]
name = "genesys-main"
tenant = "acme"
"#;

fn read(text: &str) -> Result<Watch, Vec<String>> {
    parse("f.toml", text)
}

fn one(more: &str) -> Watched {
    let watch = read(&format!("{SOUND}{more}")).unwrap();
    assert_eq!(watch.platforms.len(), 1);
    watch.platforms.into_iter().next().unwrap()
}

fn problems(more: &str) -> Vec<String> {
    read(&format!("{SOUND}{more}")).unwrap_err()
}

#[test]
fn what_is_not_said_is_as_usual() {
    let watch = read(SOUND).unwrap();
    assert_eq!(watch.every, Duration::from_secs(5));
    let platform = one("");
    assert_eq!(platform.settings, Settings::default());
    assert_eq!(platform.tolerance, Tolerance::default());
    assert_eq!(platform.subscriptions, None);
    assert_eq!(platform.silent_when, SilentWhen::Unusual);
    assert_eq!(platform.records, None);
    assert_eq!(platform.entry(), Some("genesys-main"));
    assert_eq!(platform.health, None);
}

#[test]
fn the_example_in_the_documentation_is_sound() {
    let source = include_str!("../file.rs");
    let example: Vec<&str> = source
        .lines()
        .skip_while(|line| *line != "//! ```toml")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .map(|line| line.trim_start_matches("//!").trim_start())
        .collect();
    let watch = read(&example.join("\n")).unwrap();
    assert_eq!(watch.platforms[0].settings, Settings::default());
    assert_eq!(watch.platforms[0].tolerance, Tolerance::default());
    // What it says that is usual is what is usual.
    let usual = Thresholds::default();
    let platform = &watch.platforms[0];
    assert_eq!(
        (platform.grace, platform.within),
        (usual.grace, usual.within)
    );
}

#[test]
fn the_example_that_ships_is_sound_and_says_what_is_usual() {
    let text = include_str!("../../../../../deploy/config/freshness.toml");
    let watch = parse("freshness.toml", text).unwrap();
    let [genesys, cxone] = watch.platforms.as_slice() else {
        panic!("{watch:?}")
    };
    let usual = Thresholds::default();
    assert_eq!(genesys.settings, usual.settings);
    assert_eq!(genesys.tolerance, usual.tolerance);
    assert_eq!((genesys.grace, genesys.within), (usual.grace, usual.within));
    let target = cxone.health.as_ref().unwrap().target.as_deref();
    assert_eq!(target, Some("cxone-main"));
}

#[test]
fn a_platform_says_otherwise_than_all_and_never_is_a_threshold() {
    let watch = read(
        r#"
version = 1
every = "1s"
[thresholds]
silence = "1m"
windows = "never"
missing = 50
[[platform]]
name = "a"
tenant = "acme"
[platform.thresholds]
silence = "never"
queue = "never"
late = "5m"
[[platform]]
name = "b"
tenant = "acme"
subscriptions = ["calls"]
silent_when = "always"
"#,
    )
    .unwrap();
    let [a, b] = watch.platforms.as_slice() else {
        panic!("{watch:?}")
    };
    assert_eq!(
        (a.settings.silence, a.settings.queue, a.settings.windows),
        (None, None, None)
    );
    assert_eq!(a.settings.late, Some(Duration::from_secs(300)));
    assert_eq!(b.settings.silence, Some(Duration::from_secs(60)));
    assert_eq!(b.settings.late, Settings::default().late);
    assert_eq!((a.tolerance.number, b.tolerance.number), (50, 50));
    assert_eq!(b.subscriptions.as_deref(), Some(&["calls".to_owned()][..]));
    assert_eq!(b.silent_when, SilentWhen::Always);
}

#[test]
fn health_is_a_status_page_or_any_json() {
    let health = |more: &str| {
        one(&format!(
            "[platform.health]\nurl = 'https://status.example.com/x?y=1'\n{more}"
        ))
        .health
        .unwrap()
    };
    let page = health("components = ['Analytics']\ntrouble = ['major_outage']\n");
    assert_eq!(page.every, HEALTH_EVERY_MIN);
    assert_eq!(
        page.meaning,
        Meaning::StatusPage {
            components: vec!["Analytics".to_owned()],
            trouble: vec!["major_outage".to_owned()]
        }
    );
    let other = health("pointer = '/mode'\nmaintenance = ['on']\nmaintenance_status = [503]\n");
    assert_eq!(
        other.meaning,
        Meaning::Pointer {
            pointer: "/mode".to_owned(),
            maintenance: vec!["on".to_owned()],
            trouble: vec![]
        }
    );
    assert_eq!(other.maintenance_status, [503]);
}

#[test]
fn every_problem_is_listed_with_its_line() {
    let found = problems(
        "silent_when = 'seldom'\nmood = 1\n[platform.thresholds]\nlate = 'soon'\nexpected = 0\n\
         [platform.health]\nurl = 'ftp://x'\nevery = '10s'\nmaintenance = ['a']\nmaintenance_status = [7]\n\
         [[platform]]\nname = 'genesys-main'\ntenant = 'acme'\n",
    );
    let wanted = [
        "f.toml:7: unknown setting `mood`",
        "f.toml:6: `silent_when` is `seldom`; known are unusual, always, never",
        "f.toml:9: `late` is `soon`:",
        "f.toml:10: `expected` is 0; allowed are 1 to 1000000",
        "f.toml:12: `url` is no URL",
        "f.toml:13: `every`: once a minute is the most: 1m",
        "f.toml:15: a status is a number from 100 to 599",
        "f.toml:14: `maintenance`: has a meaning only with `pointer`",
        "f.toml:16: `genesys-main` of `acme` is there twice",
    ];
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for wanted in wanted {
        assert!(
            found.iter().any(|found| found.starts_with(wanted)),
            "{wanted} in {found:#?}"
        );
    }
    assert!(read("version = 1\nevery = '1m'\n").unwrap_err().len() == 2);
}

#[test]
fn without_a_file_each_organisation_that_has_a_target_is_watched() {
    assert!(Watch::of_targets(&[]).platforms.is_empty());
    let watch = read(&format!(
        "{SOUND}[platform.health]\nurl = 'https://api.example.com/h'\ntarget = 'main'\n"
    ))
    .unwrap();
    assert_eq!(
        watch.unknown_targets(&[]),
        ["[platform.health] of genesys-main: there is no target \"main\""]
    );
}
