//! From a request's head to its place in the queue.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use super::envelope::{self, Arrival, Head, Refusal};
use super::minutes::{Counted, rest_seconds};
use super::report::RateLimit;
use super::{PENDING_BYTES, Pending, Ticket, body, event, infra, metric};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::newrelic::limits::API_KEY_PREFIX_CHARS;
use crate::rt::cause::{self, Cause};
use crate::sim::newrelic::config::DelayRange;
use crate::sim::newrelic::fault::{IngestFault, Target};
use crate::sim::newrelic::news::News;
use crate::sim::newrelic::requests::RequestRecord;
use crate::sim::newrelic::state::State;
use crate::sim::seed::below;

pub(super) fn draw(rng: &mut ChaCha8Rng, range: DelayRange) -> Duration {
    let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    let width = nanos(range.max.saturating_sub(range.min)).saturating_add(1);
    range.min + Duration::from_nanos(below(rng, width))
}

impl State {
    /// Parses what is due up to `until`, which is the present or before.
    pub(in crate::sim::newrelic) fn parse_due(&mut self, until: UnixMillis) {
        while let Some(entry) = self.ingest.queue.first_entry() {
            let at = entry.key().0;
            if at > until {
                break;
            }
            let pending = entry.remove();
            self.ingest.queue_bytes -= pending.bytes();
            let asking = cause::set(pending.led_by);
            match pending.part {
                Target::Metric => metric::parse(self, &pending, at),
                Target::Infra => infra::parse(self, &pending, at),
                Target::Event | Target::NerdGraph | Target::All => event::parse(self, &pending, at),
            }
            self.tell_of(pending.request, News::Parsed);
            cause::set(asking);
        }
    }

