//! The list of faults, and one fault as a scenario file writes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::{Body, InSpec, Kind, Object};
use super::catalogue::Entry;
use super::{Fault, FormFault, broker, network, newrelic, pipeline};
use crate::config::quantity::DurationText;
use crate::sim::scenario::NetworkSpec;
use crate::sim::time::SimTime;

/// Makes [`FaultSpec`] and [`CATALOGUE`] of the names of all faults and the types of their keys.
macro_rules! faults {
    ($($name:ident: $kind:ty,)+) => {
        /// One fault as a scenario file writes it: a time, a length, and exactly one kind.
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct FaultSpec {
            /// When it begins, from the start of the run.
            pub at: DurationText,
            /// How long it is in force; every kind that does not happen at one instant needs it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub lasts: Option<DurationText>,
            $(
                #[doc = concat!("What [`CATALOGUE`] calls `", stringify!($name), "`.")]
                #[serde(default, skip_serializing_if = "Option::is_none")]
                #[schemars(description = <$kind as Kind>::SUMMARY)]
                pub $name: Option<$kind>,
            )+
        }

        /// Every kind of fault, by group.
        pub static CATALOGUE: &[Entry] = &[$(Entry::of::<$kind>()),+];

        $(
            impl InSpec for $kind {
                const NAME: &'static str = stringify!($name);

                fn of(spec: &FaultSpec) -> Option<&Self> {
                    spec.$name.as_ref()
                }

                fn into_spec(self) -> FaultSpec {
                    FaultSpec { $name: Some(self), ..FaultSpec::default() }
                }
            }
        )+

        impl FaultSpec {
            /// Every kind that is there, in the order of the catalogue.
            fn bodies(&self) -> Vec<(&'static Entry, &dyn Body)> {
                let bodies = [$(self.$name.as_ref().map(|body| body as &dyn Body)),+];
                let found = CATALOGUE.iter().zip(bodies);
                found.filter_map(|(entry, body)| Some((entry, body?))).collect()
            }
        }
    };
}

faults! {
    partition: network::partition::Partition,
    hold: network::hold::Hold,
    latency: network::latency::Latency,
    jitter: network::jitter::Jitter,
    bandwidth: network::bandwidth::Bandwidth,
    loss: network::loss::Loss,
    reset: network::reset::Reset,
    half_open: network::half_open::HalfOpen,
    dns_failure: network::dns_failure::DnsFailure,
    crash: broker::crash::Crash,
    crash_point: broker::crash_point::CrashPoint,
    restart: broker::restart::Restart,
    slow: broker::slow::Slow,
    leader_move: broker::leader_move::LeaderMove,
    isr_shrink: broker::isr_shrink::IsrShrink,
    coordinator_move: broker::coordinator_move::CoordinatorMove,
    rebalance_storm: broker::rebalance_storm::RebalanceStorm,
    controller_loss: broker::controller_loss::ControllerLoss,
    truncated_frames: broker::truncated_frames::TruncatedFrames,
    corrupt_frames: broker::corrupt_frames::CorruptFrames,
    wrong_correlation_id: broker::wrong_correlation_id::WrongCorrelationId,
    stale_metadata: broker::stale_metadata::StaleMetadata,
    log_disk_full: broker::log_disk_full::LogDiskFull,
    consumer_stall: broker::consumer_stall::ConsumerStall,
    clock_skew: broker::clock_skew::ClockSkew,
    too_many_requests: newrelic::too_many_requests::TooManyRequests,
    unavailable: newrelic::unavailable::Unavailable,
    server_error: newrelic::server_error::ServerError,
    forbidden: newrelic::forbidden::Forbidden,
    request_timeout: newrelic::request_timeout::RequestTimeout,
    payload_too_large: newrelic::payload_too_large::PayloadTooLarge,
    slow_answers: newrelic::slow_answers::SlowAnswers,
    accepted_then_lost: newrelic::accepted_then_lost::AcceptedThenLost,
    truncated_answers: newrelic::truncated_answers::TruncatedAnswers,
    garbage_answers: newrelic::garbage_answers::GarbageAnswers,
    late_synthesis: newrelic::late_synthesis::LateSynthesis,
    pause: pipeline::pause::Pause,
    memory_cap: pipeline::memory_cap::MemoryCap,
    clock_jump: pipeline::clock_jump::ClockJump,
    disk_full: pipeline::disk_full::DiskFull,
    disk_errors: pipeline::disk_errors::DiskErrors,
    disk_slow: pipeline::disk_slow::DiskSlow,
    disk_stall: pipeline::disk_stall::DiskStall,
    disk_lies: pipeline::disk_lies::DiskLies,
    disk_torn_writes: pipeline::disk_torn_writes::DiskTornWrites,
}

