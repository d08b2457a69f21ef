//! Which right is missing, found out with the cheapest call of each kind before a job begins.

use super::cxone::Cxone;
use super::genesys::{Aggregates, Genesys, Query, Subject};
use super::{HistoryError, routes};
use crate::api::{ApiError, Call, Remedy};
use schema::{Millis, UtcMicros};

/// What a job may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// Genesys: details jobs, details queries, single conversations.
    Conversations,
    /// Genesys: sums over conversations, for completeness and reconciliation.
    ConversationAggregates,
    /// Genesys: users' details.
    UserDetails,
    /// Genesys: the list of users.
    Users,
    /// Genesys: sums over users' statuses, for reconciliation.
    UserAggregates,
    /// Genesys: units and published schedules of workforce management.
    Workforce,
    /// CXone: completed contacts.
    Contacts,
    /// CXone: contacts' states.
    ContactStates,
    /// CXone: agents' states.
    AgentStates,
    /// CXone: data-download reports.
    Reports,
    /// CXone: data extraction.
    Extraction,
    /// CXone: sums per agent and skill, for reconciliation.
    Sums,
    /// CXone: the list of agents, and the export of schedules.
    Agents,
}

impl Need {
    /// What it is, in words.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Conversations => "conversations in detail",
            Self::ConversationAggregates => "conversation aggregates",
            Self::UserDetails => "users' presence and routing status",
            Self::Users => "the list of users",
            Self::UserAggregates => "sums over users' statuses",
            Self::Workforce => "units and schedules of workforce management",
            Self::Contacts => "completed contacts",
            Self::ContactStates => "contacts' state history",
            Self::AgentStates => "agents' state history",
            Self::Reports => "data-download reports",
            Self::Extraction => "data extraction",
            Self::Sums => "sums per agent and skill",
            Self::Agents => "agents and their schedules",
        }
    }

    /// The permission it takes, as the platform calls it. CXone's access keys have the role of the employee that owns them; the role's
    /// permissions are named as its pages do.
    #[must_use]
    pub const fn permission(self) -> &'static str {
        match self {
            Self::Conversations => "analytics:conversationDetail:view",
            Self::ConversationAggregates => "analytics:conversationAggregate:view",
            Self::UserDetails => "analytics:userDetail:view",
            Self::Users => "directory:user:view",
            Self::UserAggregates => "analytics:userAggregate:view",
            Self::Workforce => "wfm:publishedSchedule:view",
            Self::Contacts | Self::ContactStates | Self::AgentStates | Self::Sums => {
                "reporting API access in the role of the access key's owner"
            }
            Self::Reports => "data-download reports in the role of the access key's owner",
            Self::Extraction => "data extraction in the role of the access key's owner",
            Self::Agents => "Schedule Manager, view, and a view on the scheduling unit",
        }
    }
}

/// What became of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// It is there.
    Granted,
    /// It is missing.
    Missing {
        /// The platform's words.
        why: String,
    },
    /// The credential itself is refused.
    Refused {
        /// The platform's words.
        why: String,
    },
    /// Nobody knows: the platform could not be asked, or answered something else.
    Unknown {
        /// What happened.
        why: String,
    },
}

impl Right {
    /// Whether a job may begin.
    #[must_use]
    pub const fn is_granted(&self) -> bool {
        matches!(self, Self::Granted)
    }

    fn of<T>(answer: Result<T, HistoryError>) -> Self {
        let Err(error) = answer else {
            return Self::Granted;
        };
        // Whoever is told that there is too much, or nothing of the kind, may ask.
        let answered = matches!(
            error,
            HistoryError::Gone { .. }
                | HistoryError::TooSoon { .. }
                | HistoryError::Api(ApiError::NotFound { .. })
        );
        if answered || error.splits() {
            return Self::Granted;
        }
        let why = chain(&error);
        match &error {
            HistoryError::Api(ApiError::Forbidden { .. }) => Self::Missing { why },
            error if error.remedy() == Remedy::Credential => Self::Refused { why },
            _ => Self::Unknown { why },
        }
    }
}

