//! The read API: `/api/v1/…` as JSON, for dashboards, wallboards and scripts, on a listener of its own.
//!
//! A request passes these steps: [`server`] takes the connection within bounds, [`handler`] finds the [`resource`], [`access`] says who
//! asks ([`tokens`], of people [`session`]), [`query`] reads its parameters by the same table that [`openapi`] describes them from, the
//! resource's own file reads the store and answers ([`answer`]) or says what is wrong ([`problem`]). Pages go on behind a [`cursor`].
//!
//! Nothing here writes: the connections to the database are read-only, and the only thing that can be asked for is a backfill job ([`ask`]),
//! which goes to the broker. The status page ([`crate::page`]) is served beside it.

pub mod access;
pub mod answer;
pub mod args;
pub mod ask;
pub mod catalogue;
pub mod cursor;
pub mod handler;
pub mod jobs;
pub mod kpis;
pub mod metrics;
pub mod openapi;
pub mod problem;
pub mod query;
pub mod range;
pub mod resource;
pub mod server;
pub mod session;
pub mod standing;
pub mod status;
pub mod sync;
pub mod tokens;
pub mod values;
pub mod windows;

use crate::config::Config;
use crate::targets::Target;
use broker::BrokerConfig;
use catalogue::Catalogue;
use handler::Handler;
use runtime::{Service, Tasks};
use schema::UtcMicros;
use server::Server;
use session::Sessions;
use standing::Standings;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::Store;
use tokens::LiveTokens;

/// Whoever asks more often than this how everything stands is told what was counted last.
pub const COUNTED_EVERY: Duration = Duration::from_secs(3);

/// What every request is answered from.
#[derive(Debug)]
pub struct Context {
    /// PostgreSQL, read-only.
    pub store: Store,
    /// Who may read what.
    pub tokens: LiveTokens,
    /// Of people who have logged in to the page.
    pub sessions: Sessions,
    /// The KPIs and their versions, read once a change.
    pub catalogue: Catalogue,
    /// How everything stands, counted once for all who ask within a moment.
    pub standings: Standings,
    /// Where wishes for backfill jobs go; `None`: nowhere.
    pub broker: Option<BrokerConfig>,
    /// Which credentials push for an organisation: whose breakers and pauses are its business.
    pub credentials: BTreeMap<String, BTreeSet<String>>,
}

impl Context {
    /// Everything that is not read again while the process runs, and how often at most it is counted how everything stands.
    #[must_use]
    pub fn new(
        store: Store,
        tokens: LiveTokens,
        sessions: Sessions,
        targets: &[Target],
        broker: Option<BrokerConfig>,
        counted_every: Duration,
    ) -> Self {
        let mut credentials: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for target in targets {
            let of_tenant = credentials.entry(target.tenant.as_str().to_owned());
            of_tenant.or_default().insert(target.credential());
        }
        Self {
            store,
            tokens,
            sessions,
            catalogue: Catalogue::default(),
            standings: Standings::lasting(counted_every),
            broker,
            credentials,
        }
    }
}

/// Starts the read API and the page, where they are wanted; says where they are.
pub async fn start(
    config: &mut Config,
    service: &Service,
    tasks: &mut Tasks,
) -> anyhow::Result<Option<SocketAddr>> {
    let Some(settings) = config.api.take() else {
        tracing::info!("no --api-tokens: the read API and the status page are not served");
        return Ok(None);
    };
    let store = Store::connect(config.api_store(&settings)).await?;
    let tokens = LiveTokens::new(settings.tokens);
    let stop = service.shutdown.token();
    tasks.spawn(
        "tokens",
        tokens::reload::run(settings.file, tokens.clone(), stop.clone()),
    );
    let context = Context::new(
        store,
        tokens,
        settings.sessions,
        &config.targets,
        Some(config.broker()),
        COUNTED_EVERY,
    );
    let handler = Handler::new(context, service.metrics.clone());
    let server = Server::bind(settings.listen).await?;
    let address = server.address();
    tasks.spawn("api", server.serve(handler, stop));
    Ok(Some(address))
}

/// This machine's clock: for expiries, and for what a page calls now.
#[must_use]
pub fn now() -> UtcMicros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
