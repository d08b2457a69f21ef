//! What contacts and agents went through, one row per state.

use super::{Cxone, stretch};
use crate::api::{ApiError, Call};
use crate::history::genesys::escaped;
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

    /// All states of one contact; `None` where the platform does not have it. `GET contacts/{id}/state-history` [notes 2].
    pub async fn states_of_contact(&self, id: &str) -> Result<Option<Page>, HistoryError> {
        let path = self.path(&format!("contacts/{}/state-history", escaped(id)));
        self.states_of(routes::CONTACT_STATE_HISTORY, &path, Kind::ContactStates)
            .await
    }

    /// The states of one agent in a half-open stretch of time; `None` where the platform does not have the agent.
    /// `GET agents/{id}/state-history` [notes 2].
    pub async fn states_of_agent(
        &self,
        id: &str,
        from: UtcMicros,
        to: UtcMicros,
    ) -> Result<Option<Page>, HistoryError> {
        let path = self.path(&format!(
            "agents/{}/state-history?{}",
            escaped(id),
            stretch(from, to)
        ));
        self.states_of(routes::AGENT_STATE_HISTORY, &path, Kind::AgentStates)
            .await
    }

    async fn states_of(
        &self,
        route: &str,
        path: &str,
        kind: Kind,
    ) -> Result<Option<Page>, HistoryError> {
        match self.api.fetch(Call::get(route, path).of_history()).await {
            Ok(answer) => Ok(Some(Page::of(answer, kind, "a history of states")?)),
            Err(ApiError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn paged(&self, list: &str, from: UtcMicros, to: UtcMicros, skip: u64, top: u32) -> String {
        let top = top.clamp(1, super::CONTACTS_PAGE_MAX);
        self.path(&format!(
            "{list}?{}&skip={skip}&top={top}",
            stretch(from, to)
        ))
    }
}
