use super::*;
use clap::{CommandFactory as _, Parser as _};

const SERVERS: [&str; 4] = ["--database-url", "postgres://h/d", "--amqp-url", "amqp://h"];

fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from([&["backfill"], arguments].concat())
}

fn replay(arguments: &[&str]) -> anyhow::Result<ReplayConfig> {
    match parse(&[&["replay"], arguments].concat())?.command {
        Command::Replay(args) => args.resolve(),
        other => panic!("{other:?}"),
    }
}

fn import(arguments: &[&str]) -> anyhow::Result<ImportConfig> {
    match parse(&[&["import"], arguments].concat())?.command {
        Command::Import(args) => args.resolve(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_flags_are_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_of_every_command_teaches() {
    for (name, words) in [
        (
            "replay",
            &[
                "--from",
                "--to",
                "--metric-version",
                "--resume",
                "--wait",
                "--customer-key-file",
                "KPILINE_CUSTOMER_KEY",
                "KPILINE_AMQP_URL",
            ][..],
        ),
        (
            "import",
            &[
                "genesys-details",
                "cxone-call-detail",
                "cxone-contacts",
                "genesys-webhook",
                "genesys-user-details",
                "genesys-schedules",
                "cxone-contact-states",
                "cxone-digital",
                "cxone-agent-states",
                "cxone-agent-state-log",
                "--zone",
                "--tenant",
            ],
        ),
        (
            "start",
            &[
                "genesys-conversations",
                "genesys-users",
                "genesys-lookup",
                "cxone-contacts",
                "cxone-contact-states",
                "cxone-agent-states",
                "cxone-lookup",
                "cxone-report",
                "cxone-extraction",
                "replay",
                "files",
            ],
        ),
        (
            "request",
            &["SOURCE", "--last", "--request-id", "--metric-version"],
        ),
        ("status", &["--output", "budgets"]),
        ("list", &["--limit"]),
        ("show", &["JOB", "--state"]),
        ("watch", &["JOB", "--every"]),
        ("pause", &["JOB", "--reason"]),
        ("resume", &["JOB", "--retry-failed"]),
        ("cancel", &["JOB"]),
        (
            "check",
            &["--platforms", "KPILINE_PLATFORMS", "--online", "--source"],
        ),
    ] {
        let mut command = Cli::command();
        let help = command
            .find_subcommand_mut(name)
            .unwrap()
            .render_long_help()
            .to_string();
        for word in words {
            assert!(help.contains(word), "{word} in the help of {name}");
        }
    }
}

#[test]
fn every_problem_is_listed_at_once() {
    let stretch = [
        "--from",
        "2024-02-01T00:00:00Z",
        "--to",
        "2024-01-01T00:00:00Z",
        "--metric-version",
        "2",
    ];
    let rest = [
        "--depth-max",
        "0",
        "--page-events",
        "0",
        "--lease",
        "2h",
        "--mapping",
        "nowhere.toml",
    ];
    let text = replay(&[&stretch[..], &rest].concat())
        .unwrap_err()
        .to_string();
    for part in [
        "--database-url",
        "--amqp-url",
        "--from",
        "--depth-max",
        "--page-events",
        "--lease",
        "nowhere.toml",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn an_instant_needs_its_zone() {
    for (from, sound) in [
        ("2024-01-01T00:00:00Z", true),
        ("2024-01-01T00:00:00-05:00", true),
        ("2024-01-01T00:00:00", false),
        ("2024-01-01", false),
        ("yesterday", false),
    ] {
        let stretch = [
            "--from",
            from,
            "--to",
            "2025-01-01T00:00:00Z",
            "--metric-version",
            "2",
        ];
        assert_eq!(
            replay(&[&SERVERS[..], &stretch].concat()).is_ok(),
            sound,
            "{from}"
        );
    }
}

#[test]
fn a_version_is_a_version() {
    for (version, sound) in [
        ("1", true),
        ("32767", true),
        ("0", false),
        ("32768", false),
        ("-1", false),
    ] {
        let stretch = [
            "--from",
            "2024-01-01T00:00:00Z",
            "--to",
            "2025-01-01T00:00:00Z",
        ];
        let version_flag = format!("--metric-version={version}");
        let arguments = [&SERVERS[..], &stretch, &[version_flag.as_str()]].concat();
        assert_eq!(replay(&arguments).is_ok(), sound, "{version}");
    }
}

#[test]
fn a_resumed_job_brings_its_own_settings() {
    let job = "01890a5d-ac96-774b-bcce-b302099a8057";
    let config = replay(&[&SERVERS[..], &["--resume", job]].concat()).unwrap();
    assert!(matches!(config.task, Task::Resume(_)));
    assert!(parse(&["replay", "--resume", job, "--from", "2024-01-01T00:00:00Z"]).is_err());
    assert!(parse(&["replay"]).is_err());
    assert!(import(&[&SERVERS[..], &["--resume", job]].concat()).is_ok());
    assert!(
        parse(&[
            "import",
            "file",
            "--format",
            "genesys-details",
            "--resume",
            job
        ])
        .is_err()
    );
}

#[test]
fn a_secret_for_customers_is_long_enough_and_not_shown() {
    let stretch = [
        "--from",
        "2024-01-01T00:00:00Z",
        "--to",
        "2025-01-01T00:00:00Z",
        "--metric-version",
        "2",
    ];
    let with =
        |secret: &str| replay(&[&SERVERS[..], &stretch, &["--customer-key", secret]].concat());
    let config = with("0123456789abcdef").unwrap();
    assert!(!format!("{config:?}").contains("0123"), "{config:?}");
    assert_eq!(config.customer_secret.unwrap().expose(), "0123456789abcdef");
    let short = with("0123456789abcde").unwrap_err().to_string();
    assert!(short.contains("--customer-key: has 15 bytes"), "{short}");
    assert!(!short.contains("0123"), "{short}");
    let none = replay(&[&SERVERS[..], &stretch].concat()).unwrap();
    assert_eq!(none.customer_secret, None);
    let check = |secret: &str| {
        let arguments = [&["check"], &SERVERS[..], &["--customer-key", secret]].concat();
        match parse(&arguments).unwrap().command {
            Command::Check(args) => args.resolve(),
            other => panic!("{other:?}"),
        }
    };
    assert!(check("0123456789abcdef").is_ok());
    assert!(check("0123456789abcde").is_err());
}

#[test]
fn what_agents_did_can_be_imported() {
    let path = testkit::workspace_root().join(file!());
    let path = path.to_str().unwrap();
    let format = |name: &str, zone: &[&str]| {
        let config = import(&[&SERVERS[..], &[path, "--format", name], zone].concat())?;
        match config.task {
            Task::New(files) => Ok(files.format),
            Task::Resume(job) => panic!("{job}"),
        }
    };
    for (name, expected) in [
        ("genesys-user-details", BodyFormat::GenesysUserDetails),
        ("genesys-schedules", BodyFormat::GenesysSchedules),
        ("cxone-agent-states", BodyFormat::CxoneAgentStates),
    ] {
        let found: anyhow::Result<BodyFormat> = format(name, &[]);
        assert_eq!(found.unwrap(), expected);
    }
    assert!(format("cxone-agent-state-log", &[]).is_err());
    assert!(format("cxone-agent-state-log", &["--zone", "Mars/Base"]).is_err());
    assert_eq!(
        format("cxone-agent-state-log", &["--zone", "America/Denver"]).unwrap(),
        BodyFormat::CxoneAgentStateLog {
            zone: "America/Denver".into()
        }
    );
}

#[test]
fn a_cxone_report_needs_a_zone_that_exists() {
    let file = file!();
    let path = testkit::workspace_root().join(file);
    let path = path.to_str().unwrap();
    let base = [&SERVERS[..], &[path, "--format", "cxone-call-detail"]].concat();
    assert!(import(&base).is_err());
    let text = import(&[&base[..], &["--zone", "Mountain Time"]].concat())
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("--zone") && text.contains("Mountain Time"),
        "{text}"
    );
    let config = import(&[&base[..], &["--zone", "America/Denver"]].concat()).unwrap();
    let Task::New(files) = config.task else {
        panic!("a new job")
    };
    assert_eq!(
        files.format,
        BodyFormat::CxoneCallDetail {
            zone: "America/Denver".into()
        }
    );
    assert_eq!(
        (files.tenant.as_str(), files.subscription.as_str()),
        ("default", "import")
    );
}

const PLATFORMS: &str = r#"
version = 1
[[platform]]
name = "g"
tenant = "acme"
platform = "genesys"
base_url = "https://api.example.com"
credentials = { token_url = "https://login.example.com/t", client_id = "id", client_secret = "secret" }
"#;

fn platforms_file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("platforms.toml");
    std::fs::write(&file, text).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (folder, name)
}

fn start(arguments: &[&str]) -> anyhow::Result<StartConfig> {
    match parse(&[&["start"], arguments, &SERVERS[..2]].concat())?.command {
        Command::Start(args) => args.resolve(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_start_says_everything_that_is_wrong_with_it_and_its_file() {
    let (_folder, file) = platforms_file(PLATFORMS);
    let of = |platform, from| {
        let arguments = [
            "genesys-conversations",
            "--platforms",
            &file,
            "--platform",
            platform,
            "--from",
            from,
            "--to",
            "2024-03-01T00:00:00Z",
            "--metric-version",
            "2",
        ];
        start(&arguments)
    };
    let found = of("g", "2024-02-01T00:00:00Z").unwrap();
    assert!(found.check && !found.offline && !found.dry_run && !found.watch);
    assert_eq!(found.wish.platform.as_deref(), Some("g"));
    let text = of("h", "2024-04-01T00:00:00Z").unwrap_err().to_string();
    assert!(text.contains("the platform `h` is not known"), "{text}");
    assert!(text.contains("is not before `to`"), "{text}");
    assert!(
        of("g", "2024-02-01T00:00:00").is_err(),
        "an instant without a zone"
    );
    let (_folder, bad) = platforms_file("version = 1\n[[platform]]\nname = \"g\"\n");
    let text = start(&[
        "cxone-report",
        "--report",
        "524",
        "--platforms",
        &bad,
        "--platform",
        "g",
        "--from",
        "2024-02-01T00:00:00Z",
        "--to",
        "2024-03-01T00:00:00Z",
        "--metric-version",
        "2",
    ])
    .unwrap_err()
    .to_string();
    for problem in [
        "`tenant` is missing",
        "`platform` is missing",
        "[platform.credentials] is missing",
    ] {
        assert!(text.contains(problem), "{problem}: {text}");
    }
}

#[test]
fn a_platforms_file_is_checked_without_a_server_and_servers_when_they_are_named() {
    let (_folder, file) = platforms_file(PLATFORMS);
    let check = |arguments: &[&str]| match parse(&[&["check"], arguments].concat()) {
        Ok(Cli {
            command: Command::Check(args),
        }) => args.resolve().map_err(|error| error.to_string()),
        other => panic!("{other:?}"),
    };
    let found = check(&["--platforms", &file]).unwrap();
    assert_eq!(found.platforms.names(), ["g"]);
    assert!(found.store.is_none());
    let text = check(&["--platforms", &file, "--database-url", "mysql://h"]).unwrap_err();
    assert!(
        text.contains("--database-url") && text.contains("--amqp-url"),
        "{text}"
    );
    assert!(check(&[]).unwrap_err().contains("--amqp-url"));
}

#[test]
fn the_last_days_are_whole_days() {
    let arguments = [
        "request",
        "replay",
        "--last",
        "2days",
        "--metric-version",
        "1",
    ];
    let Command::Request(args) = parse(&[&arguments[..], &SERVERS[2..]].concat())
        .unwrap()
        .command
    else {
        panic!("no request")
    };
    // 2024-03-03T15:00:00Z.
    let wish = args.resolve(UtcMicros(1_709_478_000_000_000)).unwrap().wish;
    let shown = |at: Option<UtcMicros>| at.unwrap().to_string();
    assert_eq!(shown(wish.from), "2024-03-01T00:00:00.000Z");
    assert_eq!(shown(wish.to), "2024-03-03T00:00:00.000Z");
}

#[test]
fn jobs_are_kept_for_as_long_as_their_day_could_be_settled_again() {
    let worker = |retention: &str| {
        let arguments = [&["worker", "--retention", retention][..], &SERVERS].concat();
        match parse(&arguments).unwrap().command {
            Command::Worker(args) => args.resolve(),
            other => panic!("{other:?}"),
        }
    };
    assert!(worker("3days").is_ok());
    let problem = worker("71h").unwrap_err().to_string();
    assert!(
        problem.contains("--retention: allowed is 3days and more"),
        "{problem}"
    );
}
