//! Ingest without HTTP: for callers within the process.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};

use super::envelope::Arrival;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::sim::newrelic::NewRelic;
use crate::sim::newrelic::fault::Target;

/// A POST to ingest.
#[derive(Debug, Clone)]
pub struct DirectPost<'a> {
    /// For which part: [`Target::Event`], [`Target::Metric`] or [`Target::Infra`].
    pub part: Target,
    /// The account that the path of the Event API names; without it, that of the key.
    pub account: Option<AccountId>,
    /// An ingest key.
    pub key: &'a str,
    /// JSON, packed or not.
    pub body: Bytes,
    /// Whether it is packed.
    pub gzip: bool,
}

impl NewRelic {
    /// Takes a POST as the routes do; the id that the answer names.
    ///
    /// # Errors
    /// The status of a refusal.
    pub fn post(&self, now: UnixMillis, post: DirectPost<'_>) -> Result<Arc<str>, StatusCode> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from(post.body.len()));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if post.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let key = HeaderValue::from_str(post.key).map_err(|_| StatusCode::FORBIDDEN)?;
        headers.insert("api-key", key);
        let uri = Uri::from_static("/");
        let account = post.account.map(|account| account.to_string());
        let part = post.part;
        let arrival = Arrival { part, account: account.as_deref(), uri: &uri, headers: &headers };
        let mut state = self.state();
        let ticket = state.arrive(now, arrival).map_err(|refusal| refusal.status)?;
        state.accept(now, ticket, post.body).map_err(|refusal| refusal.status)
    }
}
