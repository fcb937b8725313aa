//! What a cycle could not collect, from everything it learnt.
//!
//! Invariant: a part that was wanted and is not among the samples is listed, once, with the reason
//! of its last try.

use std::collections::{BTreeMap, BTreeSet};

use super::assemble::Groups;
use super::broker::Slot;
use super::cycle::Cycle;
use super::error::{ClientError, ErrorCode};
use super::groups::Answer;
use super::{Missing, Part, Reason};

/// Everything that failed, in order.
pub(super) fn all<S>(cycle: &Cycle<S>, groups: &Groups<'_>) -> Vec<Missing> {
    let mut missing = cycle.missing.clone();
    for harvest in cycle.harvests.iter().chain(&cycle.followed) {
        let broker = Some(harvest.broker);
        let mut lose = |what, reason: &Reason, lost: usize| {
            missing.push(Missing::new(what, broker, reason.clone()).losing(lost as u64));
        };
        if let Slot::Failed(reason) = &harvest.scrape {
            lose(Part::Scrape, reason, 1);
        }
        if let Slot::Failed(reason) = &harvest.log_ends {
            lose(Part::LogEndOffsets, reason, harvest.log_ends_wanted);
        }
        match &harvest.log_dirs {
            Slot::Failed(reason) => lose(Part::LogDirs, reason, 1),
            Slot::Done(_, dirs) => {
                if let Some((count, code)) = dirs.failed {
                    let error = ClientError::Broker { api: "DescribeLogDirs", code };
                    lose(Part::LogDirs, &Reason::Client(error), count);
                }
            }
            Slot::NotWanted | Slot::Pending => {}
        }
        if let Slot::Failed(reason) = &harvest.group_list {
            lose(Part::GroupList, reason, 1);
        }
    }
    log_end_errors(cycle, &mut missing);
    for (group, (broker, found)) in groups {
        let mut lose = |what, reason: &Reason, lost| {
            let part = Missing::new(what, Some(*broker), reason.clone());
            missing.push(part.about(group).losing(lost));
        };
        if let Answer::Failed(reason) = &found.description {
            lose(Part::GroupState, reason, 1);
        }
        if let Answer::Failed(reason) = &found.committed {
            lose(Part::CommittedOffsets, reason, 1);
        }
        if let Some((count, code)) = found.refused {
            let error = ClientError::Broker { api: "OffsetFetch", code };
            lose(Part::CommittedOffsets, &Reason::Client(error), count);
        }
    }
    missing.sort_by(|a, b| a.key().cmp(&b.key()));
    missing
}

/// Partitions whose log end a broker refused to tell, unless the second round got it.
fn log_end_errors<S>(cycle: &Cycle<S>, missing: &mut Vec<Missing>) {
    let mut got = BTreeSet::new();
    for harvest in &cycle.followed {
        if let Slot::Done(_, ends) = &harvest.log_ends {
            got.extend(ends.iter().filter(|e| e.offset.is_ok()).map(|e| (e.topic, e.partition)));
        }
    }
    let mut counts: BTreeMap<(i32, ErrorCode), u64> = BTreeMap::new();
    for harvest in &cycle.harvests {
        let Slot::Done(_, ends) = &harvest.log_ends else { continue };
        for end in ends {
            let Err(code) = end.offset else { continue };
            if !got.contains(&(end.topic, end.partition)) {
                *counts.entry((harvest.broker, code)).or_default() += 1;
            }
        }
        let silent = harvest.log_ends_wanted.saturating_sub(ends.len());
        if silent > 0 {
            let what = format!("ListOffsets leaves {silent} partitions out");
            let lost =
                Missing::new(Part::LogEndOffsets, Some(harvest.broker), Reason::Invalid(what));
            missing.push(lost.losing(silent as u64));
        }
    }
    for ((broker, code), count) in counts {
        let error = ClientError::Broker { api: "ListOffsets", code };
        missing.push(Missing::new(Part::LogEndOffsets, Some(broker), error).losing(count));
    }
}
