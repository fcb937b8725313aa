//! Partition logs: what clients wrote is stored as sent, everything else is made on the fly.
//!
//! Invariants:
//! - A stored batch keeps its bytes but for base offset and leader epoch, which its checksum does
//!   not cover; reading it gives back what was written.
//! - A synthetic record depends on seed, topic, partition and offset only (its timestamp on the
//!   log's marks), so reading it twice gives the same value.
//! - Stored bytes per partition are capped: the oldest batches go first, and the log start with
//!   them.
//!
//! Not modelled: segments, compaction of topics other than the offsets topic, transactions,
//! sequence numbers of idempotent producers, high watermarks behind the log end, exact
//! timestamps of synthetic records (interpolated between retention checks).

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::records::{
    Compression, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};

use super::state::{State, StoredBatch};

/// Bytes of client batches kept per partition.
const STORED_BYTES_MAX: usize = 16 << 20;
/// Largest batch, `message.max.bytes`.
pub(super) const BATCH_BYTES_MAX: usize = 1_048_588;
/// Bytes of a batch before its records.
const BATCH_HEADER_BYTES: usize = 61;
/// Synthetic records per batch.
const SYNTHETIC_RECORDS_MAX: i64 = 500;

/// What the header of a valid batch says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchHeader {
    pub records: i32,
    pub max_timestamp: i64,
}

/// Checks one record batch of a Produce request.
///
/// # Errors
/// The code Kafka answers with: INVALID_RECORD, CORRUPT_MESSAGE, MESSAGE_TOO_LARGE,
/// UNSUPPORTED_FOR_MESSAGE_FORMAT.
pub(super) fn check_batch(batch: &[u8]) -> Result<BatchHeader, ResponseError> {
    let i32_at = |at: usize| -> Option<i32> {
        Some(i32::from_be_bytes(batch.get(at..at + 4)?.try_into().ok()?))
    };
    if batch.len() > BATCH_BYTES_MAX {
        return Err(ResponseError::MessageTooLarge);
    }
    match batch.get(16).copied() {
        None => return Err(ResponseError::CorruptMessage),
        Some(2) => {}
        Some(_) => return Err(ResponseError::UnsupportedForMessageFormat),
    }
    if batch.len() < BATCH_HEADER_BYTES {
        return Err(ResponseError::CorruptMessage);
    }
    let declared = i32_at(8).and_then(|length| usize::try_from(length).ok());
    match declared.map(|length| length + 12) {
        Some(length) if length == batch.len() => {}
        // Produce requests of version 3 and later hold exactly one batch per partition.
        Some(length) if length < batch.len() => return Err(ResponseError::InvalidRecord),
        _ => return Err(ResponseError::CorruptMessage),
    }
    let crc = i32_at(17).ok_or(ResponseError::CorruptMessage)?;
    if crc32c::crc32c(&batch[21..]) != crc.cast_unsigned() {
        return Err(ResponseError::CorruptMessage);
    }
    let last_delta = i32_at(23).ok_or(ResponseError::CorruptMessage)?;
    let records = i32_at(57).ok_or(ResponseError::CorruptMessage)?;
    if records < 1 || last_delta != records - 1 {
        return Err(ResponseError::InvalidRecord);
    }
    let max_timestamp = batch
        .get(35..43)
        .and_then(|bytes| bytes.try_into().ok())
        .map(i64::from_be_bytes)
        .ok_or(ResponseError::CorruptMessage)?;
    Ok(BatchHeader { records, max_timestamp })
}

impl State {
    /// Appends a checked batch to partition `part` and returns its first offset.
    pub fn append(&mut self, part: usize, batch: &[u8], header: BatchHeader) -> i64 {
        let state = &mut self.parts[part];
        let base = state.log_end;
        let mut bytes = BytesMut::with_capacity(batch.len());
        bytes.put_i64(base);
        bytes.put_slice(&batch[8..12]);
        bytes.put_i32(state.leader_epoch);
        bytes.put_slice(&batch[16..]);
        let last_offset = base + i64::from(header.records) - 1;
        let stored =
            StoredBatch { last_offset, max_timestamp: header.max_timestamp, bytes: bytes.freeze() };
        state.stored_bytes += batch.len();
        state.size_bytes += batch.len() as u64;
        state.log_end = last_offset + 1;
        state.batches.insert(base, stored);
        let (topic, leader) = (state.topic, state.leader);
        while self.parts[part].stored_bytes > STORED_BYTES_MAX {
            let Some(oldest) = self.parts[part].batches.values().next() else { break };
            let after = oldest.last_offset + 1;
            self.delete_before(part, after);
        }
        if let Some(broker) = self.broker_mut(leader) {
            broker.count(topic, |counters| {
                counters.messages_in += u64::from(header.records.unsigned_abs());
                counters.bytes_in += batch.len() as u64;
            });
        }
        base
    }

    /// Moves the log start of `part` to `offset`, never back and never past the end.
    pub fn delete_before(&mut self, part: usize, offset: i64) {
        let state = &mut self.parts[part];
        let offset = offset.min(state.log_end);
        if offset <= state.log_start {
            return;
        }
        let mut kept_bytes = 0;
        while let Some(entry) = state.batches.first_entry() {
            if entry.get().last_offset >= offset {
                break;
            }
            kept_bytes += entry.remove().bytes.len();
        }
        state.stored_bytes -= kept_bytes;
        let removed = (offset - state.log_start).unsigned_abs() * state.message_bytes;
        state.log_start = offset;
        state.size_bytes = match state.log_end - offset {
            0 => 0,
            _ => state.size_bytes.saturating_sub(removed),
        };
    }

