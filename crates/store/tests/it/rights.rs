//! Who may do what: the catalogue of a migrated database beside `rights/matrix.txt`, and how roles come by their rights.
//!
//! `KPILINE_GOLDEN=rewrite` writes the file anew; what has changed in it is then for a reader to judge.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use store::StoreError;
use store::migrate::{self, RoleState, Roles};
use testkit::TestDb;
use testkit::roles::{ROLES, TestRoles};
use tokio_postgres::Client;

/// The letters of psql's \\dp, and of no others.
const RIGHTS: [(char, &str); 7] = [
    ('r', "SELECT"),
    ('a', "INSERT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
];

fn matrix_file() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/it/rights/matrix.txt"
    ))
}

/// A row for each table, view, sequence and function, and below it one for each column of which a right is had that is not had of the whole.
async fn matrix(client: &Client, roles: &TestRoles) -> String {
    let mut rows: BTreeMap<String, [String; 7]> = BTreeMap::new();
    let mut put = |object: String, at: usize, letters: &str| {
        let cell = &mut rows.entry(object).or_default()[at];
        cell.push_str(letters);
    };
    for (at, role) in ROLES.into_iter().enumerate() {
        let role = roles.name(role);
        let tables = client
            .query(
                "SELECT c.relname::text, c.oid FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace \
                    AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition",
                &[],
            )
            .await
            .unwrap();
        for table in tables {
            let (name, oid): (String, u32) = (table.get(0), table.get(1));
            put(name.clone(), at, "");
            for (letter, right) in RIGHTS {
                let row = client
                    .query_one(
                        "SELECT has_table_privilege($1::text, $2::oid, $3), ARRAY(SELECT a.attname::text FROM pg_attribute a \
                            WHERE a.attrelid = $2 AND a.attnum > 0 AND NOT a.attisdropped \
                                AND $3 IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') \
                                AND has_column_privilege($1::text, $2::oid, a.attnum, $3) ORDER BY a.attnum)",
                        &[&role, &oid, &right],
                    )
                    .await
                    .unwrap();
                let (whole, columns): (bool, Vec<String>) = (row.get(0), row.get(1));
                if whole {
                    put(name.clone(), at, &letter.to_string());
                } else {
                    for column in columns {
                        put(format!("{name}.{column}"), at, &letter.to_string());
                    }
                }
            }
        }
        let rest = client
            .query(
                "SELECT 'sequence ' || c.relname, has_sequence_privilege($1::text, c.oid, 'USAGE'), 'U' FROM pg_class c \
                    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'S' \
                        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'i') \
                 UNION ALL SELECT 'function ' || p.oid::regprocedure, has_function_privilege($1::text, p.oid, 'EXECUTE'), 'X' FROM pg_proc p \
                    WHERE p.pronamespace = current_schema()::regnamespace",
                &[&role],
            )
            .await
            .unwrap();
        for row in rest {
            let letter: String = row.get(2);
            put(row.get(0), at, if row.get(1) { &letter } else { "" });
        }
    }
    let mut text = String::from(
        "# Who may do what after `migrate`: r SELECT, a INSERT, w UPDATE, d DELETE, U USAGE, X EXECUTE, - nothing. A row with a dot is a column\n\
         # of which more is allowed than of its whole table. `role_rights` in the migrations has what is to be; this is what PostgreSQL says that is.\n",
    );
    let mut line = |object: &str, cells: [&str; 7]| {
        let [ingest, compute, backfill, deliver, read, erase, retention] = cells;
        writeln!(
            text,
            "{object:<44} {ingest:<8}{compute:<8}{backfill:<9}{deliver:<8}{read:<5}{erase:<6}{retention}"
        )
        .unwrap();
    };
    line("", ROLES);
    for (object, cells) in &rows {
        let said = |cell: &String| if cell.is_empty() { "-" } else { cell.as_str() }.to_owned();
        let said: Vec<String> = cells.iter().map(said).collect();
        let cells: [&str; 7] = std::array::from_fn(|at| said[at].as_str());
        line(object, cells);
    }
    text
}

