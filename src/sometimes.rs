//! Situations that a search for failures must have met at least once: marks in the code that say
//! "this happened", and the set of marks that a run reached.
//!
//! A test that never met a full spool says nothing about full spools. The macro `sometimes!` stands
//! where such a situation is handled; a sweep fails when a listed mark was reached by none of its
//! runs.
//!
//! Invariants:
//! - A mark changes nothing: it sets one bit of the thread's own set, armed or not.
//! - Every mark is listed in [`MARKS`], once; names are unique and never change their meaning.

use std::cell::Cell;
use std::collections::BTreeSet;

/// One situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// Its name in scenario files and reports: `spool-replayed`.
    pub name: &'static str,
    /// What happened, as a sentence: "A restart found batches in the spool."
    pub meaning: &'static str,
    /// Its place in [`MARKS`] and its bit in a set.
    place: u32,
}

/// Declares every mark once, as a constant and in [`MARKS`].
macro_rules! marks {
    ($($constant:ident = $name:literal: $meaning:literal;)*) => {
        #[expect(non_camel_case_types, reason = "named as the marks")]
        #[derive(Clone, Copy)]
        enum Place { $($constant),* }
        $(
            #[doc = $meaning]
            pub const $constant: Mark =
                Mark { name: $name, meaning: $meaning, place: Place::$constant as u32 };
        )*
        /// Every mark there is.
        pub const MARKS: &[Mark] = &[$($constant),*];
    };
}

