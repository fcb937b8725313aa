//! What wire-level faults do to an answer on its way out: cut off, garbled, mislabelled, late.
//!
//! Invariants:
//! - An answer that is spoilt told nothing: the journal forgets it. What the request did stays
//!   done, and the counters keep it.
//! - A garbled answer does not follow its schema, so whoever checks it can tell.
//! - Which answers are hit, where and how, depends on the seed and on how many answers the faulty
//!   broker has given.
//!
//! Not modelled: a garbled answer that still reads as one (TCP's checksum lets one in 2¹⁶ through,
//! and no client could tell), a wrong length before a frame.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::super::Fleet;
use super::super::fault::FleetFault;
use super::super::state::State;
use super::{Head, Outcome};
use crate::kafka_wire::{Shape, answer};
use crate::workload::mix;

/// Bytes before the correlation id.
const LENGTH_BYTES: usize = 4;
/// Bytes of the correlation id.
const CORRELATION_BYTES: usize = 4;
/// Bytes that are flipped at most before an answer is made too long instead.
const FLIPS_MAX: u64 = 64;

/// Draws for one answer of one broker.
struct Draw {
    noise: u64,
    broker: u64,
    answer: u64,
}

impl Draw {
    /// A number below `bound`; 0 for 0.
    fn below(&self, what: u64, bound: usize) -> usize {
        let hash = mix(self.noise ^ 0x0000_5749_5245, self.broker << 40 | self.answer, what);
        let bound = bound as u128;
        usize::try_from((u128::from(hash) * bound) >> 64).unwrap_or(0)
    }

    /// Whether one of `share` of all answers is this.
    fn hits(&self, what: u64, share: f64) -> bool {
        const STEPS: u32 = 1 << 24;
        let step = u32::try_from(self.below(what, STEPS as usize)).unwrap_or(0);
        f64::from(step) < share * f64::from(STEPS)
    }
}

/// The answer as it goes out, while faults of `broker` are in force; `told` is how much the journal
/// held before it was made.
pub(super) fn spoil(
    state: &mut State,
    broker: i32,
    head: &Head,
    outcome: Outcome,
    told: usize,
) -> Outcome {
    let Outcome::Reply(reply) = outcome else { return outcome };
    let faults = state.in_force.spoilers(broker);
    if faults.is_empty() {
        return Outcome::Reply(reply);
    }
    let draw = Draw {
        noise: state.noise,
        broker: u64::from(broker.unsigned_abs()),
        answer: state.in_force.count_answer(),
    };
    for (nth, fault) in faults.into_iter().enumerate() {
        let (share, how) = match fault {
            FleetFault::TruncatedFrames { share, .. } => (share, "truncated"),
            FleetFault::CorruptFrames { share, .. } => (share, "corrupt"),
            FleetFault::WrongCorrelationId { share, .. } => (share, "mislabelled"),
            _ => continue,
        };
        if !draw.hits(nth as u64, share) {
            continue;
        }
        state.journal.entries.truncate(told);
        if let Some(trace) = &state.trace {
            let (cluster, api) = (&state.cluster, head.api);
            let event =
                format_args!("spoilt cluster={cluster} broker={broker} api={api:?} how={how}");
            let led_by = state.in_force.led_by(|known| *known == fault).or(trace.cause());
            trace.go_on_from(trace.event_from(led_by, state.now, "fleet", event));
        }
        return match fault {
            FleetFault::TruncatedFrames { .. } => {
                let kept = 1 + draw.below(100, reply.len().saturating_sub(1));
                Outcome::BreakOff(reply.slice(..kept.min(reply.len())))
            }
            FleetFault::CorruptFrames { .. } => Outcome::Reply(garbled(&draw, head, &reply)),
            _ => Outcome::Reply(mislabelled(&draw, &reply)),
        };
    }
    Outcome::Reply(reply)
}

/// The answer with another correlation id.
fn mislabelled(draw: &Draw, reply: &Bytes) -> Bytes {
    let mut bytes = BytesMut::from(&reply[..]);
    let id = bytes.get_mut(LENGTH_BYTES..LENGTH_BYTES + CORRELATION_BYTES);
    if let Some([.., last]) = id {
        *last ^= u8::try_from(1 + draw.below(101, 255)).unwrap_or(1);
    }
    bytes.freeze()
}

/// The answer with bytes of its body flipped until it follows its schema no more.
fn garbled(draw: &Draw, head: &Head, reply: &Bytes) -> Bytes {
    let mut bytes = BytesMut::from(&reply[..]);
    // A header with tags has one byte more: nobody defines any tags.
    let tags = usize::from(head.api.response_header_version(head.version) >= 1);
    let from = (LENGTH_BYTES + CORRELATION_BYTES + tags).min(bytes.len());
    let shape = answer(head.api);
    let reads =
        |body: &[u8]| shape.is_none_or(|shape: &Shape| shape.check(body, head.version).is_ok());
    for flip in 0..FLIPS_MAX {
        let at = from + draw.below(200 + 2 * flip, bytes.len() - from);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= u8::try_from(1 + draw.below(201 + 2 * flip, 255)).unwrap_or(1);
        }
        if !reads(&bytes[from..]) {
            return bytes.freeze();
        }
    }
    bytes.extend_from_slice(&[0xA5; 8]);
    let length = u32::try_from(bytes.len() - LENGTH_BYTES).unwrap_or(0);
    bytes[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    bytes.freeze()
}

impl Fleet {
    /// How much longer than its making the next answer of `broker` takes: a slow broker's delay,
    /// give or take a quarter.
    pub(in super::super) fn answer_delay(&self, broker: i32) -> Duration {
        let mut state = self.lock();
        let Some(delay) = state.in_force.delay(broker) else { return Duration::ZERO };
        let is_slow = |fault: &FleetFault| match fault {
            FleetFault::Slow { broker: slow, .. } => *slow == broker,
            _ => false,
        };
        // Whoever does not wait for the answer knows why it did not come.
        if let (Some(trace), Some(led_by)) = (&state.trace, state.in_force.led_by(is_slow)) {
            trace.go_on_from(led_by);
        }
        let answer = state.in_force.count_answer();
        let draw = Draw { noise: state.noise, broker: u64::from(broker.unsigned_abs()), answer };
        let thousandths = 750 + draw.below(300, 501);
        delay * u32::try_from(thousandths).unwrap_or(1_000) / 1_000
    }
}

#[cfg(test)]
mod tests;
