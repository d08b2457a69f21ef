use super::*;
use std::path::PathBuf;

const SOUND: &str = r#"
version = 1
[[platform]]
name = "g"
tenant = "acme"
platform = "genesys"
base_url = "https://api.example.com"
[platform.credentials]
token_url = "https://login.example.com/oauth/token"
client_id = "id"
client_secret = { env = "SECRET" }
"#;

fn read(text: &str) -> Result<Platforms, Vec<String>> {
    parse("p.toml", text, Path::new("."), &|name| {
        (name == "SECRET").then(|| "hush".to_owned())
    })
}

fn one(text: &str) -> Platform {
    let found = read(text).unwrap();
    assert_eq!(found.iter().len(), 1);
    found.iter().next().unwrap().clone()
}

fn problems(more: &str) -> Vec<String> {
    read(&format!("{SOUND}{more}")).unwrap_err()
}

#[test]
fn what_is_not_said_is_as_usual() {
    let found = one(SOUND);
    assert_eq!(found.kind, Kind::Genesys(GenesysSettings::default()));
    assert_eq!(found.subscription.as_str(), "backfill-g");
    assert_eq!(found.access.limit.requests, 240);
    assert_eq!(found.follow, None);
    assert_eq!(found.settlement, None);
    assert_eq!(found.counts, None);
    assert!(found.has(Source::GenesysUsers) && !found.has(Source::CxoneContacts));
    assert!(!format!("{found:?}").contains("hush"));
}

#[test]
fn a_platform_of_cxone_may_leave_its_base_to_the_token_or_a_discovery() {
    let text = SOUND
        .replace("\"genesys\"", "\"cxone\"")
        .replace("base_url = \"https://api.example.com\"\n", "");
    let found = one(&text);
    let Kind::Cxone(settings) = &found.kind else {
        panic!("{found:?}")
    };
    assert_eq!(settings.base, Base::Token);
    assert!(matches!(
        found.access.grant,
        platform::token::Grant::AccessKey { .. }
    ));
    let found = one(&format!(
        "{text}[platform.cxone]\nreport_zone = 'America/Denver'\ndiscovery_url = 'https://example.com/d?tenantId=7'\n"
    ));
    let Kind::Cxone(settings) = &found.kind else {
        panic!("{found:?}")
    };
    assert!(matches!(&settings.base, Base::Discovery(url) if url.query() == Some("tenantId=7")));
    assert_eq!(
        settings.report_zone.map(|zone| zone.to_string()).as_deref(),
        Some("America/Denver")
    );
}

#[test]
fn settlement_and_follow_have_usual_values_of_their_own() {
    let found = one(&format!(
        "{SOUND}[platform.follow]\nsources = ['genesys-conversations']\nevery = '5m'\n[platform.settlement]\ndays = [4, 1]\n"
    ));
    let follow = found.follow.unwrap();
    assert_eq!(follow.every, Duration::from_secs(300));
    assert_eq!(follow.settle, GenesysSettings::default().query_lag);
    let settlement = found.settlement.unwrap();
    assert_eq!(settlement.sources, [Source::GenesysConversations]);
    assert_eq!(settlement.days, [1, 4]);
}

#[test]
fn every_problem_is_listed_with_its_line() {
    let found = problems(
        "[platform.rate]\nrequests = 0\n[platform.genesys]\nquery_page_size = 101\njob_span = '1s'\n[platform.cxone]\n\
         [platform.follow]\nsources = ['cxone-contacts', 'genesys-lookup']\n[platform.settlement]\ndays = [0]\n\
         [[platform]]\nname = 'g'\ntenant = 'x '\nplatform = 'avaya'\n",
    );
    for said in [
        "p.toml:13: `requests` is 0; allowed are 1 to 4294967294",
        "p.toml:15: `query_page_size` is 101; allowed are 1 to 100",
        "p.toml:16: `job_span`: allowed are whole seconds, 1m to 15 days",
        "p.toml:17: [platform.cxone] has a meaning only with platform = \"cxone\"",
        "p.toml:19: the source `cxone-contacts` is not known here; known are genesys-conversations, genesys-users",
        "p.toml:19: the source `genesys-lookup` is not known here; known are genesys-conversations, genesys-users",
        "p.toml:21: a day is a whole number from 1 to 62",
        "p.toml:23: the name `g` is taken by another",
        "p.toml:25: `platform` is `avaya`; known are genesys, cxone",
        "p.toml:22: [platform.credentials] is missing",
    ] {
        assert!(
            found.iter().any(|problem| problem == said),
            "{said}: {found:#?}"
        );
    }
    assert!(
        found
            .iter()
            .any(|problem| problem.starts_with("p.toml:24: `tenant` is \"x \""))
    );
}

#[test]
fn a_limit_belongs_to_the_credential() {
    let second = SOUND
        .replace("version = 1\n", "")
        .replace("\"g\"", "\"other\"");
    let found = problems(&format!("{second}[platform.rate]\nrequests = 100\n"));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("the limit belongs to the credential"),
        "{found:?}"
    );
    assert!(read(&format!("{SOUND}{second}")).is_ok());
}

