//! What the lives of a pipeline leave one another in the spool, as far as faults of its disk let
//! them.

use super::record::{PipelineRecord, Record};
use crate::sim::atlas::{Atlas, Lifetime};
use crate::sim::time::SimTime;

/// Whether a life surely opened its spool: one that had to do without it left what was there to the
/// next.
fn surely_opened(atlas: &Atlas, life: &PipelineRecord) -> bool {
    let worked = life.ledger.enqueued + life.ledger.recovered > 0;
    worked && !atlas.spool_may_be_absent(life.started)
}

/// When the events of a life waited: those that it found in its spool since the start of the last
/// life that surely found none.
pub fn lifetime(record: &Record, atlas: &Atlas, index: usize) -> Lifetime {
    let life = &record.pipelines[index];
    let found = |life: &&PipelineRecord| life.ledger.recovered > 0;
    let waiting_since = if found(&life) {
        let mut before = record.pipelines[..index].iter().rev();
        let empty = before.find(|life| surely_opened(atlas, life) && !found(life));
        empty.map_or(SimTime::ZERO, |life| life.started)
    } else {
        life.started
    };
    Lifetime { waiting_since, started: life.started, ended: life.ended }
}

/// Most events that the disk held when this life ended.
fn held(record: &Record, atlas: &Atlas, index: usize) -> u64 {
    let mut most = 0;
    for life in record.pipelines[..=index].iter().rev() {
        most = most.max(life.ledger.spooled);
        if surely_opened(atlas, life) {
            break;
        }
    }
    most
}

/// Most events that power losses took although the disk had confirmed them.
pub fn forgotten(record: &Record, atlas: &Atlas) -> u64 {
    let lives = record.pipelines.iter().enumerate().filter(|(_, life)| life.crashed);
    let forgets = lives.filter(|(_, life)| atlas.forgets(SimTime::ZERO, life.ended).is_some());
    forgets.map(|(index, _)| held(record, atlas, index)).sum()
}
