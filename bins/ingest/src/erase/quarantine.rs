//! The quarantine has no column that says whom an item is about, for that could not be read: its bytes are looked through.

use super::identity::Spelling;
use crate::raw_bytes::opened;
use runtime::seal::SealKeys;
use std::collections::BTreeSet;
use store::erasures::Subject;
use store::quarantine::{self, WithBytes};
use store::{Store, StoreError};

/// Items opened at a time.
const AT_ONCE: u32 = 200;

/// What is looked for: interactions' ids, the customer's key, the identity as it was given.
#[derive(Debug)]
pub(super) struct Needles(BTreeSet<Vec<u8>>);

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Items about them.
    pub(super) items: Vec<i64>,
    /// Held bodies that are not split into items: what is others' in them would go too, so somebody has to decide about them first.
    pub(super) bodies: Vec<i64>,
    /// What could not be opened, for want of its key.
    pub(super) unopened: Vec<i64>,
}

impl Needles {
    pub(super) fn new(
        spellings: &[Spelling],
        subject: Subject<'_>,
        interactions: &[String],
    ) -> Self {
        let (Subject::Customer(text) | Subject::Interaction(text)) = subject;
        let texts = spellings.iter().map(Spelling::as_str);
        let texts = texts.chain(interactions.iter().map(String::as_str));
        Self(
            texts
                .chain([text])
                .filter(|text| !text.is_empty())
                .map(|text| text.as_bytes().to_vec())
                .collect(),
        )
    }

    /// Whether one of them stands there as a word of its own: `17` is not found in `2017`.
    fn are_in(&self, bytes: &[u8]) -> bool {
        self.0.iter().any(|needle| {
            bytes
                .windows(needle.len())
                .enumerate()
                .filter(|(_, window)| window == needle)
                .any(|(at, _)| {
                    let before = at.checked_sub(1).and_then(|at| bytes.get(at));
                    let after = bytes.get(at + needle.len());
                    ![before, after]
                        .into_iter()
                        .flatten()
                        .any(u8::is_ascii_alphanumeric)
                })
        })
    }
}

/// Looks through everything of the organisation that still has its bytes.
pub(super) async fn search(
    store: &Store,
    tenant: &str,
    needles: &Needles,
    keys: Option<&SealKeys>,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let mut after = 0;
    loop {
        let client = store.client().await?;
        let items = quarantine::with_bytes(&client, tenant, after, AT_ONCE).await?;
        let Some(last) = items.last() else {
            return Ok(found);
        };
        after = last.id;
        drop(client);
        for item in items {
            found.sort(item, needles, keys);
        }
    }
}

impl Found {
    fn sort(&mut self, item: WithBytes, needles: &Needles, keys: Option<&SealKeys>) {
        let WithBytes {
            id,
            tenant,
            subscription,
            delivery_id,
            item_index,
            held,
            raw,
            stage,
        } = item;
        let whole = item_index < 0 || stage == "compute";
        match opened(raw, keys, &tenant, &subscription, delivery_id) {
            Err(_) => self.unopened.push(id),
            Ok(bytes) if !needles.are_in(&bytes) => {}
            Ok(_) if held && whole => self.bodies.push(id),
            Ok(_) => self.items.push(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_found_as_a_word_and_not_within_one() {
        let needles = Needles::new(&[], Subject::Interaction("17"), &["17".to_owned()]);
        for found in [&b"{\"id\":17}"[..], b"17", b"a,17,b", b"\"17\""] {
            assert!(needles.are_in(found), "{found:?}");
        }
        for other in [&b"2017"[..], b"17a", b"{\"id\":171}", b""] {
            assert!(!needles.are_in(other), "{other:?}");
        }
        // A later mention counts where the first is none.
        assert!(needles.are_in(b"2017 and 17"));
    }
}
