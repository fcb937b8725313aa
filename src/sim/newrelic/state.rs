//! Everything a simulated New Relic knows, and how it changes as time passes.
//!
//! Invariants:
//! - Time never goes back; what was accepted is parsed when its drawn delay has passed, in the
//!   order of those instants.
//! - Every accepted event is stored, or becomes a row of `NrIntegrationError`, or is counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use super::config::{Account, DelayRange, NewRelicConfig};
use super::entities::Entities;
use super::envelope::{self, Head, Refusal};
use super::fault::{Faults, IngestFault, Target};
use super::graphql::GraphState;
use super::parse::{SentEvents, unpack};
use super::requests::{RequestLog, RequestRecord};
use super::store::{EventStore, NewEvent};
use super::validate::{EventFault, PARSE_ERROR, ValidEvent, validate};
use crate::definitions::{Definitions, Match, Point, Scalar};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::newrelic::KeyKind;
use crate::newrelic::limits::{API_KEY_PREFIX_CHARS, EVENT_TYPES_PER_ACCOUNT};
use crate::sim::seed::{Seed, below};

/// Events of this type tell of relationships.
const RELATIONSHIP_EVENT: &str = "MessageQueueRelationship";
/// Rows about what went wrong.
pub(super) const ERROR_EVENT: &str = "NrIntegrationError";
const MINUTE_MS: i64 = 60_000;

/// A body that was accepted and waits to be parsed.
#[derive(Debug)]
struct Pending {
    account: AccountId,
    key_prefix: String,
    received_at: UnixMillis,
    request: u32,
    uuid: Arc<str>,
    head: Head,
    body: Bytes,
}

/// A request whose head passed.
#[derive(Debug)]
pub(super) struct Ticket {
    account: AccountId,
    key_prefix: String,
    pub(super) head: Head,
    at: UnixMillis,
    request_id: String,
    pub(super) fault: Option<IngestFault>,
}

/// Totals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    /// Requests by the status that was answered.
    pub requests: BTreeMap<u16, u64>,
    /// Requests that a fault hit, by its name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Events stored.
    pub events_stored: u64,
    /// Events dropped by a rule.
    pub events_rejected: BTreeMap<EventFault, u64>,
    /// Requests lost whole because their body could not be parsed.
    pub bodies_unreadable: u64,
    /// Points that matched a rule but whose identifier fits no GUID.
    pub guids_refused: u64,
    /// Sightings of entities and relationships for which there was no room.
    pub entities_refused: u64,
}

/// What a stored event says of the first entity that it made.
struct Stamp {
    guid: String,
    name: String,
    kind: String,
    /// `entityGuid` and `entityName` instead of `entity.guid`, `entity.name` and `entity.type`.
    non_standard: bool,
}

impl Stamp {
    fn of(guid: String, found: &Match<'_>) -> Self {
        Self {
            guid,
            name: found.name.clone().into_owned(),
            kind: found.definition.entity_type.clone(),
            non_standard: found.rule.non_standard_attributes,
        }
    }

    fn put<'a>(&'a self, cells: &mut Vec<(&'a str, Scalar<'a>)>) {
        if self.non_standard {
            cells.push(("entityGuid", Scalar::Text(&self.guid)));
            cells.push(("entityName", Scalar::Text(&self.name)));
        } else {
            cells.push(("entity.guid", Scalar::Text(&self.guid)));
            cells.push(("entity.name", Scalar::Text(&self.name)));
            cells.push(("entity.type", Scalar::Text(&self.kind)));
        }
    }
}

pub(super) struct State {
    pub(super) config: NewRelicConfig,
    definitions: Arc<Definitions>,
    uuids: ChaCha8Rng,
    delays: ChaCha8Rng,
    lags: ChaCha8Rng,
    /// The latest time it was told; never goes back.
    pub(super) now: UnixMillis,
    /// By the time at which they are parsed, then by arrival.
    queue: BTreeMap<(UnixMillis, u32), Pending>,
    queue_bytes: usize,
    /// POSTs of each account in its present minute.
    posts: BTreeMap<AccountId, (i64, u32)>,
    next_expiry: UnixMillis,
    pub(super) store: EventStore,
    pub(super) entities: Entities,
    pub(super) requests: RequestLog,
    pub(super) faults: Faults,
    /// How much later than drawn what is observed now becomes visible.
    pub(super) extra_lag: Duration,
    pub(super) graph: GraphState,
    pub(super) counters: Counters,
}

