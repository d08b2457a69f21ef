//! What is said about backfill jobs: a wish for one ([`JobRequest`], queue `backfill.jobs`), and what a finished one means to whoever shows
//! numbers ([`RefreshNotice`], queue `backfill.notices` and webhooks).

use crate::id::{JobId, MetricVersion, TenantId};
use crate::message::MessageError;
use crate::time::UtcMicros;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Ids that one request may name.
pub const REQUEST_IDS_MAX: usize = 10_000;
/// KPI names that one request may name.
pub const REQUEST_KPIS_MAX: usize = 1000;
/// Further settings that one request may have.
pub const REQUEST_SETTINGS_MAX: usize = 20;
/// Bytes of each text in a request.
pub const REQUEST_TEXT_BYTES_MAX: usize = 512;

/// What the names begin with that backfill gives to the jobs that it keeps going by itself. A request of such a name would take their place.
pub const REQUESTS_RESERVED: [&str; 3] = ["follow/", "gap/", "settlement/"];

/// What becomes of a version when its job is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promote {
    /// It is said that it can be promoted, and how.
    #[default]
    Offer,
    /// It is promoted when the job ended well.
    Auto,
    /// Nothing is said.
    Never,
}

impl Promote {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Offer, Self::Auto, Self::Never];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Auto => "auto",
            Self::Never => "never",
        }
    }

    /// The one of this word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|promote| promote.as_str() == text)
    }
}

/// What `backfill.jobs` carries: a job somebody wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRequest {
    /// The envelope version.
    pub v: u16,
    /// The asker's name for it: asked twice under one name is one job.
    pub request_id: String,
    /// Where the history comes from, as `backfill start` names it.
    pub source: String,
    /// The platform, as the platforms file names it; none for the event log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The organisation, where the platform does not say it; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The first instant; none where only ids are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<UtcMicros>,
    /// The end, which does not belong to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<UtcMicros>,
    /// The KPIs that are looked at when it is done; empty: all of the version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kpis: Vec<String>,
    /// The version the results carry.
    pub metric_version: MetricVersion,
    /// What becomes of it.
    #[serde(default)]
    pub promote: Promote,
    /// Interactions to look up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// What else the source wants to know, as `backfill start` names its flags: `report`, `entity` …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

/// A request that says what none may say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A text is empty, too long, or holds what cannot be stored.
    #[error(
        "`{member}` is empty, longer than {REQUEST_TEXT_BYTES_MAX} bytes, or holds control characters"
    )]
    Text {
        /// Which.
        member: &'static str,
    },
    /// Its name is one of those that backfill gives itself.
    #[error("`request_id` begins with `{prefix}`; backfill itself names jobs so")]
    Reserved {
        /// What it begins with.
        prefix: &'static str,
    },
    /// A list is too long.
    #[error("`{member}` has {found} entries; {most} are allowed")]
    Many {
        /// Which.
        member: &'static str,
        /// How many there are.
        found: usize,
        /// How many may be.
        most: usize,
    },
    /// The stretch is none.
    #[error("`from` is {from}, which is not before `to`, {to}")]
    Backwards {
        /// Its beginning.
        from: UtcMicros,
        /// Its end.
        to: UtcMicros,
    },
    /// Half a stretch.
    #[error("`from` and `to` go together: one of them is missing")]
    HalfOpen,
    /// Versions begin at 1 and end where PostgreSQL's smallest integers do.
    #[error("`metric_version` is {0}; allowed are 1 to 32767")]
    Version(u16),
}

impl JobRequest {
    /// Encodes the envelope.
    pub fn encode(&self) -> Result<Bytes, MessageError> {
        crate::message::encode(self)
    }

    /// Decodes an envelope of this or an earlier version.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        crate::message::decode(bytes, |request: &Self| request.v)
    }

    /// Whether it can be a job at all. What a source needs is not looked at.
    pub fn check(&self) -> Result<(), RequestError> {
        let sound = |text: &str| {
            !text.is_empty()
                && text.len() <= REQUEST_TEXT_BYTES_MAX
                && !text.contains(char::is_control)
        };
        let one = |member, text: Option<&str>| match text {
            Some(text) if !sound(text) => Err(RequestError::Text { member }),
            _ => Ok(()),
        };
        one("request_id", Some(&self.request_id))?;
        let mut reserved = REQUESTS_RESERVED.into_iter();
        if let Some(prefix) = reserved.find(|prefix| self.request_id.starts_with(prefix)) {
            return Err(RequestError::Reserved { prefix });
        }
        one("source", Some(&self.source))?;
        one("platform", self.platform.as_deref())?;
        one("tenant", self.tenant.as_ref().map(TenantId::as_str))?;
        for (member, texts, most) in [
            ("kpis", &self.kpis, REQUEST_KPIS_MAX),
            ("ids", &self.ids, REQUEST_IDS_MAX),
        ] {
            if texts.len() > most {
                return Err(RequestError::Many {
                    member,
                    found: texts.len(),
                    most,
                });
            }
            if !texts.iter().all(|text| sound(text)) {
                return Err(RequestError::Text { member });
            }
        }
        if self.settings.len() > REQUEST_SETTINGS_MAX {
            return Err(RequestError::Many {
                member: "settings",
                found: self.settings.len(),
                most: REQUEST_SETTINGS_MAX,
            });
        }
        let mut settings = self.settings.iter().flat_map(|(key, value)| [key, value]);
        if !settings.all(|text| sound(text)) {
            return Err(RequestError::Text { member: "settings" });
        }
        match (self.from, self.to) {
            (Some(from), Some(to)) if from >= to => {
                return Err(RequestError::Backwards { from, to });
            }
            (Some(_), None) | (None, Some(_)) => return Err(RequestError::HalfOpen),
            _ => {}
        }
        match self.metric_version.0 {
            1..=32_767 => Ok(()),
            version => Err(RequestError::Version(version)),
        }
    }
}

