//! The line with no more rights than it needs: a database role and a broker's user for each part, both over verified TLS, on servers of the test's
//! own; and what each of the users is refused.

use crate::harness::{Look, PATIENCE, midnight, send, sender, truth};
use crate::servers::Servers;
use broker::rights::{ADMIN, RIGHTS};
use broker::{Broker, BrokerConfig, Queue};
use double::config::History;
use double::workload::Workload;
use double::{Config, Double};
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use std::path::PathBuf;
use std::process::Command;
use testkit::{Proc, eventually, workspace_root};

const PREFIX: &str = "kpiline.";
/// What a server says to who may not.
const REFUSALS: [&str; 4] = [
    "permission denied",
    "must be owner",
    "ACCESS_REFUSED",
    "may not declare",
];

/// Who a process is at both servers. Empty: it is nobody there.
#[derive(Clone, Copy)]
struct Who {
    role: &'static str,
    user: &'static str,
}

const RECEIVE: Who = Who {
    role: "",
    user: "kpiline-ingest-receive",
};
const NORMALISE: Who = Who {
    role: "kpiline_ingest",
    user: "kpiline-ingest-normalise",
};
const COMPUTE: Who = Who {
    role: "kpiline_compute",
    user: "kpiline-compute",
};
const BACKFILL: Who = Who {
    role: "kpiline_backfill",
    user: "kpiline-backfill",
};
const DELIVER: Who = Who {
    role: "kpiline_deliver",
    user: "kpiline-deliver",
};
const ERASE: Who = Who {
    role: "kpiline_erase",
    user: "",
};
const RETENTION: Who = Who {
    role: "kpiline_retention",
    user: "",
};
const OPERATOR: Who = Who {
    role: "kpiline_ingest",
    user: ADMIN,
};
const OWNER: Who = Who {
    role: "kpiline_owner",
    user: "",
};

/// The servers, the files of the line, and what became of each process.
struct World {
    servers: Servers,
    folder: tempfile::TempDir,
    files: Vec<(&'static str, String)>,
    database: String,
    amqps: String,
    ca: PathBuf,
}

impl World {
    fn new(double: &Double) -> Self {
        let servers = Servers::start_with_tls("privileges");
        let authority = |url: String| {
            let rest = url.split_once('@').unwrap().1.to_owned();
            rest.split(['/', '?']).next().unwrap().to_owned()
        };
        let tls = PathBuf::from(servers.url("KPILINE_TEST_TLS_DIR"));
        let mut world = Self {
            database: authority(servers.url("KPILINE_TEST_DATABASE_URL")),
            amqps: authority(servers.url("KPILINE_TEST_AMQPS_URL")),
            ca: tls.join("ca.pem"),
            folder: tempfile::tempdir().unwrap(),
            files: Vec::new(),
            servers,
        };
        world.write_files(double);
        world
    }

    fn write_files(&mut self, double: &Double) {
        let (url, out) = (double.url(), self.folder.path().join("out"));
        std::fs::create_dir(&out).unwrap();
        let credentials = format!(
            "token_url = \"{url}/oauth/token\"\nclient_id = \"double-client\"\nclient_secret = {{ value = \"double-secret\" }}\n"
        );
        let secret = crate::harness::SECRET;
        let files = [
            (
                "KPILINE_SUBSCRIPTIONS",
                format!(
                    "version = 1\n\n[[subscription]]\nname = \"main\"\npath = \"/hooks/main\"\ntenant = \"acme\"\nformat = \"genesys-webhook\"\n\n\
                     [subscription.signature]\nsecrets = [\"{secret}\"]\n"
                ),
            ),
            (
                "KPILINE_TARGETS",
                format!(
                    "version = 1\n\n[[target]]\nname = \"platform\"\ntenant = \"acme\"\nplatform = \"genesys-custom-report\"\nbase_url = \"{url}\"\n\
                     metrics = [\"handle_time\"]\nnot_before = \"at_once\"\n\n[target.credentials]\n{credentials}\n\
                     [target.rate]\nrequests = 600\nperiod = \"1m\"\n"
                ),
            ),
            (
                "KPILINE_FEEDS",
                format!(
                    "version = 1\n\n[[feed]]\nname = \"plan\"\ntenant = \"acme\"\nlayout = 1\nby = [\"queue\"]\ninterval = \"day\"\nzone = \"UTC\"\n\
                     from = \"{}\"\nfile = \"{{feed}}/{{start}}_r{{revision}}.{{ext}}\"\nformat = \"csv\"\n\n\
                     [[feed.column]]\nfield = \"Queue\"\nfrom = \"queue\"\n\n[[feed.column]]\nfield = \"Start\"\nfrom = \"start\"\n\n\
                     [[feed.column]]\nfield = \"AHT\"\nkpi = \"handle_time\"\nmeasure = \"mean\"\n\n\
                     [feed.sink]\nkind = \"folder\"\npath = \"{}\"\n",
                    midnight(3),
                    out.display()
                ),
            ),
            (
                "KPILINE_PLATFORMS",
                format!(
                    "version = 1\n\n[[platform]]\nname = \"double\"\ntenant = \"acme\"\nplatform = \"genesys\"\nbase_url = \"{url}\"\n\n\
                     [platform.credentials]\n{credentials}\n[platform.rate]\nrequests = 600\nperiod = \"1m\"\n\n\
                     [platform.retry]\nfirst = \"200ms\"\nlongest = \"2s\"\n"
                ),
            ),
        ];
        for (variable, text) in files {
            let path = self
                .folder
                .path()
                .join(format!("{}.toml", variable.to_lowercase()));
            std::fs::write(&path, text).unwrap();
            self.files.push((variable, path.display().to_string()));
        }
    }

