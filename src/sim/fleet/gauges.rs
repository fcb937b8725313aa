//! A broker's gauges: pure functions of its load and of seeded noise per minute's tenth.
//!
//! Invariant: two scrapes of one broker at one instant give the same gauges, whatever else was
//! asked in between.

use super::journal::BrokerGauges;
use super::state::State;
use crate::sim::workload::mix;

/// Messages per second at which a broker is fully busy.
const MESSAGES_FULL: f64 = 60_000.0;
/// Bytes per second, in and out, at which it is.
const BYTES_FULL: f64 = 250e6;
const MEMORY_BYTES: u64 = 32 << 30;
const HEAP_BYTES: u64 = 6 << 30;

impl State {
    /// Gauges of broker `id` now.
    pub fn gauges(&mut self, id: i32) -> BrokerGauges {
        self.refresh_derived();
        let load = self.load(id);
        // A new draw every six seconds, independent per broker and gauge.
        let step = self.now.as_millis() / 6_000;
        let key = mix(self.noise, u64::from(id.unsigned_abs()), step);
        let noise =
            |gauge: u64, amplitude: f64| 1.0 + amplitude * (2.0 * unit(mix(key, gauge, 9)) - 1.0);
        let view = &self.derived.brokers[super::state::slot_of(id)];
        let strain = if view.under_replicated > 0 { 1.4 } else { 1.0 };
        let idle = (1.0 - 0.9 * load) * noise(4, 0.02);
        let controller = self.controller == Some(id);
        BrokerGauges {
            cpu_load: clamp((0.06 + 0.75 * load) * noise(1, 0.08)),
            memory_total_bytes: MEMORY_BYTES,
            memory_free_bytes: share(MEMORY_BYTES, clamp((0.35 - 0.2 * load) * noise(2, 0.05))),
            heap_used_bytes: share(HEAP_BYTES, clamp((0.3 + 0.4 * load) * noise(3, 0.25))),
            heap_max_bytes: HEAP_BYTES,
            handler_idle: clamp(idle),
            network_idle: clamp((1.0 - 0.6 * load) * noise(5, 0.02)),
            produce_p99_ms: (4.0 + 60.0 * load * load) * strain * noise(6, 0.15),
            fetch_consumer_p99_ms: (8.0 + 45.0 * load * load) * noise(7, 0.15),
            fetch_follower_p99_ms: (500.0 + 8.0 * load) * noise(8, 0.01),
            partition_count: view.hosted.len() as u64,
            leader_count: view.leaders,
            under_replicated: view.under_replicated,
            offline_partitions: if controller { self.derived.offline_partitions } else { 0 },
            active_controller: u64::from(controller),
        }
    }

    /// Load of broker `id` over the last whole minute (or since the start), 0 to 1.
    fn load(&self, id: i32) -> f64 {
        let Some(broker) = self.broker(id) else { return 0.0 };
        let [newer, older] = broker.minute;
        let now_minute = self.now.as_millis() / 60_000;
        let (newer, older, seconds) = if now_minute == broker.started_at.as_millis() / 60_000 {
            let seconds = (self.now - broker.started_at).as_secs().max(1);
            (broker.counters.all, broker.minute[1], seconds)
        } else {
            (newer, older, 60)
        };
        let per_second =
            |newer: u64, older: u64| to_f64(newer.saturating_sub(older)) / to_f64(seconds);
        let messages = per_second(newer.messages_in, older.messages_in) / MESSAGES_FULL;
        let bytes_in = per_second(newer.bytes_in, older.bytes_in);
        let bytes_out = per_second(newer.bytes_out, older.bytes_out);
        clamp(messages + (bytes_in + bytes_out) / BYTES_FULL)
    }

    /// Bytes of all replicas on broker `id`.
    pub fn disk_used(&mut self, id: i32) -> u64 {
        self.refresh_derived();
        let hosted = &self.derived.brokers[super::state::slot_of(id)].hosted;
        hosted.iter().map(|&part| self.parts[part].size_bytes).sum()
    }
}

fn clamp(value: f64) -> f64 {
    value.clamp(0.0, 1.0)
}

#[expect(clippy::cast_precision_loss, reason = "gauges need no more than 53 bits")]
pub(super) fn to_f64(value: u64) -> f64 {
    value as f64
}

/// The top 53 bits of a hash as a share of one.
fn unit(hash: u64) -> f64 {
    to_f64(hash >> 11) / to_f64(1 << 53)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a byte count below 2^53"
)]
fn share(of: u64, share: f64) -> u64 {
    (to_f64(of) * share) as u64
}
