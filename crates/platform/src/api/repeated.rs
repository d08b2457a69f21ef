//! Requests for whoever waits for what comes of them: repeated where that may help, lists page by page.

use super::{Api, ApiError, Call, answer, call};
use crate::client::Method;
use crate::retry::Cause;
use serde_json::Value;

/// How often [`Api::call`] sends one request in all, a renewed token not counted.
const ATTEMPTS: u32 = 3;
/// Pages of one list. A list that goes on is a link that leads in a circle.
const PAGES_MAX: usize = 500;

impl Api {
    /// Sends one request, repeated where that may help, and gives the answer's JSON (null where there is no body). Its route is what
    /// the path says without ids.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let route = call::route_of(path);
        self.repeated(Call::new(&route, method, path, body)).await
    }

    /// Sends one request, repeated where that may help, and gives the answer's JSON (null where there is no body).
    pub async fn repeated(&self, call: Call<'_>) -> Result<Value, ApiError> {
        let mut attempt = 0;
        loop {
            let error = match self.fetch(call).await {
                Ok(answer) => return answer::json(&answer, call.path),
                Err(error) => error,
            };
            attempt += 1;
            if attempt >= ATTEMPTS || !error.again(call.method, self.patience) {
                return Err(error);
            }
            // A 429 has told the budget to pause; the rest waits here.
            if !matches!(error, ApiError::Throttled { .. }) {
                let next = self
                    .schedule
                    .next(attempt - 1, Cause::Failed, None, rand::random());
                tokio::time::sleep(next.delay).await;
            }
        }
    }

    /// The elements of all pages of a list: `items` is the JSON pointer of an answer's list (`/entities`), `next` that of the link to the
    /// next page (`/nextUri`). A list that is absent is empty, as Genesys has it.
    pub async fn list(&self, path: &str, items: &str, next: &str) -> Result<Vec<Value>, ApiError> {
        let mut found = Vec::new();
        let mut page = path.to_owned();
        for _ in 0..PAGES_MAX {
            let mut answer = self.call(Method::Get, &page, None).await?;
            let link = answer
                .pointer(next)
                .and_then(Value::as_str)
                .filter(|link| !link.is_empty())
                .map(str::to_owned);
            match answer.pointer_mut(items).map(Value::take) {
                Some(Value::Array(more)) => found.extend(more),
                None | Some(Value::Null) => {}
                Some(_) => {
                    return Err(ApiError::Answer {
                        path: path.to_owned(),
                        problem: "has no list where one is expected",
                    });
                }
            }
            match link {
                Some(link) if link != page => page = link,
                _ => return Ok(found),
            }
        }
        Err(ApiError::Answer {
            path: path.to_owned(),
            problem: "has no last page",
        })
    }
}
