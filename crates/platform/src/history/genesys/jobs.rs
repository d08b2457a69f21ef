//! Details jobs, of conversations and of users: submitted, polled, read page by page.

use super::{Genesys, escaped};
use crate::api::{ApiError, Call};
use crate::client::Method;
use crate::history::{HistoryError, Kind, Page, routes};
use crate::instant::{self, interval};
use schema::UtcMicros;
use serde::Deserialize;
use serde_json::json;

/// What a details job is about. Both kinds have one protocol, and an availability of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Conversations: all whose life overlaps the interval, so that neighbours return some of them twice.
    Conversations,
    /// Users' presence and routing status. Stretches may stick out of the interval.
    Users,
}

impl Subject {
    const fn path(self) -> &'static str {
        match self {
            Self::Conversations => "/api/v2/analytics/conversations/details/jobs",
            Self::Users => "/api/v2/analytics/users/details/jobs",
        }
    }

    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Conversations => Kind::Conversations,
            Self::Users => Kind::Users,
        }
    }

    /// submit, status, results, cancel, availability.
    const fn routes(self) -> [&'static str; 5] {
        match self {
            Self::Conversations => [
                routes::DETAILS_JOB_SUBMIT,
                routes::DETAILS_JOB_STATUS,
                routes::DETAILS_JOB_RESULTS,
                routes::DETAILS_JOB_DELETE,
                routes::DETAILS_JOB_AVAILABILITY,
            ],
            Self::Users => [
                routes::USERS_JOB_SUBMIT,
                routes::USERS_JOB_STATUS,
                routes::USERS_JOB_RESULTS,
                routes::USERS_JOB_DELETE,
                routes::USERS_JOB_AVAILABILITY,
            ],
        }
    }
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// Not begun.
    Queued,
    /// Under way.
    Pending,
    /// Its results can be read.
    Fulfilled,
    /// It failed; submit it again.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// Its results are thrown away; submit it again.
    Expired,
    /// A state that is new to us.
    Other(String),
}

impl JobState {
    fn of(text: &str) -> Self {
        match text {
            "QUEUED" => Self::Queued,
            "PENDING" => Self::Pending,
            "FULFILLED" => Self::Fulfilled,
            "FAILED" => Self::Failed,
            "CANCELLED" => Self::Cancelled,
            "EXPIRED" => Self::Expired,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether the stretch must be submitted once more. A state that is new to us may be one on the way.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        matches!(self, Self::Failed | Self::Cancelled | Self::Expired)
    }
}

/// What the platform says about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStatus {
    /// How far it is.
    pub state: JobState,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was submitted.
    pub submitted_at: Option<UtcMicros>,
    /// When it was fulfilled.
    pub completed_at: Option<UtcMicros>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Submitted {
    job_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    state: String,
    error_message: Option<String>,
    submission_date: Option<String>,
    completion_date: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Availability {
    data_availability_date: String,
}

impl Genesys {
    /// Submits a job for a half-open stretch of time and gives its id.
    ///
    /// `POST …/details/jobs` with `interval`, `order`, `orderBy` → 202 `{jobId}` [notes 2.2]. Not repeated by anybody here: a second
    /// one would be a second job.
    pub async fn submit_job(
        &self,
        subject: Subject,
        from: UtcMicros,
        to: UtcMicros,
    ) -> Result<String, HistoryError> {
        let mut body = json!({"interval": interval(from, to)});
        if subject == Subject::Conversations {
            body["order"] = json!("asc");
            body["orderBy"] = json!("conversationStart");
        }
        let call = Call::post(subject.routes()[0], subject.path(), &body);
        let answer = self
            .api
            .fetch(call)
            .await
            .map_err(HistoryError::of_stretch)?;
        let submitted: Submitted = read(&answer.body, "a job's submission")?;
        Ok(submitted.job_id)
    }

    /// How far a job is. `GET …/details/jobs/{id}` [notes 2.2]. A job that the platform does not know (any more) is
    /// [`HistoryError::Gone`].
    pub async fn job(&self, subject: Subject, id: &str) -> Result<JobStatus, HistoryError> {
        let path = format!("{}/{}", subject.path(), escaped(id));
        let answer = self
            .api
            .fetch(Call::get(subject.routes()[1], &path))
            .await
            .map_err(|error| HistoryError::of_job(error, "the job"))?;
        let status: Status = read(&answer.body, "a job's state")?;
        let at = |text: Option<String>| text.as_deref().and_then(instant::parse);
        Ok(JobStatus {
            state: JobState::of(&status.state),
            error: status.error_message.filter(|text| !text.is_empty()),
            submitted_at: at(status.submission_date),
            completed_at: at(status.completion_date),
        })
    }

    /// One page of a job's results; `cursor` is [`Page::next`] of the page before.
    ///
    /// `GET …/details/jobs/{id}/results?cursor=&pageSize=` → `{conversations[], cursor?, dataAvailabilityDate}`; no cursor, or the one
    /// just used, is the end; an absent list is empty [notes 2.2; pitfall 1]. Pages of 1,000 have been seen to work, no maximum is
    /// known.
    pub async fn job_page(
        &self,
        subject: Subject,
        id: &str,
        cursor: Option<&str>,
        page_size: u32,
    ) -> Result<Page, HistoryError> {
        let mut path = format!(
            "{}/{}/results?pageSize={page_size}",
            subject.path(),
            escaped(id)
        );
        if let Some(cursor) = cursor {
            path.push_str("&cursor=");
            path.push_str(&escaped(cursor));
        }
        let answer = self
            .api
            .fetch(Call::get(subject.routes()[2], &path).of_history())
            .await
            .map_err(|error| HistoryError::of_job(error, "the job's results"))?;
        let page = Page::read(answer, subject.kind(), "a job's results").await?;
        Ok(page.after(cursor))
    }

    /// Cancels a job. One that is not there (any more) is as good as cancelled. `DELETE …/details/jobs/{id}` [notes 2.2].
    pub async fn cancel_job(&self, subject: Subject, id: &str) -> Result<(), HistoryError> {
        let path = format!("{}/{}", subject.path(), escaped(id));
        let call = Call::new(subject.routes()[3], Method::Delete, &path, None);
        match self.api.fetch(call).await {
            Ok(_) | Err(ApiError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Up to when jobs know everything. `GET …/details/jobs/availability` → `{dataAvailabilityDate}` [notes 2.2]: hours behind.
    pub async fn jobs_available_to(&self, subject: Subject) -> Result<UtcMicros, HistoryError> {
        let path = format!("{}/availability", subject.path());
        let answer = self
            .api
            .fetch(Call::get(subject.routes()[4], &path))
            .await?;
        let found: Availability = read(&answer.body, "the availability of history")?;
        instant::parse(&found.data_availability_date).ok_or_else(|| {
            HistoryError::shape(
                "the availability of history",
                format!(
                    "{:?} is no instant with a zone",
                    found.data_availability_date
                ),
            )
        })
    }
}

pub(super) fn read<'a, T: Deserialize<'a>>(
    body: &'a [u8],
    what: &'static str,
) -> Result<T, HistoryError> {
    serde_json::from_slice(body).map_err(|problem| HistoryError::unread(what, &problem))
}
