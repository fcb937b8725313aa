//! Look-ups of a name that fail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Action;
use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::{shorter, who};
use crate::config::quantity::DurationText;
use crate::sim::scenario::{NEWRELIC_HOST, NetworkSpec, PIPELINE_HOST};
use crate::sim::world::NetworkFault;

/// Look-ups of a name that fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsFailure {
    /// The host whose name nobody finds.
    pub name: String,
    /// Only look-ups by this host fail; without it, everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asker: Option<String>,
    /// How long a look-up takes to fail; without it, it fails at once.
    #[serde(default)]
    pub after: DurationText,
}

impl Body for DnsFailure {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        let asker = self.asker.iter().map(|host| ("asker", host.clone()));
        std::iter::once(("name", self.name.clone())).chain(asker).collect()
    }

    fn target(&self) -> String {
        format!("name of {}", self.name)
    }

    fn label(&self) -> String {
        match &self.asker {
            Some(asker) => format!("DNS failure of {} for {asker}", self.name),
            None => format!("DNS failure of {}", self.name),
        }
    }

    fn prose(&self) -> String {
        let asker = self.asker.as_deref().map_or("nobody".to_owned(), who);
        let finds = if self.asker.is_some() { "does not find" } else { "finds" };
        let prose = format!("{asker} {finds} the name of {}", who(&self.name));
        if self.after.0.is_zero() {
            prose
        } else {
            format!("{prose}, and learns so after {}", self.after)
        }
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let set = |fails_after| {
            let (host, name) = (self.asker.clone(), self.name.clone());
            vec![Action::Network(NetworkFault::DnsFailure { host, name, fails_after })]
        };
        (set(Some(self.after.0)), set(None))
    }
}

impl Kind for DnsFailure {
    const GROUP: Group = Group::Network;
    const SUMMARY: &'static str =
        "Look-ups of a host's name fail, at once or after a time; open connections stay.";
    const PROSE: &'static str = "nobody finds the name of <host>[, and learns so after <time>] | \
         <host> does not find the name of <host>[, and learns so after <time>]";
    const AFFECTS: &'static [&'static str] =
        &["coverage", "freshness", "honesty", "conservation", "recovery", "breaker", "cycles"];
    const KERNEL_ONLY: bool = true;

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let name = if lot.chance(0.5) { NEWRELIC_HOST.to_owned() } else { lot.broker(stage)? };
        let asker = lot.chance(0.3).then(|| PIPELINE_HOST.to_owned());
        let after = if lot.chance(0.5) { lot.millis(100, 10_000) } else { DurationText::default() };
        Some(Self { name, asker, after })
    }

    fn simpler(&self) -> Vec<Self> {
        let everybody = self.asker.is_some().then(|| Self { asker: None, ..self.clone() });
        let sooner = shorter(self.after, DurationText::default()).into_iter();
        everybody.into_iter().chain(sooner.map(|after| Self { after, ..self.clone() })).collect()
    }
}
