//! What a command asks a platform before a job begins: whether the credential has the rights, up to when there are data, and how much there is.
//! A few small requests; the history itself is fetched by workers.

use crate::platforms::{Kind, Platform};
use crate::source::{Source, Vendor};
use access::StoreKeeper;
use anyhow::Context as _;
use platform::api::Api;
use platform::budget::Budget;
use platform::budget::shared::Shared;
use platform::history::HistoryError;
use platform::history::cxone::{Cxone, TOKEN_BELIEVED, discover};
use platform::history::genesys::{Genesys, Subject};
use platform::history::permissions::{self, Need, Right};
use platform::limit::Limiter;
use platform::token::Keyring;
use schema::UtcMicros;
use std::sync::Arc;
use store::Store;
use store::budgets::Class;

/// What is sampled of a long stretch to guess how much the whole of it holds: the platforms do not count more in one answer.
const SAMPLE: i64 = 30 * 86_400_000_000;

/// One platform, to be asked.
pub(crate) enum Asker {
    Genesys(Genesys),
    Cxone(Cxone),
}

/// What a platform of this kind can be asked for at all.
pub(crate) const fn needs_of(vendor: Vendor) -> &'static [Need] {
    match vendor {
        Vendor::Genesys => &[
            Need::Conversations,
            Need::ConversationAggregates,
            Need::UserDetails,
            Need::Users,
            Need::UserAggregates,
            Need::Workforce,
        ],
        Vendor::Cxone => &[
            Need::Contacts,
            Need::ContactStates,
            Need::AgentStates,
            Need::Reports,
            Need::Extraction,
            Need::Sums,
            Need::Agents,
        ],
    }
}

/// What only comparisons need: who makes none may well do without workforce management.
pub(crate) const fn is_of_comparisons(need: Need) -> bool {
    matches!(
        need,
        Need::UserAggregates | Need::Workforce | Need::Sums | Need::Agents
    )
}

/// What a source cannot do without.
pub(crate) const fn needs(source: Source) -> &'static [Need] {
    match source {
        Source::GenesysConversations => &[Need::Conversations, Need::ConversationAggregates],
        Source::GenesysUsers => &[Need::UserDetails],
        Source::GenesysLookup => &[Need::Conversations],
        Source::CxoneContacts | Source::CxoneLookup => &[Need::Contacts],
        Source::CxoneContactStates => &[Need::ContactStates],
        Source::CxoneAgentStates => &[Need::AgentStates],
        Source::CxoneReport => &[Need::Reports],
        Source::CxoneExtraction => &[Need::Extraction],
        Source::GenesysFigures => &[Need::ConversationAggregates, Need::UserAggregates],
        Source::GenesysShifts => &[Need::Workforce],
        Source::CxoneFigures => &[Need::Sums],
        Source::CxoneShifts => &[Need::Agents],
        Source::Replay | Source::Files => &[],
    }
}

impl Asker {
    /// Nothing is sent yet, but where the base URL has to be found out. With a store its questions are within the budget that all processes
    /// share, without one within a fifth of the credential's limit: others may be at work with it.
    pub(crate) async fn of(
        platform: &Platform,
        store: Option<&Store>,
        keyring: &Keyring,
    ) -> anyhow::Result<Self> {
        let mut access = platform.access.clone();
        let tokens = keyring
            .tokens(&access.grant, access.timeouts)
            .context("the platform's tokens")?;
        if let Kind::Cxone(settings) = &platform.kind
            && let Some(discovery) = settings.base.discovery()
        {
            access.base = discover(&discovery, &tokens, access.timeouts, TOKEN_BELIEVED)
                .await
                .with_context(|| format!("find out where the API of {} is", platform.name))?;
        }
        let budget: Arc<dyn Budget> = match store {
            None => Arc::new(Limiter::new(access.limit.alone())?),
            Some(store) => {
                let credential = platform.credential.clone();
                let keeper = StoreKeeper::new(store.clone(), credential, Class::Backfill);
                Arc::new(Shared::new(keeper, &platform.credential, access.limit)?)
            }
        };
        let api = Api::shared(access, tokens, budget).context("the platform's API")?;
        let api = Arc::new(api);
        Ok(match &platform.kind {
            Kind::Genesys(_) => Self::Genesys(Genesys::new(api)),
            Kind::Cxone(settings) => Self::Cxone(Cxone::new(api, settings.api_version)),
        })
    }