#[test]
fn the_example_is_sound() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/config/platforms.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["genesys-client-secret", "cxone-access-key-secret"] {
        std::fs::write(folder.path().join(name), "secret").unwrap();
    }
    let found = parse("platforms.toml", &text, folder.path(), &|_| {
        Some("set".to_owned())
    })
    .unwrap();
    assert_eq!(found.names(), ["genesys-main", "cxone-main"]);
}

#[test]
fn of_several_platforms_of_one_organisation_each_says_whom_it_stands_in_for() {
    let settled = format!("{SOUND}[platform.settlement]\ndays = [1]\n");
    let second = settled
        .replace("version = 1\n", "")
        .replace("\"g\"", "\"other\"");
    assert_eq!(one(&settled).logged_under(), None, "the only one: all");
    let both = format!("{settled}{second}");
    let found = read(&both).unwrap_err();
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].starts_with("p.toml:3: `acme` has several platforms"),
        "{found:#?}"
    );
    let stated = |one: &str, other: &str| {
        let line = |names: &str| format!("platform = \"genesys\"\nstands_in_for = [{names}]");
        let (first, second) = (
            settled.replace("platform = \"genesys\"", &line(one)),
            second.replace("platform = \"genesys\"", &line(other)),
        );
        read(&format!("{first}{second}"))
    };
    let found = stated("'calls', 'chats'", "").unwrap();
    let names: Vec<_> = found.iter().map(Platform::logged_under).collect();
    assert_eq!(
        names,
        [
            Some(vec!["calls", "chats", "backfill-g"]),
            Some(vec!["backfill-other"])
        ]
    );
    let found = stated("'calls'", "'calls'").unwrap_err();
    assert_eq!(
        found,
        ["p.toml:16: another platform of `acme` stands in for `calls`, too"]
    );
    assert!(stated("' calls'", "7").is_err());
    // One that is asked about neither need not say anything.
    let follows = second.replace("days = [1]", "gaps = false\nlookups = false");
    let found = read(&format!(
        "{}{follows}",
        settled.replace(
            "platform = \"genesys\"",
            "platform = \"genesys\"\nstands_in_for = ['calls']"
        )
    ))
    .unwrap();
    assert_eq!(
        found.get("other").unwrap().logged_under(),
        Some(vec!["backfill-other"])
    );
}

#[test]
fn what_could_never_work_is_refused_with_what_is_allowed() {
    let found = problems(
        "[platform.follow]\nsources = ['genesys-conversations']\nevery = '2days'\nsettle = '2days'\noverlap = '1day'\n\
         longest = '7days'\nsince = '2years'\nreread = ['10s', '40days']\n",
    );
    for said in [
        "p.toml:14: `every`: allowed are 1s to 1d",
        "p.toml:15: `settle`: allowed are 0s to 1d",
        "p.toml:16: `overlap`: allowed are 0s to 23h",
        "p.toml:17: `longest`: allowed are 1m to 6d",
        "p.toml:18: `since`: allowed are 1s to 366d",
        "p.toml:19: `reread`: allowed are 1m to 31d",
    ] {
        assert!(
            found.iter().any(|problem| problem.starts_with(said)),
            "{said}: {found:#?}"
        );
    }
    let cxone = SOUND.replace("\"genesys\"", "\"cxone\"");
    for table in ["follow", "settlement"] {
        for source in ["cxone-extraction", "cxone-report"] {
            let text = format!("{cxone}[platform.{table}]\nsources = ['{source}']\n");
            let found = read(&text).unwrap_err();
            let known = "known are cxone-contacts, cxone-contact-states, cxone-agent-states";
            assert_eq!(
                found,
                [format!(
                    "p.toml:13: the source `{source}` is not known here; {known}"
                )]
            );
        }
    }
}

#[test]
fn what_is_counted_settles_after_the_platforms_delay_and_that_of_what_is_followed() {
    let counts = |more: &str| one(&format!("{SOUND}{more}")).counts.unwrap();
    let usual = counts("[platform.counts]\n");
    assert_eq!(usual.interval, Duration::from_secs(1800));
    assert_eq!(usual.settle, Duration::from_secs(300));
    assert_eq!(usual.again, [Duration::from_secs(1800)]);
    let followed = counts(
        "[platform.follow]\nsources = ['genesys-conversations']\nsettle = '10m'\nevery = '1m'\n[platform.counts]\n",
    );
    assert_eq!(followed.settle, Duration::from_secs(12 * 60));
    let said =
        counts("[platform.counts]\ninterval = '15m'\nsettle = '90s'\nagain = ['1h', '10m']\n");
    assert_eq!(
        said,
        Counts {
            interval: Duration::from_secs(900),
            settle: Duration::from_secs(90),
            again: vec![Duration::from_secs(600), Duration::from_secs(3600)],
        }
    );
    let found = problems("[platform.counts]\ninterval = '7m'\nagain = ['5s']\nsoon = true\n");
    let wanted = [
        "p.toml:15: unknown setting `soon`; known here: interval, settle, again",
        "p.toml:13: `interval`: allowed are whole minutes of which an hour has a whole number",
        "p.toml:14: `again`: allowed are 1m to 1d",
    ];
    assert_eq!(found, wanted);
}
