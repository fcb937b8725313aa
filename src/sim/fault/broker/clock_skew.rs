//! A wrong clock.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::body::{Body, Kind};
use super::super::catalogue::Group;
use super::super::stage::{Lot, Stage};
use super::super::words::who;
use super::super::{Action, FormFault};
use super::on_broker;
use crate::sim::fleet::FleetFault;
use crate::sim::scenario::{NetworkSpec, PIPELINE_HOST};
use crate::sim::world::NetworkFault;

/// A wrong clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockSkew {
    /// Which host.
    #[schemars(extend("x-range" = "`newrelic` or CLUSTER-broker-N"))]
    pub host: String,
    /// Milliseconds ahead of true time; negative is behind; up to 30 days either way.
    #[schemars(range(min = -2_592_000_000_i64, max = 2_592_000_000_i64), extend("x-unit" = "ms"))]
    pub offset_ms: i64,
}

impl Body for ClockSkew {
    fn hosts(&self) -> Vec<(&'static str, String)> {
        vec![("host", self.host.clone())]
    }

    fn form(&self) -> Vec<FormFault> {
        if self.host != PIPELINE_HOST {
            return Vec::new();
        }
        let message = "the pipeline's clock has a fault of its own";
        let help = format!("write clock_jump = {{ offset_ms = {} }}", self.offset_ms);
        vec![FormFault::new("clock_skew", &["host"], message, help)]
    }

    fn target(&self) -> String {
        format!("clock of {}", self.host)
    }

    fn label(&self) -> String {
        format!("clock of {} {:+} ms", self.host, self.offset_ms)
    }

    fn prose(&self) -> String {
        let way = if self.offset_ms < 0 { "behind" } else { "ahead" };
        format!("the clock of {} is {} ms {way}", who(&self.host), self.offset_ms.unsigned_abs())
    }

    fn actions(&self, _normal: &NetworkSpec) -> (Vec<Action>, Vec<Action>) {
        let set =
            |offset_ms| Action::Network(NetworkFault::Skew { host: self.host.clone(), offset_ms });
        let offset_ms = self.offset_ms;
        let (mut begin, mut end) =
            on_broker(&self.host, |broker| FleetFault::ClockSkew { broker, offset_ms });
        begin.push(set(offset_ms));
        end.push(set(0));
        (begin, end)
    }
}

impl Kind for ClockSkew {
    const GROUP: Group = Group::Broker;
    const SUMMARY: &'static str = "Moves the clock of a broker or of New Relic. A broker deletes old records by it; offsets, \
         counters and all else that it tells do not depend on it.";
    const PROSE: &'static str =
        "the clock of <host> is <number> ms ahead | the clock of <host> is <number> ms behind";
    const EXAMPLE: &'static str =
        r#"clock_skew = { host = "orders-broker-2", offset_ms = -60000 }"#;
    const AFFECTS: &'static [&'static str] = &["ground truth", "freshness"];

    fn draw(lot: &mut Lot, stage: &Stage) -> Option<Self> {
        let host = lot.broker(stage)?;
        let offset_ms = i64::try_from(lot.millis(50, 864_000_000).as_millis()).ok()?;
        Some(Self { host, offset_ms: if lot.chance(0.5) { offset_ms } else { -offset_ms } })
    }

    fn simpler(&self) -> Vec<Self> {
        let nearer = [self.offset_ms.signum() * 1_000, self.offset_ms / 2];
        let nearer = nearer.into_iter().filter(|ms| ms.abs() < self.offset_ms.abs() && *ms != 0);
        nearer.map(|offset_ms| Self { offset_ms, ..self.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::refused;
    use super::*;
    use crate::domain::units::UnixMillis;
    use crate::sim::fleet::{Fleet, FleetSpec};
    use crate::sim::seed::Seed;
    use crate::sim::time::SimTime;

    /// Where the logs of a topic begin after a check of their retention.
    fn log_starts(days: i64) -> Vec<i64> {
        let spec = FleetSpec { member_churn: false, ..FleetSpec::default() };
        let fleet = Fleet::new(spec, Seed(11), UnixMillis(1_767_614_400_000)).expect("possible");
        let host = "orders-broker-1".to_owned();
        let fault = ClockSkew { host, offset_ms: days * 86_400_000 };
        for action in fault.actions(&NetworkSpec::default()).0 {
            if let Action::Fleet { fault, .. } = action {
                fleet.begin_fault(SimTime::from_secs(10), &fault);
            }
        }
        fleet.advance(SimTime::from_secs(301));
        let log = |index| fleet.partition_log("orders.created", index).expect("a partition");
        (0..6).map(|index| log(index).0).collect()
    }

    #[test]
    fn logs_are_cut_by_the_wrong_clock() {
        assert_eq!(log_starts(-1), log_starts(0));
        let (right, ahead) = (log_starts(0), log_starts(8));
        let cut = right.iter().zip(&ahead).filter(|(right, ahead)| right < ahead).count();
        assert!(cut > 0 && cut < right.len(), "{right:?} {ahead:?}");
    }

    #[test]
    fn wrong_forms_are_refused() {
        refused(
            "clock_skew = { host = \"orders-broker-2\", offset_ms = 1000 }",
            &[
                "clock_skew = { host = \"orders-brokr-2\", offset_ms = 1 }",
                "clock_skew = { host = \"pipeline\", offset_ms = 1 }",
            ],
        );
    }
}