    /// Looks at the head of a request; a refusal is logged.
    pub(super) fn arrive(
        &mut self,
        now: UnixMillis,
        arrival: Arrival<'_>,
    ) -> Result<Ticket, Refusal> {
        self.advance(now);
        let at = self.now;
        let fault = self.draw_fault(arrival.part);
        let led_by = fault.as_ref().and_then(|_| self.faults.hit_by());
        let request_id = arrival
            .headers
            .get("x-request-id")
            .map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned())
            .unwrap_or_default();
        let part = arrival.part;
        match self.check_head(at, arrival, fault.as_ref()) {
            Ok((key_prefix, account, head)) => {
                Ok(Ticket { part, account, key_prefix, head, at, request_id, fault, led_by })
            }
            Err(refusal) => {
                let named = |id: &str| {
                    let mut accounts = self.config.accounts.iter().map(|account| account.id);
                    accounts.find(|known| known.to_string() == id)
                };
                let account = arrival.account.and_then(named);
                let head = envelope::head(part, arrival.headers);
                let bytes = head.ok().and_then(|head| head.body_bytes).unwrap_or(0);
                let fault = fault.as_ref().map(IngestFault::as_str);
                let record = record(at, part, account, request_id, refusal.status, bytes, fault);
                self.log(record, led_by);
                Err(refusal)
            }
        }
    }

    /// The fault that hits a request to `part` now, counted.
    pub(in crate::sim::newrelic) fn draw_fault(&mut self, part: Target) -> Option<IngestFault> {
        let fault = self.faults.draw(part, self.now);
        if let Some(fault) = &fault {
            *self.counters.faults.entry(fault.as_str()).or_default() += 1;
        }
        fault
    }

    fn check_head(
        &mut self,
        at: UnixMillis,
        arrival: Arrival<'_>,
        fault: Option<&IngestFault>,
    ) -> Result<(String, AccountId, Head), Refusal> {
        let Arrival { part, headers, .. } = arrival;
        if let Some(IngestFault::Status { code, retry_after_seconds }) = fault {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let refusal = Refusal::new(status, "Injected fault");
            return Err(Refusal { retry_after_seconds: *retry_after_seconds, ..refusal });
        }
        if let Some(IngestFault::BodyTooLarge { body_bytes_max }) = fault {
            let declared = envelope::head(part, headers)?.body_bytes.unwrap_or(usize::MAX);
            if declared as u64 > *body_bytes_max {
                return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "Injected fault"));
            }
        }
        envelope::short_enough(arrival)?;
        let key = envelope::presented_key(arrival)?;
        let account = envelope::account_of(&self.config.accounts, arrival.account, &key)?.id;
        let prefix: String = key.chars().take(API_KEY_PREFIX_CHARS).collect();
        self.count_post(part, account, at)?;
        let head = envelope::head(part, headers)?;
        Ok((prefix, account, head))
    }

    /// Counts a POST of `account` in the present minute.
    fn count_post(
        &mut self,
        part: Target,
        account: AccountId,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        let minutes = &mut self.ingest.minutes;
        let posts = minutes.add(account, Counted::Posts(part), 1, at);
        let points = minutes.add(account, Counted::Points, 0, at);
        let posts_max = u64::from(match part {
            Target::Metric => self.config.metric_posts_per_minute,
            _ => self.config.posts_per_minute,
        });
        let (limit, counted) = if posts > posts_max {
            (RateLimit::RequestsPerMinute, Counted::Posts(part))
        } else if part == Target::Metric && points > self.config.metric_points_per_minute {
            (RateLimit::DatapointsPerMinute, Counted::Points)
        } else {
            return Ok(());
        };
        if part == Target::Metric && minutes.tell_once(account, counted, at) {
            self.report_rate_limit(account, at, limit);
        }
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
        Err(Refusal { retry_after_seconds: Some(rest_seconds(at)), ..refusal })
    }

    /// Refuses a request whose head had passed.
    pub(super) fn refuse(&mut self, ticket: Ticket, refusal: Refusal) -> Refusal {
        let fault = ticket.fault.as_ref().map(IngestFault::as_str);
        let bytes = ticket.head.body_bytes.unwrap_or(0);
        let (part, account) = (ticket.part, Some(ticket.account));
        let (id, led_by) = (ticket.request_id, ticket.led_by);
        self.log(record(ticket.at, part, account, id, refusal.status, bytes, fault), led_by);
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
        let encoding = ticket.head.encoding;
        if ticket.part == Target::Metric && body::first_byte(&body, encoding) != Some(b'[') {
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, "Payload is not a JSON array");
            return Err(self.refuse(ticket, refusal));
        }
        let room = self.config.queue_bytes_max.saturating_sub(self.ingest.queue_bytes);
        if body.len() + PENDING_BYTES > room {
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Try again later");
            return Err(self.refuse(ticket, refusal));
        }
        let mut random = [0; 16];
        self.ingest.uuids.fill_bytes(&mut random);
        let uuid = uuid::Builder::from_random_bytes(random).into_uuid().to_string();
        let uuid: Arc<str> = Arc::from(uuid);
        let fault = ticket.fault.as_ref().map(IngestFault::as_str);
        let Ticket { part, account, key_prefix, at, request_id, led_by, .. } = ticket;
        let status = success(part);
        let mut entry = record(at, part, Some(account), request_id, status, body.len(), fault);
        entry.uuid = Some(Arc::clone(&uuid));
        let request = self.log(entry, led_by);
        let due = self.now.plus(draw(&mut self.ingest.delays, self.config.parse_delay));
        let received_at = self.now;
        let uuid_kept = Arc::clone(&uuid);
        let pending = Pending {
            part,
            account,
            key_prefix,
            received_at,
            request,
            uuid: uuid_kept,
            encoding,
            body,
            led_by: cause::present(),
        };
        self.ingest.queue_bytes += pending.bytes();
        self.ingest.queue.insert((due, self.ingest.arrivals), pending);
        self.ingest.arrivals += 1;
        Ok(uuid)
    }

    /// Keeps what became of a request, which a fault may have led to.
    fn log(&mut self, record: RequestRecord, led_by: Option<Cause>) -> u32 {
        *self.counters.requests.entry(record.status).or_default() += 1;
        let number = self.requests.push(record);
        self.tell_of(number, |request| News::Answered { request, led_by });
        number
    }

    /// Tells whoever listens of a request.
    fn tell_of<'a>(&'a self, number: u32, news: impl FnOnce(&'a RequestRecord) -> News<'a>) {
        if let (Some(listener), Some(request)) = (&self.listener, self.requests.get(number)) {
            listener(&news(request));
        }
    }
}

/// The status of a request that was taken.
pub(super) const fn success(part: Target) -> StatusCode {
    match part {
        Target::Metric | Target::Infra => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    }
}

fn record(
    at: UnixMillis,
    part: Target,
    account: Option<AccountId>,
    request_id: String,
    status: StatusCode,
    body_bytes: usize,
    fault: Option<&'static str>,
) -> RequestRecord {
    RequestRecord {
        number: 0,
        at,
        part,
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
