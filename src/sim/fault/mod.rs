//! The faults a scenario can name: what each does, to what, for how long.
//!
//! Invariant: a fault is data with a begin and an end; applying and ending it are each a list of
//! actions on the world, the fleet or New Relic, computed before the run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::quantity::{DurationText, SizeText};
use crate::sim::scenario::NetworkSpec;
use crate::sim::time::SimTime;
use crate::sim::world::{CrashMode, Direction, NetworkFault};

#[cfg(test)]
mod tests;

/// One fault as a scenario file writes it: a time, a length, and exactly one kind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// When it begins, from the start of the run.
    pub at: DurationText,
    /// How long it is in force; every kind but `reset` needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<DurationText>,
    /// Takes a host down and starts it again at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash: Option<CrashSpec>,
    /// Nothing passes between two hosts; connections survive if it is short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<PartitionSpec>,
    /// Keeps everything between two hosts in the air until the end; nothing is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<PartitionSpec>,
    /// Slows a link down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencySpec>,
    /// Caps a link's bandwidth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<BandwidthSpec>,
    /// Loses a share of segments, seen as delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossSpec>,
    /// Resets all open connections between two hosts, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<ResetSpec>,
    /// Moves a host's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew: Option<SkewSpec>,
    /// New Relic answers every request with an error, with half an answer, or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newrelic: Option<NewRelicFaultSpec>,
}

/// A crash of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CrashSpec {
    /// Which host.
    pub host: String,
    /// `process`: peers see it at once; `power`: silence.
    #[serde(default)]
    pub mode: CrashModeSpec,
}

/// How a host goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CrashModeSpec {
    /// The process dies, the operating system answers for it.
    #[default]
    Process,
    /// The machine is gone without a word.
    Power,
}

/// A cut between two hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartitionSpec {
    /// The two hosts.
    pub between: [String; 2],
    /// Only what the first sends to the second is affected.
    #[serde(default)]
    pub one_way: bool,
}

/// A slow link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencySpec {
    /// The two hosts.
    pub between: [String; 2],
    /// One-way delay.
    pub latency: DurationText,
    /// Largest extra delay per delivery.
    #[serde(default)]
    pub jitter: DurationText,
}

/// A narrow link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BandwidthSpec {
    /// The two hosts.
    pub between: [String; 2],
    /// Bytes per second and direction.
    pub per_second: SizeText,
}

/// A lossy link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LossSpec {
    /// The two hosts.
    pub between: [String; 2],
    /// Share of segments lost.
    #[schemars(range(min = 0.0, max = 0.9))]
    pub ratio: f64,
}

/// A reset of connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetSpec {
    /// The two hosts.
    pub between: [String; 2],
}

/// A wrong clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SkewSpec {
    /// Which host.
    pub host: String,
    /// Milliseconds ahead of true time; negative is behind.
    #[schemars(range(min = -3_600_000, max = 3_600_000))]
    pub offset_ms: i64,
}

/// A misbehaving New Relic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRelicFaultSpec {
    /// What it does to every request.
    pub answer: NewRelicAnswer,
}

/// What New Relic answers while it misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NewRelicAnswer {
    /// 429 with `Retry-After: 30`.
    TooManyRequests,
    /// 503.
    Unavailable,
    /// 500.
    Error,
    /// Takes the data, then drops the connection without an answer.
    AcceptedThenLost,
    /// Answers with half a body.
    Truncated,
}

impl NewRelicAnswer {
    /// For people.
    fn words(self) -> &'static str {
        match self {
            Self::TooManyRequests => "429 too many requests",
            Self::Unavailable => "503 unavailable",
            Self::Error => "500 error",
            Self::AcceptedThenLost => "accepted, then lost",
            Self::Truncated => "half an answer",
        }
    }
}

/// What a fault does, resolved.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// To the network or a host.
    Network(NetworkFault),
    /// To New Relic; `None` ends it.
    NewRelic(Option<NewRelicAnswer>),
}