/// An error with what it comes from.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        // A transparent error repeats its source's words.
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}

/// Asks a Genesys organisation for one need: one small call each. `now` is the time of asking; the minute an hour ago is looked at.
pub async fn genesys(genesys: &Genesys, need: Need, now: UtcMicros) -> Right {
    let (from, to) = minute(now);
    match need {
        Need::Conversations => {
            // Both ways need the same permission today; asked both, so that it shows if that changes.
            let jobs = Right::of(genesys.jobs_available_to(Subject::Conversations).await);
            if !jobs.is_granted() {
                return jobs;
            }
            Right::of(
                genesys
                    .query(
                        Subject::Conversations,
                        Query {
                            from,
                            to,
                            page: 1,
                            page_size: 1,
                        },
                    )
                    .await,
            )
        }
        Need::ConversationAggregates => Right::of(
            genesys
                .aggregates(Aggregates {
                    from,
                    to,
                    granularity: None,
                    zone: None,
                    group_by: &[],
                    metrics: &["nConversations"],
                    filter: None,
                })
                .await,
        ),
        Need::UserDetails => Right::of(
            genesys
                .query(
                    Subject::Users,
                    Query {
                        from,
                        to,
                        page: 1,
                        page_size: 1,
                    },
                )
                .await,
        ),
        Need::Users => Right::of(genesys.users(1).await),
        Need::UserAggregates => Right::of(
            genesys
                .user_aggregates(Aggregates {
                    from,
                    to,
                    granularity: None,
                    zone: None,
                    group_by: &["userId"],
                    metrics: &["tSystemPresence"],
                    filter: None,
                })
                .await,
        ),
        Need::Workforce => Right::of(genesys.business_units(1).await),
        other => elsewhere(other),
    }
}

/// Asks a CXone business unit for one need: one small call each.
pub async fn cxone(cxone: &Cxone, need: Need, now: UtcMicros) -> Right {
    let (from, to) = minute(now);
    match need {
        Need::Contacts => Right::of(cxone.contacts(from, to, 0, 1).await),
        Need::ContactStates => Right::of(cxone.contact_states(from, to, 0, 1).await),
        Need::AgentStates => Right::of(cxone.agent_states(from, to, 0, 1).await),
        Need::Reports => Right::of(cxone.reports_listed().await),
        Need::Sums => Right::of(cxone.agents_performance(from, to).await),
        Need::Agents => Right::of(cxone.agents(0, 1).await),
        // A job that cannot be: whoever may ask is told that it is not there.
        Need::Extraction => Right::of(
            cxone
                .extraction("00000000-0000-0000-0000-000000000000")
                .await,
        ),
        other => elsewhere(other),
    }
}

fn elsewhere(need: Need) -> Right {
    Right::Unknown {
        why: format!("this platform has no {}", need.what()),
    }
}

fn minute(now: UtcMicros) -> (UtcMicros, UtcMicros) {
    const MINUTE: i64 = 60_000;
    let to = now.plus(Millis(-60 * MINUTE));
    (to.plus(Millis(-MINUTE)), to)
}

impl Cxone {
    /// Whether reports may be asked for: lists the jobs there are. `GET report-jobs` [notes 2]. Starting a report is no cheap question.
    async fn reports_listed(&self) -> Result<(), HistoryError> {
        let path = self.path("report-jobs");
        self.api()
            .fetch(Call::get(routes::REPORT_JOB, &path))
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_whether_a_right_is_missing() {
        let of = |error: ApiError| Right::of::<()>(Err(error.into()));
        let why = String::new;
        assert!(matches!(
            of(ApiError::Forbidden { why: why() }),
            Right::Missing { .. }
        ));
        assert!(matches!(
            of(ApiError::Unauthorised { why: why() }),
            Right::Refused { .. }
        ));
        assert!(matches!(
            of(ApiError::Failed {
                hint: None,
                why: why()
            }),
            Right::Unknown { .. }
        ));
        let path = String::new();
        assert!(of(ApiError::NotFound { path, why: why() }).is_granted());
    }
}
