//! The page at `/` of a served New Relic, and the routes that only it uses.
//!
//! The page holds no key. Its own routes act with the first user key of the accounts, on the
//! server: what they give reaches nobody but the page, because another origin's script cannot read
//! them and every request passes the [`Guard`](super::serve::Guard). When the port is open to the
//! network, they want a user key of the visitor instead, and faults cannot be switched here.
//!
//! Invariants:
//! - Everything is embedded; the page loads nothing from elsewhere, and its policy forbids it to.
//! - What it shows of events, entities and queries it asks NerdGraph for, as a user would.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::serve::{Reply, Service, admin, fault_kinds};
use crate::newrelic::{ApiKey, KeyKind};
use crate::ports::Clock;

#[cfg(test)]
mod tests;

const HTML: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("app.js");
const STYLE: &str = include_str!("style.css");

/// Nothing but what this server gives; nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Rows of `NrIntegrationError` and requests shown.
const ROWS_MAX: usize = 50;
/// Longest answer of NerdGraph that is passed on.
const ANSWER_BYTES_MAX: usize = 32 << 20;

const NRQL: &str = "query($account: Int!, $query: Nrql!) { actor { account(id: $account) { \
    nrql(query: $query, timeout: 30) { results currentResults previousResults totalResult \
    otherResult metadata { eventTypes facets messages timeWindow { begin end } } } } } }";
const ENTITIES: &str = "query($query: String, $cursor: String) { actor { \
    entitySearch(query: $query, options: { limit: 50 }) { count results(cursor: $cursor) { \
    nextCursor entities { guid name accountId domain type reporting tags { key values } } } } } }";

/// What the page's routes share.
struct Shared<C: Clock> {
    service: Service<C>,
    /// New Relic's own routes, for NerdGraph.
    apis: Router,
}

impl<C: Clock> Clone for Shared<C> {
    fn clone(&self) -> Self {
        Self { service: self.service.clone(), apis: self.apis.clone() }
    }
}

/// The page and its routes; `apis` are New Relic's own.
pub(super) fn router<C: Clock>(service: Service<C>, apis: Router) -> Router {
    let shared = Shared { service, apis };
    let asset = |kind: &'static str, text: &'static str| {
        let shared = shared.clone();
        get(move |headers: HeaderMap| async move { shared.asset(&headers, kind, text) })
    };
    let own = {
        let shared = shared.clone();
        axum::routing::any(move |request: Request| async move { shared.own(request).await })
    };
    Router::new()
        .route("/", asset("text/html; charset=utf-8", HTML))
        .route("/page/app.js", asset("text/javascript; charset=utf-8", SCRIPT))
        .route("/page/style.css", asset("text/css; charset=utf-8", STYLE))
        .route("/page/api/{*rest}", own)
}

