//! Against the platforms' double: the calls as both platforms know them, whole histories through them.

use double::config::History;
use double::config::{Contacts, Jobs, Pages};
use double::history::{Platform, truth};
use double::{Config, Double};
use platform::api::{Access, Api};
use platform::client::Timeouts;
use platform::history::cxone::{
    Contact, Cxone, Discovery, Extraction, ExtractionState, Report, TOKEN_BELIEVED, discover,
};
use platform::history::genesys::{Aggregates, Genesys, JobState, Query, Subject};
use platform::history::permissions::{self, Need, Right};
use platform::history::{HistoryError, Page};
use platform::limit::Limit;
use platform::retry::Schedule;
use platform::secret::Secret;
use platform::token::{Grant, Tokens};
use schema::{Millis, UtcMicros};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

const DAY: i64 = 86_400_000;
/// 2025-01-06T00:00:00Z.
const FROM: UtcMicros = UtcMicros::from_millis(1_736_121_600_000);

fn at(days: i64) -> UtcMicros {
    FROM.plus(Millis(days * DAY))
}

fn history() -> History {
    History {
        days: 2,
        conversations: 400,
        ..History::default()
    }
}

struct World {
    double: Double,
    grant: Grant,
    api: Arc<Api>,
}

async fn world(history: History) -> World {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let double = Double::start(Config {
        history: Some(history),
        ..Config::default()
    })
    .await
    .unwrap();
    let base = Url::parse(&double.url()).unwrap();
    let client = double::config::Client::default();
    let grant = Grant::ClientCredentials {
        url: base.join("/oauth/token").unwrap(),
        client_id: client.id,
        client_secret: Secret::new(client.secret),
    };
    let api = Api::new(Access {
        base,
        grant: grant.clone(),
        limit: Limit::new(60_000, Duration::from_secs(60), 100),
        timeouts: Timeouts::default(),
        schedule: Schedule {
            first: Duration::from_millis(10),
            longest: Duration::from_millis(50),
        },
    });
    World {
        double,
        grant,
        api: Arc::new(api.unwrap()),
    }
}

impl World {
    fn is_lawful(&self) {
        let violations = self.double.violations();
        assert!(violations.is_empty(), "{violations:?}");
    }
}

