//! What contacts and agents went through, one row per state.

use super::Cxone;
use crate::history::{HistoryError, Kind, Page, routes};
use schema::UtcMicros;

impl Cxone {
    /// One page of the states that contacts had in a half-open stretch of time. `GET contacts/state-history` [notes 2].
    pub async fn contact_states(
        &self,
        from: UtcMicros,
        to: UtcMicros,
        skip: u64,
        top: u32,
    ) -> Result<Page, HistoryError> {
        let path = self.paged("contacts/state-history", from, to, skip, top);
        self.rows(
            routes::CONTACTS_STATE_HISTORY,
            &path,
            Kind::ContactStates,
            "contacts' states",
        )
        .await
    }

    /// One page of the states that agents had in a half-open stretch of time. `GET agents/state-history` [notes 2].
    pub async fn agent_states(
        &self,
        from: UtcMicros,
        to: UtcMicros,
        skip: u64,
        top: u32,
    ) -> Result<Page, HistoryError> {
        let path = self.paged("agents/state-history", from, to, skip, top);
        self.rows(
            routes::AGENTS_STATE_HISTORY,
            &path,
            Kind::AgentStates,
            "agents' states",
        )
        .await
    }
}
