//! What all targets with the same credential share: the token and the quota.
//!
//! There is no leader among replicas: all of them push. Each value's order is kept by its row, which one process at a time has under
//! a lease; the limit is kept by the budget that all processes share ([`StoreKeeper`]). So where a platform answers slowly, another
//! replica adds throughput up to the limit, and when one dies the others go on without a pause. What a leader gave beside that, one
//! token for a credential, is worth less: platforms hand out several, and the budget counts for all of them together.

use crate::targets::Target;
use access::StoreKeeper;
use platform::api::{Access, Api};
use platform::budget::shared::Shared;
use platform::token::{Keyring, Tokens};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::Store;
use store::budgets::Class;

/// One credential.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Its bearer token: shared by all that name the same client with the same secret.
    pub tokens: Arc<Tokens>,
    /// Its quota: shared by all that name the same client, whatever its secret.
    pub quota: Arc<Shared<StoreKeeper>>,
}

impl Credential {
    /// An API that is asked as this credential and counts with it.
    pub fn api(&self, access: Access) -> anyhow::Result<Api> {
        Ok(Api::shared(
            access,
            self.tokens.clone(),
            self.quota.clone(),
        )?)
    }
}

/// All credentials of a process.
#[derive(Debug)]
pub struct Credentials {
    store: Store,
    keyring: Keyring,
    quotas: BTreeMap<String, Arc<Shared<StoreKeeper>>>,
}

impl Credentials {
    /// None yet.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            keyring: Keyring::default(),
            quotas: BTreeMap::new(),
        }
    }

    /// That of a target; others with the same [`Target::credential`] share its quota.
    pub fn of(&mut self, target: &Target) -> anyhow::Result<Credential> {
        let name = target.credential();
        let quota = if let Some(known) = self.quotas.get(&name) {
            known.clone()
        } else {
            let keeper = StoreKeeper::new(self.store.clone(), name.clone(), Class::Deliver);
            let quota = Arc::new(Shared::new(keeper, name.clone(), target.limit)?);
            self.quotas.insert(name, quota.clone());
            quota
        };
        let tokens = self.keyring.tokens(&target.grant, target.timeouts)?;
        Ok(Credential { tokens, quota })
    }
}
