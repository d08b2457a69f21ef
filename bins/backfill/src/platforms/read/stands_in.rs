//! Which live subscriptions a platform stands in for.

use super::Reader;
use runtime::toml_file::{Section, is_plain};
use schema::SubscriptionName;
use std::collections::BTreeSet;

impl Reader<'_> {
    /// Names of subscriptions; none where nothing is said.
    pub(super) fn subscriptions(
        &mut self,
        section: Section<'_>,
        key: &str,
    ) -> Option<Vec<SubscriptionName>> {
        let (entries, _) = self.file.array(section, key)?;
        let mut found = Vec::new();
        for entry in entries {
            match entry.get_ref().as_str() {
                Some(text) if is_plain(text) => found.push(SubscriptionName::from(text)),
                _ => self.file.problem(
                    entry.span().start,
                    format_args!("`{key}`: the name of a subscription is a text without surrounding blanks and control characters"),
                ),
            }
        }
        Some(found)
    }

    /// Of several platforms of one organisation each has to say which subscriptions it stands in for: asked of the wrong one, a gap would
    /// be closed by nothing.
    pub(super) fn shares(&mut self) {
        let mut taken = BTreeSet::new();
        for index in 0..self.found.len() {
            let (one, at) = (&self.found[index], self.places[index]);
            let tenant = one.tenant.clone();
            let others = self.found.iter().filter(|other| other.tenant == tenant);
            if others.count() > 1 && one.stands_in_for.is_none() {
                let asked = one
                    .settlement
                    .as_ref()
                    .is_some_and(|settlement| settlement.gaps || settlement.lookups);
                if asked {
                    self.file.problem(
                        at,
                        format_args!(
                            "`{}` has several platforms: write which live subscriptions `{}` fetches the gaps and unfinished interactions of, \
                             such as stands_in_for = [\"events\"], or none of them, stands_in_for = []",
                            tenant.as_str(),
                            one.name
                        ),
                    );
                }
                self.found[index].stands_in_for = Some(Vec::new());
                continue;
            }
            for name in one.stands_in_for.iter().flatten() {
                if !taken.insert((tenant.clone(), name.clone())) {
                    self.file.problem(
                        at,
                        format_args!(
                            "another platform of `{}` stands in for `{}`, too",
                            tenant.as_str(),
                            name.as_str()
                        ),
                    );
                }
            }
        }
    }
}
