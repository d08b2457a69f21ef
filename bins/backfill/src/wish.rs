//! A job that somebody wants: by the command, or by a message on `backfill.jobs`. What it becomes is the same.

use crate::plan::{self, Known, Piece, PlanError, Wanted};
use crate::platforms::{Platform, Platforms};
use crate::source::Source;
use schema::backfill::{JobRequest, Promote, RequestError};
use schema::{ENVELOPE_VERSION, MetricVersion, TenantId, UtcMicros};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use store::jobs::{Created, Lane, NewChunkedJob, Purpose};
use store::{Connection, StoreError, jobs};

/// The reports that have an adapter.
const REPORTS: [&str; 2] = ["524", "544"];

/// A job that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Where the history comes from.
    pub source: Source,
    /// Which platform, as the file names it.
    pub platform: Option<String>,
    /// The organisation, where the platform does not say it; none: all.
    pub tenant: Option<String>,
    /// The first instant.
    pub from: Option<UtcMicros>,
    /// The end, exclusive.
    pub to: Option<UtcMicros>,
    /// The KPIs it is about; empty: all of the version.
    pub kpis: Vec<String>,
    /// The version the results carry.
    pub version: MetricVersion,
    /// What becomes of it.
    pub promote: Promote,
    /// The asker's name for it.
    pub request_id: Option<String>,
    /// Interactions to look up.
    pub ids: Vec<String>,
    /// What else the source wants to know; becomes the job's parameters.
    pub settings: BTreeMap<String, String>,
}

/// A wish that cannot be granted, now or ever.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It says what none may say.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// It cannot be cut into chunks.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Something else; the text says what.
    #[error("{0}")]
    Text(String),
}

/// What a wish becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The organisation.
    pub tenant: Option<String>,
    /// What the source is told.
    pub params_json: String,
    /// Its chunks.
    pub pieces: Vec<Piece>,
}

fn refused<T>(text: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::Text(text.into()))
}

impl Wish {
    /// From a message.
    pub fn of(request: JobRequest) -> Result<Self, Refused> {
        request.check()?;
        let Some(source) = Source::parse(&request.source) else {
            return refused(format!(
                "the source `{}` is not known; known are {}",
                request.source,
                Source::names(|_| true)
            ));
        };
        if source == Source::Files {
            return refused("files are imported where they are, by `backfill start files`");
        }
        Ok(Self {
            source,
            platform: request.platform,
            tenant: request.tenant.map(|tenant| tenant.as_str().to_owned()),
            from: request.from,
            to: request.to,
            kpis: request.kpis,
            version: request.metric_version,
            promote: request.promote,
            request_id: Some(request.request_id),
            ids: request.ids,
            settings: request.settings,
        })
    }

    /// As a message. Without a name of the asker's it gets this one.
    #[must_use]
    pub fn request(self, or_named: String) -> JobRequest {
        JobRequest {
            v: ENVELOPE_VERSION,
            request_id: self.request_id.unwrap_or(or_named),
            source: self.source.name().to_owned(),
            platform: self.platform,
            tenant: self.tenant.as_deref().map(TenantId::from),
            from: self.from,
            to: self.to,
            kpis: self.kpis,
            metric_version: self.version,
            promote: self.promote,
            ids: self.ids,
            settings: self.settings,
        }
    }

    /// The platform it is about.
    pub fn platform<'p>(&self, platforms: &'p Platforms) -> Result<&'p Platform, Refused> {
        let source = self.source;
        let fitting = || {
            let names: Vec<_> = platforms
                .iter()
                .filter(|platform| platform.has(source))
                .map(|platform| platform.name.as_str())
                .collect();
            if names.is_empty() {
                format!("the platforms file has none for {source}")
            } else {
                format!("for {source} the platforms file has {}", names.join(", "))
            }
        };
        let Some(name) = &self.platform else {
            return refused(format!("no platform is named; {}", fitting()));
        };
        match platforms.get(name) {
            None => refused(format!("the platform `{name}` is not known; {}", fitting())),
            Some(platform) if !platform.has(source) => refused(format!(
                "the platform `{name}` is one of {}; {}",
                platform.vendor(),
                fitting()
            )),
            Some(platform)
                if self
                    .tenant
                    .as_deref()
                    .is_some_and(|tenant| tenant != platform.tenant.as_str()) =>
            {
                refused(format!(
                    "the platform `{name}` has the history of {}",
                    platform.tenant
                ))
            }
            Some(platform) => Ok(platform),
        }
    }

    /// The chunks it falls into, of a source that asks a platform.
    pub fn planned(&self, platform: &Platform, known: &Known) -> Result<Planned, Refused> {
        let stretch = match (self.from, self.to) {
            (Some(from), Some(to)) => (from, to),
            // A look-up needs no stretch: it is dated by when it was asked for.
            _ if self.source.looks_up() => (known.now, known.now),
            _ => return refused("`from` and `to` are needed"),
        };
        let wanted = Wanted {
            source: self.source,
            from: stretch.0,
            to: stretch.1,
            ids: &self.ids,
        };
        let params = self.params(platform)?;
        Ok(Planned {
            tenant: Some(platform.tenant.as_str().to_owned()),
            params_json: Value::Object(params).to_string(),
            pieces: plan::plan(&wanted, &platform.kind, known)?,
        })
    }

    fn params(&self, platform: &Platform) -> Result<Map<String, Value>, Refused> {
        let known: &[&str] = match self.source {
            Source::CxoneReport => &["report"],
            Source::CxoneExtraction => &["entity", "version", "mapping"],
            _ => &[],
        };
        if let Some(other) = self
            .settings
            .keys()
            .find(|key| !known.contains(&key.as_str()))
        {
            return refused(format!("{} has no setting `{other}`", self.source));
        }
        let mut params = Map::new();
        for key in known {
            match self.settings.get(*key) {
                Some(value) => params.insert((*key).to_owned(), Value::from(value.as_str())),
                None => return refused(format!("{} needs `{key}`", self.source)),
            };
        }
        if let Some(report) = self.settings.get("report") {
            if !REPORTS.contains(&report.as_str()) {
                return refused(format!(
                    "the report {report} is not known; known are {}",
                    REPORTS.join(", ")
                ));
            }
            params.insert("report".to_owned(), Value::from(report.parse::<u32>().ok()));
            if let crate::platforms::Kind::Cxone(settings) = &platform.kind
                && settings.report_zone.is_none()
            {
                return refused(format!(
                    "the times in a report are local to the business unit: [platform.cxone] of {} needs `report_zone`",
                    platform.name
                ));
            }
        }
        Ok(params)
    }

    /// Writes the job with its chunks, unless the same request made one before.
    pub async fn create(
        &self,
        conn: &impl Connection,
        planned: &Planned,
        now: UtcMicros,
    ) -> Result<Created, StoreError> {
        let chunks: Vec<_> = planned
            .pieces
            .iter()
            .map(|piece| piece.chunk(now))
            .collect();
        let new = NewChunkedJob {
            kind: self.source.name(),
            tenant: planned.tenant.as_deref(),
            platform: self.platform.as_deref(),
            metric_version: self.version,
            params_json: &planned.params_json,
            from: self.from,
            to: self.to,
            kpis: &self.kpis,
            purpose: Purpose::Job,
            lane: Lane::History,
            promote: stored(self.promote),
            standing: false,
            request_id: self.request_id.as_deref(),
            chunks: &chunks,
        };
        jobs::create_chunked(conn, &new).await
    }
}

