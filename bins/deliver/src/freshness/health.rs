//! Asks a platform how it is: its status page, or an endpoint of its API.
//!
//! One process at a time, by a named lease whose pause is the time between two questions: so not even many processes that come and go ask more
//! often. What is asked with a target's credentials takes part in that credential's budget like every other request.

use super::file::{HEALTH_EVERY_MIN, HealthSource, Watched};
use crate::credential::{Credential, Credentials};
use crate::targets::Target;
use anyhow::Context as _;
use freshness::health::{Said, Word, read};
use platform::api::{Access, Api, Call};
use platform::client::Client;
use runtime::chain;
use schema::JobId;
use std::time::Duration;
use store::named_leases::{self, Taken};
use store::platform_health::{self, Answer};
use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

/// How long one process has it: longer than an answer may take, its turn within the budget included.
const LEASE: Duration = Duration::from_secs(120);
/// What is asked, for limits and counters.
const ROUTE: &str = "health";
/// Bytes of an answer that are read: status pages of large platforms have hundreds of components.
const ANSWER_MAX: usize = 4 << 20;
/// When the store is away.
const AGAIN: Duration = Duration::from_secs(5);

/// Asks one platform.
#[derive(Debug)]
pub struct Asker {
    store: Store,
    tenant: String,
    name: String,
    source: HealthSource,
    way: Way,
    owner: String,
    stop: CancellationToken,
    failing: bool,
}

/// How it is asked.
#[derive(Debug)]
enum Way {
    /// As anybody may.
    Open(Client),
    /// With a credential, within its budget.
    Api(Box<Api>),
}

impl Asker {
    /// Of a platform that says how it is; `None`: this one does not.
    pub fn new(
        store: &Store,
        watched: &Watched,
        targets: &[Target],
        credentials: &mut Credentials,
        stop: CancellationToken,
    ) -> anyhow::Result<Option<Self>> {
        let Some(source) = watched.health.clone() else {
            return Ok(None);
        };
        let way = match &source.target {
            None => Way::Open(Client::new(&source.url, source.timeouts)?),
            Some(name) => {
                let target = targets
                    .iter()
                    .find(|target| target.name == *name)
                    .with_context(|| format!("there is no target {name:?}"))?;
                Way::Api(Box::new(with_credentials(
                    &credentials.of(target)?,
                    target,
                    &source,
                )?))
            }
        };
        Ok(Some(Self {
            store: store.clone(),
            tenant: watched.tenant.clone(),
            name: watched.name.clone(),
            source,
            way,
            owner: format!("deliver/{}/{}", std::process::id(), JobId::generate()),
            stop,
            failing: false,
        }))
    }

    /// Asks until told to stop.
    pub async fn run(mut self) -> anyhow::Result<()> {
        loop {
            let wait = match self.turn().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::debug!(platform = self.name, error = %chain(&error), "could not look whether the platform is to be asked");
                    AGAIN
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Asks, if it is time and nobody else does; says how long to wait then.
    async fn turn(&mut self) -> Result<Duration, StoreError> {
        let name = format!("health/{}/{}", self.tenant, self.name);
        let pause = self.source.every.max(HEALTH_EVERY_MIN);
        let client = self.store.client().await?;
        let taken = named_leases::take(&client, &name, &self.owner, LEASE, pause).await?;
        drop(client);
        if let Taken::No { retry_in } = taken {
            // It may be given up sooner than it says.
            return Ok(retry_in.min(AGAIN));
        }
        let answer = tokio::select! {
            () = self.stop.cancelled() => None,
            answer = self.ask() => Some(answer),
        };
        let client = self.store.client().await?;
        if let Some(answer) = answer {
            self.write(&client, answer).await?;
        }
        named_leases::release(&client, &name, &self.owner, pause).await?;
        Ok(AGAIN)
    }

    async fn write(
        &mut self,
        client: &store::Client,
        answer: Result<Said, String>,
    ) -> Result<(), StoreError> {
        let answered = match &answer {
            Ok(said) => Answer::Said {
                word: said.word.as_str(),
                text: &said.text,
            },
            Err(why) => Answer::Failed(why),
        };
        platform_health::put(client, &self.tenant, &self.name, answered).await?;
        let before = std::mem::replace(&mut self.failing, answer.is_err());
        if let Err(why) = &answer
            && !before
        {
            tracing::warn!(
                tenant = self.tenant,
                platform = self.name,
                why,
                "the platform does not say how it is"
            );
        }
        Ok(())
    }

    async fn ask(&self) -> Result<Said, String> {
        let url = &self.source.url;
        let answer = match &self.way {
            Way::Open(client) => client
                .get_open(url, ANSWER_MAX)
                .await
                .map_err(|error| chain(&error))?,
            Way::Api(api) => {
                let mut call = Call::get(ROUTE, url.as_str());
                call.longest = ANSWER_MAX;
                api.fetch(call).await.map_err(|error| chain(&error))?
            }
        };
        let status = answer.status;
        if self.source.maintenance_status.contains(&status) {
            return Ok(Said::new(Word::Maintenance, &format!("HTTP {status}")));
        }
        if !(200..300).contains(&status) {
            return Err(format!("HTTP {status}"));
        }
        read(&self.source.meaning, &answer.body).map_err(|error| error.to_string())
    }
}

fn with_credentials(
    credential: &Credential,
    target: &Target,
    source: &HealthSource,
) -> anyhow::Result<Api> {
    let mut base = source.url.clone();
    base.set_path("");
    base.set_query(None);
    credential.api(Access {
        base,
        grant: target.grant.clone(),
        limit: target.limit,
        timeouts: source.timeouts,
        schedule: target.schedule,
    })
}