    /// Roles by the administrator's file, rights by `migrate`, users by the script; each as documented.
    async fn furnish(&self) {
        let roles = workspace_root().join("deploy/postgres/roles.sql");
        self.servers.script(&[
            "psql",
            "-qX",
            "-v",
            "prefix=kpiline",
            "-f",
            roles.to_str().unwrap(),
        ]);
        for role in [
            "owner",
            "ingest",
            "compute",
            "backfill",
            "deliver",
            "read",
            "erase",
            "retention",
        ] {
            let sql = format!("ALTER ROLE kpiline_{role} PASSWORD '{}'", password(role));
            self.servers.script(&["psql", "-qX", "-c", &sql]);
        }
        let told = self.run(OWNER, "compute", &["migrate"]).await;
        assert!(
            told.contains("rights given to: kpiline_backfill, kpiline_compute"),
            "{told}"
        );

        let passwords = self.folder.path().join("passwords");
        std::fs::create_dir(&passwords).unwrap();
        for user in RIGHTS.iter().map(|rights| rights.user).chain([ADMIN]) {
            std::fs::write(passwords.join(user), format!("{}\n", password(user))).unwrap();
        }
        let ran = Command::new(workspace_root().join("deploy/rabbitmq/permissions.sh"))
            .arg(&passwords)
            .arg(workspace_root().join("deploy/local/services.sh"))
            .arg("rabbitmqctl")
            .env("KPILINE_LOCAL_DIR", self.servers.folder())
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{}{}",
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr)
        );
    }

    fn env(&self, who: Who) -> Vec<(&'static str, String)> {
        let mut env = self.files.clone();
        let ca = self.ca.display().to_string();
        if !who.role.is_empty() {
            let name = who.role.strip_prefix("kpiline_").unwrap();
            env.push((
                "KPILINE_DATABASE_URL",
                format!(
                    "postgres://{}:{}@{}/kpiline?sslmode=verify-full",
                    who.role,
                    password(name),
                    self.database
                ),
            ));
            env.push(("KPILINE_DATABASE_CA_FILE", ca.clone()));
        }
        if !who.user.is_empty() {
            env.push((
                "KPILINE_AMQP_URL",
                format!(
                    "amqps://{}:{}@{}/%2f",
                    who.user,
                    password(who.user),
                    self.amqps
                ),
            ));
            env.push(("KPILINE_AMQP_CA_FILE", ca));
        }
        env.push(("KPILINE_DECLARE_QUEUES", (who.user == ADMIN).to_string()));
        env.push(("KPILINE_CUSTOMER_KEY", "a key of customers".to_owned()));
        env
    }

    fn spawn(&self, who: Who, binary: &str, arguments: &[&str]) -> Proc {
        let env = self.env(who);
        let env: Vec<(&str, &str)> = env
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        Proc::spawn(binary, arguments, &env)
    }

    /// Runs a command. It may end as it likes (a comparison that finds something ends with 1), but nothing may have been refused to it.
    async fn tried(&self, who: Who, binary: &str, arguments: &[&str]) -> (bool, String) {
        let mut process = self.spawn(who, binary, arguments);
        let status = process.wait(PATIENCE).await;
        let text = format!("{}\n{}", process.stdout(), process.stderr());
        for refusal in REFUSALS {
            assert!(
                !text.contains(refusal),
                "{binary} {arguments:?} as {}: {text}",
                who.role
            );
        }
        (status.success(), text)
    }

    async fn run(&self, who: Who, binary: &str, arguments: &[&str]) -> String {
        let (success, text) = self.tried(who, binary, arguments).await;
        assert!(success, "{binary} {arguments:?}: {text}");
        text
    }
}

