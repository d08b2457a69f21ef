//! What is said where a request cannot be answered: `application/problem+json` (RFC 9457), with the parameter at fault, what it was and what is
//! allowed.

use hyper::StatusCode;
use runtime::chain;
use schemars::JsonSchema;
use serde::Serialize;
use store::{Class, StoreError};

/// So much of a wrong value is repeated.
const VALUE_CHARS_MAX: usize = 100;

/// Why there is no other answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem.
    pub kind: Kind,
    /// One sentence on this very one.
    pub detail: String,
    /// The parameters at fault.
    pub errors: Vec<Invalid>,
    /// The methods that can be used there, where this one cannot.
    pub allow: Option<&'static str>,
}

/// A parameter that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Invalid {
    /// Its name.
    pub field: String,
    /// What was sent, cut to 100 characters; absent where it is missing.
    pub value: Option<String>,
    /// What is allowed.
    pub allowed: String,
}

/// The body of the answer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct Body<'a> {
    /// Names the kind of problem.
    r#type: &'static str,
    /// The kind of problem in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// This very problem in words.
    detail: &'a str,
    /// The parameters at fault, where there are any.
    errors: &'a [Invalid],
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident $status:ident $name:literal $title:literal),* $(,)?) => {
        /// Kinds of problems.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $variant),*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The status of the answer.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),* }
            }

            const fn name(self) -> &'static str {
                match self { $(Self::$variant => concat!("urn:kpiline:problem:", $name)),* }
            }

            /// In words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }
        }
    };
}

kinds! {
    /// A parameter is missing, unknown or wrong.
    Parameters BAD_REQUEST "parameters" "The parameters cannot be taken",
    /// No token, or none that is known.
    Unauthorised UNAUTHORIZED "unauthorised" "A token is needed",
    /// The token is good and does not reach so far.
    Forbidden FORBIDDEN "forbidden" "The token does not reach so far",
    /// Nothing is there.
    NotFound NOT_FOUND "not-found" "There is no such thing",
    /// Only some methods can be used there.
    Method METHOD_NOT_ALLOWED "method" "The method cannot be used here",
    /// The body is larger than any that could be meant.
    TooLarge PAYLOAD_TOO_LARGE "too-large" "The request is too large",
    /// The request did not come in time.
    TooSlow REQUEST_TIMEOUT "too-slow" "The request took too long to arrive",
    /// The database took longer than it may.
    TooMuch SERVICE_UNAVAILABLE "too-much" "That takes too long",
    /// The database cannot be asked now.
    Unavailable SERVICE_UNAVAILABLE "unavailable" "The figures cannot be read now",
    /// Nobody thought of this.
    Internal INTERNAL_SERVER_ERROR "internal" "Something is wrong here",
}

impl Problem {
    /// Of a kind.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            allow: None,
        }
    }

    /// Parameters that cannot be taken.
    #[must_use]
    pub fn parameters(errors: Vec<Invalid>) -> Self {
        let names: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        Self {
            kind: Kind::Parameters,
            detail: format!("see `errors`: {}", names.join(", ")),
            errors,
            allow: None,
        }
    }

    /// Another method than those that can be used there.
    #[must_use]
    pub fn method(allow: &'static str) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(Kind::Method, format!("there is only {allow}"))
        }
    }

    /// One parameter that cannot be taken.
    pub fn parameter(field: &str, value: Option<&str>, allowed: impl Into<String>) -> Self {
        Self::parameters(vec![Invalid::new(field, value, allowed)])
    }

    /// As JSON.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let body = Body {
            r#type: self.kind.name(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            errors: &self.errors,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Seconds after which to try again, where that may help.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u64> {
        match self.kind {
            Kind::Unavailable => Some(5),
            _ => None,
        }
    }
}

impl Invalid {
    /// A parameter, what it was and what is allowed.
    pub fn new(field: &str, value: Option<&str>, allowed: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            value: value.map(|value| value.chars().take(VALUE_CHARS_MAX).collect()),
            allowed: allowed.into(),
        }
    }
}

impl From<StoreError> for Problem {
    /// Logged here, told in general: what a server says is not for everybody.
    fn from(error: StoreError) -> Self {
        if error.is_slow() {
            tracing::info!(error = %chain(&error), "a request of the API took the database too long");
            return Self::new(
                Kind::TooMuch,
                "the database takes longer than it may: ask for a shorter stretch or for less in it",
            );
        }
        tracing::warn!(error = %chain(&error), "a request of the API could not be answered");
        match error.class() {
            Class::Transient | Class::Saturated | Class::Fatal => {
                Self::new(Kind::Unavailable, "the database cannot be asked now")
            }
            Class::Rejected => Self::new(Kind::Internal, "the database refuses the question"),
        }
    }
}
