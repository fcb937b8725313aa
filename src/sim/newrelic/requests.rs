//! What became of each request.
//!
//! Invariant: numbers count all requests ever made; the newest ones are kept, up to a limit.

use std::collections::VecDeque;
use std::sync::Arc;

use super::fault::Target;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;

/// Most bytes of a sender's `X-Request-Id` that are remembered; the UUIDs of senders have 36.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// One POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// Counted from 0; stored events name it.
    pub number: u32,
    /// When its head arrived.
    pub at: UnixMillis,
    /// The part of the service that it was for.
    pub part: Target,
    /// The account, when there is such a one.
    pub account: Option<AccountId>,
    /// The sender's `X-Request-Id`, at most 128 bytes of it; empty when it sent none. Equal ids
    /// mean a repetition.
    pub request_id: String,
    /// The status that was answered; 200 or 202 also when the answer was then lost or spoilt.
    pub status: u16,
    /// The id in the answer, when the request was accepted.
    pub uuid: Option<Arc<str>>,
    /// Bytes of its body as sent.
    pub body_bytes: usize,
    /// The fault that hit it.
    pub fault: Option<&'static str>,
    /// Events stored from it so far.
    pub events_stored: u32,
    /// Events of it dropped by a rule so far.
    pub events_rejected: u32,
}

/// The newest requests.
#[derive(Debug)]
pub(super) struct RequestLog {
    records: VecDeque<RequestRecord>,
    /// Number of the first record kept.
    first: u32,
    max: usize,
}

impl RequestLog {
    pub(super) fn new(max: usize) -> Self {
        Self { records: VecDeque::new(), first: 0, max: max.max(1) }
    }

    /// Appends a record and gives it its number.
    pub(super) fn push(&mut self, mut record: RequestRecord) -> u32 {
        let count = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        record.number = self.first.saturating_add(count);
        let end = record.request_id.floor_char_boundary(REQUEST_ID_BYTES_MAX);
        record.request_id.truncate(end);
        record.request_id.shrink_to_fit();
        let number = record.number;
        self.records.push_back(record);
        while self.records.len() > self.max {
            self.records.pop_front();
            self.first = self.first.saturating_add(1);
        }
        number
    }

    pub(super) fn get(&self, number: u32) -> Option<&RequestRecord> {
        self.records.get(number.checked_sub(self.first)? as usize)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut RequestRecord> {
        self.records.get_mut(number.checked_sub(self.first)? as usize)
    }

    pub(super) fn records(&self) -> impl DoubleEndedIterator<Item = &RequestRecord> {
        self.records.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_and_long_ids_of_senders_are_cut() {
        let mut log = RequestLog::new(2);
        let mut push = |request_id: &str| {
            log.push(RequestRecord {
                number: 0,
                at: UnixMillis(0),
                part: Target::Event,
                account: None,
                request_id: request_id.to_owned(),
                status: 200,
                uuid: None,
                body_bytes: 0,
                fault: None,
                events_stored: 0,
                events_rejected: 0,
            })
        };
        assert_eq!((push("first"), push("second"), push(&"é".repeat(100))), (0, 1, 2));
        assert!(log.get(0).is_none());
        let kept: Vec<_> = log.records().map(|record| record.request_id.len()).collect();
        assert_eq!(kept, ["second".len(), 128]);
    }
}