marks! {
    // Resilience.
    BREAKER_OPENED = "breaker-opened":
        "A breaker opened and kept calls away from what fails.";
    HALF_OPEN_PROBE_FAILED = "half-open-probe-failed":
        "The probe that a half-open breaker let through failed, so it opened again.";
    BREAKER_CLOSED_AGAIN = "breaker-closed-again":
        "A breaker that had opened closed after enough good probes.";
    CALL_RETRIED = "call-retried":
        "A component tried again after a failure.";
    // Collecting.
    BOOTSTRAP_PASSED_OVER = "bootstrap-passed-over":
        "A broker that was asked to describe the cluster did not answer, and another one did.";
    CLUSTER_UNREACHABLE = "cluster-unreachable":
        "No broker of a cluster answered.";
    PARTIAL_CLUSTER = "partial-cluster":
        "Some brokers of a cluster answered in a cycle and others did not.";
    BROKER_LOST = "broker-lost":
        "A connection to a broker broke while a request was under way.";
    BROKER_TOO_SLOW = "broker-too-slow":
        "A broker had not answered everything when its time was up.";
    FRAME_CUT_OFF = "frame-cut-off":
        "A broker's answer ended before its announced length.";
    FRAME_CORRUPT = "frame-corrupt":
        "A broker's answer did not hold what its version prescribes.";
    WRONG_CORRELATION_ID = "wrong-correlation-id":
        "A broker's answer belonged to another request.";
    PARTITION_WITHOUT_LEADER = "partition-without-leader":
        "Metadata named no leader for a partition.";
    METADATA_REFRESHED = "metadata-refreshed":
        "A broker said that it does not lead a partition, and newer metadata came.";
    COORDINATOR_MOVED = "coordinator-moved":
        "A broker said that it does not coordinate a group, and the coordinator was looked up.";
    COUNTER_RESET = "counter-reset":
        "A counter went down, or its process started anew.";
    // Cycles.
    COLLECTION_CUT_OFF = "collection-cut-off":
        "A collection reached its deadline.";
    SOURCE_SPARED = "source-spared":
        "A source was not asked, because its breaker was open.";
    CYCLE_SKIPPED = "cycle-skipped":
        "A cycle ran past the start of the next one, which was skipped.";
    CYCLE_CUT_OFF = "cycle-cut-off":
        "A cycle reached its deadline with events still on their way to New Relic.";
    EVENTS_KEPT_OVER_A_CYCLE = "events-kept-over-a-cycle":
        "A cycle ended with events that New Relic had not taken yet.";
    CLOCK_SET_BACK = "clock-set-back":
        "The wall clock was set back by more than an interval between two cycles.";
    // Streaming.
    RETRY_AFTER_HONOURED = "retry-after-honoured":
        "New Relic asked for a pause with Retry-After, and it was kept.";
    RATE_LIMIT_HELD_BACK = "rate-limit-held-back":
        "The pipeline's own rate limit held a request back.";
    ANSWER_LOST = "answer-lost":
        "A request was sent and its answer never came, so nobody knows whether it counted.";
    BATCH_SPLIT = "batch-split":
        "A batch was too large for New Relic and was cut in two.";
    DEAD_LETTER_WRITTEN = "dead-letter-written":
        "A batch that New Relic refuses for good was written to the disk as a dead letter.";
    MEMORY_FULL = "memory-full":
        "Memory was full and the oldest event in it was dropped.";
    // The spool.
    SPOOL_REPLAYED = "spool-replayed":
        "A start found batches in the spool and took them over.";
    SPOOL_FULL = "spool-full":
        "The spool was full and its oldest batch was dropped.";
    EVENTS_TOO_OLD = "events-too-old":
        "A batch waited longer than it is worth and was dropped.";
    SPOOL_WRITE_FAILED = "spool-write-failed":
        "The disk under the spool returned an error on a write or a sync.";
    SPOOL_READ_FAILED = "spool-read-failed":
        "The disk under the spool returned an error on a read.";
    SPOOL_STALLED = "spool-stalled":
        "The disk under the spool did not answer for long.";
    SENT_FROM_MEMORY = "sent-from-memory":
        "A batch that the spool could not take was sent from memory.";
    SPOOL_RESUMED = "spool-resumed":
        "The spool took batches again after the disk had failed.";
    SPOOL_SALVAGED = "spool-salvaged":
        "The spool's file was damaged and what is good in it was saved.";
    BATCH_UNREADABLE = "batch-unreadable":
        "A batch in the spool could not be read back and was given up.";
    // The desired topology.
    GAP_FILLED = "gap-filled":
        "A stand-in took the place of an entity that was missing or silent.";
    GAP_CLOSED = "gap-closed":
        "An entity that had a stand-in was seen again.";
    GAP_UNFILLED = "gap-unfilled":
        "A gap stayed without a stand-in, because the limits allowed no more.";
    // Clusters.
    LAG_LONG = "lag-long":
        "A consumer group was more than 10,000 messages behind.";
    BROKER_MISSED = "broker-missed":
        "A broker that had been seen within ten minutes was offline.";
    DISK_NEARLY_FULL = "disk-nearly-full":
        "A broker's disk was more than 90 % full.";
    CLUSTER_UNHEALTHY = "cluster-unhealthy":
        "A cluster's health score was below 70.";
    GROUP_REBALANCING = "group-rebalancing":
        "A broker described a consumer group that was not stable.";
    CONSUMERS_STALLED = "consumers-stalled":
        "The members of a consumer group neither read nor committed.";
    REPLICAS_BEHIND = "replicas-behind":
        "A broker named partitions with replicas out of sync.";
    CONTROLLER_ABSENT = "controller-absent":
        "A broker named no controller.";
    LOG_VOLUME_FULL = "log-volume-full":
        "A broker's process ended because its log volume was full.";
    BROKER_JOINED = "broker-joined":
        "A broker took part in its cluster for the first time.";
    PARTITION_REASSIGNED = "partition-reassigned":
        "A partition moved to other replicas.";
    LOAD_SURGED = "load-surged":
        "The load was a multiple of what its pattern says.";
    // The simulated world.
    FAULTS_OVERLAPPED = "faults-overlapped":
        "Two faults were in force at the same time.";
    NAME_UNRESOLVED = "name-unresolved":
        "The name service gave no address of a host that is there.";
    CONNECTION_GAVE_UP = "connection-gave-up":
        "A connection gave up after nothing had been acknowledged for long.";
    POWER_LOST_WRITES = "power-lost-writes":
        "A loss of power took writes that were not synced.";
}

const _: () = assert!(MARKS.len() <= u128::BITS as usize, "a set of marks is one u128");

thread_local! {
    static REACHED: Cell<u128> = const { Cell::new(0) };
}

/// From now on this thread remembers the marks that it reaches; those reached before are forgotten.
pub fn arm() {
    REACHED.set(0);
}

/// The marks that this thread has reached since [`arm`].
pub fn take() -> BTreeSet<Mark> {
    let reached = REACHED.take();
    MARKS.iter().filter(|mark| reached & (1 << mark.place) != 0).copied().collect()
}

/// Notes that `mark` was reached.
pub fn reach(mark: Mark) {
    REACHED.set(REACHED.get() | 1 << mark.place);
}

/// The mark called `name`.
pub fn mark(name: &str) -> Option<Mark> {
    MARKS.iter().find(|mark| mark.name == name).copied()
}