/// The choice as a job's row has it.
pub(crate) const fn stored(promote: Promote) -> jobs::Promote {
    match promote {
        Promote::Offer => jobs::Promote::Offer,
        Promote::Auto => jobs::Promote::Auto,
        Promote::Never => jobs::Promote::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const FILE: &str = r#"
version = 1
[[platform]]
name = "g"
tenant = "acme"
platform = "genesys"
base_url = "https://api.example.com"
[platform.credentials]
token_url = "https://login.example.com/oauth/token"
client_id = "id"
client_secret = "secret"
[[platform]]
name = "c"
tenant = "acme"
platform = "cxone"
[platform.credentials]
token_url = "https://eu1.example.com/token"
client_id = "id"
client_secret = "secret"
"#;

    fn platforms() -> Platforms {
        crate::platforms::parse("p.toml", FILE, Path::new("."), &|_| None).unwrap()
    }

    fn wish(source: Source, platform: &str) -> Wish {
        Wish {
            source,
            platform: Some(platform.to_owned()),
            tenant: None,
            from: Some(UtcMicros(0)),
            to: Some(UtcMicros(86_400_000_000)),
            kpis: Vec::new(),
            version: MetricVersion(2),
            promote: Promote::Offer,
            request_id: None,
            ids: Vec::new(),
            settings: BTreeMap::new(),
        }
    }

    fn known() -> Known {
        Known {
            now: UtcMicros(1_700_000_000_000_000),
            available_to: None,
        }
    }

    fn said(wish: &Wish) -> String {
        let platforms = platforms();
        wish.platform(&platforms)
            .and_then(|platform| wish.planned(platform, &known()))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_wish_is_the_same_after_its_way_through_the_queue() {
        let wish = Wish {
            request_id: Some("mine".to_owned()),
            tenant: Some("acme".to_owned()),
            ..wish(Source::GenesysConversations, "g")
        };
        let request = wish.clone().request("other".to_owned());
        let bytes = request.encode().unwrap();
        assert_eq!(Wish::of(JobRequest::decode(&bytes).unwrap()).unwrap(), wish);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        assert_eq!(
            said(&wish(Source::GenesysConversations, "x")),
            "the platform `x` is not known; for genesys-conversations the platforms file has g"
        );
        assert_eq!(
            said(&wish(Source::CxoneContacts, "g")),
            "the platform `g` is one of genesys; for cxone-contacts the platforms file has c"
        );
        let other = Wish {
            tenant: Some("umbrella".to_owned()),
            ..wish(Source::CxoneContacts, "c")
        };
        assert_eq!(said(&other), "the platform `c` has the history of acme");
        assert_eq!(
            said(&wish(Source::CxoneReport, "c")),
            "cxone-report needs `report`"
        );
        let report = Wish {
            settings: BTreeMap::from([("report".to_owned(), "524".to_owned())]),
            ..wish(Source::CxoneReport, "c")
        };
        assert!(
            said(&report).contains("needs `report_zone`"),
            "{}",
            said(&report)
        );
        let settings = Wish {
            settings: BTreeMap::from([("report".to_owned(), "524".to_owned())]),
            ..wish(Source::CxoneContacts, "c")
        };
        assert_eq!(said(&settings), "cxone-contacts has no setting `report`");
        assert_eq!(said(&wish(Source::GenesysLookup, "g")), "no ids to look up");
        let endless = Wish {
            to: None,
            ..wish(Source::GenesysUsers, "g")
        };
        assert_eq!(said(&endless), "`from` and `to` are needed");
    }

    #[test]
    fn a_message_may_not_ask_for_files_or_unknown_sources() {
        let mut request = wish(Source::Replay, "g").request("r".to_owned());
        request.source = "files".to_owned();
        assert!(
            Wish::of(request.clone())
                .unwrap_err()
                .to_string()
                .contains("where they are")
        );
        request.source = "avaya".to_owned();
        assert!(
            Wish::of(request)
                .unwrap_err()
                .to_string()
                .contains("is not known")
        );
    }
}