/// One fault with its times and actions.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Begin.
    pub from: SimTime,
    /// End; equals the begin for an instant fault.
    pub to: SimTime,
    /// Its kind, as in the file.
    pub kind: &'static str,
    /// For people: `crash of orders-broker-2`, `partition of pipeline–newrelic`.
    pub label: String,
    /// Applied at the begin.
    pub begin: Action,
    /// Applied at the end.
    pub end: Option<Action>,
}

type Links = (String, String);

fn links(between: &[String; 2]) -> Links {
    (between[0].clone(), between[1].clone())
}

fn direction(one_way: bool) -> Direction {
    if one_way { Direction::OneWay } else { Direction::Both }
}

impl FaultSpec {
    fn kinds(&self) -> Vec<&'static str> {
        let present = [
            ("crash", self.crash.is_some()),
            ("partition", self.partition.is_some()),
            ("hold", self.hold.is_some()),
            ("latency", self.latency.is_some()),
            ("bandwidth", self.bandwidth.is_some()),
            ("loss", self.loss.is_some()),
            ("reset", self.reset.is_some()),
            ("skew", self.skew.is_some()),
            ("newrelic", self.newrelic.is_some()),
        ];
        present.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect()
    }

    /// What is wrong with its form: (rule, message, help).
    pub fn faults_of_form(&self) -> Vec<(&'static str, String, String)> {
        let mut faults = Vec::new();
        let kinds = self.kinds();
        if kinds.len() != 1 {
            let found = if kinds.is_empty() { "none".to_owned() } else { kinds.join(" and ") };
            faults.push((
                "fault_kind",
                format!("a fault has exactly one kind, this one has {found}"),
                "kinds are crash, partition, hold, latency, bandwidth, loss, reset, skew, newrelic"
                    .to_owned(),
            ));
        }
        if self.reset.is_none() && self.lasts.is_none_or(|lasts| lasts.as_millis() == 0) {
            faults.push((
                "lasts",
                "the fault does not say how long it lasts".to_owned(),
                "add lasts = \"30s\"; every fault but a reset ends".to_owned(),
            ));
        }
        if self.reset.is_some() && self.lasts.is_some() {
            faults.push((
                "lasts",
                "a reset happens at one instant".to_owned(),
                "remove `lasts`".to_owned(),
            ));
        }
        if let Some((_, between)) = self.between()
            && between[0] == between[1]
        {
            faults.push((
                "between",
                format!("`{}` has no link to itself", between[0]),
                "name two different hosts".to_owned(),
            ));
        }
        faults
    }

    fn between(&self) -> Option<(&'static str, &[String; 2])> {
        let link = self.partition.as_ref().map(|f| ("partition", &f.between));
        let link = link.or_else(|| self.hold.as_ref().map(|f| ("hold", &f.between)));
        let link = link.or_else(|| self.latency.as_ref().map(|f| ("latency", &f.between)));
        let link = link.or_else(|| self.bandwidth.as_ref().map(|f| ("bandwidth", &f.between)));
        let link = link.or_else(|| self.loss.as_ref().map(|f| ("loss", &f.between)));
        link.or_else(|| self.reset.as_ref().map(|f| ("reset", &f.between)))
    }

    /// Every host it names, with the key it stands under.
    pub fn hosts(&self) -> Vec<(&'static str, String)> {
        if let Some((key, between)) = self.between() {
            return between.iter().map(|host| (key, host.clone())).collect();
        }
        let crash = self.crash.as_ref().map(|crash| ("crash", crash.host.clone()));
        let skew = self.skew.as_ref().map(|skew| ("skew", skew.host.clone()));
        crash.into_iter().chain(skew).collect()
    }

    /// What two faults must not have in force at once.
    pub fn target(&self) -> String {
        if let Some((kind, between)) = self.between() {
            let mut ends = between.clone();
            ends.sort();
            // Cuts and holds share the link's state; latency, bandwidth and loss have their own.
            let layer = if kind == "hold" { "partition" } else { kind };
            return format!("link {}–{} ({layer})", ends[0], ends[1]);
        }
        match (&self.crash, &self.skew) {
            (Some(crash), _) => format!("host {}", crash.host),
            (None, Some(skew)) => format!("clock of {}", skew.host),
            (None, None) => "newrelic".to_owned(),
        }
    }

    /// The fault with its times and actions, on links that are `normal` before and after; `None`
    /// when its form is wrong.
    pub fn fault(&self, normal: &NetworkSpec) -> Option<Fault> {
        if !self.faults_of_form().is_empty() {
            return None;
        }
        let from = SimTime::from(self.at.0);
        let to = from + self.lasts.map(|lasts| lasts.0).unwrap_or_default();
        let kind = *self.kinds().first()?;
        let (begin, end) = self.actions(normal)?;
        Some(Fault { from, to, kind, label: self.label(kind), begin, end })
    }

    fn label(&self, kind: &str) -> String {
        if let Some((_, [one, other])) = self.between() {
            let cut = self.partition.as_ref().or(self.hold.as_ref());
            let arrow = if cut.is_some_and(|cut| cut.one_way) { '→' } else { '–' };
            return format!("{kind} of {one}{arrow}{other}");
        }
        match (&self.crash, &self.skew, &self.newrelic) {
            (Some(CrashSpec { host, mode: CrashModeSpec::Power }), ..) => {
                format!("power loss of {host}")
            }
            (Some(crash), ..) => format!("crash of {}", crash.host),
            (None, Some(skew), _) => {
                format!("clock of {} {:+} ms", skew.host, skew.offset_ms)
            }
            (None, None, Some(fault)) => format!("New Relic: {}", fault.answer.words()),
            (None, None, None) => kind.to_owned(),
        }
    }

    fn actions(&self, normal: &NetworkSpec) -> Option<(Action, Option<Action>)> {
        if let Some(fault) = &self.newrelic {
            return Some((Action::NewRelic(Some(fault.answer)), Some(Action::NewRelic(None))));
        }
        let (begin, end) = self.host_faults().or_else(|| self.link_faults(normal))?;
        Some((Action::Network(begin), end.map(Action::Network)))
    }

    fn host_faults(&self) -> Option<(NetworkFault, Option<NetworkFault>)> {
        if let Some(CrashSpec { host, mode }) = &self.crash {
            let mode = match mode {
                CrashModeSpec::Process => CrashMode::Process,
                CrashModeSpec::Power => CrashMode::Power,
            };
            let begin = NetworkFault::Crash { host: host.clone(), mode };
            return Some((begin, Some(NetworkFault::Restart { host: host.clone() })));
        }
        let SkewSpec { host, offset_ms } = self.skew.as_ref()?;
        let skew = |offset_ms| NetworkFault::Skew { host: host.clone(), offset_ms };
        Some((skew(*offset_ms), Some(skew(0))))
    }

    fn link_faults(&self, normal: &NetworkSpec) -> Option<(NetworkFault, Option<NetworkFault>)> {
        let (_, between) = self.between()?;
        let (from, to) = links(between);
        if let Some(cut) = &self.partition {
            let direction = direction(cut.one_way);
            let end = NetworkFault::Repair { from: from.clone(), to: to.clone() };
            return Some((NetworkFault::Partition { from, to, direction }, Some(end)));
        }
        if let Some(hold) = &self.hold {
            let direction = direction(hold.one_way);
            let end = NetworkFault::Release { from: from.clone(), to: to.clone() };
            return Some((NetworkFault::Hold { from, to, direction }, Some(end)));
        }
        if let Some(cap) = &self.bandwidth {
            let limit = |bytes_per_second| NetworkFault::Bandwidth {
                from: from.clone(),
                to: to.clone(),
                bytes_per_second,
            };
            return Some((limit(Some(cap.per_second.0)), Some(limit(None))));
        }
        if let Some(loss) = &self.loss {
            let lose = |ratio| NetworkFault::Loss { from: from.clone(), to: to.clone(), ratio };
            return Some((lose(loss.ratio), Some(lose(0.0))));
        }
        if let Some(slow) = &self.latency {
            let (latency, jitter) = (slow.latency.0, slow.jitter.0);
            let set = |latency, jitter| NetworkFault::Latency {
                from: from.clone(),
                to: to.clone(),
                latency,
                jitter,
            };
            return Some((set(latency, jitter), Some(set(normal.latency.0, normal.jitter.0))));
        }
        Some((NetworkFault::Reset { from, to }, None))
    }
}
