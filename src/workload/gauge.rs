//! What a broker's gauges say under a load: the same formulas for simulated fleets and stand-ins.
//!
//! Not modelled: garbage collection, page cache, background jobs; the noise stands for them.

/// Messages per second at which a broker is fully busy.
const MESSAGES_FULL: f64 = 60_000.0;
/// Bytes per second, in and out, at which it is.
const BYTES_FULL: f64 = 250e6;
const MEMORY_BYTES: u64 = 32 << 30;
const HEAP_BYTES: u64 = 6 << 30;

/// Which gauge a factor of noise is for, and how far it swings around one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Noise {
    /// Processor.
    Cpu = 1,
    /// Free memory.
    Memory = 2,
    /// JVM heap.
    Heap = 3,
    /// Idle request handlers.
    HandlerIdle = 4,
    /// Idle network threads.
    NetworkIdle = 5,
    /// Produce latency.
    Produce = 6,
    /// Fetch latency of consumers.
    FetchConsumer = 7,
    /// Fetch latency of followers.
    FetchFollower = 8,
}

impl Noise {
    /// Share of one that the factor swings to either side.
    pub const fn amplitude(self) -> f64 {
        match self {
            Self::Cpu => 0.08,
            Self::Memory => 0.05,
            Self::Heap => 0.25,
            Self::HandlerIdle | Self::NetworkIdle => 0.02,
            Self::Produce | Self::FetchConsumer => 0.15,
            Self::FetchFollower => 0.01,
        }
    }
}

/// Gauges of one broker that depend on its load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gauges {
    /// Busy share of the processors, 0 to 1.
    pub cpu_load: f64,
    /// Memory of the host, bytes.
    pub memory_total_bytes: u64,
    /// Of these, free ones.
    pub memory_free_bytes: u64,
    /// Used JVM heap, bytes.
    pub heap_used_bytes: u64,
    /// Largest JVM heap, bytes.
    pub heap_max_bytes: u64,
    /// Idle share of the request handlers, 0 to 1.
    pub handler_idle: f64,
    /// Idle share of the network threads, 0 to 1.
    pub network_idle: f64,
    /// 99th percentile of Produce, ms.
    pub produce_p99_ms: f64,
    /// 99th percentile of consumers' Fetch, ms.
    pub fetch_consumer_p99_ms: f64,
    /// 99th percentile of followers' Fetch, ms.
    pub fetch_follower_p99_ms: f64,
}

/// How busy a broker is, 0 to 1, that takes and gives so many messages and bytes a second.
pub fn load(messages_per_second: f64, bytes_in_per_second: f64, bytes_out_per_second: f64) -> f64 {
    let bytes = (bytes_in_per_second + bytes_out_per_second) / BYTES_FULL;
    clamp(messages_per_second / MESSAGES_FULL + bytes)
}

impl Gauges {
    /// Gauges under `load` (0 to 1), with a factor of noise around one for each; `strained` brokers
    /// have replicas that lag behind, which producers wait for.
    pub fn under(load: f64, strained: bool, noise: impl Fn(Noise) -> f64) -> Self {
        let strain = if strained { 1.4 } else { 1.0 };
        let idle = (1.0 - 0.9 * load) * noise(Noise::HandlerIdle);
        Self {
            cpu_load: clamp((0.06 + 0.75 * load) * noise(Noise::Cpu)),
            memory_total_bytes: MEMORY_BYTES,
            memory_free_bytes: share(
                MEMORY_BYTES,
                clamp((0.35 - 0.2 * load) * noise(Noise::Memory)),
            ),
            heap_used_bytes: share(HEAP_BYTES, clamp((0.3 + 0.4 * load) * noise(Noise::Heap))),
            heap_max_bytes: HEAP_BYTES,
            handler_idle: clamp(idle),
            network_idle: clamp((1.0 - 0.6 * load) * noise(Noise::NetworkIdle)),
            produce_p99_ms: (4.0 + 60.0 * load * load) * strain * noise(Noise::Produce),
            fetch_consumer_p99_ms: (8.0 + 45.0 * load * load) * noise(Noise::FetchConsumer),
            fetch_follower_p99_ms: (500.0 + 8.0 * load) * noise(Noise::FetchFollower),
        }
    }
}

fn clamp(value: f64) -> f64 {
    value.clamp(0.0, 1.0)
}

#[expect(clippy::cast_precision_loss, reason = "gauges need no more than 53 bits")]
fn to_f64(value: u64) -> f64 {
    value as f64
}

/// The top 53 bits of a hash as a share of one.
pub fn unit(hash: u64) -> f64 {
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