fn draw(rng: &mut ChaCha8Rng, range: DelayRange) -> Duration {
    let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    let width = nanos(range.max.saturating_sub(range.min)).saturating_add(1);
    range.min + Duration::from_nanos(below(rng, width))
}

impl State {
    pub(super) fn new(config: NewRelicConfig, seed: Seed, definitions: Arc<Definitions>) -> Self {
        let names: BTreeMap<_, _> =
            config.accounts.iter().map(|a| (a.id, a.name.clone())).collect();
        Self {
            definitions,
            uuids: seed.stream("newrelic/uuid"),
            delays: seed.stream("newrelic/parse-delay"),
            lags: seed.stream("newrelic/synthesis-lag"),
            now: UnixMillis(i64::MIN),
            queue: BTreeMap::new(),
            queue_bytes: 0,
            posts: BTreeMap::new(),
            next_expiry: UnixMillis(i64::MIN),
            store: EventStore::new(config.store_bytes_max),
            entities: Entities::new(config.entities_max, config.reporting_silence, names),
            requests: RequestLog::new(config.request_log_max),
            faults: Faults::new(seed.stream("newrelic/fault")),
            extra_lag: Duration::ZERO,
            graph: GraphState::new(seed),
            counters: Counters::default(),
            config,
        }
    }

    /// Accounts that the user key `presented` opens to NerdGraph, in the order of the configuration.
    pub(super) fn accounts_of_user(&self, presented: &str) -> Vec<AccountId> {
        let opens = |account: &&Account| {
            account.key(presented).is_some_and(|key| key.kind() == KeyKind::User)
        };
        self.config.accounts.iter().filter(opens).map(|account| account.id).collect()
    }

    /// The entity definitions in force.
    pub(super) fn definitions(&self) -> Arc<Definitions> {
        Arc::clone(&self.definitions)
    }

    /// Does what is due up to `now`.
    pub(super) fn advance(&mut self, now: UnixMillis) {
        self.now = self.now.max(now);
        while let Some(entry) = self.queue.first_entry() {
            let at = entry.key().0;
            if at > self.now {
                break;
            }
            let pending = entry.remove();
            self.queue_bytes -= pending.body.len();
            self.parse(&pending, at);
        }
        if self.now >= self.next_expiry {
            self.next_expiry = self.now.plus_millis(MINUTE_MS);
            let retention = i64::try_from(self.config.retention.as_millis()).unwrap_or(i64::MAX);
            self.store.expire(self.now.plus_millis(retention.saturating_neg()));
        }
    }

