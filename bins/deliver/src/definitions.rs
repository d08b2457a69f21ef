//! The definitions of external metrics: found by name before the first push, and created where they are missing.
//!
//! Whoever creates holds an advisory lock for the credential meanwhile, so that two replicas that start together do not create the same
//! definition twice. Nothing is pushed before all of them are known; rows wait, and no row is blamed.

use crate::credential::Credential;
use crate::targets::Target;
use platform::api::{Access, Api, ApiError};
use platform::client::Method;
use std::collections::BTreeMap;
use std::time::Duration;
use store::leader::{Contender, Standing};
use store::{Store, StoreError};
use target::Adapter;
use target::external_metrics::ExternalMetrics;
use target::external_metrics::definitions::{
    Definition, DefinitionError, Known, PAGE_SIZE, PATH, plan,
};

/// Why the definitions are not known yet.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// What the platform has does not fit: somebody must look.
    #[error("the definitions on the platform do not fit the configuration")]
    Misfit(#[from] DefinitionError),
    /// The platform could not be asked.
    #[error("the platform could not be asked for definitions")]
    Platform(#[from] ApiError),
    /// PostgreSQL.
    #[error("the store did not do its part for the definitions")]
    Store(#[from] StoreError),
    /// Another process creates them.
    #[error("another process creates the definitions")]
    Elsewhere,
}

impl Trouble {
    /// How long to wait before asking again.
    #[must_use]
    pub fn wait(&self) -> Duration {
        match self {
            Self::Elsewhere => Duration::from_secs(1),
            Self::Misfit(_) | Self::Platform(_) | Self::Store(_) => Duration::from_secs(10),
        }
    }
}

/// Asks one target's platform.
#[derive(Debug)]
pub struct Definitions {
    api: Api,
    store: Store,
    lock: String,
    target: String,
}

impl Definitions {
    /// For this target, where it has definitions. Its requests are counted with all others of the credential.
    pub fn of(
        target: &Target,
        credential: &Credential,
        store: Store,
    ) -> anyhow::Result<Option<Self>> {
        match target.adapter {
            Adapter::ExternalMetrics(_) => Self::new(target, credential, store).map(Some),
            _ => Ok(None),
        }
    }

    fn new(target: &Target, credential: &Credential, store: Store) -> anyhow::Result<Self> {
        let access = Access {
            base: target.url.clone(),
            grant: target.grant.clone(),
            limit: target.limit,
            timeouts: target.timeouts,
            schedule: target.schedule,
        };
        Ok(Self {
            api: credential.api(access)?,
            store,
            lock: format!("external metrics of {}", target.credential()),
            target: target.name.clone(),
        })
    }

    /// The same metrics with the ids of their definitions.
    pub async fn resolve(&self, metrics: ExternalMetrics) -> Result<ExternalMetrics, Trouble> {
        let wanted = metrics.definitions();
        let mut found = plan(wanted, &self.known().await?)?;
        if !found.missing.is_empty() {
            let mut contender = Contender::new(self.store.clone(), self.lock.clone());
            if contender.standing().await? == Standing::Follows {
                return Err(Trouble::Elsewhere);
            }
            // Whoever held the lock a moment ago may have created them.
            found = plan(wanted, &self.known().await?)?;
            let created = self.create(wanted, &found.missing).await?;
            found.ids.extend(created);
        }
        for difference in &found.differences {
            tracing::warn!(
                target_name = self.target,
                difference,
                "a definition on the platform is not as it is configured"
            );
        }
        Ok(metrics.with_ids(found.ids))
    }

    async fn known(&self) -> Result<Vec<Known>, Trouble> {
        let path = format!("{PATH}?pageSize={PAGE_SIZE}");
        let entities = self.api.list(&path, "/entities", "/nextUri").await?;
        Ok(entities.iter().map(Known::read).collect::<Result<_, _>>()?)
    }

    async fn create(
        &self,
        wanted: &BTreeMap<String, Definition>,
        missing: &[String],
    ) -> Result<BTreeMap<String, String>, Trouble> {
        let mut ids = BTreeMap::new();
        for metric in missing {
            let Some(definition) = wanted.get(metric) else {
                continue;
            };
            let body = definition.create_body();
            let answer = self.api.call(Method::Post, PATH, Some(&body)).await?;
            let created = Known::read(&answer)?;
            tracing::info!(
                target_name = self.target,
                definition = created.name,
                id = created.id,
                "a definition was created"
            );
            ids.insert(metric.clone(), created.id);
        }
        Ok(ids)
    }
}
