//! One connection for each credential, however many subscriptions have it: a token belongs to the credential, and so does its quota.
//!
//! With the store the quota is the one that all processes share. A command that is run without it cannot know what the others send: it
//! keeps to a small part of what the file allows.

use crate::subscriptions::platform::{OpenError, Platform};
use platform::api::Api;
use std::collections::HashMap;
use std::sync::Arc;
use store::Store;

/// The APIs opened so far.
#[derive(Debug)]
pub struct Apis {
    store: Option<Store>,
    opened: HashMap<String, Arc<Api>>,
}

impl Apis {
    /// None is opened yet. The store has the budgets that all processes share.
    #[must_use]
    pub fn new(store: Option<Store>) -> Self {
        Self {
            store,
            opened: HashMap::new(),
        }
    }

    /// The API of a platform, or `None` where there is none or nobody to ask it.
    pub fn open(
        &mut self,
        platform: &Platform,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Arc<Api>>, OpenError> {
        let Some(key) = platform.credential(variable).map_err(OpenError::Secret)? else {
            return Ok(None);
        };
        if let Some(known) = self.opened.get(&key) {
            return Ok(Some(Arc::clone(known)));
        }
        let opened = platform.open(variable, self.store.as_ref())?.map(Arc::new);
        if let Some(api) = &opened {
            self.opened.insert(key, Arc::clone(api));
        }
        Ok(opened)
    }

    /// Opens anew next time: a secret may have been replaced.
    pub fn forget(&mut self, api: &Arc<Api>) {
        self.opened.retain(|_, known| !Arc::ptr_eq(known, api));
    }
}