#[tokio::test]
async fn roles_may_what_the_matrix_says_and_nothing_else() {
    let db = TestDb::new().await;
    let roles = TestRoles::granted(&db).await;
    let found = matrix(&db.client().await, &roles).await;
    if std::env::var("KPILINE_GOLDEN").is_ok_and(|value| value == "rewrite") {
        std::fs::write(matrix_file(), &found).unwrap();
    }
    let wanted = std::fs::read_to_string(matrix_file()).unwrap();
    for (found, wanted) in found.lines().zip(wanted.lines()) {
        assert_eq!(
            found, wanted,
            "KPILINE_GOLDEN=rewrite, then read what changed"
        );
    }
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn nobody_else_may_anything() {
    let db = TestDb::new().await;
    let roles = TestRoles::granted(&db).await;
    let client = db.client().await;
    // To everybody: neither by us, nor by what PostgreSQL gives away unasked.
    let rows = client
        .query(
            "SELECT c.relname::text || ' ' || a.privilege_type FROM pg_class c, aclexplode(c.relacl) a \
                WHERE c.relnamespace = current_schema()::regnamespace AND a.grantee = 0 \
             UNION ALL SELECT p.proname || ' ' || a.privilege_type FROM pg_proc p, \
                aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a \
                WHERE p.pronamespace = current_schema()::regnamespace AND a.grantee = 0 \
             UNION ALL SELECT 'schema ' || a.privilege_type FROM pg_namespace n, aclexplode(n.nspacl) a \
                WHERE n.nspname = current_schema() AND a.grantee = 0 AND a.privilege_type = 'CREATE'",
            &[],
        )
        .await
        .unwrap();
    let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(found.is_empty(), "{found:?}");
    // Months are reached by their table, which has the rights.
    let rows = client
        .query(
            "SELECT c.relname::text || ' ' || r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee \
                WHERE c.relispartition AND r.rolname LIKE $1",
            &[&format!("{}%", roles.prefix())],
        )
        .await
        .unwrap();
    let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// Who may make a temporary table called `event_log` must not have it taken for the real one by a function that runs as the owner.
#[tokio::test]
async fn functions_of_the_owner_look_where_they_should() {
    let db = TestDb::new().await;
    let roles = TestRoles::granted(&db).await;
    let client = db.client().await;
    let rows = client
        .query(
            "SELECT p.proname::text, coalesce((SELECT c FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=%'), '') FROM pg_proc p \
                WHERE p.pronamespace = current_schema()::regnamespace AND p.prosecdef",
            &[],
        )
        .await
        .unwrap();
    assert!(rows.len() >= 2, "{}", rows.len());
    for row in &rows {
        let (name, path): (String, String) = (row.get(0), row.get(1));
        assert_eq!(path, "search_path=public, pg_temp", "{name}");
    }
    let (intruder, connection) =
        tokio_postgres::connect(&roles.url("compute"), tokio_postgres::NoTls)
            .await
            .unwrap();
    drop(tokio::spawn(connection));
    let planted = "CREATE FUNCTION pg_temp.trap() RETURNS timestamptz LANGUAGE plpgsql AS \
                       $$ BEGIN RAISE EXCEPTION 'the trap was run by %', current_user; END $$; \
                   CREATE TEMPORARY TABLE event_log (occurred_at timestamptz DEFAULT pg_temp.trap()) PARTITION BY RANGE (occurred_at)";
    intruder.batch_execute(planted).await.unwrap();
    intruder
        .execute("SELECT ensure_month('event_log', '2031-05-01')", &[])
        .await
        .unwrap();
    let real: bool = client
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'public.event_log'::regclass \
                AND inhrelid = to_regclass('public.event_log_y2031m05'))",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert!(real, "the month was made for the real table");
}

#[tokio::test]
async fn roles_come_by_their_rights_at_the_next_run() {
    let db = TestDb::empty().await;
    let admin = db.client().await;
    let roles = TestRoles::none(&db);
    roles.make(&admin, "owner", "").await;
    admin
        .batch_execute(&format!(
            "GRANT CREATE, USAGE ON SCHEMA public TO {}",
            roles.name("owner")
        ))
        .await
        .unwrap();
    let owner = roles.url("owner");
    let with = |create| Roles {
        prefix: roles.prefix().to_owned(),
        create,
    };

    // The owner is no superuser, and may not make roles: it says so, and what was migrated stays.
    let error = migrate::run_with(&owner, &with(true)).await.unwrap_err();
    assert!(
        matches!(error, StoreError::MayNotCreateRoles { .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("deploy/postgres/roles.sql"),
        "{error}"
    );
    let report = migrate::run_with(&owner, &with(false)).await.unwrap();
    assert_eq!(report.applied.len(), 0);
    assert!(
        report
            .roles
            .iter()
            .all(|role| role.state == RoleState::Missing),
        "{:?}",
        report.roles
    );

    // One was made by hand meanwhile.
    roles.make(&admin, "read", "").await;
    let report = migrate::run_with(&owner, &with(false)).await.unwrap();
    let granted: Vec<&str> = report
        .roles
        .iter()
        .filter(|role| role.state == RoleState::Granted)
        .map(|role| role.name.as_str())
        .collect();
    assert_eq!(granted, [roles.name("read")]);

    admin
        .batch_execute(&format!("ALTER ROLE {} CREATEROLE", roles.name("owner")))
        .await
        .unwrap();
    let report = migrate::run_with(&owner, &with(true)).await.unwrap();
    let made = report
        .roles
        .iter()
        .filter(|role| role.state == RoleState::Made);
    assert_eq!(made.count(), report.roles.len() - 1);
    // What somebody granted besides is taken back, and the rest stays as it is.
    admin
        .batch_execute(&format!(
            "GRANT ALL ON event_log, quarantine TO {}",
            roles.name("deliver")
        ))
        .await
        .unwrap();
    let report = migrate::run_with(&owner, &with(true)).await.unwrap();
    assert!(
        report
            .roles
            .iter()
            .all(|role| role.state == RoleState::Granted)
    );
    let wanted = std::fs::read_to_string(matrix_file()).unwrap();
    assert_eq!(matrix(&admin, &roles).await, wanted);
}
