//! Where the pages of chunks come from.
//!
//! A source is a small state machine. All it knows between two steps is its cursor, which is kept with the chunk: [`step`] takes the
//! cursor, makes a call or two and says what is to happen. A page's cursor points behind it and is written once the page is
//! confirmed, so whoever takes the chunk over goes on there. No source waits by itself: it says for how long, and the chunk is
//! given back meanwhile. What the platforms' APIs look like is known to `platform::history` alone.

pub(crate) mod call;
pub(crate) mod counts;
mod cxone_extraction;
mod cxone_figures;
mod cxone_lookup;
mod cxone_report;
mod cxone_rows;
mod cxone_shifts;
mod distinct;
mod genesys_details;
mod genesys_figures;
mod genesys_lookup;
mod genesys_shifts;
mod memory;
mod outcome;
mod parts;
mod walk;
mod zone_days;

pub(crate) use call::{Breaker, Caller};
pub(crate) use genesys_details::{Left, left_by};
pub(crate) use memory::Memory;
pub(crate) use outcome::{Fault, Page, Step};

use crate::platforms::{CxoneSettings, Platform};
use crate::source::Source;
use cxone_rows::Rows;
use platform::history::HistoryError;
use platform::history::cxone::Cxone;
use platform::history::genesys::Genesys;
use schema::UtcMicros;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::atomic::{AtomicI64, Ordering};
use store::Store;
use store::chunks::Chunk;
use store::jobs::Job;

/// What a step is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) platform: &'a Platform,
    pub(crate) caller: &'a Caller,
    /// What this process knows about the platform.
    pub(crate) memory: &'a Memory,
    pub(crate) store: &'a Store,
    pub(crate) job: &'a Job,
    pub(crate) chunk: &'a Chunk,
    pub(crate) now: UtcMicros,
    /// Requests of this chunk that are not written yet.
    pub(crate) calls: &'a AtomicI64,
}

impl Ask<'_> {
    /// The platform's calls, where it is Genesys Cloud.
    async fn genesys(&self) -> Result<Genesys, Fault> {
        self.caller.api().await.map(Genesys::new)
    }

    /// The platform's calls, where it is CXone.
    async fn cxone(&self, settings: &CxoneSettings) -> Result<Cxone, Fault> {
        let api = self.caller.api().await?;
        Ok(Cxone::new(api, settings.api_version))
    }

    /// Makes one of these calls, if the platform is to be asked now.
    async fn answer<T>(
        &self,
        call: impl Future<Output = Result<T, HistoryError>>,
    ) -> Result<T, Fault> {
        let outcome = self.caller.ask(call).await?;
        self.counted(outcome)
    }

    /// Follows a link that an answer gave. It costs nothing of the budget, and what it leads to is not the platform.
    async fn file<T>(
        &self,
        call: impl Future<Output = Result<T, HistoryError>>,
    ) -> Result<T, Fault> {
        let outcome = call.await;
        self.counted(outcome)
    }

    fn counted<T>(&self, outcome: Result<T, HistoryError>) -> Result<T, Fault> {
        if outcome.as_ref().err().is_none_or(call::was_sent) {
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        outcome.map_err(|error| call::fault(&error))
    }
}

/// One step of a chunk of a platform's history.
pub(crate) async fn step(
    source: Source,
    ask: &Ask<'_>,
    cursor: Option<&str>,
) -> Result<Step, Fault> {
    match source {
        Source::GenesysConversations => {
            genesys_details::step(&genesys_details::CONVERSATIONS, ask, cursor).await
        }
        Source::GenesysUsers => genesys_details::step(&genesys_details::USERS, ask, cursor).await,
        Source::GenesysLookup => genesys_lookup::step(ask, cursor).await,
        Source::CxoneContacts => cxone_rows::step(Rows::Contacts, ask, cursor).await,
        Source::CxoneContactStates => cxone_rows::step(Rows::ContactStates, ask, cursor).await,
        Source::CxoneAgentStates => cxone_rows::step(Rows::AgentStates, ask, cursor).await,
        Source::CxoneLookup => cxone_lookup::step(ask, cursor).await,
        Source::CxoneReport => cxone_report::step(ask, cursor).await,
        Source::CxoneExtraction => cxone_extraction::step(ask, cursor).await,
        Source::GenesysFigures => genesys_figures::step(ask, cursor).await,
        Source::GenesysShifts => genesys_shifts::step(ask, cursor).await,
        Source::CxoneFigures => cxone_figures::step(ask, cursor).await,
        Source::CxoneShifts => cxone_shifts::step(ask, cursor).await,
        // These ask nobody's API: see `replay` and `import`.
        Source::Replay | Source::Files => Err(Fault::refused(format!(
            "a job of kind {source} is not fetched from a platform"
        ))),
    }
}

/// The cursor as it was kept; a chunk that nobody has begun may have none.
fn read<C: DeserializeOwned + Default>(cursor: Option<&str>) -> Result<C, Fault> {
    cursor.map_or_else(
        || Ok(C::default()),
        |text| {
            serde_json::from_str(text).map_err(|error| {
                Fault::refused(format!("the chunk's cursor cannot be read: {error}"))
            })
        },
    )
}

/// The cursor as it is kept.
fn kept<C: Serialize>(cursor: &C) -> Result<String, Fault> {
    serde_json::to_string(cursor)
        .map_err(|error| Fault::refused(format!("the chunk's cursor cannot be written: {error}")))
}

/// A member of the job's parameters.
fn parameter<T: DeserializeOwned>(job: &Job, name: &str) -> Result<Option<T>, Fault> {
    let unreadable =
        |error: serde_json::Error| Fault::refused(format!("the job's parameter {name}: {error}"));
    let params: Value = serde_json::from_str(&job.params_json).map_err(unreadable)?;
    match params.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value.clone())
            .map(Some)
            .map_err(unreadable),
    }
}
