//! How a command fails: one line for people, an object for programs, an exit code for scripts.

use jsonrpsee::core::ClientError;
use node_api::{ApiError, ErrorCode};
use serde_json::{Map, Value, json};

/// What kind of failure, and the exit code that tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The chain said no.
    Refused = 1,
    /// What the caller gave cannot be used: arguments, files, passwords.
    BadArguments = 2,
    /// No node answers.
    Unreachable = 3,
    /// The outcome is not known yet.
    TimedOut = 4,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::BadArguments => "bad_arguments",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
        }
    }
}

/// A command that did not do what it should.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    /// One line.
    pub(crate) message: String,
    /// Stable name of the reason, where the chain gave one.
    pub(crate) reason: Option<String>,
    /// What programs need beside the message, like the hash of a transaction.
    pub(crate) details: Map<String, Value>,
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), reason: None, details: Map::new() }
    }

    pub(crate) fn bad_arguments(error: impl std::fmt::Display) -> Self {
        Self::new(Kind::BadArguments, error.to_string())
    }

    pub(crate) fn refused(reason: Option<String>, message: impl Into<String>) -> Self {
        Self { reason, ..Self::new(Kind::Refused, message) }
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl serde::Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.details.insert(name.to_owned(), value);
        self
    }

    #[must_use]
    pub(crate) fn say(mut self, more: &str) -> Self {
        self.message = format!("{}; {more}", self.message);
        self
    }

    /// What a call of the node at `url` ended in.
    pub(crate) fn from_call(error: &ClientError, url: &str) -> Self {
        let unreachable = |what: String| {
            Self::new(Kind::Unreachable, format!("cannot reach a node at {url}: {what}"))
        };
        if let Some(ApiError { code, message }) = ApiError::from_client(error) {
            let kind = match code {
                ErrorCode::InvalidParams => Kind::BadArguments,
                ErrorCode::Unavailable | ErrorCode::Internal => Kind::Unreachable,
                _ => Kind::Refused,
            };
            return Self { reason: Some(code.name().to_owned()), ..Self::new(kind, message) };
        }
        match error {
            ClientError::RequestTimeout => unreachable("it does not answer in time".to_owned()),
            ClientError::Transport(error) => unreachable(root_cause(error.as_ref())),
            ClientError::Call(object) => unreachable(format!(
                "it does not speak this version of the interface ({})",
                object.message()
            )),
            other => unreachable(other.to_string()),
        }
    }

    /// The object that `--json` prints.
    pub(crate) fn to_json(&self) -> Value {
        let mut error = Map::new();
        error.insert("code".to_owned(), json!(self.kind as u8));
        error.insert("kind".to_owned(), json!(self.kind.name()));
        if let Some(reason) = &self.reason {
            error.insert("reason".to_owned(), json!(reason));
        }
        error.insert("message".to_owned(), json!(self.message));
        error.extend(self.details.clone());
        json!({ "error": error })
    }
}

/// The innermost error says what happened, those around it only where.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