/// `sometimes!(MARK)` or `sometimes!(MARK, condition)`: the situation has been met (if so).
#[macro_export]
macro_rules! sometimes {
    ($mark:ident) => {
        $crate::sometimes::reach($crate::sometimes::$mark)
    };
    ($mark:ident, $condition:expr) => {
        if $condition {
            $crate::sometimes::reach($crate::sometimes::$mark)
        }
    };
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// Whether nothing in `file` belongs to what is shipped.
    fn is_test(file: &Path) -> bool {
        let is_tests = |part: &std::ffi::OsStr| part == "tests" || part == "tests.rs";
        file.ends_with("sometimes.rs") || file.iter().any(is_tests)
    }

    /// `text` without its modules of tests.
    fn shipped(text: &str) -> String {
        let mut rest = text;
        let mut shipped = String::new();
        while let Some((before, tests)) = rest.split_once("#[cfg(test)]\n") {
            shipped.push_str(before);
            let head = tests.lines().next().unwrap_or_default();
            // A module that begins here ends with the first brace at the line's begin.
            let is_inline = head.starts_with("mod ") && head.ends_with('{');
            rest = match tests.split_once("\n}") {
                Some((_, after)) if is_inline => after,
                _ => tests,
            };
        }
        shipped + rest
    }

    /// Where each mark stands in code that is not a test: its constant's name and the files.
    fn uses() -> Vec<(String, PathBuf)> {
        let mut files = Vec::new();
        sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut files);
        let mut uses = Vec::new();
        for file in files {
            let text = std::fs::read_to_string(&file).expect("text");
            let text = if is_test(&file) { String::new() } else { shipped(&text) };
            for (at, call) in text.match_indices("sometimes!(") {
                let rest = &text[at + call.len()..];
                let name = rest.split([',', ')']).next().unwrap_or_default().trim();
                uses.push((name.to_owned(), file.clone()));
            }
        }
        uses
    }

    #[test]
    fn every_mark_has_a_name_a_meaning_and_a_place() {
        let mut names = BTreeSet::new();
        let uses = uses();
        for (at, mark) in MARKS.iter().enumerate() {
            let Mark { name, meaning, place } = *mark;
            assert_eq!(place as usize, at, "{name}");
            assert!(names.insert(name), "{name} is listed twice");
            let is_kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(name.chars().all(is_kebab) && !name.starts_with('-'), "{name}");
            let is_sentence = meaning.starts_with(|c: char| c.is_uppercase())
                && meaning.ends_with('.')
                && meaning.split(' ').count() > 3;
            assert!(is_sentence, "{name}: {meaning}");
            let constant = name.to_uppercase().replace('-', "_");
            assert!(uses.iter().any(|(used, _)| *used == constant), "{constant} is used nowhere");
        }
        assert!((25..=60).contains(&MARKS.len()), "{}", MARKS.len());
    }

    #[test]
    fn what_is_shipped_is_told_from_tests() {
        let files = [
            ("src/a.rs", false),
            ("src/contests.rs", false),
            ("src/sometimes.rs", true),
            ("src/a/tests.rs", true),
            ("src/a/tests/b.rs", true),
        ];
        for (file, expected) in files {
            assert_eq!(is_test(Path::new(file)), expected, "{file}");
        }
        let texts = [
            ("a\n", "a\n"),
            ("a\n#[cfg(test)]\nmod tests;\nb\n", "a\nmod tests;\nb\n"),
            ("a\n#[cfg(test)]\nmod tests {\n    x\n    }\n}\nb\n", "a\n\nb\n"),
            ("#[cfg(test)]\nmod c;\nb\n#[cfg(test)]\nmod tests {\n    x\n}\n", "mod c;\nb\n\n"),
        ];
        for (text, expected) in texts {
            assert_eq!(shipped(text), expected, "{text}");
        }
    }

    #[test]
    fn an_armed_thread_remembers_each_mark_once() {
        sometimes!(SPOOL_FULL);
        arm();
        sometimes!(BATCH_SPLIT);
        sometimes!(BATCH_SPLIT, true);
        sometimes!(ANSWER_LOST, false);
        let last = MARKS[MARKS.len() - 1];
        reach(last);
        assert_eq!(take(), BTreeSet::from([BATCH_SPLIT, last]));
        assert_eq!(take(), BTreeSet::new());
        assert_eq!(mark("batch-split"), Some(BATCH_SPLIT));
        assert_eq!(mark("batch_split"), None);
    }
}