fn password(name: &str) -> String {
    format!("word-of-{name}")
}

fn unhindered(name: &str, process: &Proc) {
    let text = process.stderr();
    for refusal in REFUSALS {
        let line = text.lines().find(|line| line.contains(refusal));
        assert!(line.is_none(), "{name}: {line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_runs_with_no_more_rights_than_it_needs_over_verified_tls() {
    let double = Double::start(Config {
        history: Some(History {
            days: 1,
            conversations: 40,
            ..History::default()
        }),
        ..Config::default()
    })
    .await
    .unwrap();
    let world = World::new(&double);
    world.furnish().await;

    // Nobody of the line declares, and who may not is told what to do.
    let env = world.env(RECEIVE);
    let env: Vec<(&str, &str)> = env
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .chain([("KPILINE_DECLARE_QUEUES", "true")])
        .collect();
    let (status, _, said) = Proc::run("ingest", &["queues", "declare"], &env, PATIENCE).await;
    assert!(!status.success(), "{said}");
    assert!(said.contains("may not declare kpiline."), "{said}");
    world.run(OPERATOR, "ingest", &["queues", "declare"]).await;

    let mut receive = world.spawn(
        RECEIVE,
        "ingest",
        &["receive", "--http-listen", "127.0.0.1:0"],
    );
    let mut normalise = world.spawn(NORMALISE, "ingest", &["normalise"]);
    let mut compute = world.spawn(COMPUTE, "compute", &["serve"]);
    let mut backfill = world.spawn(BACKFILL, "backfill", &["worker", "--lanes", "1"]);
    let mut deliver = world.spawn(DELIVER, "deliver", &["serve"]);
    let http = receive.wait_ready().await.http_address();
    for process in [&mut normalise, &mut compute, &mut backfill, &mut deliver] {
        process.wait_ready().await;
    }

    let look = Look::connect(
        &world
            .servers
            .url("KPILINE_TEST_DATABASE_URL")
            .replace("/postgres", "/kpiline"),
    )
    .await;
    let workload = Workload::new(60, 5);
    let expected = truth(&workload.events);
    let options = sender(http);
    let mut events = workload.events.clone();
    // Two that nobody can read: one to be released, one to be discarded.
    events.push(bytes::Bytes::from_static(b"{\"event_type\": 1}"));
    events.push(bytes::Bytes::from_static(b"{\"event_type\": 2}"));
    send(&options, events).await;
    look.wait_for(&expected).await;
    eventually(PATIENCE, "the platform has the values", async || {
        let rows = double.table().len();
        if rows > 20 { Ok(()) } else { Err(rows) }
    })
    .await;
    let plain = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename LIKE 'kpiline\\_%' AND NOT ssl";
    assert_eq!(look.number(plain).await, 0, "sessions in the clear");

    operate(&world, &look, &double).await;

    for (name, process) in [
        ("receive", &mut receive),
        ("normalise", &mut normalise),
        ("compute", &mut compute),
        ("backfill", &mut backfill),
        ("deliver", &mut deliver),
    ] {
        unhindered(name, process);
        assert!(
            process.term(PATIENCE).await.success(),
            "{name}: {}",
            process.stderr()
        );
    }
    refused_at_the_broker(&world).await;
}

/// Everything that operators do, as the role of the binary that does it.
async fn operate(world: &World, look: &Look, double: &Double) {
    let interaction = look
        .text("SELECT min(interaction_id) FROM interactions WHERE status <> 'open'")
        .await;
    let catalogue = workspace_root().join("deploy/config/kpi/adjusted_aht.v2.toml");
    let catalogue = catalogue.to_str().unwrap();
    for arguments in [
        &["kpi", "list"][..],
        &["kpi", "preview", catalogue],
        &["kpi", "activate", catalogue],
        &["kpi", "windows"],
        &["kpi", "findings"],
        &["kpi", "explain", &interaction, "--tenant", "acme"],
        &["storm", "status"],
        &["storm", "on", "--for", "5s"],
        &["storm", "auto"],
    ] {
        world.run(COMPUTE, "compute", arguments).await;
    }

    let stretch = [
        "--from",
        "2024-01-01T00:00:00Z",
        "--to",
        "2026-01-01T00:00:00Z",
    ];
    let replay = [
        "replay",
        stretch[0],
        stretch[1],
        stretch[2],
        stretch[3],
        "--metric-version",
        "2",
        "--wait",
    ];
    world.run(BACKFILL, "backfill", &replay).await;
    world
        .run(COMPUTE, "compute", &["kpi", "promote", "adjusted_aht@2"])
        .await;
    world
        .run(COMPUTE, "compute", &["kpi", "rollback", "adjusted_aht@2"])
        .await;
    world
        .run(COMPUTE, "compute", &["kpi", "retire", "adjusted_aht@2"])
        .await;

    let from = History::default().from;
    let (from, to) = (from.to_string(), from.plus(86_400_000).to_string());
    let start = [
        "start",
        "genesys-conversations",
        "--platform",
        "double",
        "--from",
        &from,
        "--to",
        &to,
        "--metric-version",
        "1",
        "--promote",
        "never",
        "--watch",
    ];
    world.run(BACKFILL, "backfill", &start).await;
    assert!(!double.history_calls().is_empty());
    let request = [
        "request",
        "genesys-conversations",
        "--platform",
        "double",
        "--from",
        &from,
        "--to",
        &to,
        "--metric-version",
        "1",
    ];
    world.run(BACKFILL, "backfill", &request).await;
    for arguments in [&["check", "--online"][..], &["status"], &["list"]] {
        world.tried(BACKFILL, "backfill", arguments).await;
    }
    eventually(
        PATIENCE,
        "the job that was asked for is there",
        async || {
            let jobs = look
                .number("SELECT count(*) FROM backfill_jobs WHERE kind <> 'replay'")
                .await;
            if jobs >= 2 { Ok(()) } else { Err(jobs) }
        },
    )
    .await;

    let held = look.text("SELECT string_agg(quarantine_id::text, ' ' ORDER BY quarantine_id) FROM quarantine WHERE status = 'held'").await;
    let held: Vec<&str> = held.split(' ').collect();
    assert!(held.len() >= 2, "{held:?}");
    for arguments in [
        &["quarantine", "list", "--counts"][..],
        &["quarantine", "show", held[0]],
        &["quarantine", "discard", held[1]],
    ] {
        world.run(NORMALISE, "ingest", arguments).await;
    }
    // Putting something back into the queues is for the one user that may.
    world
        .run(OPERATOR, "ingest", &["quarantine", "release", held[0]])
        .await;
    world
        .tried(NORMALISE, "ingest", &["subscription", "list"])
        .await;
    let erase = ["erase", "--tenant", "acme", "--interaction", &interaction];
    world.run(ERASE, "ingest", &erase).await;
    let ages = ["--events", "400days", "--metrics", "3y", "--windows", "5y"];
    let retention = [&["retention"][..], &ages, &["--sync-log", "400days"]].concat();
    world.run(RETENTION, "ingest", &retention).await;

    let (past, lately) = (midnight(3), midnight(1));
    for arguments in [
        &["status"][..],
        &["retry", "--target", "platform", "--dry-run"],
        &["retry", "--target", "platform"],
        &["skip", "--target", "platform", "--reason", "a test"],
        &["resync", "--target", "platform"],
        &["reconcile", "--target", "platform"],
        &["reconciliation", "list"],
        &["reconciliation", "run"],
        &["breaker", "list"],
        &["breaker", "open", "platform", "--for", "1s"],
        &["breaker", "close", "platform"],
        &["breaker", "reset", "platform"],
        &["feed", "list"],
        &[
            "feed", "show", "--feed", "plan", stretch[0], stretch[1], stretch[2], stretch[3],
        ],
        &[
            "feed", "replay", "--feed", "plan", "--from", &past, "--to", &lately,
        ],
    ] {
        world.tried(DELIVER, "deliver", arguments).await;
    }
    eventually(PATIENCE, "files of the feed", async || {
        let files = std::fs::read_dir(world.folder.path().join("out"))
            .unwrap()
            .count();
        if files > 0 { Ok(()) } else { Err(files) }
    })
    .await;
}

/// A channel of its own for each attempt: a refusal closes it.
async fn attempt<T>(
    connection: &Connection,
    what: impl AsyncFnOnce(Channel) -> Result<T, lapin::Error>,
) -> bool {
    let channel = connection.create_channel().await.unwrap();
    match what(channel).await {
        Ok(_) => true,
        Err(error) => {
            assert!(error.to_string().contains("ACCESS_REFUSED"), "{error}");
            false
        }
    }
}

async fn published(connection: &Connection, exchange: &str, key: &str) -> bool {
    attempt(connection, async |channel| {
        let options = ConfirmSelectOptions { nowait: false };
        channel.confirm_select(options).await?;
        let options = BasicPublishOptions {
            mandatory: false,
            immediate: false,
        };
        let properties = BasicProperties::default();
        channel
            .basic_publish(exchange.into(), key.into(), options, b"x", properties)
            .await?
            .await?;
        // Without a right the channel is closed, and the confirm may have come first.
        channel.close(200, "OK".into()).await
    })
    .await
}

/// Each user beside each queue: what it may is what [`RIGHTS`] says, and the rest is refused.
async fn refused_at_the_broker(world: &World) {
    let url = |user: &str| {
        format!(
            "amqps://{user}:{}@{}/%2f?cacertfile={}",
            password(user),
            world.amqps,
            world.ca.display()
        )
    };
    // Through our own connection, so that it is known to work before refusals are believed.
    for rights in RIGHTS {
        let mut config = BrokerConfig::new(url(rights.user), PREFIX, "matrix");
        config.declare = false;
        let broker = Broker::connect(&config).await.unwrap();
        broker.declare().await.unwrap();
        broker.close().await.unwrap();
    }
    let plain = world.servers.url("KPILINE_TEST_AMQP_URL");
    let plain = plain.split_once('@').unwrap().1;
    for rights in RIGHTS {
        let user = rights.user;
        let uri = format!("amqp://{user}:{}@{plain}", password(user));
        let connection = Connection::connect(&uri, ConnectionProperties::default())
            .await
            .unwrap();
        for queue in Queue::ALL {
            let (name, exchange) = (queue.name(PREFIX), queue.exchange(PREFIX));
            let about = format!("{user} and {name}");
            assert_eq!(
                published(&connection, &exchange, &name).await,
                rights.publishes.contains(&queue),
                "{about}: publishing"
            );
            assert!(
                !published(&connection, "", &name).await,
                "{about}: publishing past the exchanges"
            );
            let taken = attempt(&connection, async |channel| {
                channel
                    .basic_get(name.as_str().into(), BasicGetOptions { no_ack: false })
                    .await
            })
            .await;
            assert_eq!(
                taken,
                rights.consumes.contains(&queue),
                "{about}: consuming"
            );
            let deleted = attempt(&connection, async |channel| {
                let options = QueueDeleteOptions {
                    if_unused: false,
                    if_empty: false,
                    nowait: false,
                };
                channel.queue_delete(name.as_str().into(), options).await
            })
            .await;
            assert!(!deleted, "{about}: deleting");
            for other in Queue::ALL {
                let bound = attempt(&connection, async |channel| {
                    channel
                        .queue_bind(
                            name.as_str().into(),
                            other.exchange(PREFIX).as_str().into(),
                            "x".into(),
                            QueueBindOptions { nowait: false },
                            FieldTable::default(),
                        )
                        .await
                })
                .await;
                assert!(!bound, "{about}: binding it to {other}");
            }
        }
        for name in ["kpiline.more", "other", "kpiline.raw"] {
            let queue = attempt(&connection, async |channel| {
                channel
                    .queue_declare(
                        name.into(),
                        QueueDeclareOptions::durable(),
                        FieldTable::default(),
                    )
                    .await
            })
            .await;
            assert!(!queue, "{user}: declaring queue {name}");
            let exchange = attempt(&connection, async |channel| {
                channel
                    .exchange_declare(
                        name.into(),
                        ExchangeKind::Fanout,
                        ExchangeDeclareOptions::default(),
                        FieldTable::default(),
                    )
                    .await
            })
            .await;
            assert!(!exchange, "{user}: declaring exchange {name}");
        }
        connection.close(200, "OK".into()).await.unwrap();
    }
}
