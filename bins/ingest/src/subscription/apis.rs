//! One connection for each credential, however many subscriptions have it: a token belongs to the credential, and so does its quota.

use crate::subscriptions::platform::{OpenError, Platform};
use platform::api::Api;
use std::collections::HashMap;
use std::sync::Arc;

/// The APIs opened so far.
#[derive(Debug, Default)]
pub struct Apis(HashMap<String, Arc<Api>>);

impl Apis {
    /// The API of a platform, or `None` where there is none or nobody to ask it.
    pub fn open(
        &mut self,
        platform: &Platform,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Arc<Api>>, OpenError> {
        let Some(key) = platform.credential(variable).map_err(OpenError::Secret)? else {
            return Ok(None);
        };
        if let Some(known) = self.0.get(&key) {
            return Ok(Some(Arc::clone(known)));
        }
        let opened = platform.open(variable)?.map(Arc::new);
        if let Some(api) = &opened {
            self.0.insert(key, Arc::clone(api));
        }
        Ok(opened)
    }

    /// Opens anew next time: a secret may have been replaced.
    pub fn forget(&mut self, api: &Arc<Api>) {
        self.0.retain(|_, known| !Arc::ptr_eq(known, api));
    }
}