    /// Whether the credential may do this.
    pub(crate) async fn right(&self, need: Need, now: UtcMicros) -> Right {
        match self {
            Self::Genesys(genesys) => permissions::genesys(genesys, need, now).await,
            Self::Cxone(cxone) => permissions::cxone(cxone, need, now).await,
        }
    }

    /// Up to when asynchronous jobs have data; `None` where the source has no such date.
    pub(crate) async fn available_to(
        &self,
        source: Source,
    ) -> Result<Option<UtcMicros>, HistoryError> {
        match (self, subject(source)) {
            (Self::Genesys(genesys), Some(subject)) => {
                genesys.jobs_available_to(subject).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Has the platform let an asynchronous job go that nobody waits for any more: it counts among those that may be open at a time.
    pub(crate) async fn cancel(&self, source: Source, id: &str) -> Result<(), HistoryError> {
        match (self, subject(source)) {
            (Self::Genesys(genesys), Some(subject)) => genesys.cancel_job(subject, id).await,
            _ => Ok(()),
        }
    }

    /// How many records the platform counts in a stretch, or guesses by its last month; `None` where it does not count them.
    pub(crate) async fn records(
        &self,
        source: Source,
        (from, to): (UtcMicros, UtcMicros),
        now: UtcMicros,
    ) -> Result<Option<u64>, HistoryError> {
        // What lies ahead holds nothing yet: what is there says how much there will be.
        let end = to.min(now);
        let begin = from.max(UtcMicros(end.0.saturating_sub(SAMPLE)));
        if begin >= end {
            return Ok(None);
        }
        let counted = match (self, source) {
            (Self::Genesys(genesys), Source::GenesysConversations) => {
                genesys.conversations_counted(begin, end).await?
            }
            (Self::Cxone(cxone), Source::CxoneContacts) => cxone.contacts_total(begin, end).await?,
            _ => return Ok(None),
        };
        Ok(Some(scaled(counted, (begin, end), (from, to))))
    }
}

/// What the asynchronous jobs of a source are about; none: it has none.
const fn subject(source: Source) -> Option<Subject> {
    match source {
        Source::GenesysConversations => Some(Subject::Conversations),
        Source::GenesysUsers => Some(Subject::Users),
        _ => None,
    }
}

/// As much in the whole as in the part.
fn scaled(counted: u64, part: (UtcMicros, UtcMicros), whole: (UtcMicros, UtcMicros)) -> u64 {
    let length = |(from, to): (UtcMicros, UtcMicros)| u128::from(to.0.abs_diff(from.0)).max(1);
    let product = u128::from(counted) * length(whole);
    u64::try_from(product.div_ceil(length(part))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_of_a_source_is_one_that_its_platform_is_asked_for() {
        for source in Source::ALL {
            let Some(vendor) = source.vendor() else {
                assert!(needs(source).is_empty());
                continue;
            };
            assert!(!needs(source).is_empty());
            assert!(
                needs(source)
                    .iter()
                    .all(|need| needs_of(vendor).contains(need))
            );
        }
    }

    #[test]
    fn a_part_stands_for_the_whole() {
        let at = |day: i64| UtcMicros(day * 86_400_000_000);
        assert_eq!(scaled(300, (at(60), at(90)), (at(0), at(90))), 900);
        assert_eq!(scaled(7, (at(0), at(1)), (at(0), at(1))), 7);
    }
}
