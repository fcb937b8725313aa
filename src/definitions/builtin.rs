//! Our own definitions, part of the binary, so that a run needs no files.
//!
//! The five `MESSAGE_QUEUE_*` types are not among New Relic's public definitions: live New Relic
//! stores their events but makes no entities of them until these files are accepted there.

use super::load::Definitions;
use super::source::Source;

/// One embedded file.
pub type BuiltinFile = (&'static str, &'static str);

macro_rules! files {
    ($($folder:literal),* $(,)?) => {
        files!(@ $($folder => "definition.yml", "golden_metrics.yml", "summary_metrics.yml",
            "tests/MessageQueue.json";)*)
    };
    (@ $($folder:literal => $($file:literal),*;)*) => {
        &[$($((
            concat!("entity-types/", $folder, "/", $file),
            include_str!(concat!("../../fixtures/definitions/entity-types/", $folder, "/", $file)),
        )),*),*]
    };
}

/// Path (as in New Relic's repository) and text of every embedded file.
pub const BUILTIN: &[BuiltinFile] = files!(
    "infra-message_queue_broker",
    "infra-message_queue_cluster",
    "infra-message_queue_consumer_group",
    "infra-message_queue_queue",
    "infra-message_queue_topic",
);

/// The embedded definitions.
///
/// # Panics
/// Never: a unit test loads exactly these constants.
pub fn builtin() -> Definitions {
    Definitions::load(BUILTIN.iter().map(|(path, text)| Source { path, text }))
        .expect("a unit test loads exactly these constants")
}
