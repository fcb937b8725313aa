//! What infrastructure agents send: samples of the host and of on-host integrations.
//!
//! Source: the public source of newrelic/infrastructure-agent (paths, form of a post, decoration of
//! samples, entity keys) and the samples among the tests of newrelic/entity-definitions (what New
//! Relic adds). Entities of integrations are made here, by the pipeline of infrastructure, where no
//! synthesis rule makes them.
//!
//! Not modelled: registration of entities (`/identity/v1/register`), deltas of inventory (accepted
//! and counted), decoration by the cloud's metadata.

mod agent;
mod forward;
mod post;
#[cfg(test)]
mod tests;

pub use agent::AgentHost;
pub use forward::{ForwardError, Forwarded, Forwarder};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Pending;
use super::arrival::draw;
use super::body::{Unreadable, unpack};
use super::event::{Faults, admit, validate};
use super::synthesis::NewPoint;
use crate::definitions::farmhash::identifier_hash;
use crate::definitions::{Scalar, entity_guid};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::sim::newrelic::entities::NewEntity;
use crate::sim::newrelic::state::State;
use post::{SentPost, SentPosts};

/// What the pipeline sets; a sender's own values are not taken over.
const SET_HERE: [&str; 5] =
    ["entityGuid", "entityId", "externalKey", "nr.entityType", "nr.ingestTimeMs"];

/// Parses a body that has waited until `at`.
pub(super) fn parse(state: &mut State, pending: &Pending, at: UnixMillis) {
    let json = unpack(&pending.body, pending.encoding, state.config.decoded_bytes_max);
    let posts = match json.as_deref().map_err(Unreadable::clone).and_then(SentPosts::parse) {
        Ok(posts) => posts,
        Err(unreadable) => return state.lose(pending, at, &unreadable),
    };
    let mut faults = Faults::default();
    let mut stored = 0;
    for post in &posts.posts {
        for event in posts.events_of(post) {
            match validate(event, pending.received_at)
                .and_then(|event| admit(state, pending, at, event))
            {
                Ok(event) => {
                    let text = |name: &str| text_of(&event.cells, name);
                    let key = text("entityKey").or(post.external_key()).unwrap_or_default();
                    let sample = Sample::of(pending.account, key, event.event_type, post);
                    let new = NewPoint {
                        account: pending.account,
                        event_type: event.event_type,
                        timestamp: event.timestamp,
                        at,
                        request: pending.request,
                        cells: event.cells,
                        metric: None,
                    };
                    store(state, pending, &sample, new);
                    stored += 1;
                }
                Err((fault, event_type)) => faults.note(fault, event_type),
            }
        }
    }
    faults.report(state, pending, at, stored);
}

/// What the pipeline knows of a sample's entity.
struct Sample {
    key: String,
    id: String,
    guid: String,
    /// For example `KafkaBroker`.
    kind: String,
    external: bool,
}

impl Sample {
    fn of(account: AccountId, key: &str, event_type: &str, post: &SentPost<'_>) -> Self {
        let id = identifier_hash(key).to_string();
        let guid = entity_guid(account, "INFRA", "NA", &id, false).unwrap_or_default();
        let kind = match event_type.strip_suffix("Sample") {
            _ if post.is_agent => "Host",
            Some(kind) if !kind.is_empty() => kind,
            _ => "",
        };
        Self { key: key.to_owned(), id, guid, kind: kind.to_owned(), external: !post.is_agent }
    }
}

fn text_of<'a>(cells: &[(&str, Scalar<'a>)], name: &str) -> Option<&'a str> {
    cells.iter().find(|(key, _)| *key == name).and_then(|(_, value)| match value {
        Scalar::Text(text) if !text.is_empty() => Some(*text),
        _ => None,
    })
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2⁵³")]
fn store<'a>(state: &mut State, pending: &Pending, sample: &'a Sample, mut new: NewPoint<'a>) {
    let cells = &mut new.cells;
    cells.retain(|(name, _)| !SET_HERE.contains(name));
    cells.push(("nr.ingestTimeMs", Scalar::Number(pending.received_at.0 as f64)));
    if !sample.key.is_empty() {
        cells.push(("entityGuid", Scalar::Text(&sample.guid)));
        cells.push(("entityId", Scalar::Text(&sample.id)));
        if sample.external {
            cells.push(("externalKey", Scalar::Text(&sample.key)));
        }
        if !sample.kind.is_empty() {
            cells.push(("nr.entityType", Scalar::Text(&sample.kind)));
            report_entity(state, sample, &new);
        }
    }
    state.store_point(new);
}

/// Makes or confirms the entity of a sample whose type the definitions know, as no rule need do.
fn report_entity(state: &mut State, sample: &Sample, new: &NewPoint<'_>) {
    let definitions = state.definitions();
    let Some(definition) = definitions.get("INFRA", &sample.kind.to_uppercase()) else { return };
    let entity = NewEntity {
        account: new.account,
        guid: &sample.guid,
        domain: &definition.domain,
        entity_type: &definition.entity_type,
        name: &sample.key,
        lifetime: definition.expiration.lifetime(),
    };
    let (range, extra) = (state.config.synthesis_lag, state.extra_lag);
    let lag = || draw(&mut state.ingest.lags, range) + extra;
    let golden = definition.golden_tags.iter().map(String::as_str);
    let tags = golden.filter_map(|key| {
        let (_, value) = new.cells.iter().find(|(name, _)| *name == key)?;
        Some((key, value.text()))
    });
    let kept = state.entities.report(entity, definition.alertable, tags, new.at, lag);
    state.counters.entities_refused += u64::from(!kept);
}

/// The answer to an agent that asks who it is.
pub(super) fn identity(account: AccountId, body: &[u8]) -> String {
    let asked: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let fingerprint = &asked["fingerprint"];
    let names = ["displayName", "fullHostname", "hostname"];
    let name = names.iter().find_map(|name| fingerprint[name].as_str().filter(|n| !n.is_empty()));
    let id = identifier_hash(name.unwrap_or("agent")).unsigned_abs() >> 1;
    let guid = URL_SAFE_NO_PAD.encode(format!("{account}|INFRA|NA|{id}"));
    format!(r#"{{"identity":{{"entityId":{id},"GUID":"{guid}"}}}}"#)
}
