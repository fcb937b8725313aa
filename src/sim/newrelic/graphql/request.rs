//! One request: key, document, variables, answer.
//!
//! Invariant: the answer is a function of the state, the time and the request.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Request, Response, ServerError, Variables};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::session::{Session, User};
use super::{cost, sdl, words};
use crate::domain::units::UnixMillis;
use crate::sim::newrelic::NewRelic;
use crate::sim::newrelic::fault::{IngestFault, Target};

/// Longest body, in bytes. Nothing documents one; a guard of our own.
pub(super) const BODY_BYTES_MAX: usize = 1_000_000;
/// Requests of one user at the same time.
pub(super) const IN_FLIGHT_MAX: u32 = 25;
/// Nothing here ever waits; a future that is not ready after so many looks never will be.
const POLLS_MAX: u32 = 100_000;

/// What NerdGraph answers.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphAnswer {
    /// 200 also for most failures, which `errors` of the body then tell.
    pub status: StatusCode,
    /// `data` and `errors`.
    pub body: Json,
    /// For the header `Retry-After`.
    pub retry_after_seconds: Option<u32>,
}

impl GraphAnswer {
    fn new(status: StatusCode, body: Json) -> Self {
        Self { status, body, retry_after_seconds: None }
    }

    /// An answer that is one error.
    pub(super) fn error(status: StatusCode, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self::new(status, json!({"errors": [{"message": message}]}))
    }

    fn classed(status: StatusCode, message: &str, extension: &str, class: &str) -> Self {
        let extensions = json!({extension: class});
        Self::new(status, json!({"errors": [{"message": message, "extensions": extensions}]}))
    }

    /// More at once than one user may ask.
    pub(super) fn too_many() -> Self {
        let message = format!("Too many requests: {IN_FLIGHT_MAX} at the same time are allowed");
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::classed(status, &message, "errorClass", "TOO_MANY_REQUESTS")
    }
}

#[derive(Deserialize)]
#[serde(expecting = "an object with `query`")]
struct Body {
    query: Option<String>,
    #[serde(default)]
    variables: Option<Json>,
    #[serde(rename = "operationName", default)]
    operation_name: Option<String>,
}

impl NewRelic {
    /// Answers a request to NerdGraph: `key` is the value of the header `API-Key`, `body` the JSON
    /// with `query`, `variables` and `operationName`.
    pub fn graphql(&self, now: UnixMillis, key: Option<&str>, body: &[u8]) -> GraphAnswer {
        let user = match self.graph_user(key) {
            Ok(user) => user,
            Err(answer) => return answer,
        };
        let fault = self.graph_fault(now);
        if let Some(answer) = fault.as_ref().and_then(|fault| refused_by(fault, body.len())) {
            return answer;
        }
        self.graphql_as(now, user, body)
    }

    /// The fault that hits a request to NerdGraph at `now`, counted.
    pub(super) fn graph_fault(&self, now: UnixMillis) -> Option<IngestFault> {
        let mut state = self.state();
        state.advance(now);
        state.draw_fault(Target::NerdGraph)
    }

    /// The schema, in GraphQL's own language.
    pub fn graphql_schema() -> String {
        let options = async_graphql::SDLExportOptions::new().sorted_fields().sorted_arguments();
        let options = options.sorted_enum_items();
        sdl::schema().map(|schema| schema.sdl_with_options(options)).unwrap_or_default()
    }

    /// Who holds the key.
    pub(super) fn graph_user(&self, key: Option<&str>) -> Result<User, GraphAnswer> {
        let Some(key) = key.map(str::trim).filter(|key| !key.is_empty()) else {
            let status = StatusCode::UNAUTHORIZED;
            let message = "An API key is required: send it in the header API-Key";
            return Err(GraphAnswer::classed(status, message, "error_code", "BAD_API_KEY"));
        };
        User::of_key(&self.state(), key).ok_or_else(|| {
            let message = "The API key is invalid";
            GraphAnswer::classed(StatusCode::OK, message, "error_code", "BAD_API_KEY")
        })
    }

