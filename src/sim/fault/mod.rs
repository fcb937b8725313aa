//! The faults a scenario can name: what each does, to what, for how long.
//!
//! Invariant: a fault is data with a begin and an end; applying and ending it are each a list of
//! actions on the world, the fleet or New Relic, computed before the run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::quantity::DurationText;
use crate::sim::scenario::NetworkSpec;
use crate::sim::time::SimTime;
use crate::sim::world::{Direction, NetworkFault};

mod host;
mod link;
mod newrelic;
#[cfg(test)]
mod tests;

pub use host::{CrashModeSpec, CrashPointSpec, CrashSpec, DiskFaultKind, DiskFaultSpec, SkewSpec};
pub use link::{BandwidthSpec, LatencySpec, LossSpec, PartitionSpec, ResetSpec};
pub use newrelic::{NewRelicAnswer, NewRelicFaultSpec};

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
    /// Takes a host down after the n-th event of its disk and its network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash_point: Option<CrashPointSpec>,
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
    /// A host's disk is full, fails, is slow, stalls or lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskFaultSpec>,
    /// New Relic answers with errors, late, with half an answer, or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newrelic: Option<NewRelicFaultSpec>,
}

/// Something wrong with a fault's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormFault {
    /// The rule's name.
    pub rule: &'static str,
    /// Keys from the fault's table to the place.
    pub keys: Vec<&'static str>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
}

impl FormFault {
    fn new(
        rule: &'static str,
        keys: &[&'static str],
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { rule, keys: keys.to_vec(), message: message.into(), help: help.into() }
    }
}

/// What a fault does, resolved.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// To the network or a host.
    Network(NetworkFault),
    /// To New Relic.
    NewRelic(NewRelicFaultSpec),
    /// Ends what this one began.
    NewRelicWell(NewRelicFaultSpec),
    /// The host goes down after the given event.
    CrashPoint(CrashPointSpec),
    /// From now on the host's events are not counted; it starts again if it is down.
    CrashPointOver(CrashPointSpec),
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

/// Every kind, as files call them.
const KINDS: [&str; 11] = [
    "crash",
    "crash_point",
    "partition",
    "hold",
    "latency",
    "bandwidth",
    "loss",
    "reset",
    "skew",
    "disk",
    "newrelic",
];

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
            self.crash.is_some(),
            self.crash_point.is_some(),
            self.partition.is_some(),
            self.hold.is_some(),
            self.latency.is_some(),
            self.bandwidth.is_some(),
            self.loss.is_some(),
            self.reset.is_some(),
            self.skew.is_some(),
            self.disk.is_some(),
            self.newrelic.is_some(),
        ];
        KINDS.iter().zip(present).filter(|(_, is)| *is).map(|(name, _)| *name).collect()
    }

    /// What is wrong with its form.
    pub fn faults_of_form(&self) -> Vec<FormFault> {
        let mut faults = Vec::new();
        let kinds = self.kinds();
        if kinds.len() != 1 {
            let found = if kinds.is_empty() { "none".to_owned() } else { kinds.join(" and ") };
            let message = format!("a fault has exactly one kind, this one has {found}");
            let help = format!("kinds are {}", KINDS.join(", "));
            faults.push(FormFault::new("fault_kind", &[], message, help));
        }
        if self.reset.is_none() && self.lasts.is_none_or(|lasts| lasts.as_millis() == 0) {
            let message = "the fault does not say how long it lasts";
            let help = "add lasts = \"30s\"; every fault but a reset ends";
            faults.push(FormFault::new("lasts", &[], message, help));
        }
        if self.reset.is_some() && self.lasts.is_some() {
            let message = "a reset happens at one instant";
            faults.push(FormFault::new("lasts", &["lasts"], message, "remove `lasts`"));
        }
        if let Some((kind, between)) = self.between()
            && between[0] == between[1]
        {
            let message = format!("`{}` has no link to itself", between[0]);
            let help = "name two different hosts";
            faults.push(FormFault::new("between", &[kind, "between"], message, help));
        }
        faults.extend(self.newrelic.iter().flat_map(NewRelicFaultSpec::faults_of_form));
        faults.extend(self.disk.iter().flat_map(DiskFaultSpec::faults_of_form));
        faults.extend(self.crash_point.iter().flat_map(CrashPointSpec::faults_of_form));
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
        let point = self.crash_point.as_ref().map(|point| ("crash_point", point.host.clone()));
        let skew = self.skew.as_ref().map(|skew| ("skew", skew.host.clone()));
        let disk = self.disk.as_ref().map(|disk| ("disk", disk.host.clone()));
        crash.into_iter().chain(point).chain(skew).chain(disk).collect()
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
        let host = self.crash.as_ref().map(|crash| &crash.host);
        let host = host.or(self.crash_point.as_ref().map(|point| &point.host));
        match (host, &self.skew, &self.disk, &self.newrelic) {
            (Some(host), ..) => format!("host {host}"),
            (_, Some(skew), ..) => format!("clock of {}", skew.host),
            (_, _, Some(disk), _) => format!("disk of {}", disk.host),
            (.., Some(fault)) if fault.answer.spares_ingest() => "synthesis of newrelic".to_owned(),
            _ => "newrelic".to_owned(),
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
        if let Some(CrashSpec { host, mode }) = &self.crash {
            let what = if *mode == CrashModeSpec::Power { "power loss" } else { "crash" };
            return format!("{what} of {host}");
        }
        if let Some(point) = &self.crash_point {
            return format!("crash of {} after its event {}", point.host, point.event);
        }
        let skew = self.skew.as_ref();
        let skew = skew.map(|skew| format!("clock of {} {:+} ms", skew.host, skew.offset_ms));
        let disk = || self.disk.as_ref().map(DiskFaultSpec::label);
        let newrelic = || self.newrelic.as_ref().map(NewRelicFaultSpec::label);
        skew.or_else(disk).or_else(newrelic).unwrap_or_else(|| kind.to_owned())
    }

    fn actions(&self, normal: &NetworkSpec) -> Option<(Action, Option<Action>)> {
        if let Some(fault) = &self.newrelic {
            let end = Action::NewRelicWell(fault.clone());
            return Some((Action::NewRelic(fault.clone()), Some(end)));
        }
        if let Some(point) = &self.crash_point {
            let end = Action::CrashPointOver(point.clone());
            return Some((Action::CrashPoint(point.clone()), Some(end)));
        }
        let (begin, end) = self.host_faults().or_else(|| self.link_faults(normal))?;
        Some((Action::Network(begin), end.map(Action::Network)))
    }

    fn host_faults(&self) -> Option<(NetworkFault, Option<NetworkFault>)> {
        if let Some(CrashSpec { host, mode }) = &self.crash {
            let begin = NetworkFault::Crash { host: host.clone(), mode: mode.mode() };
            return Some((begin, Some(NetworkFault::Restart { host: host.clone() })));
        }
        if let Some(spec) = &self.disk {
            let disk = |fault| NetworkFault::Disk { host: spec.host.clone(), fault };
            return Some((disk(Some(spec.fault()?)), Some(disk(None))));
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