impl FaultSpec {
    /// Its kind; `None` when it has none or several.
    pub fn entry(&self) -> Option<&'static Entry> {
        self.only().map(|(entry, _)| entry)
    }

    fn only(&self) -> Option<(&'static Entry, &dyn Body)> {
        match self.bodies()[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// What is wrong with its form.
    pub fn faults_of_form(&self) -> Vec<FormFault> {
        let bodies = self.bodies();
        let [(entry, body)] = bodies[..] else { return vec![not_one_kind(&bodies)] };
        let mut faults = Vec::new();
        if !entry.instant && self.lasts.is_none_or(|lasts| lasts.as_millis() == 0) {
            let message =
                format!("the fault does not say how long it lasts: `{}` ends", entry.name);
            faults.push(FormFault::new("lasts", &[], message, "add lasts = \"30s\""));
        }
        if entry.instant && self.lasts.is_some() {
            let message = format!("`{}` happens at one instant", entry.name);
            faults.push(FormFault::new("lasts", &["lasts"], message, "remove `lasts`"));
        }
        faults.extend(body.form().into_iter().map(|fault| fault.under(entry.name)));
        faults
    }

    /// Every host that it names, with the key of its table that names it.
    pub fn hosts(&self) -> Vec<(&'static str, String)> {
        self.bodies().iter().flat_map(|(_, body)| body.hosts()).collect()
    }

    /// Every object of a cluster that it names, with the key of its table that names it.
    pub fn objects(&self) -> Vec<(&'static str, Object)> {
        self.bodies().iter().flat_map(|(_, body)| body.objects()).collect()
    }

    /// What two faults must not have in force at once; empty for one that is none.
    pub fn target(&self) -> String {
        self.only().map(|(_, body)| body.target()).unwrap_or_default()
    }

    /// As a feature says it, without times; empty for one that is none.
    pub fn prose(&self) -> String {
        self.only().map(|(_, body)| body.prose()).unwrap_or_default()
    }

    /// The same fault at the same times with simpler or milder values, boldest first; following
    /// any of them again and again comes to an end.
    pub fn simpler(&self) -> Vec<Self> {
        self.entry().map(|entry| (entry.simpler)(self)).unwrap_or_default()
    }

    /// The fault with its times and actions, on links that are `normal` before and after; `None`
    /// when its form is wrong.
    pub fn fault(&self, normal: &NetworkSpec) -> Option<Fault> {
        if !self.faults_of_form().is_empty() {
            return None;
        }
        let (entry, body) = self.only()?;
        let from = SimTime::from(self.at.0);
        let to = from + self.lasts.map(|lasts| lasts.0).unwrap_or_default();
        let (begin, end) = body.actions(normal);
        Some(Fault { from, to, kind: entry.name, label: body.label(), begin, end })
    }
}

fn not_one_kind(bodies: &[(&Entry, &dyn Body)]) -> FormFault {
    let found: Vec<_> = bodies.iter().map(|(entry, _)| entry.name).collect();
    let found = if found.is_empty() { "none".to_owned() } else { found.join(" and ") };
    let message = format!("a fault has exactly one kind, this one has {found}");
    let kinds: Vec<_> = CATALOGUE.iter().map(|entry| entry.name).collect();
    FormFault::new("fault_kind", &[], message, format!("kinds are {}", kinds.join(", ")))
}