    /// Answers a request whose user is known.
    pub(super) fn graphql_as(&self, now: UnixMillis, user: User, body: &[u8]) -> GraphAnswer {
        if body.len() > BODY_BYTES_MAX {
            let message = format!("Request body is longer than {BODY_BYTES_MAX} bytes");
            return GraphAnswer::error(StatusCode::PAYLOAD_TOO_LARGE, message);
        }
        let body = match serde_json::from_slice::<Body>(body) {
            Ok(body) => body,
            Err(error) => {
                let message = format!("Request body is not valid JSON: {error}");
                return GraphAnswer::error(StatusCode::BAD_REQUEST, message);
            }
        };
        let Some(query) = body.query.filter(|query| !query.trim().is_empty()) else {
            return GraphAnswer::error(StatusCode::BAD_REQUEST, "No query document supplied");
        };
        let variables = match body.variables {
            None | Some(Json::Null) => Variables::default(),
            // Variables as a text of JSON, as some tools send them.
            Some(Json::String(text)) => match serde_json::from_str(&text) {
                Ok(json) => Variables::from_json(json),
                Err(_) => return bad_variables(),
            },
            Some(json @ Json::Object(_)) => Variables::from_json(json),
            Some(_) => return bad_variables(),
        };
        let document = match document(&query) {
            Ok(document) => document,
            Err(answer) => return answer,
        };
        let session = Session { newrelic: self.clone(), now, user };
        let request = Request::new(query).variables(variables).data(session);
        let mut request = match body.operation_name.filter(|name| !name.is_empty()) {
            Some(name) => request.operation_name(name),
            None => request,
        };
        request.set_parsed_query(document);
        execute(request)
    }
}

fn bad_variables() -> GraphAnswer {
    GraphAnswer::error(StatusCode::BAD_REQUEST, "The variable values could not be decoded")
}

/// The answer of a fault that needs no connection, to a body of `bytes`.
pub(super) fn refused_by(fault: &IngestFault, bytes: usize) -> Option<GraphAnswer> {
    match fault {
        IngestFault::Status { code, retry_after_seconds } => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let answer = GraphAnswer::error(status, "Injected fault");
            Some(GraphAnswer { retry_after_seconds: *retry_after_seconds, ..answer })
        }
        IngestFault::BodyTooLarge { body_bytes_max } if bytes as u64 > *body_bytes_max => {
            Some(GraphAnswer::error(StatusCode::PAYLOAD_TOO_LARGE, "Injected fault"))
        }
        _ => None,
    }
}

/// Reads and weighs a document.
fn document(query: &str) -> Result<ExecutableDocument, GraphAnswer> {
    let errors = |errors: Json| GraphAnswer::new(StatusCode::OK, json!({"errors": errors}));
    let document = async_graphql::parser::parse_query(query)
        .map_err(|error| errors(words::syntax_error(query, &error)))?;
    cost::check(&document).map_err(|error| {
        let extensions = json!({"errorClass": "QUERY_TOO_COMPLEX"});
        errors(json!([{"message": error.to_string(), "extensions": extensions}]))
    })?;
    Ok(document)
}

fn execute(request: Request) -> GraphAnswer {
    let internal = |message: &str| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        GraphAnswer::classed(status, message, "errorClass", "INTERNAL_SERVER_ERROR")
    };
    let Ok(schema) = sdl::schema() else { return internal("The schema is broken") };
    let mut execution = pin!(schema.execute(request));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS_MAX {
        if let Poll::Ready(response) = execution.as_mut().poll(&mut context) {
            return shown(response);
        }
    }
    internal("The query did not end")
}

fn shown(response: Response) -> GraphAnswer {
    let Response { data, mut errors, .. } = response;
    // Errors of fields have a path; without one nothing was executed. The rules of validation
    // speak in no order of their own.
    let executed = errors.is_empty() || errors.iter().any(|error| !error.path.is_empty());
    if !executed {
        let key = |e: &ServerError| {
            let place = e.locations.first().map_or((0, 0), |place| (place.line, place.column));
            (place, e.message.clone())
        };
        // The arguments of an unknown field are looked for on its parent, in vain.
        if errors.iter().any(|error| error.message.starts_with("Unknown field ")) {
            errors.retain(|error| !error.message.starts_with("Unknown argument "));
        }
        errors.sort_by_key(key);
        errors.dedup_by_key(|error| key(error));
    }
    let errors: Vec<Json> = errors.iter().map(words::error).collect();
    let too_many =
        errors.iter().any(|error| error["extensions"]["errorClass"] == "TOO_MANY_REQUESTS");
    let mut body = serde_json::Map::new();
    if executed {
        body.insert("data".to_owned(), data.into_json().unwrap_or_default());
    }
    if !errors.is_empty() {
        body.insert("errors".to_owned(), errors.into());
    }
    let status = if too_many { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::OK };
    GraphAnswer::new(status, Json::Object(body))
}
