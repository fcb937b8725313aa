//! The bodies of the health pages, whole, in three cases: healthy, degraded, open circuit.

use std::path::Path;

use super::super::{Look, api, bodies};
use crate::pipeline::Snapshot;
use crate::pipeline::health::fixture::{after_cycle, guarded, open_circuit};
use crate::pipeline::health::{HealthStatus, assess};
use crate::pipeline::testing::Step;
use std::time::Duration;

fn looks() -> [(&'static str, Look, HealthStatus); 3] {
    let look = |step: Step, change: fn(&mut Snapshot, crate::pipeline::Moment)| {
        let (mut snapshot, now) = after_cycle(step);
        change(&mut snapshot, now);
        Look { health: assess(&snapshot, now.monotonic), now, snapshot }
    };
    let ms = Duration::from_millis(5);
    [
        ("healthy", look(Step::Brokers(3, ms), guarded), HealthStatus::Healthy),
        ("degraded", look(Step::Partial(2, ms), |_, _| {}), HealthStatus::Degraded),
        ("open_circuit", look(Step::Brokers(3, ms), open_circuit), HealthStatus::Degraded),
    ]
}

fn snapshot(name: &str, body: &impl serde::Serialize) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots/http"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let body = serde_json::to_string_pretty(body).expect("serialises");
    // Of the program, not of its health.
    let body = body.replace(env!("CARGO_PKG_VERSION"), "(version)");
    settings.bind(|| insta::assert_snapshot!(name, body));
}

#[test]
fn bodies_in_whole() {
    for (name, look, status) in looks() {
        assert_eq!(look.health.status, status, "{name}: {:?}", look.health);
        snapshot(&format!("health_{name}"), &bodies::health(&look));
        snapshot(&format!("api_health_{name}"), &api::health(&look));
        snapshot(&format!("api_health_detailed_{name}"), &api::detailed(&look));
        snapshot(&format!("api_health_circuit_breakers_{name}"), &api::breakers(&look));
    }
}
