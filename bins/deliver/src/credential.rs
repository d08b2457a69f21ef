//! What all targets with the same credential share: the token and the quota.
//!
//! There is no leader among replicas: all of them push. Each value's order is kept by its row, which one process at a time has under
//! a lease; the limit is kept by the budget that all processes share ([`StoreKeeper`]). So where a platform answers slowly, another
//! replica adds throughput up to the limit, and when one dies the others go on without a pause. What a leader gave beside that, one
//! token for a credential, is worth less: platforms hand out several, and the budget counts for all of them together.

use crate::targets::Target;
use access::StoreKeeper;
use platform::budget::shared::Shared;
use platform::token::Tokens;
use store::Store;
use store::budgets::Class;

/// One credential.
#[derive(Debug)]
pub struct Credential {
    /// Its bearer token.
    pub tokens: Tokens,
    /// Its quota.
    pub quota: Shared<StoreKeeper>,
}

impl Credential {
    /// Of a target; others with the same [`Target::credential`] share it.
    pub fn new(target: &Target, store: Store) -> anyhow::Result<Self> {
        let name = target.credential();
        let keeper = StoreKeeper::new(store, name.clone(), Class::Deliver);
        Ok(Self {
            tokens: Tokens::of(target.grant.clone(), target.timeouts)?,
            quota: Shared::new(keeper, name, target.limit)?,
        })
    }
}
