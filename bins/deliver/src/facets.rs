//! What the facts of interactions say that their metrics do not, for filters that ask for it.

use session::Session;
use std::collections::{BTreeSet, HashMap};
use store::sync::{Due, MetricKey};
use store::{Client, Store, StoreError, interactions};
use target::Facets;

/// Sessions are read so many at a time: they are far larger than what is kept of them.
const AT_ONCE: usize = 200;

/// Facets by organisation and interaction.
pub type FacetsOf = HashMap<(String, String), Facets>;

/// Looks them up for the interactions of these rows.
pub async fn of(store: &Store, rows: &[Due]) -> Result<FacetsOf, StoreError> {
    let keys = rows.iter().map(|row| &row.key);
    if keys.clone().all(|key| key.subject.interaction().is_none()) {
        return Ok(FacetsOf::new());
    }
    of_keys(&store.client().await?, keys).await
}

/// The same of the interactions of these keys. One that is gone, or whose state a later release wrote, has none.
pub async fn of_keys<'k>(
    client: &Client,
    keys: impl Iterator<Item = &'k MetricKey>,
) -> Result<FacetsOf, StoreError> {
    let keys: BTreeSet<(&str, &str)> = keys
        .filter_map(|key| Some((key.tenant.as_str(), key.subject.interaction()?)))
        .collect();
    let keys: Vec<(&str, &str)> = keys.into_iter().collect();
    let mut facets = FacetsOf::with_capacity(keys.len());
    for keys in keys.chunks(AT_ONCE) {
        let states = interactions::states(client, keys).await?;
        facets.extend(states.into_iter().map(|(tenant, interaction, state)| {
            let session = Session::from_json(&state).ok();
            let read = session.as_ref().map(read).unwrap_or_default();
            ((tenant, interaction), read)
        }));
    }
    Ok(facets)
}

fn read(session: &Session) -> Facets {
    let timeline = session.timeline();
    Facets {
        media: timeline.media().map(str::to_owned),
        direction: timeline
            .direction()
            .map(|direction| direction.name().to_owned()),
    }
}