    /// The offset that partition `part` had reached at `at_ms` since the start of the run.
    pub fn offset_at(&self, part: usize, at_ms: i64) -> i64 {
        let part = &self.parts[part];
        let check_ms = self.check_ms();
        if at_ms <= 0 {
            // Before the run the log grew evenly from its first start.
            let before = i128::from(at_ms.saturating_neg().min(part.origin_age_ms));
            let span = i128::from(part.origin_age_ms.max(1));
            let grown = i128::from(part.origin_end - self.origin_start(part)) * before / span;
            return part.origin_end - i64::try_from(grown).unwrap_or(0);
        }
        let index = usize::try_from(at_ms / check_ms).unwrap_or(usize::MAX);
        let mark = |index: usize| match index {
            0 => part.origin_end,
            _ => part.marks.get(index - 1).copied().unwrap_or(part.log_end),
        };
        let (from, to) = (mark(index), mark(index.saturating_add(1)));
        let into = i128::from(at_ms % check_ms);
        let step = i128::from(to - from) * into / i128::from(check_ms);
        from + i64::try_from(step).unwrap_or(0)
    }

    fn origin_start(&self, part: &super::state::Partition) -> i64 {
        // The first log start is what the evenly grown log held.
        let messages = i128::from(part.base_micro / 1_000) * i128::from(part.origin_age_ms);
        part.origin_end - i64::try_from(messages / 1_000_000).unwrap_or(0)
    }

    fn check_ms(&self) -> i64 {
        (self.check_ticks() * self.spec.timing.tick_ms).cast_signed().max(1)
    }

    /// Milliseconds since the start of the run at which `offset` of `part` was written, roughly.
    fn written_at(&self, part: usize, offset: i64) -> i64 {
        let state = &self.parts[part];
        let now = self.now.as_millis().cast_signed();
        let (mut low, mut high) = (-state.origin_age_ms, now);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.offset_at(part, middle) > offset { high = middle } else { low = middle + 1 }
        }
        low.min(now)
    }

    /// The first offset of `part` written at or after Unix time `timestamp`, with its own time.
    pub fn offset_for(&self, part: usize, timestamp: i64) -> Option<(i64, i64)> {
        let state = &self.parts[part];
        let relative = timestamp.saturating_sub(self.epoch.0);
        if relative > self.now.as_millis().cast_signed() {
            return None;
        }
        let offset = self.offset_at(part, relative).max(state.log_start);
        (offset < state.log_end).then_some((offset, timestamp))
    }

    /// Batches of `part` from `offset` on, about `max_bytes` long and at least one.
    pub fn read(&self, part: usize, offset: i64, max_bytes: usize) -> Bytes {
        let state = &self.parts[part];
        let mut out = BytesMut::new();
        let mut at = offset;
        while at < state.log_end && (out.is_empty() || out.len() < max_bytes) {
            let covering = state.batches.range(..=at).next_back();
            if let Some((_, batch)) = covering.filter(|(_, batch)| batch.last_offset >= at) {
                if !out.is_empty() && out.len() + batch.bytes.len() > max_bytes {
                    break;
                }
                out.put_slice(&batch.bytes);
                at = batch.last_offset + 1;
                continue;
            }
            let next_stored = state.batches.range(at..).next().map(|(base, _)| *base);
            let end = next_stored.unwrap_or(state.log_end).min(at + SYNTHETIC_RECORDS_MAX);
            let room = max_bytes.saturating_sub(out.len()) as u64 / state.message_bytes.max(1);
            let end = end.min(at + room.max(1).cast_signed());
            if !self.synthesize(part, at, end, &mut out) {
                break;
            }
            at = end;
        }
        out.freeze()
    }

    /// Appends a batch of synthetic records `[from, to)` to `out`.
    fn synthesize(&self, part: usize, from: i64, to: i64, out: &mut BytesMut) -> bool {
        let state = &self.parts[part];
        let topic = &self.topics[state.topic].name;
        let timestamp = self.epoch.0.saturating_add(self.written_at(part, from));
        let size = usize::try_from(state.message_bytes).unwrap_or(80).clamp(80, 1 << 20) - 40;
        let records: Vec<Record> = (from..to)
            .map(|offset| {
                let mut value = format!(
                    r#"{{"topic":"{topic}","partition":{},"offset":{offset}}}"#,
                    state.index
                )
                .into_bytes();
                value.resize(value.len().max(size), b' ');
                Record {
                    transactional: false,
                    control: false,
                    delete_horizon: false,
                    partition_leader_epoch: state.leader_epoch,
                    producer_id: NO_PRODUCER_ID,
                    producer_epoch: NO_PRODUCER_EPOCH,
                    timestamp_type: TimestampType::Creation,
                    offset,
                    sequence: i32::try_from(offset - from).unwrap_or(0).wrapping_add(NO_SEQUENCE),
                    timestamp,
                    key: Some(Bytes::from(format!("key-{}", offset.rem_euclid(1_000)))),
                    value: Some(Bytes::from(value)),
                    headers: indexmap::IndexMap::default(),
                }
            })
            .collect();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(out, &records, &options).is_ok()
    }
}