/// A backfill job has ended and its windows are settled: whoever shows these numbers should read them again. Travels as JSON, since not only
/// ours read it; instants are texts in RFC 3339, UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefreshNotice {
    /// The version of the notice.
    pub v: u16,
    /// The job.
    pub job: JobId,
    /// Where the history came from.
    pub source: String,
    /// The organisation; none: all.
    #[serde(default)]
    pub tenant: Option<TenantId>,
    /// The platform, if it was one.
    #[serde(default)]
    pub platform: Option<String>,
    /// The first instant of the stretch.
    #[serde(default)]
    pub from: Option<String>,
    /// Its end, which does not belong to it.
    #[serde(default)]
    pub to: Option<String>,
    /// The version of the results.
    pub metric_version: MetricVersion,
    /// The KPIs that have results of this version.
    #[serde(default)]
    pub kpis: Vec<String>,
    /// Those of them whose version is what dashboards see now.
    #[serde(default)]
    pub promoted: Vec<String>,
    /// Chunks that could not be fetched: the stretch has holes.
    #[serde(default)]
    pub failed_chunks: u64,
    /// When the job ended.
    pub finished_at: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ENVELOPE_VERSION;

    fn request() -> JobRequest {
        JobRequest {
            v: ENVELOPE_VERSION,
            request_id: "r-1".to_owned(),
            source: "genesys-conversations".to_owned(),
            platform: Some("main".to_owned()),
            tenant: None,
            from: Some(UtcMicros(1)),
            to: Some(UtcMicros(2)),
            kpis: vec!["adjusted_aht".to_owned()],
            metric_version: MetricVersion(2),
            promote: Promote::Auto,
            ids: Vec::new(),
            settings: BTreeMap::from([("report".to_owned(), "524".to_owned())]),
        }
    }

    #[test]
    fn a_request_survives_and_one_of_a_later_release_says_so() {
        let request = request();
        assert_eq!(request.check(), Ok(()));
        let bytes = request.encode().unwrap();
        assert_eq!(JobRequest::decode(&bytes).unwrap(), request);
        let later = JobRequest {
            v: ENVELOPE_VERSION + 1,
            ..request
        };
        let error = JobRequest::decode(&later.encode().unwrap()).unwrap_err();
        assert!(matches!(error, MessageError::Version { found } if found == ENVELOPE_VERSION + 1));
        assert!(JobRequest::decode(b"{}").is_err());
    }

    #[test]
    fn what_no_request_may_say_is_named() {
        let named = |change: fn(&mut JobRequest)| {
            let mut request = request();
            change(&mut request);
            request.check().unwrap_err()
        };
        assert_eq!(named(|r| r.to = None), RequestError::HalfOpen);
        assert!(matches!(
            named(|r| r.to = r.from),
            RequestError::Backwards { .. }
        ));
        assert_eq!(
            named(|r| r.metric_version = MetricVersion(0)),
            RequestError::Version(0)
        );
        assert_eq!(
            named(|r| r.request_id.clear()),
            RequestError::Text {
                member: "request_id"
            }
        );
        for prefix in REQUESTS_RESERVED {
            let mut request = request();
            request.request_id = format!("{prefix}main/genesys-conversations");
            assert_eq!(request.check(), Err(RequestError::Reserved { prefix }));
        }
        assert_eq!(
            named(|r| r.kpis = vec!["a\n".to_owned()]),
            RequestError::Text { member: "kpis" }
        );
        assert!(matches!(
            named(|r| r.ids = vec!["x".to_owned(); REQUEST_IDS_MAX + 1]),
            RequestError::Many { member: "ids", .. }
        ));
    }

    #[test]
    fn words_lead_back() {
        for promote in Promote::ALL {
            assert_eq!(Promote::parse(promote.as_str()), Some(promote));
            let json = serde_json::to_value(promote).unwrap();
            assert_eq!(json, promote.as_str());
        }
    }
}
