//! What there is to read: addresses, their parameters, and who answers.

use super::access::Access;
use super::answer::Answer;
use super::problem::Problem;
use super::query::{Parameter, Query};
use super::{Context, jobs, kpis, metrics, status, sync, windows};
use schemars::{Schema, SchemaGenerator};

/// Where the API begins.
pub const ROOT: &str = "/api/v1/";

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Values of single interactions and legs.
    Metrics,
    /// Values over windows of local time.
    Windows,
    /// What KPIs there are.
    Kpis,
    /// How far the figures can be trusted now.
    Status,
    /// Backfill jobs.
    Jobs,
    /// Where metrics are pushed to.
    Sync,
    /// Values that platforms refused.
    SyncRefused,
    /// Every attempt at every value.
    SyncLog,
}

/// A request to one.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Who asks.
    pub access: &'a Access,
    /// The parameters.
    pub query: &'a Query,
    /// The parameters as they came.
    pub text: &'a str,
}

/// What is said of a resource.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Behind [`ROOT`].
    pub path: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Some more.
    pub description: &'static str,
    /// What may be asked.
    pub parameters: &'static [Parameter],
    /// What is answered.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Metrics,
        Self::Windows,
        Self::Kpis,
        Self::Status,
        Self::Jobs,
        Self::Sync,
        Self::SyncRefused,
        Self::SyncLog,
    ];

    /// What is said of it.
    #[must_use]
    pub const fn about(self) -> About {
        match self {
            Self::Metrics => metrics::ABOUT,
            Self::Windows => windows::ABOUT,
            Self::Kpis => kpis::ABOUT,
            Self::Status => status::ABOUT,
            Self::Jobs => jobs::ABOUT,
            Self::Sync => sync::ABOUT,
            Self::SyncRefused => sync::REFUSED,
            Self::SyncLog => sync::LOG,
        }
    }

    /// The one at a path.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        let path = path.strip_prefix(ROOT)?;
        Self::ALL
            .into_iter()
            .find(|resource| resource.about().path == path)
    }

    /// Its whole path.
    #[must_use]
    pub fn path(self) -> String {
        format!("{ROOT}{}", self.about().path)
    }

    /// Answers.
    pub async fn answer(self, context: &Context, asked: Asked<'_>) -> Result<Answer, Problem> {
        match self {
            Self::Metrics => metrics::answer(context, asked).await,
            Self::Windows => windows::answer(context, asked).await,
            Self::Kpis => kpis::answer(context, asked).await,
            Self::Status => status::answer(context, asked).await,
            Self::Jobs => jobs::answer(context, asked).await,
            Self::Sync => sync::targets(context, asked).await,
            Self::SyncRefused => sync::refused(context, asked).await,
            Self::SyncLog => sync::log(context, asked).await,
        }
    }
}
