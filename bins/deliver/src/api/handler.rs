//! From a request to its answer.

use super::access::Access;
use super::answer::{self, Answer, Keep};
use super::problem::{Kind, Problem};
use super::query::Query;
use super::resource::{Asked, ROOT, Resource};
use super::{Context, ask, now, openapi};
use crate::page;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, Uri};
use runtime::Metrics;
use runtime::metrics::{Counter, Histogram};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout_at;

/// The largest form: a login has one.
const FORM_BYTES_MAX: usize = 16 * 1024;
/// The largest wish for a job: ten thousand ids of the usual length, and more.
const WISH_BYTES_MAX: usize = 1024 * 1024;
/// What is read of a larger body.
const DRAINED_MAX: usize = 8 * 1024 * 1024;
/// How long a body's sender may take for it.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Answers every request.
#[derive(Debug)]
pub struct Handler {
    context: Context,
    metrics: Metrics,
    /// The description, which never changes while the process runs.
    description: Bytes,
}

/// A request's head.
#[derive(Debug)]
pub struct Head<'a> {
    /// GET, HEAD or POST.
    pub method: &'a Method,
    /// Where to.
    pub uri: &'a Uri,
    /// The rest of it.
    pub headers: &'a HeaderMap,
}

impl Handler {
    /// Of this context.
    #[must_use]
    pub fn new(context: Context, metrics: Metrics) -> Arc<Self> {
        let description = serde_json::to_vec(&openapi::document()).unwrap_or_default();
        Arc::new(Self {
            context,
            metrics,
            description: description.into(),
        })
    }

    /// Answers one request, whatever it is.
    pub async fn answer(&self, request: Request<Incoming>) -> Answer {
        let begun = Instant::now();
        let (parts, body) = request.into_parts();
        let head = Head {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
        };
        let (route, answered) = self.route(&head, body).await;
        let answer = answered.unwrap_or_else(|problem| answer::problem(&problem));
        let answer = if head.method == Method::GET || head.method == Method::HEAD {
            answer::unless_known(answer, head.headers)
        } else {
            answer
        };
        let status = answer.status();
        self.metrics
            .counter(
                Counter::ApiRequests,
                &[("route", route), ("status", status.as_str())],
            )
            .inc();
        self.metrics
            .histogram(Histogram::ApiRequest, &[("route", route)])
            .observe(begun.elapsed().as_secs_f64());
        answer
    }

    /// The route's name, from a closed set, and its answer.
    async fn route(
        &self,
        head: &Head<'_>,
        body: Incoming,
    ) -> (&'static str, Result<Answer, Problem>) {
        let path = head.uri.path();
        if !path.starts_with(ROOT) {
            return self.page(head, body).await;
        }
        let resource = Resource::at(path);
        let asks = resource == Some(Resource::Jobs);
        if asks && head.method == Method::POST {
            return ("jobs", self.ask(head, body).await);
        }
        if head.method != Method::GET && head.method != Method::HEAD {
            let allow = if asks { "GET, HEAD, POST" } else { "GET, HEAD" };
            return ("api", Err(Problem::method(allow)));
        }
        if path == openapi::PATH {
            let kind = "application/json";
            let answer = answer::bytes(kind, self.description.clone(), Keep::Asking);
            return ("openapi", Ok(answer));
        }
        let Some(resource) = resource else {
            let paths: Vec<String> = Resource::ALL.map(Resource::path).to_vec();
            let detail = format!("there are {} and {}", paths.join(", "), openapi::PATH);
            return ("api", Err(Problem::new(Kind::NotFound, detail)));
        };
        (resource.about().path, self.resource(resource, head).await)
    }

    async fn ask(&self, head: &Head<'_>, body: Incoming) -> Result<Answer, Problem> {
        let access = Access::bearer(&self.context, head.headers, now())?;
        let body = read(body, WISH_BYTES_MAX).await?;
        ask::answer(&self.context, &access, &body).await
    }

    async fn resource(&self, resource: Resource, head: &Head<'_>) -> Result<Answer, Problem> {
        let access = Access::bearer(&self.context, head.headers, now())?;
        let query = Query::read(head.uri.query(), resource.about().parameters)?;
        let asked = Asked {
            access: &access,
            query: &query,
            text: head.uri.query().unwrap_or_default(),
        };
        resource.answer(&self.context, asked).await
    }

    async fn page(
        &self,
        head: &Head<'_>,
        body: Incoming,
    ) -> (&'static str, Result<Answer, Problem>) {
        let form = if head.method == Method::POST {
            match read(body, FORM_BYTES_MAX).await {
                Ok(form) => form,
                Err(problem) => return ("page", Err(problem)),
            }
        } else {
            Bytes::new()
        };
        page::answer(&self.context, head, &form).await
    }
}

/// A whole body, if it is small and comes soon. The rest of a larger one is read and thrown away, so that its sender sees the answer and no
/// reset.
async fn read(mut body: Incoming, most: usize) -> Result<Bytes, Problem> {
    let deadline = tokio::time::Instant::now() + BODY_WITHIN;
    let mut gathered = BytesMut::new();
    let mut size = 0_usize;
    loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break,
            Ok(Some(Err(_))) => {
                let allowed = "all that were announced";
                return Err(Problem::parameter("body", None, allowed));
            }
            Err(_) => {
                let detail = format!("a body is awaited for {BODY_WITHIN:?}");
                return Err(Problem::new(Kind::TooSlow, detail));
            }
        };
        let Ok(data) = frame.into_data() else {
            continue; // trailers say nothing about the body
        };
        size = size.saturating_add(data.len());
        if size <= most {
            gathered.extend_from_slice(&data);
        } else if size > DRAINED_MAX {
            break;
        }
    }
    if size > most {
        let detail = format!("a body has at most {most} bytes here");
        return Err(Problem::new(Kind::TooLarge, detail));
    }
    Ok(gathered.freeze())
}
