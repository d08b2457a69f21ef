//! A folded session → the columns that are kept beside it, and its metrics. Pure.

use crate::catalogue::Active;
use kpi::{MetricValue, Subject};
use schema::{CustomerKey, InteractionId, TenantId, UtcMicros};
use session::Session;
use store::interactions::Status;

/// What is stored of a session besides its facts, so that SQL need not look into them.
#[derive(Debug)]
pub struct Columns {
    /// The first instant on the timeline.
    pub started_at: Option<UtcMicros>,
    /// When the interaction ended, where a source says so.
    pub ended_at: Option<UtcMicros>,
    /// How far it has come.
    pub status: Status,
    /// The customer.
    pub customer_key: Option<CustomerKey>,
}

/// The columns of a session.
pub fn columns(session: &Session) -> Columns {
    let timeline = session.timeline();
    Columns {
        started_at: timeline.start(),
        ended_at: timeline.ended_at(),
        status: match timeline.status() {
            session::Status::Open => Status::Open,
            session::Status::Completed | session::Status::Abandoned | session::Status::Missed => {
                Status::Terminal
            }
            session::Status::Overfull => Status::Overfull,
        },
        customer_key: timeline.customer_key().cloned(),
    }
}

/// The metrics of a session by these definitions of the catalogue; none before a terminal state, unless it was given up (`swept`).
pub fn metrics(
    tenant: &TenantId,
    interaction: &InteractionId,
    session: &Session,
    swept: bool,
    active: &Active,
    which: &[usize],
) -> Vec<MetricValue> {
    let timeline = session.timeline();
    let subject = Subject {
        tenant: tenant.as_str(),
        interaction: interaction.as_str(),
        timeline: &timeline,
        swept,
    };
    let mut metrics = Vec::new();
    active
        .catalogue
        .evaluate_some(which, &subject, &mut metrics);
    metrics
}
