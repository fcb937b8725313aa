//! A broker's gauges: pure functions of its load and of seeded noise per minute's tenth.
//!
//! Invariant: two scrapes of one broker at one instant give the same gauges, whatever else was
//! asked in between.

use super::journal::BrokerGauges;
use super::state::State;
use crate::workload::gauge::{Gauges, Noise, load, unit};
use crate::workload::mix;

impl State {
    /// Gauges of broker `id` now.
    pub fn gauges(&mut self, id: i32) -> BrokerGauges {
        self.refresh_derived();
        let load = self.load(id);
        // A new draw every six seconds, independent per broker and gauge.
        let step = self.now.as_millis() / 6_000;
        let key = mix(self.noise, u64::from(id.unsigned_abs()), step);
        let noise =
            |gauge: Noise| 1.0 + gauge.amplitude() * (2.0 * unit(mix(key, gauge as u64, 9)) - 1.0);
        let view = &self.derived.brokers[super::state::slot_of(id)];
        let gauges = Gauges::under(load, view.under_replicated > 0, noise);
        let controller = self.controller == Some(id);
        BrokerGauges {
            cpu_load: gauges.cpu_load,
            memory_total_bytes: gauges.memory_total_bytes,
            memory_free_bytes: gauges.memory_free_bytes,
            heap_used_bytes: gauges.heap_used_bytes,
            heap_max_bytes: gauges.heap_max_bytes,
            handler_idle: gauges.handler_idle,
            network_idle: gauges.network_idle,
            produce_p99_ms: gauges.produce_p99_ms,
            fetch_consumer_p99_ms: gauges.fetch_consumer_p99_ms,
            fetch_follower_p99_ms: gauges.fetch_follower_p99_ms,
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
        load(
            per_second(newer.messages_in, older.messages_in),
            per_second(newer.bytes_in, older.bytes_in),
            per_second(newer.bytes_out, older.bytes_out),
        )
    }

    /// Bytes of all replicas on broker `id`.
    pub fn disk_used(&mut self, id: i32) -> u64 {
        self.refresh_derived();
        let hosted = &self.derived.brokers[super::state::slot_of(id)].hosted;
        hosted.iter().map(|&part| self.parts[part].size_bytes).sum()
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges need no more than 53 bits")]
pub(super) fn to_f64(value: u64) -> f64 {
    value as f64
}
