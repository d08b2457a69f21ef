//! Paths to subscriptions, prepared once so that a request finds everything it needs with one look-up.

use crate::auth::Authentication;
use crate::subscriptions::Subscriptions;
use schema::{BodyFormat, SubscriptionName, TenantId};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// One subscription as a request needs it.
#[derive(Debug)]
pub struct Route {
    /// The subscription.
    pub name: SubscriptionName,
    /// Whose deliveries these are.
    pub tenant: TenantId,
    /// How bodies are read, later.
    pub format: BodyFormat,
    /// How deliveries prove to be genuine.
    pub authentication: Authentication,
    /// The largest body taken.
    pub max_body_bytes: usize,
}

/// All paths.
#[derive(Debug, Default)]
pub struct Routes(HashMap<String, Arc<Route>>);

impl Routes {
    /// Prepares the subscriptions. Those without authentication have no path: they could not be checked.
    pub fn new(subscriptions: Subscriptions) -> Self {
        let routes = subscriptions.list.into_iter().filter_map(|found| {
            let route = Route {
                name: found.name,
                tenant: found.tenant,
                format: found.format,
                authentication: found.authentication?,
                max_body_bytes: found.max_body_bytes,
            };
            Some((found.path, Arc::new(route)))
        });
        Self(routes.collect())
    }

    /// The subscription of a path, exactly as configured.
    pub fn get(&self, path: &str) -> Option<&Arc<Route>> {
        self.0.get(path)
    }

    /// How many paths there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no path at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The routes in force. Replaced as a whole when the file changes, so that a secret is rotated without a restart.
#[derive(Debug, Clone)]
pub struct LiveRoutes(Arc<RwLock<Arc<Routes>>>);

impl LiveRoutes {
    /// Starts with these.
    pub fn new(routes: Routes) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(routes))))
    }

    /// Those in force now.
    pub fn current(&self) -> Arc<Routes> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts others in force; requests under way keep the old ones.
    pub fn replace(&self, routes: Routes) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(routes);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::auth::hmac::{Hmac, Scheme};
    use crate::auth::{Require, Way};
    use hyper::header::HeaderName;

    /// One subscription at `/hooks/one`, 100 bytes at most, secret `s`.
    pub(crate) fn routes() -> Routes {
        let scheme = Scheme::plain(HeaderName::from_static("x-genesys-signature"));
        let way = Way::Hmac(Hmac::new(scheme, &[b"s".to_vec()]).unwrap());
        let route = Route {
            name: "one".into(),
            tenant: "acme".into(),
            format: BodyFormat::GenesysWebhook,
            authentication: Authentication::new(vec![way], Require::Any).unwrap(),
            max_body_bytes: 100,
        };
        Routes(HashMap::from([("/hooks/one".to_owned(), Arc::new(route))]))
    }

    #[test]
    fn replaced_routes_leave_those_in_use_alone() {
        let live = LiveRoutes::new(routes());
        let before = live.current();
        live.replace(Routes::default());
        assert!(before.get("/hooks/one").is_some());
        assert!(live.current().is_empty());
    }
}
