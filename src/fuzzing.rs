//! Entry points for the fuzz targets in `fuzz/`, replayed over the committed corpora by a test.
//!
//! Invariant: no input panics, hangs, or allocates beyond its own size's justification.

mod definitions;
mod graphql;
mod ingest;
mod nrql;
mod nrql_eval;
mod points;
mod trace;

use crate::collect::{kafka, prometheus};
use crate::domain::units::UnixMillis;
use crate::sim::fleet::wire::Connection;
use crate::sim::fleet::{Fleet, FleetSpec};
use crate::sim::scenario;
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;
use bytes::Bytes;

pub use definitions::definitions;
pub use graphql::graphql;
pub use ingest::ingest;
pub use nrql::nrql;
pub use nrql_eval::nrql_eval;
pub use points::points;
pub use trace::trace;

/// A frame as a broker gets it, and as the collector gets an answer's body.
///
/// # Panics
/// When the default fleet does not build, which a unit test excludes.
pub fn frames(data: &[u8]) {
    let spec = FleetSpec { topics: 2, groups: 2, ..FleetSpec::default() };
    let fleet = Fleet::new(spec, Seed(1), UnixMillis(0)).expect("the default fleet is possible");
    let frame = Bytes::copy_from_slice(data);
    let _ = fleet.handle(&Connection::new(1, "/10.0.0.1"), frame.clone(), SimTime::from_secs(1));
    if let [api, version, ..] = data {
        let _ = kafka::decode_answer(*api, i16::from(*version), frame.slice(2..));
    }
}

/// An exposition as an exporter gives it.
pub fn exposition(data: &[u8]) {
    if let Ok(entries) = prometheus::parse(data, prometheus::Limits::default()) {
        entries.for_each(drop);
    }
}

/// A scenario file.
pub fn scenario(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Err(problems) = scenario::load("fuzz.toml", text)
    {
        drop(problems.render(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(corpus: &str, target: fn(&[u8])) {
        let folder = format!("{}/fixtures/fuzz/{corpus}", env!("CARGO_MANIFEST_DIR"));
        let mut inputs = 0;
        for entry in std::fs::read_dir(&folder).expect("a corpus") {
            let data = std::fs::read(entry.expect("readable").path()).expect("readable");
            target(&data);
            // Every prefix and every single wrong byte of a committed input is an input too.
            for cut in 0..data.len().min(256) {
                target(&data[..cut]);
                let mut wrong = data.clone();
                wrong[cut] ^= 0xff;
                target(&wrong);
            }
            inputs += 1;
        }
        assert!(inputs >= 3, "{folder} holds only {inputs} inputs");
    }

    #[test]
    fn corpora_are_harmless() {
        replay("frames", frames);
        replay("exposition", exposition);
        replay("scenario", scenario);
        replay("graphql", graphql);
        replay("ingest", ingest);
        replay("nrql_eval", nrql_eval);
        replay("points", points);
        replay("definitions", definitions);
        replay("nrql", nrql);
        replay("trace", trace);
    }
}
