//! Pipelines broken on purpose: each must be caught, by the check that guards what it breaks.

use libtest_mimic::{Failed, Trial};
use shakedown::sim::run::defect::{ALL, Defect};
use shakedown::sim::run::{Network, Options, run_defective};
use shakedown::sim::scenario;
use shakedown::sim::seed::Seed;
use shakedown::sim::trace::Sink;

/// The check that must catch a defect; others may fail too.
fn guardian(defect: Defect) -> &'static str {
    match defect {
        Defect::WrongGuidPart | Defect::MergedGroups => "guid",
        Defect::DroppedTopic | Defect::SentTwice | Defect::LostBatch => "conservation",
        Defect::DoubledRate
        | Defect::FrozenValues
        | Defect::LagOffByOne
        | Defect::FractionForPercent
        | Defect::ZeroForAbsent
        | Defect::OldTimestamps
        | Defect::EarlyTimestamps
        | Defect::WrongEnvironment
        | Defect::WrongName => "ground truth",
        Defect::SwallowedError => "honesty",
        Defect::RosyHealth => "health score",
        Defect::InventedTopic => "coverage",
        Defect::ReversedRelationships
        | Defect::NoRelationships
        | Defect::OldRelationships
        | Defect::UnservedTopics
        | Defect::ServedByStrangers => "relationships",
        Defect::IgnoredRetryAfter => "politeness",
        Defect::AcceptedRefusals | Defect::ForgottenSpool => "conservation",
        Defect::TirelessBreaker | Defect::HastyBreaker => "breaker",
        Defect::BoundlessMemory => "bounded memory",
    }
}

/// The scenario in which a defect shows.
fn stage(defect: Defect) -> (&'static str, &'static str) {
    match defect {
        Defect::IgnoredRetryAfter => ("api-throttle", include_str!("api-throttle.toml")),
        Defect::AcceptedRefusals | Defect::TirelessBreaker | Defect::HastyBreaker => {
            ("api-outage", include_str!("api-outage.toml"))
        }
        Defect::ForgottenSpool => ("spool-survives", include_str!("spool-survives.toml")),
        Defect::UnservedTopics | Defect::ServedByStrangers => {
            ("who-serves-what", include_str!("who-serves-what.toml"))
        }
        Defect::BoundlessMemory => ("full-memory", include_str!("full-memory.toml")),
        _ => (scenario::BUILT_IN_NAME, scenario::BUILT_IN),
    }
}

/// One trial per defect.
pub fn trials() -> Vec<Trial> {
    let trial = |defect: &Defect| {
        let defect = *defect;
        Trial::test(format!("defects/{defect:?}"), move || caught(defect))
    };
    ALL.iter().map(trial).collect()
}

fn caught(defect: Defect) -> Result<(), Failed> {
    let (name, text) = stage(defect);
    let scenario =
        scenario::load(name, text).map_err(|problems| Failed::from(problems.render(false)))?;
    let options = Options { seed: Seed(1), network: Network::Kernel, sink: Sink::None };
    let report = run_defective(&scenario, options, defect);
    let broken: Vec<_> =
        report.checks.iter().filter(|check| !check.passed()).map(|check| check.name).collect();
    if broken.contains(&guardian(defect)) {
        return Ok(());
    }
    Err(format!("{defect:?} must be caught by `{}`, broken were {broken:?}", guardian(defect))
        .into())
}
