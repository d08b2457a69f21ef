//! Facts about interactions that were erased on request: they are folded as ever, but bring no customer back.
//!
//! Facts were under way, or an answer of the platform's history was, when the interaction was erased.

use super::Delta;
use std::collections::BTreeSet;
use store::{StoreError, Transaction, erasures};

/// Takes the customer from those of the folded facts whose interaction was erased. Ask after the catalogue's lock, which an erasure waits for
/// once it has marked its interactions.
pub(super) async fn forget_customers(
    tx: &Transaction<'_>,
    deltas: &mut [Delta<'_>],
) -> Result<(), StoreError> {
    let keys: Vec<(&str, &str)> = deltas
        .iter()
        .filter(|delta| delta.names_a_customer())
        .map(|delta| {
            let planned = delta.planned;
            (planned.tenant.as_str(), planned.interaction.as_str())
        })
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    let erased: BTreeSet<(String, String)> = erasures::marked(tx, &keys).await?;
    if erased.is_empty() {
        return Ok(());
    }
    for delta in deltas {
        if erased.contains(&delta.key())
            && let Some(forgotten) = delta.without_customer()
        {
            *delta = forgotten;
        }
    }
    Ok(())
}

impl<'a> Delta<'a> {
    fn names_a_customer(&self) -> bool {
        let mut details = self
            .planned
            .facts
            .iter()
            .filter_map(|fact| fact.statement.details.as_deref());
        details.any(|details| details.customer_key.is_some())
    }

    fn without_customer(&self) -> Option<Self> {
        let planned: &'a _ = self.planned;
        let facts = planned.facts.iter().cloned().map(|mut fact| {
            fact.statement.forget_customer();
            fact
        });
        Self::folded(planned, facts)
    }
}
