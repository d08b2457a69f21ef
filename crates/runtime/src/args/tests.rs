use super::*;
use crate::Problems;
use clap::{CommandFactory as _, Parser};

/// All groups together, as a binary has them.
#[derive(Debug, Parser)]
struct All {
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    amqp: AmqpArgs,
    #[command(flatten)]
    ops: OpsArgs,
    #[command(flatten)]
    roles: RoleArgs,
}

fn parse(arguments: &[&str]) -> All {
    All::try_parse_from(std::iter::once("test").chain(arguments.iter().copied())).unwrap()
}

fn problems_of(arguments: &[&str]) -> Vec<String> {
    let all = parse(arguments);
    let mut problems = Problems::new();
    all.postgres.resolve(&mut problems);
    all.amqp.resolve(&mut problems);
    all.ops.resolve(&mut problems);
    all.roles.resolve(&mut problems);
    problems.list().to_vec()
}

#[test]
fn the_definition_is_sound() {
    All::command().debug_assert();
}

#[test]
fn every_flag_has_the_variable_of_its_name() {
    for argument in All::command().get_arguments() {
        let Some(long) = argument.get_long() else {
            continue;
        };
        if long == "help" {
            continue;
        }
        let variable = argument.get_env().unwrap().to_str().unwrap();
        assert_eq!(variable, crate::secret::env_name(long));
    }
}

#[test]
fn what_is_missing_is_listed_at_once() {
    let found = problems_of(&[]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("--database-url (or KPILINE_DATABASE_URL"));
    assert!(found[1].starts_with("--amqp-url (or KPILINE_AMQP_URL"));
}

#[test]
fn wrong_values_are_named_and_passwords_are_not() {
    let found = problems_of(&[
        "--database-url=mysql://u:hunter2@h/d",
        "--amqp-url=http://u:hunter2@h",
        "--database-pool-max=0",
        "--queue-prefix=a b",
        "--log-level=loud",
    ]);
    assert_eq!(found.len(), 5, "{found:?}");
    assert!(!found.iter().any(|text| text.contains("hunter2")));
    assert!(found[3].contains("\"a b\""), "{found:?}");
}

#[test]
fn several_hosts_are_fine_and_an_empty_one_is_named() {
    let fine = [
        "--database-url=postgres://u:p@one:5432,two:5433/d?target_session_attrs=read-write",
        "--amqp-url=amqp://u:p,x@one:5672,two,three/%2f",
    ];
    assert!(problems_of(&fine).is_empty(), "{:?}", problems_of(&fine));
    let found = problems_of(&[
        "--database-url=postgres://u:hunter2@one,/d",
        "--amqp-url=amqp://u:hunter2@one,,three/%2f",
    ]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found
            .iter()
            .all(|text| text.contains("a host between commas is empty"))
    );
    assert!(!found.iter().any(|text| text.contains("hunter2")));
}

#[test]
fn files_of_certificates_become_a_part_of_the_urls() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca & roots.pem");
    let own = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    std::fs::write(&ca, own.cert.pem()).unwrap();
    let (database, amqp) = (
        format!("--database-ca-file={}", ca.display()),
        format!("--amqp-ca-file={}", ca.display()),
    );
    let all = parse(&[
        "--database-url=postgres://u:p@h/d?sslmode=verify-full",
        "--amqp-url=amqps://u:p@h",
        &database,
        &amqp,
    ]);
    let mut problems = Problems::new();
    let postgres = all.postgres.resolve(&mut problems);
    let rabbit = all.amqp.resolve(&mut problems);
    assert!(problems.is_empty(), "{:?}", problems.list());
    let taken = tls::take(&postgres.url, &["sslrootcert"]);
    assert_eq!(taken.url, "postgres://u:p@h/d?sslmode=verify-full");
    assert_eq!(taken.files().ca.as_deref(), Some(ca.as_path()));
    let taken = tls::take(&rabbit.url, &["cacertfile"]);
    assert_eq!(taken.url, "amqps://u:p@h");
    assert_eq!(taken.files().ca.as_deref(), Some(ca.as_path()));

    let found = problems_of(&[
        "--database-url=postgres://u:hunter2@h/d?sslrootcert=/a.pem",
        "--amqp-url=amqp://u:hunter2@h",
        &database,
        &amqp,
    ]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("give one of them"), "{found:?}");
    assert!(found[1].contains("amqps://"), "{found:?}");
    let found = problems_of(&[
        "--database-url=postgres://u:hunter2@h/d",
        "--amqp-url=amqps://u:hunter2@h",
        "--database-ca-file=/absent/ca.pem",
        "--amqp-client-key=/absent/key.pem",
    ]);
    assert!(found[0].contains("/absent/ca.pem"), "{found:?}");
    assert!(
        found[1].contains("needs its certificate") || found[1].contains("a key its certificate"),
        "{found:?}"
    );
    assert!(!found.join(" ").contains("hunter2"));
}

#[test]
fn a_prefix_of_roles_is_a_name() {
    let servers = ["--database-url=postgres://h/d", "--amqp-url=amqp://h"];
    for (prefix, good) in [
        ("kpiline", true),
        ("acme_1", true),
        ("Acme", false),
        ("1a", false),
        ("a-b", false),
        ("", false),
        ("pg_a", false),
    ] {
        let flag = format!("--role-prefix={prefix}");
        let found = problems_of(&[servers[0], servers[1], &flag]);
        assert_eq!(found.is_empty(), good, "{prefix}: {found:?}");
    }
}

#[test]
fn defaults_and_settings() {
    let all = parse(&[
        "--database-url=postgres://u:hunter2@h/d",
        "--amqp-url=amqp://u:hunter2@h",
        "--raw-queue-max-bytes=0",
    ]);
    let mut problems = Problems::new();
    let postgres = all.postgres.resolve(&mut problems);
    let amqp = all.amqp.resolve(&mut problems);
    assert!(problems.is_empty());
    assert_eq!(postgres.pool_max, 8);
    assert_eq!(amqp.prefix, "kpiline.");
    assert_eq!(amqp.raw_max_bytes, None);
    let default = "127.0.0.1:9101".parse().unwrap();
    assert_eq!(all.ops.or_default(default), default);
    assert!(!format!("{postgres:?} {amqp:?} {all:?}").contains("hunter2"));
}

#[test]
fn durations_are_human_and_never_zero() {
    assert_eq!(positive_duration("250ms"), Ok(Duration::from_millis(250)));
    assert!(positive_duration("0s").is_err());
    assert!(positive_duration("10").unwrap_err().contains("30s"));
}
