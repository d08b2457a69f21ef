//! To restore, as *Backup and restore* has it: into a server that knows none of the roles that the dump speaks of.

use crate::text::{blocks, commands};
use deploy::{deploy, holds, migrate, sections, text};
use std::process::Command;
use testkit::{TestDb, TestRoles};

/// The commands of that section.
fn stated() -> Vec<Vec<String>> {
    let section = &sections(&text(&deploy("README.md")))["backup-and-restore"];
    let scripts = blocks(section, "sh");
    scripts
        .iter()
        .flat_map(|block| commands(&block.text))
        .collect()
}

/// Where each of the steps is, by a word of it.
fn at(commands: &[Vec<String>], word: &str) -> usize {
    let has = |command: &Vec<String>| command.iter().any(|one| one.contains(word));
    commands
        .iter()
        .position(has)
        .unwrap_or_else(|| panic!("no step has {word}: {commands:?}"))
}

/// `after_restore()` is one of the functions that a migration makes, and nothing starts before it.
#[test]
fn the_steps_are_in_the_order_in_which_they_work() {
    let commands = stated();
    let steps = [
        "roles.sql",
        "pg_restore",
        "migrate",
        "after_restore()",
        "windows",
    ];
    let places = steps.map(|word| at(&commands, word));
    assert!(places.is_sorted(), "{steps:?} are at {places:?}");
}

#[tokio::test]
async fn a_dump_that_speaks_of_roles_is_restored_where_there_are_none() {
    let commands = stated();
    let flags: Vec<&String> = commands[at(&commands, "pg_restore")]
        .iter()
        .filter(|word| ["--no-owner", "--no-acl", "--exit-on-error"].contains(&word.as_str()))
        .collect();
    let lost = TestDb::new().await;
    let roles = TestRoles::granted(&lost).await;
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("kpiline.dump");
    holds(
        Command::new("pg_dump")
            .args(["--format=custom", "--dbname", lost.url(), "--file"])
            .arg(&dump),
    );
    if !dump.is_file() {
        return; // there is no pg_dump, which was said
    }
    drop(roles);
    drop(lost);

    let restored = TestDb::empty().await;
    holds(
        Command::new("pg_restore")
            .args(flags)
            .args(["--dbname", restored.url()])
            .arg(&dump),
    );
    let roles = TestRoles::none(&restored);
    let client = restored.client().await;
    for role in ["retention", "read"] {
        roles.make(&client, role, "").await;
    }
    migrate(&restored, &["--role-prefix", roles.prefix()]);
    client
        .batch_execute("SELECT after_restore()")
        .await
        .unwrap();
    // What everybody may without a word, nobody may any more but who is meant to.
    let may = async |role: &str| -> bool {
        let sql = "SELECT has_function_privilege($1, 'drop_month(text, text)', 'EXECUTE')";
        let row = client.query_one(sql, &[&roles.name(role)]).await.unwrap();
        row.get(0)
    };
    assert!(may("retention").await && !may("read").await);
}