    /// Looks at the head of a request; a refusal is logged.
    pub(super) fn arrive(
        &mut self,
        now: UnixMillis,
        account: &str,
        headers: &HeaderMap,
    ) -> Result<Ticket, Refusal> {
        self.advance(now);
        let at = self.now;
        let fault = self.faults.draw(Target::Event, at);
        if let Some(fault) = &fault {
            *self.counters.faults.entry(fault.as_str()).or_default() += 1;
        }
        let request_id = headers
            .get("x-request-id")
            .map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned())
            .unwrap_or_default();
        let known = self.config.accounts.iter().find(|a| a.id.to_string() == account).cloned();
        let id = known.as_ref().map(|account| account.id);
        let passed = self.check_head(at, known.as_ref(), headers, fault.as_ref());
        match passed {
            Ok((key_prefix, account, head)) => {
                Ok(Ticket { account, key_prefix, head, at, request_id, fault })
            }
            Err(refusal) => {
                let body_bytes = envelope::head(headers).map_or(0, |head| head.body_bytes);
                let fault = fault.as_ref().map(IngestFault::as_str);
                let record = record(at, id, request_id, refusal.status, body_bytes, fault);
                self.log(record);
                Err(refusal)
            }
        }
    }

    fn check_head(
        &mut self,
        at: UnixMillis,
        account: Option<&Account>,
        headers: &HeaderMap,
        fault: Option<&IngestFault>,
    ) -> Result<(String, AccountId, Head), Refusal> {
        if let Some(IngestFault::Status { code, retry_after_seconds }) = fault {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let refusal = Refusal::new(status, "Injected fault");
            return Err(Refusal { retry_after_seconds: *retry_after_seconds, ..refusal });
        }
        if let Some(IngestFault::BodyTooLarge { body_bytes_max }) = fault
            && envelope::head(headers)?.body_bytes as u64 > *body_bytes_max
        {
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "Injected fault"));
        }
        let key = envelope::key(headers, account)?;
        let Some(account) = account else {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "Invalid insert key"));
        };
        self.count_post(account.id, at)?;
        let head = envelope::head(headers)?;
        Ok((key.chars().take(API_KEY_PREFIX_CHARS).collect(), account.id, head))
    }

    /// Counts a POST of `account` in the present minute.
    fn count_post(&mut self, account: AccountId, at: UnixMillis) -> Result<(), Refusal> {
        let minute = at.0.div_euclid(MINUTE_MS);
        let window = self.posts.entry(account).or_insert((minute, 0));
        if window.0 != minute {
            *window = (minute, 0);
        }
        window.1 = window.1.saturating_add(1);
        if window.1 <= self.config.posts_per_minute {
            return Ok(());
        }
        let rest_ms = MINUTE_MS - at.0.rem_euclid(MINUTE_MS);
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
        let retry_after_seconds = u32::try_from((rest_ms + 999) / 1_000).ok();
        Err(Refusal { retry_after_seconds, ..refusal })
    }

    /// Refuses a request whose head had passed.
    pub(super) fn refuse(&mut self, ticket: Ticket, refusal: Refusal) -> Refusal {
        let fault = ticket.fault.as_ref().map(IngestFault::as_str);
        let (account, bytes) = (Some(ticket.account), ticket.head.body_bytes);
        self.log(record(ticket.at, account, ticket.request_id, refusal.status, bytes, fault));
        refusal
    }

    /// Takes a whole request for parsing; its uuid.
    pub(super) fn accept(
        &mut self,
        now: UnixMillis,
        ticket: Ticket,
        body: Bytes,
    ) -> Result<Arc<str>, Refusal> {
        self.advance(now);
        if self.queue_bytes + body.len() > self.config.queue_bytes_max {
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Try again later");
            return Err(self.refuse(ticket, refusal));
        }
        let mut random = [0; 16];
        self.uuids.fill_bytes(&mut random);
        let uuid = uuid::Builder::from_random_bytes(random).into_uuid().to_string();
        let uuid: Arc<str> = Arc::from(uuid);
        let fault = ticket.fault.as_ref().map(IngestFault::as_str);
        let (account, at) = (ticket.account, ticket.at);
        let mut entry =
            record(at, Some(account), ticket.request_id, StatusCode::OK, body.len(), fault);
        entry.uuid = Some(Arc::clone(&uuid));
        let request = self.log(entry);
        let due = self.now.plus(draw(&mut self.delays, self.config.parse_delay));
        self.queue_bytes += body.len();
        let pending = Pending {
            account,
            key_prefix: ticket.key_prefix,
            received_at: self.now,
            request,
            uuid: Arc::clone(&uuid),
            head: ticket.head,
            body,
        };
        self.queue.insert((due, request), pending);
        Ok(uuid)
    }

    fn log(&mut self, record: RequestRecord) -> u32 {
        *self.counters.requests.entry(record.status).or_default() += 1;
        self.requests.push(record)
    }

    /// Bodies that were accepted and are not parsed yet.
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    fn parse(&mut self, pending: &Pending, at: UnixMillis) {
        let json = unpack(&pending.body, pending.head.encoding, self.config.decoded_bytes_max);
        let events = match json.as_deref() {
            Ok(json) => SentEvents::parse(json),
            Err(unreadable) => Err(unreadable.clone()),
        };
        let events = match events {
            Ok(events) => events,
            Err(unreadable) => {
                tracing::debug!(uuid = %pending.uuid, %unreadable, "Body lost.");
                self.counters.bodies_unreadable += 1;
                self.error_row(pending, at, PARSE_ERROR, None);
                return;
            }
        };
        let mut faults: BTreeMap<EventFault, (u32, Option<String>)> = BTreeMap::new();
        let mut stored = 0;
        for event in events.iter() {
            let valid = validate(event, pending.received_at).and_then(|event| {
                let (account, kind) = (pending.account, event.event_type);
                let room = self.store.has_room(account, kind, EVENT_TYPES_PER_ACCOUNT);
                room.then_some(event).ok_or((EventFault::TooManyEventTypes, Some(kind)))
            });
            match valid {
                Ok(valid) => {
                    self.store_event(pending, at, &valid);
                    stored += 1;
                }
                Err((fault, event_type)) => {
                    let entry = faults.entry(fault).or_insert((0, None));
                    entry.0 += 1;
                    entry.1 = entry.1.take().or_else(|| event_type.map(str::to_owned));
                }
            }
        }
        self.counters.events_stored += u64::from(stored);
        let rejected = faults.values().map(|(count, _)| count).sum();
        if let Some(record) = self.requests.get_mut(pending.request) {
            (record.events_stored, record.events_rejected) = (stored, rejected);
        }
        for (fault, (count, sample)) in faults {
            *self.counters.events_rejected.entry(fault).or_default() += u64::from(count);
            self.error_row(pending, at, &fault.message(count as usize), sample.as_deref());
        }
    }

    fn store_event(&mut self, pending: &Pending, at: UnixMillis, event: &ValidEvent<'_>) {
        let definitions = Arc::clone(&self.definitions);
        let account = pending.account;
        let point = Point { event_type: event.event_type, attributes: &event.cells };
        let mut entity = None;
        for found in definitions.match_point(point) {
            let Ok(guid) = found.guid(account) else {
                self.counters.guids_refused += 1;
                continue;
            };
            let (lags, range, extra) = (&mut self.lags, self.config.synthesis_lag, self.extra_lag);
            let lag = || draw(lags, range) + extra;
            let kept = self.entities.observe(account, &guid, &found, at, lag);
            self.counters.entities_refused += u64::from(!kept);
            entity = entity.or_else(|| kept.then(|| Stamp::of(guid, &found)));
        }
        if event.event_type == RELATIONSHIP_EVENT {
            self.relate(account, at, point);
        }
        let mut cells = event.cells.clone();
        if let Some(stamp) = &entity {
            stamp.put(&mut cells);
        }
        self.store.push(NewEvent {
            account,
            event_type: event.event_type,
            timestamp: event.timestamp,
            stored_at: at,
            request: pending.request,
            cells: &cells,
        });
    }

    fn relate(&mut self, account: AccountId, at: UnixMillis, point: Point<'_>) {
        let text = |name: &str| match point.get(name) {
            Some(Scalar::Text(text)) => Some(text),
            _ => None,
        };
        let source = text("sourceEntityGuid");
        let kind = text("relationshipType");
        let target = text("targetEntityGuid");
        if let (Some(source), Some(kind), Some(target)) = (source, kind, target) {
            let (lags, range, extra) = (&mut self.lags, self.config.synthesis_lag, self.extra_lag);
            let lifetime = self.config.relationship_lifetime;
            let ends = (source, kind, target);
            let lag = || draw(lags, range) + extra;
            let kept = self.entities.relate(account, ends, at, lifetime, lag);
            self.counters.entities_refused += u64::from(!kept);
        }
    }

    /// Writes a row about a request that went wrong.
    fn error_row(
        &mut self,
        pending: &Pending,
        at: UnixMillis,
        message: &str,
        event_type: Option<&str>,
    ) {
        let mut cells = vec![
            ("newRelicFeature", Scalar::Text("Event API")),
            ("category", Scalar::Text("EventApiException")),
            ("name", Scalar::Text("EventValidationException")),
            ("message", Scalar::Text(message)),
            ("apiKeyPrefix", Scalar::Text(&pending.key_prefix)),
            ("requestId", Scalar::Text(&pending.uuid)),
        ];
        cells.extend(event_type.map(|sample| ("eventTypeSample", Scalar::Text(sample))));
        self.store.push(NewEvent {
            account: pending.account,
            event_type: ERROR_EVENT,
            timestamp: at,
            stored_at: at,
            request: pending.request,
            cells: &cells,
        });
    }
}

fn record(
    at: UnixMillis,
    account: Option<AccountId>,
    request_id: String,
    status: StatusCode,
    body_bytes: usize,
    fault: Option<&'static str>,
) -> RequestRecord {
    RequestRecord {
        number: 0,
        at,
        account,
        request_id,
        status: status.as_u16(),
        uuid: None,
        body_bytes,
        fault,
        events_stored: 0,
        events_rejected: 0,
    }
}
