//! What a batch does about personal data: the raw bytes are sealed before they reach the store, what was erased is not linked again. Pure
//! but for the salt of a batch.

use super::plan::Plan;
use super::recent::Known;
use runtime::seal::{RawPlace, SealError, SealKeys};
use schema::RawDelivery;
use std::borrow::Cow;

impl Plan<'_> {
    /// Puts the envelope in the place of the raw bytes of everything that is to be logged or quarantined; `known` says of each item
    /// whether it is a copy, whose bytes nobody will store.
    ///
    /// The envelope belongs to the delivery, which log and quarantine state alike: what the log refuses can rest in quarantine as it is.
    pub fn seal(&mut self, keys: &SealKeys, known: &[Known]) -> Result<(), SealError> {
        let mut sealer = keys.sealer()?;
        let stored = self.items.iter_mut().zip(known);
        for (item, _) in stored.filter(|(_, known)| **known != Known::Copy) {
            if let Some(origin) = self.origins.get(item.origin) {
                item.raw = Cow::Owned(sealer.seal(&place(origin.delivery), &item.raw)?);
            }
        }
        for bad in &mut self.refused {
            if let Some(origin) = self.origins.get(bad.origin) {
                bad.raw = Cow::Owned(sealer.seal(&place(origin.delivery), &bad.raw)?);
            }
        }
        self.raw_key = Some(sealer.key_id().to_owned());
        Ok(())
    }

    /// Takes the customer's key away from these items: copies of what was erased on request.
    pub fn forget_customers(&mut self, erased: &[usize]) {
        for index in erased {
            if let Some(item) = self.items.get_mut(*index) {
                item.mapped.stated.forget_customer();
            }
        }
    }
}

fn place(delivery: &RawDelivery) -> RawPlace<'_> {
    RawPlace {
        tenant: delivery.tenant.as_str(),
        subscription: delivery.subscription.as_str(),
        delivery: delivery.id.0.into_bytes(),
    }
}
