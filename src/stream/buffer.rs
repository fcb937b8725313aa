//! What waits in memory: fresh events, and batches that must be repeated.

use std::collections::{BTreeMap, VecDeque};

use super::batch::Batch;
use super::{EncodedEvent, StreamConfig};

/// Events in the order in which they came, bounded by the streamer.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    /// Batches that were cut before, by their first event; all are older than `fresh`.
    repeat: BTreeMap<u64, Batch>,
    fresh: VecDeque<EncodedEvent>,
    /// Number of the first fresh event.
    fresh_first: u64,
    events: usize,
    bytes: usize,
}

impl Buffer {
    pub(super) fn events(&self) -> usize {
        self.events
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, event: EncodedEvent) {
        self.events += 1;
        self.bytes += event.json.len();
        self.fresh.push_back(event);
    }

    /// Takes the oldest event out.
    pub(super) fn pop_oldest(&mut self) -> Option<EncodedEvent> {
        let event = match self.repeat.pop_first() {
            Some((_, mut batch)) => {
                let event = batch.events.pop_front();
                batch.first += 1;
                if !batch.events.is_empty() {
                    self.repeat.insert(batch.first, batch);
                }
                event
            }
            None => {
                let event = self.fresh.pop_front();
                self.fresh_first += u64::from(event.is_some());
                event
            }
        }?;
        self.events -= 1;
        self.bytes -= event.json.len();
        Some(event)
    }

    /// Takes the oldest batch out: one to repeat as it was, else one cut from the fresh events.
    pub(super) fn next_batch(&mut self, config: &StreamConfig) -> Option<Batch> {
        let batch = match self.repeat.pop_first() {
            Some((_, batch)) => batch,
            None => self.cut(config)?,
        };
        self.events -= batch.events.len();
        self.bytes -= batch.bytes();
        Some(batch)
    }

    fn cut(&mut self, config: &StreamConfig) -> Option<Batch> {
        let mut count = 0;
        let mut bytes = 2;
        for event in self.fresh.iter().take(config.batch_events_max) {
            bytes += event.json.len() + 1;
            if count > 0 && bytes > config.batch_bytes_max {
                break;
            }
            count += 1;
        }
        if count == 0 {
            return None;
        }
        let events = self.fresh.drain(..count).collect();
        let first = self.fresh_first;
        self.fresh_first += count as u64;
        Some(Batch { first, events, attempts: 0 })
    }

    /// Puts a batch back in its place.
    pub(super) fn put_back(&mut self, batch: Batch) {
        self.events += batch.events.len();
        self.bytes += batch.bytes();
        self.repeat.insert(batch.first, batch);
    }
}
