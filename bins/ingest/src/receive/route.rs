//! Paths to subscriptions, prepared once so that a request finds everything it needs with one look-up.

use super::Limits;
use super::gate::Gate;
use crate::auth::Authentication;
use crate::subscriptions::{Subscriptions, Transport};
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
    /// How its bodies are wrapped, and its handshakes.
    pub transport: Transport,
    /// What it may take of the whole.
    pub gate: Arc<Gate>,
}

/// All paths.
#[derive(Debug, Default)]
pub struct Routes(HashMap<String, Arc<Route>>);

impl Routes {
    /// Prepares the subscriptions. Those without authentication have no path: they could not be checked.
    pub fn new(subscriptions: Subscriptions, limits: &Limits) -> Self {
        let alone = subscriptions.list.len() == 1;
        let routes = subscriptions.list.into_iter().filter_map(|found| {
            let route = Route {
                name: found.name,
                tenant: found.tenant,
                format: found.format,
                authentication: found.authentication?,
                max_body_bytes: found.max_body_bytes,
                gate: Arc::new(Gate::new(found.transport.bounds, limits, alone)),
                transport: found.transport,
            };
            Some((found.path, Arc::new(route)))
        });
        Self(routes.collect())
    }

    /// The subscription of a path, exactly as configured.
    pub fn get(&self, path: &str) -> Option<&Arc<Route>> {
        self.0.get(path)
    }

    /// Takes over what is used of each subscription whose bounds are the same: a new secret is no reason to begin a new burst.
    fn inherit(&mut self, before: &Self) {
        for route in self.0.values_mut() {
            let same = before
                .0
                .values()
                .find(|old| old.name == route.name && old.gate.is_as(&route.gate));
            if let (Some(old), Some(route)) = (same, Arc::get_mut(route)) {
                route.gate = Arc::clone(&old.gate);
            }
        }
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
    pub fn replace(&self, mut routes: Routes) {
        let mut live = self.0.write().unwrap_or_else(PoisonError::into_inner);
        routes.inherit(&live);
        *live = Arc::new(routes);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::auth::hmac::{Hmac, Scheme};
    use crate::auth::{Require, Way};
    use crate::receive::gate::Bounds;
    use crate::receive::gate::tests::limits;
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
            transport: Transport::default(),
            gate: Arc::new(Gate::new(Bounds::default(), &limits(), true)),
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

    #[test]
    fn a_reload_keeps_what_is_used_of_bounds_that_stay() {
        let live = LiveRoutes::new(routes());
        let before = live.current();
        live.replace(routes());
        let gate = |routes: &Routes| Arc::clone(&routes.get("/hooks/one").unwrap().gate);
        assert!(Arc::ptr_eq(&gate(&before), &gate(&live.current())));
        let mut other = routes();
        let bounds = Bounds {
            at_once: Some(1),
            ..Bounds::default()
        };
        let route = Arc::get_mut(other.0.get_mut("/hooks/one").unwrap()).unwrap();
        route.gate = Arc::new(Gate::new(bounds, &limits(), true));
        live.replace(other);
        assert!(!Arc::ptr_eq(&gate(&before), &gate(&live.current())));
    }
}
