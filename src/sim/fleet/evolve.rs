//! Time passes: ticks of the workload and planned events, in order.
//!
//! Invariants:
//! - `advance(a)` then `advance(b)` equals `advance(b)`: nothing depends on how often it is called.
//! - Time never goes back; an earlier instant than the present one changes nothing.
//! - At equal instants planned events come first, in the order they were planned, then the tick.

use super::state::{Broker, BrokerCounters, Event, Partition, State, TopicCounters};
use crate::rt::cause;
use crate::sim::time::SimTime;
use crate::sometimes;
use crate::workload::{mix, noise_ppm};

const MINUTE_MS: u64 = 60_000;
/// Producers differ from the curve by this much each minute.
const RATE_NOISE_PPM: u64 = 50_000;
/// Producers give up on what they could not send for this long (`delivery.timeout.ms`).
const DELIVERY_TIMEOUT_MS: u64 = 120_000;
/// Messages that a producer puts into one request.
const BATCH_MESSAGES: u64 = 100;
/// Bytes of one committed offset in `__consumer_offsets`.
const COMMIT_BYTES: u64 = 120;
/// Compaction keeps `__consumer_offsets` partitions below this size.
const COMPACTED_BYTES: u64 = 100 << 20;

impl State {
    /// Brings the state to `at`.
    pub fn advance(&mut self, at: SimTime) {
        if at < self.now {
            return;
        }
        // What happens by itself is not led to by whoever looks.
        let asking = cause::set(None);
        loop {
            let next_tick = self.next_tick();
            let next_event = self.next_event().filter(|event| *event <= next_tick);
            match next_event {
                Some(event) if event <= at => {
                    self.now = self.now.max(event);
                    if let Some((_, (event, led_by))) = self.events.pop_first() {
                        cause::set(led_by);
                        self.happen(event);
                        cause::set(None);
                    }
                }
                None if next_tick <= at => {
                    self.now = next_tick;
                    self.ticks += 1;
                    self.tick();
                }
                _ => break,
            }
        }
        self.now = at;
        cause::set(asking);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::SessionExpired { broker, incarnation } => {
                self.session_expired(broker, incarnation);
            }
            Event::LagExpired { broker, incarnation } => self.lag_expired(broker, incarnation),
            Event::Elect => self.elect_controller(),
            Event::Unfence { broker, incarnation } => self.unfence(broker, incarnation),
            Event::CaughtUp { part, broker, incarnation } => {
                self.caught_up(part, broker, incarnation);
            }
            Event::RebalanceLeaders => self.rebalance_leaders(),
            Event::MemberChange { group } => self.change_members(&group),
            Event::SyntheticRebalance { group } => self.step_synthetic(&group),
            Event::Rates => {
                sometimes!(LOAD_SURGED);
                self.set_rates();
            }
            Event::Storm { group } => self.storm(&group),
            Event::MemberSession { group, member } => self.member_session(&group, &member),
            Event::RebalanceDeadline { group, round } => self.rebalance_deadline(&group, round),
        }
    }

    /// Instant of the next tick.
    pub fn next_tick(&self) -> SimTime {
        SimTime((self.ticks + 1).saturating_mul(self.spec.timing.tick_ms * 1_000_000))
    }

    /// Ticks between retention checks.
    pub(super) fn check_ticks(&self) -> u64 {
        (self.spec.timing.retention_check_ms / self.spec.timing.tick_ms).max(1)
    }

    fn tick(&mut self) {
        self.produce();
        self.end_full_brokers();
        self.consume();
        self.follow();
        if self.ticks.is_multiple_of((MINUTE_MS / self.spec.timing.tick_ms).max(1)) {
            for broker in &mut self.brokers {
                broker.minute = [broker.counters.all, broker.minute[0]];
            }
            self.set_rates();
        }
        if self.ticks.is_multiple_of(self.check_ticks()) {
            self.retain();
        }
    }

    /// Sets each partition's rate from curve and noise; due every minute, and when a surge begins
    /// or ends.
    pub(super) fn set_rates(&mut self) {
        let now = self.wall(self.now);
        let curve = self.spec.curve.at_ppm(now, self.now);
        let minute = self.now.as_millis() / MINUTE_MS;
        let tick_ms = self.spec.timing.tick_ms;
        for part in &mut self.parts {
            if part.base_micro > 0 {
                let hash = mix(self.noise, part.topic as u64, minute);
                let load = curve * noise_ppm(hash, RATE_NOISE_PPM) / 1_000_000;
                let per_second = u128::from(part.base_micro) * u128::from(load) / 1_000_000;
                let per_tick = per_second * u128::from(tick_ms) / 1_000;
                part.rate_micro = u64::try_from(per_tick).unwrap_or(u64::MAX / 2);
            }
        }
    }

    fn produce(&mut self) {
        let patience = DELIVERY_TIMEOUT_MS / self.spec.timing.tick_ms;
        for part in &mut self.parts {
            let total = part.carry_micro + part.rate_micro;
            let fresh = total / 1_000_000;
            part.carry_micro = total % 1_000_000;
            let messages = part.backlog + fresh;
            if messages == 0 {
                continue;
            }
            if !part.writable {
                part.backlog = messages.min((part.rate_micro / 1_000_000 + 1) * patience);
                if part.readable {
                    // A leader is there, but too few replicas: it refuses.
                    count(&mut self.brokers, part, |counters| {
                        counters.produce_requests += 1;
                        counters.failed_produce_requests += 1;
                    })
                    .requests_produce += 1;
                }
                continue;
            }
            part.backlog = 0;
            part.log_end += messages.cast_signed();
            let bytes = messages * part.message_bytes;
            part.size_bytes += bytes;
            let requests = messages.div_ceil(BATCH_MESSAGES);
            count(&mut self.brokers, part, |counters| {
                counters.messages_in += messages;
                counters.bytes_in += bytes;
                counters.produce_requests += requests;
            })
            .requests_produce += requests;
        }
    }

    fn consume(&mut self) {
        let interval = (self.spec.timing.commit_interval_ms / self.spec.timing.tick_ms).max(1);
        for group in self.groups.values_mut() {
            let stable = group.state == super::group::GroupState::Stable;
            let stalls = self.in_force.stalls(&group.name);
            sometimes!(CONSUMERS_STALLED, stalls);
            if !group.synthetic || !stable || stalls {
                continue;
            }
            for place in &mut group.offsets {
                let part = &mut self.parts[place.part];
                if !part.readable || place.capacity_micro == 0 {
                    continue;
                }
                let total = place.carry_micro + place.capacity_micro;
                place.carry_micro = total % 1_000_000;
                place.position = place.position.max(part.log_start);
                let available = (part.log_end - place.position).cast_unsigned();
                let messages = (total / 1_000_000).min(available);
                place.position += messages.cast_signed();
                let bytes = messages * part.message_bytes;
                count(&mut self.brokers, part, |counters| {
                    counters.bytes_out += bytes;
                    counters.fetch_requests += 1;
                })
                .requests_fetch_consumer += 1;
            }
            if (self.ticks + group.phase).is_multiple_of(interval) {
                let log = &mut self.parts[group.coordinator];
                if !log.writable {
                    continue;
                }
                let mut commits = 0u64;
                for place in group.offsets.iter_mut().filter(|place| place.capacity_micro > 0) {
                    place.committed = place.position;
                    place.committed_epoch = 0;
                    commits += 1;
                }
                log.log_end += commits.cast_signed();
                log.size_bytes += commits * COMMIT_BYTES;
                let (topic, leader) = (log.topic, log.leader);
                let broker = &mut self.brokers[super::state::slot_of(leader)];
                broker.counters.requests_other += 1;
                broker.count(topic, |counters| {
                    counters.messages_in += commits;
                    counters.bytes_in += commits * COMMIT_BYTES;
                });
            }
        }
    }

    /// Followers ask each leader twice a second.
    fn follow(&mut self) {
        self.refresh_derived();
        let tick_ms = self.spec.timing.tick_ms;
        let (before, after) = ((self.ticks - 1) * tick_ms / 500, self.ticks * tick_ms / 500);
        for (broker, view) in self.brokers.iter_mut().zip(&self.derived.brokers) {
            if broker.up {
                broker.counters.requests_fetch_follower += view.followers * (after - before);
            }
        }
    }

    /// Deletes what is older than the topic's retention; compacts the offsets topic.
    fn retain(&mut self) {
        self.refresh_derived();
        for (broker, view) in self.brokers.iter_mut().zip(&self.derived.brokers) {
            if broker.up {
                broker.counters.log_flushes += view.hosted.len() as u64;
            }
        }
        for index in 0..self.parts.len() {
            let topic = &self.topics[self.parts[index].topic];
            let (retention_ms, internal) = (topic.retention_ms, topic.internal);
            let log_end = self.parts[index].log_end;
            self.parts[index].marks.push(log_end);
            if internal {
                let size = &mut self.parts[index].size_bytes;
                *size = (*size).min(COMPACTED_BYTES);
            } else if retention_ms >= 0 {
                // The leader deletes by its own clock.
                let clock = self.now.as_millis().cast_signed();
                let clock = clock.saturating_add(self.in_force.skew_ms(self.parts[index].leader));
                let oldest = clock.saturating_sub(retention_ms);
                let offset = self.offset_at(index, oldest);
                self.delete_before(index, offset);
            }
        }
    }
}

/// Applies `change` to the topic's counters on the leader of `part` and to the broker's sums;
/// the broker's counters, for more. Only for a readable partition: its slot is fresh.
fn count<'a>(
    brokers: &'a mut [Broker],
    part: &Partition,
    change: impl Fn(&mut TopicCounters),
) -> &'a mut BrokerCounters {
    let broker = &mut brokers[super::state::slot_of(part.leader)];
    change(&mut broker.topics[part.slot as usize].1);
    change(&mut broker.counters.all);
    &mut broker.counters
}