impl<C: Clock> Shared<C> {
    fn asset(&self, headers: &HeaderMap, kind: &'static str, text: &'static str) -> Response {
        if let Err(denied) = self.service.guard().check_host(headers) {
            return admin::respond(&denied.into());
        }
        let mut response = Response::new(Body::from(text));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in [
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        response
    }

    /// Answers one of the page's own routes.
    async fn own(&self, request: Request) -> Response {
        let reply = match self.service.guard().check(request.method(), request.headers()) {
            Err(denied) => denied.into(),
            Ok(()) => match self.key(request.headers()) {
                Ok(key) => self.answer(request, key).await.unwrap_or_else(|reply| reply),
                Err(reply) => reply,
            },
        };
        admin::respond(&reply)
    }

    /// The user key to act with.
    fn key(&self, headers: &HeaderMap) -> Result<ApiKey, Reply> {
        let accounts = self.service.accounts();
        if !self.service.options().open_to_network {
            let fix = "add a [[user]] to the accounts file";
            let none = || Reply::error(StatusCode::CONFLICT, "no user key exists", fix);
            return accounts.page_key.clone().ok_or_else(none);
        }
        let presented = headers.get("api-key").and_then(|key| key.to_str().ok()).unwrap_or("");
        let key = ApiKey::new(presented).ok().filter(|key| key.kind() == KeyKind::User);
        let known = key.filter(|key| accounts.admits_user(key.expose()));
        let fix = "enter a user key (NRAK-…): this port is open to the network";
        known.ok_or_else(|| Reply::error(StatusCode::UNAUTHORIZED, "a user key is needed", fix))
    }

    async fn answer(&self, request: Request, key: ApiKey) -> Result<Reply, Reply> {
        let method = request.method().clone();
        let path = request.uri().path().strip_prefix("/page/api").unwrap_or_default().to_owned();
        let body = admin::body(request).await?;
        let fault = path.strip_prefix("/faults/").map(str::to_owned);
        match (method, path.as_str()) {
            (Method::GET, "/state") => Ok(Reply::ok(self.state(&key))),
            (Method::POST, "/nrql") => self.nrql(&key, &body).await,
            (Method::POST, "/entities") => {
                let variables = json!({ "query": body.get("query"), "cursor": body.get("cursor") });
                self.graphql(&key, ENTITIES, &variables).await
            }
            (Method::POST, "/faults") => {
                self.switching().map(|service| admin::switch_on(service, body))
            }
            (Method::DELETE, _) if fault.is_some() => {
                let id = fault.unwrap_or_default();
                self.switching().map(|service| admin::switch_off(service, &id))
            }
            (_, path) => {
                let error = format!("the page has no {path}");
                Err(Reply::error(StatusCode::NOT_FOUND, error, "the admin port has GET /"))
            }
        }
    }

    /// The service, when faults may be switched from here.
    fn switching(&self) -> Result<&Service<C>, Reply> {
        let fix = "use the admin port: this one is open to the network";
        let open = self.service.options().open_to_network;
        let refused = || Reply::error(StatusCode::FORBIDDEN, "faults are not switched here", fix);
        if open { Err(refused()) } else { Ok(&self.service) }
    }

    fn state(&self, key: &ApiKey) -> Value {
        let service = &self.service;
        let mut state = admin::figures(service);
        let readable = service.accounts().readable_by(key);
        let accounts = service.accounts().accounts.iter().filter(|a| readable.contains(&a.id));
        let accounts: Vec<Value> =
            accounts.map(|account| json!({ "id": account.id, "name": account.name })).collect();
        let requests = service.newrelic().newest_requests(ROWS_MAX, None);
        state["accounts"] = json!(accounts);
        state["faults"] = admin::faults(service);
        state["answers"] = json!(fault_kinds().map(|kind| kind.name).collect::<Vec<_>>());
        state["switches"] = json!(!service.options().open_to_network);
        state["newest_requests"] = requests.iter().map(admin::request_row).collect();
        state
    }

    async fn nrql(&self, key: &ApiKey, body: &Value) -> Result<Reply, Reply> {
        let readable = self.service.accounts().readable_by(key);
        let account = body.get("account").and_then(Value::as_u64);
        let account = account.or_else(|| readable.first().map(|id| id.get()));
        let variables = json!({ "account": account, "query": body.get("query") });
        self.graphql(key, NRQL, &variables).await
    }

    /// Asks NerdGraph with `key`; its answer as it is.
    async fn graphql(&self, key: &ApiKey, query: &str, variables: &Value) -> Result<Reply, Reply> {
        let broken = |what: String| {
            Reply::error(StatusCode::BAD_GATEWAY, what, "see whether a fault of NerdGraph is on")
        };
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = Request::post("/graphql")
            .header("api-key", key.expose())
            .header("content-type", "application/json")
            .header("content-length", body.len())
            .body(Body::from(body))
            .map_err(|error| broken(error.to_string()))?;
        let response = match self.apis.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let status = response.status();
        let read = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await;
        let text = read.map_err(|_| broken("NerdGraph's answer broke off".to_owned()))?;
        let body = serde_json::from_slice(&text)
            .map_err(|_| broken(format!("NerdGraph answered {status} with something else")))?;
        Ok(Reply { status, body })
    }
}