/// All conversations, each once, in spite of pages that overlap and a last one that hands out its own cursor (pitfall 1).
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_1_a_job_of_the_double_gives_every_conversation_and_ends() {
    let history = History {
        pages: Pages {
            repeat_cursor: true,
            overlap: 3,
            ..Pages::default()
        },
        ..history()
    };
    let world = world(history.clone()).await;
    let genesys = Genesys::new(world.api.clone());
    let subject = Subject::Conversations;
    let available = genesys.jobs_available_to(subject).await.unwrap();
    assert!(available >= at(2), "{available}");
    let id = genesys.submit_job(subject, at(0), at(2)).await.unwrap();
    let status = genesys.job(subject, &id).await.unwrap();
    assert_eq!(status.state, JobState::Fulfilled);
    let (mut found, mut records, mut cursor) = (BTreeSet::new(), 0, None);
    for pages in 0.. {
        assert!(pages < 20, "without an end");
        let page = genesys
            .job_page(subject, &id, cursor.as_deref(), 50)
            .await
            .unwrap();
        records += page.records();
        found.extend(page.heads);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let expected: BTreeSet<String> = truth(&history, Platform::Genesys, false, None)
        .map(|one| one.id)
        .collect();
    let ids: BTreeSet<String> = found.iter().map(|head| head.id.clone()).collect();
    assert_eq!(ids, expected);
    assert!(records > ids.len(), "pages overlapped");
    assert!(found.iter().all(|head| head.start >= Some(at(0))));
    genesys.cancel_job(subject, &id).await.unwrap();
    world.is_lawful();
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_fail_expire_or_are_too_many_are_told_apart() {
    let world = world(History {
        jobs: Jobs {
            fail_every: 2,
            queued_ms: 60_000,
            at_once: Some(1),
            too_many_status: 400,
            ..Jobs::default()
        },
        ..history()
    })
    .await;
    let genesys = Genesys::new(world.api.clone());
    let subject = Subject::Users;
    let id = genesys.submit_job(subject, at(0), at(1)).await.unwrap();
    let state = genesys.job(subject, &id).await.unwrap().state;
    assert_eq!(state, JobState::Queued);
    let error = genesys.submit_job(subject, at(1), at(2)).await.unwrap_err();
    assert!(matches!(error, HistoryError::TooSoon { .. }), "{error}");
    genesys.cancel_job(subject, &id).await.unwrap();
    let gone = genesys.job(subject, "no-such-job").await.unwrap_err();
    assert!(matches!(gone, HistoryError::Gone { .. }), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_look_ups_sums_and_users_are_answered() {
    let history = history();
    let world = world(history.clone()).await;
    let genesys = Genesys::new(world.api.clone());
    let query = |page| Query {
        from: at(0),
        to: at(1),
        page,
        page_size: 100,
    };
    let mut ids = BTreeSet::new();
    for page in 1.. {
        let found = genesys
            .query(Subject::Conversations, query(page))
            .await
            .unwrap();
        let names = found.heads.clone();
        ids.extend(names.into_iter().map(|head| head.id));
        if found.records() < 100 {
            break;
        }
    }
    let until = at(1).millis();
    let begun = truth(&history, Platform::Genesys, false, None)
        .filter(|one| one.start.0 < until)
        .count();
    assert_eq!(ids.len(), begun);

    let two: Vec<&str> = ids.iter().take(2).map(String::as_str).collect();
    assert_eq!(
        genesys
            .conversations(&two)
            .await
            .unwrap()
            .unwrap()
            .records(),
        2
    );
    let one = genesys.conversation(two[0]).await.unwrap().unwrap();
    assert_eq!(one.heads[0].id, two[0]);
    assert_eq!(genesys.conversation("unknown").await.unwrap(), None);

    let too_long = Query {
        to: at(8),
        ..query(1)
    };
    let error = genesys
        .query(Subject::Conversations, too_long)
        .await
        .unwrap_err();
    assert!(matches!(error, HistoryError::TooLong { .. }), "{error}");

    let sums = genesys
        .aggregates(Aggregates {
            from: at(0),
            to: at(2),
            granularity: Some("P1D"),
            zone: None,
            group_by: &["queueId"],
            metrics: &["nOffered", "tAnswered"],
            filter: None,
        })
        .await
        .unwrap();
    assert!(sums.iter().any(|one| one.metric == "nOffered"), "{sums:?}");
    assert!(genesys.conversations_counted(at(0), at(2)).await.unwrap() > 0);
    assert!(
        genesys
            .query(Subject::Users, query(1))
            .await
            .unwrap()
            .records()
            > 0
    );
    let mut users = Vec::new();
    for page in 1.. {
        let found = genesys.users(page).await.unwrap();
        users.extend(found.users);
        if !found.more {
            break;
        }
    }
    let ids: BTreeSet<&str> = users.iter().map(|user| user.id.as_str()).collect();
    assert_eq!((ids.len(), users.len()), (400, 400));
    assert!(users.iter().any(|user| user.state == "inactive"));
    world.is_lawful();
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_are_paged_by_number() {
    let history = History {
        contacts: Contacts {
            page_max: 100,
            ..Contacts::default()
        },
        ..history()
    };
    let world = world(history).await;
    let cxone = Cxone::new(world.api.clone(), 27);
    let total = cxone.contacts_total(at(0), at(2)).await.unwrap();
    assert!(total > 100, "{total}");
    let ids = |page: &Page| page.heads.clone().into_iter();
    let mut all = BTreeSet::new();
    loop {
        let skip = all.len() as u64;
        let page = cxone.contacts(at(0), at(2), skip, 100).await.unwrap();
        all.extend(ids(&page));
        if page.records() < 100 {
            break;
        }
    }
    assert_eq!(all.len() as u64, total);
    let first = all.first().unwrap();
    let Contact::Ended(one) = cxone.contact(&first.id).await.unwrap() else {
        panic!("{first:?}");
    };
    assert_eq!(ids(&one).next().unwrap().id, first.id);
    assert_eq!(cxone.contact("1").await.unwrap(), Contact::Unknown);
    let mut others = 0;
    for head in all.iter().take(100) {
        let made = cxone.contacts_made_of(&head.id).await.unwrap();
        others += made.len();
        let known = |id: &String| all.iter().any(|head| head.id == *id);
        assert!(made.iter().all(known), "{made:?}");
    }
    assert!(others > 0, "some were transferred");
    world.is_lawful();
}

#[tokio::test(flavor = "multi_thread")]
async fn states_reports_and_extractions_are_answered() {
    let world = world(history()).await;
    let cxone = Cxone::new(world.api.clone(), 27);
    let states = cxone.contact_states(at(0), at(1), 0, 100).await.unwrap();
    assert!(states.records() > 0);
    assert!(
        cxone
            .agent_states(at(0), at(1), 0, 100)
            .await
            .unwrap()
            .records()
            > 0
    );
    let nothing = cxone.contact_states(at(-9), at(-8), 0, 100).await.unwrap();
    assert_eq!(nothing.records(), 0);
    for report in [524, 544] {
        let found = cxone.report(report, at(0), at(1)).await.unwrap();
        let Report::Csv(csv) = found else {
            panic!("{found:?}");
        };
        assert!(csv.split(|byte| *byte == b'\n').count() > 2);
    }
    let asked = Extraction {
        entity: "recording-interaction-metadata",
        version: "1",
        from: at(0),
        to: at(1),
    };
    let id = cxone.submit_extraction(asked).await.unwrap();
    let ExtractionState::Ready(link) = cxone.extraction(&id).await.unwrap() else {
        panic!("a link");
    };
    let file = cxone.extraction_file(&link).await.unwrap();
    assert!(file.starts_with(b"contactId,"));
    world.is_lawful();
    let soon = cxone.submit_extraction(asked).await.unwrap_err();
    assert!(matches!(soon, HistoryError::TooSoon { .. }), "{soon}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenants_api_is_found() {
    let world = world(history()).await;
    let document = format!(
        "{}/.well-known/cxone-configuration?tenantId=11112222-3333-4444-5555-666677778888",
        world.double.url().trim_end_matches('/')
    );
    let discovery = Discovery::Configuration(Url::parse(&document).unwrap());
    let times = Timeouts::default();
    let tokens = Tokens::of(world.grant.clone(), times).unwrap();
    let found = discover(&discovery, &tokens, times, TOKEN_BELIEVED).await;
    let host = Url::parse(&world.double.url()).unwrap();
    assert_eq!(found.unwrap().origin(), host.origin());
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_rights_are_named() {
    let world = world(history()).await;
    let genesys = Genesys::new(world.api.clone());
    let cxone = Cxone::new(world.api.clone(), 27);
    let now = at(1);
    let of_genesys = [
        Need::Conversations,
        Need::ConversationAggregates,
        Need::UserDetails,
        Need::UserAggregates,
        Need::Workforce,
    ];
    let of_cxone = [
        Need::Contacts,
        Need::ContactStates,
        Need::AgentStates,
        Need::Extraction,
        Need::Sums,
        Need::Agents,
    ];
    for need in of_genesys {
        let right = permissions::genesys(&genesys, need, now).await;
        assert_eq!(right, Right::Granted, "{need:?}");
    }
    for need in of_cxone {
        let right = permissions::cxone(&cxone, need, now).await;
        assert_eq!(right, Right::Granted, "{need:?}");
    }
    world
        .double
        .administer(|admin| admin.permissions = Some(Vec::new()));
    for need in of_genesys {
        let right = permissions::genesys(&genesys, need, now).await;
        assert!(
            matches!(&right, Right::Missing { why } if why.contains(need.permission())),
            "{need:?}: {right:?}"
        );
    }
    for need in of_cxone {
        let right = permissions::cxone(&cxone, need, now).await;
        assert!(
            matches!(&right, Right::Missing { why } if why.contains("permission")),
            "{need:?}: {right:?}"
        );
    }
}
