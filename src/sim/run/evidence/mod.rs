//! What a card shows beyond the verdict: who did what when, who told whom what, how it came to the
//! broken promise, and what was stored against what was true.
//!
//! Invariants:
//! - Evidence is a pure function of a run's record and trace; it is gathered when it is asked for,
//!   and a run that nobody asks pays nothing for it.
//! - It is bounded whatever the size of the run: what is left out is counted and said.
//!
//! Not modelled: causes that the trace does not record. A link of the chain that rests on nothing
//! but time says so ([`Link::Inferred`]).

use crate::sim::check::CheckResult;
use crate::sim::check::record::Record;
use crate::sim::report::timeline::Lane;
use crate::sim::time::SimTime;
use crate::sim::trace::EventId;

mod chain;
mod curves;
mod lanes;
mod log;
mod metric;
mod milestones;
mod sequence;
mod words;

/// Everything that a card shows beyond the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The faults in prose, in order of their begins.
    pub faults: Vec<FaultTold>,
    /// Rows of the picture over time, in groups.
    pub lanes: Vec<LaneGroup>,
    /// Who told whom what, around the first broken promise.
    pub sequence: Sequence,
    /// How it came to the first broken promise; of a run that passed, its most notable fault.
    pub chain: Chain,
    /// The last events on the chain's hosts before its end, in order of time.
    pub last_events: Vec<EventTold>,
    /// What was against what should have been.
    pub curves: Vec<Curve>,
    /// Events of the trace, and how many of them could be looked at.
    pub trace_events: (u64, u64),
}

/// One fault in prose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultTold {
    /// Begin.
    pub from: SimTime,
    /// End; equals the begin of an instant fault.
    pub to: SimTime,
    /// Its kind, as scenario files call it.
    pub kind: String,
    /// What happens, in words, e.g. `crash of orders-broker-2`.
    pub words: String,
}

/// Rows of the picture that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneGroup {
    /// What they are, e.g. `Faults`.
    pub name: &'static str,
    /// The rows, top to bottom.
    pub lanes: Vec<Lane>,
    /// Rows left out, because they say nothing or because there are too many.
    pub left_out: usize,
}

/// How a line of a sequence diagram is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It arrived.
    Arrived,
    /// It was impaired: a refusal, a reset.
    Refused,
    /// It was lost, or nobody answered in time.
    Lost,
}

/// What happened on a sequence diagram, one row each.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// Messages from one host to another, grouped.
    Messages {
        /// Index of the sender's lifeline.
        from: usize,
        /// Index of the receiver's lifeline.
        to: usize,
        /// How many.
        count: u64,
        /// Bytes of their payloads.
        bytes: u64,
        /// What became of them.
        outcome: Outcome,
        /// What they were, e.g. `data`, `connect`.
        what: String,
        /// The single ones: time and words. Their number is bounded.
        details: Vec<(SimTime, String)>,
    },
    /// Something that one host did.
    Note {
        /// Index of its lifeline.
        on: usize,
        /// What.
        words: String,
        /// How to read it.
        outcome: Outcome,
    },
    /// Something that concerns everybody: a fault begins or ends, a promise is broken.
    Band {
        /// What.
        words: String,
        /// Whether it is a fault (`true`) or the broken promise.
        fault: bool,
    },
}

/// A sequence diagram.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sequence {
    /// What it shows, in one sentence.
    pub caption: String,
    /// Begin of what is shown.
    pub from: SimTime,
    /// End of what is shown.
    pub to: SimTime,
    /// Names of the hosts, left to right.
    pub hosts: Vec<String>,
    /// Begin, end and row, in order of the begins.
    pub rows: Vec<(SimTime, SimTime, Row)>,
    /// Messages within the time that are not shown, for want of room.
    pub left_out: u64,
}

/// What a step of a chain rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Nothing: a chain begins here, as with every fault.
    First,
    /// The trace records that an earlier step led to this one.
    Recorded {
        /// When that one was, if it is not the step before.
        from: Option<SimTime>,
        /// Events in between that are not shown.
        via: u64,
    },
    /// The event itself names the fault.
    Named,
    /// The trace does not record it: it stands here for its time.
    Inferred,
    /// A check found it in what the run left behind.
    Found,
}

/// One step of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: SimTime,
    /// The event of the trace, when it is one.
    pub event: Option<EventId>,
    /// Whose event, e.g. a host.
    pub source: String,
    /// What happened.
    pub words: String,
    /// How it follows from the step before.
    pub link: Link,
}

/// From fault to broken promise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What is known of its completeness, in one sentence.
    pub honesty: String,
}

/// One event of the trace in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTold {
    /// When.
    pub at: SimTime,
    /// Its line in the trace.
    pub id: EventId,
    /// The event that led to it.
    pub parent: Option<EventId>,
    /// Who recorded it.
    pub source: String,
    /// The rest of its line.
    pub words: String,
    /// Whether the chain contains it.
    pub in_chain: bool,
}

/// How a line of a curve is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What was found.
    Found,
    /// What should have been.
    Truth,
    /// A limit.
    Limit,
}

/// One line over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it is.
    pub label: String,
    /// How to read it.
    pub part: Part,
    /// Values by time, ascending; they hold until the next one.
    pub points: Vec<(SimTime, f64)>,
}

/// Lines that are to be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What is compared.
    pub title: String,
    /// Unit of all values.
    pub unit: String,
    /// The lines.
    pub lines: Vec<Line>,
    /// Instants at which found and truth differ.
    pub differences: Vec<SimTime>,
    /// What a reader should know beside the lines.
    pub note: Option<String>,
}

impl Evidence {
    /// Gathers the evidence of a run: `trace` is its text, `events` the number of all its lines.
    pub(super) fn of(record: &Record, checks: &[CheckResult], trace: &[u8], events: u64) -> Self {
        let log = log::Log::new(trace);
        let focus = chain::Focus::of(record, checks, &log);
        let (chain, hosts) = chain::chain(record, &log, &focus);
        let last_events = chain::last_events(&log, &chain, &hosts, focus.at);
        Self {
            faults: words::faults(record),
            lanes: lanes::groups(record, checks),
            sequence: sequence::sequence(record, &log, &focus, &hosts),
            chain,
            last_events,
            curves: curves::curves(record, checks),
            trace_events: (events, log.len() as u64),
        }
    }
}
