//! What a run leaves behind, as the plain data that checks judge.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::defect::Defect;
use super::hosts::{Life, Setup, stream_config};
use super::runner::fleet_record;
use crate::domain::units::UnixMillis;
use crate::hybrid::manager::{COVERAGE_EVENT_TYPE, GAP_EVENT_TYPE};
use crate::pipeline::monitor;
use crate::pipeline::{CycleReport, GapFigures, PipelineStatus, Snapshot, SourceReport, total};
use crate::resilience::recovery::ComponentStats;
use crate::sim::check::record::{
    ComponentRecord, CycleRecord, EntityRecord, GapsRecord, IncidentRecord, LedgerRecord,
    MemoryRecord, Names, NewRelicRecord, PipelineRecord, Record, RecoveryRecord, RequestSeen,
    ResilienceRecord, StoredEvent,
};
use crate::sim::newrelic::{self, EventRow, Value};
use crate::sim::time::SimTime;
use crate::sim::world::WorldError;
use crate::stream::StreamConfig;

impl Setup {
    /// What the run left behind; `end` is when it ended.
    pub fn to_record(&self, end: SimTime, broken: Option<WorldError>, tick: Duration) -> Record {
        // The last look of the checks is nothing that happened in the run.
        self.newrelic.listen(None);
        let mut record = Record {
            scenario: self.scenario.clone(),
            seed: self.seed,
            faults: self.scenario.faults(),
            end,
            heal: self.scenario.heal(),
            broken,
            tick,
            fleets: BTreeMap::new(),
            pipelines: Vec::new(),
            newrelic: NewRelicRecord::default(),
            crash_points: Vec::new(),
            user: self.user.record(),
        };
        for (name, fleet) in &self.fleets {
            record.fleets.insert(name.clone(), fleet_record(fleet, end));
        }
        record.newrelic = newrelic_record(self, &record);
        let lives = self.lives.lock();
        record.pipelines = lives.iter().map(|life| pipeline_record(&record, life, end)).collect();
        if self.defect == Some(Defect::SwallowedError) {
            for cycle in record.pipelines.iter_mut().flat_map(|life| &mut life.cycles) {
                cycle.missing.clear();
                cycle.failed.clear();
            }
        }
        record
    }
}

fn pipeline_record(record: &Record, life: &Life, end: SimTime) -> PipelineRecord {
    let snapshot = life.status.as_ref().map(PipelineStatus::snapshot);
    let ended = life.ended.unwrap_or(end);
    let mut cycles: Vec<CycleRecord> = Vec::new();
    for report in &life.cycles {
        let next = |cycle: &CycleRecord| cycle.started + Duration::from_millis(1);
        let after = cycles.last().map_or(life.started, next);
        let started = life.starts.get(&report.cycle).copied();
        let started = started.unwrap_or_else(|| record.first_time_of(report.started_at, after));
        cycles.push(cycle_record(report, started));
    }
    cycles.extend(snapshot.as_ref().and_then(|now| unfinished(life, now, ended)));
    PipelineRecord {
        started: life.started,
        ended,
        crashed: life.ended.is_some(),
        ledger: snapshot.as_ref().map(ledger_record).unwrap_or_default(),
        cycles,
        posts: life.posts.records(),
        books: life.books.clone(),
        resilience: snapshot
            .as_ref()
            .map(|snapshot| resilience_record(record, life, snapshot, ended))
            .unwrap_or_default(),
    }
}

/// What breakers, recovery and memory of one life say of themselves.
fn resilience_record(
    record: &Record,
    life: &Life,
    snapshot: &Snapshot,
    ended: SimTime,
) -> ResilienceRecord {
    let stream = stream_config(&record.scenario);
    let components = &snapshot.resilience.recovery.components;
    let component = |stats: &ComponentStats| ComponentRecord {
        name: stats.name.clone(),
        state: stats.state,
        incidents: stats.incidents,
        recovered: stats.recovered,
        recovery_time: stats.recovery_time_total,
    };
    ResilienceRecord {
        breakers: life.breakers.records(&stream.breaker, ended),
        recovery: Some(RecoveryRecord { components: components.iter().map(component).collect() }),
        memory: memory_records(&stream, snapshot),
    }
}

fn memory_records(limits: &StreamConfig, snapshot: &Snapshot) -> Vec<MemoryRecord> {
    let peaks = &snapshot.stream_stats;
    // Beside what waits, each POST under way may hold a batch that came back from the disk.
    let under_way = limits.concurrency * limits.batch_bytes_max;
    let resident_max = limits.buffer_bytes_max + limits.resident_bytes_max + under_way;
    let bounded = |what: &str, peak: usize, cap: usize| MemoryRecord {
        what: what.to_owned(),
        peak: peak as u64,
        cap: cap as u64,
    };
    vec![
        bounded("events in memory alone", peaks.buffer_events_peak, limits.buffer_events_max),
        bounded("bytes of events in memory", peaks.resident_bytes_peak, resident_max),
        bounded("bytes of events in the spool", peaks.spool_bytes_peak, limits.spool_bytes_max),
    ]
}

/// The cycle that a life's end cut off; what it had enqueued may be stored.
fn unfinished(life: &Life, now: &Snapshot, ended: SimTime) -> Option<CycleRecord> {
    let start = now.last_start.filter(|_| now.started > now.completed)?;
    Some(CycleRecord {
        number: now.started,
        started: *life.starts.get(&now.started)?,
        wall: start.wall,
        collected: ended,
        ended,
        cut_off: true,
        ..CycleRecord::default()
    })
}

fn ledger_record(snapshot: &Snapshot) -> LedgerRecord {
    let (ledger, stream) = (&snapshot.ledger, &snapshot.stream);
    let rejected = stream.rejected.iter().map(|(why, count)| (why.as_str().to_owned(), *count));
    let dropped = stream.dropped.iter().map(|(why, count)| (why.as_str().to_owned(), *count));
    LedgerRecord {
        collected: total(&ledger.collected),
        transformed: ledger.transformed,
        samples_rejected: ledger.rejected.clone(),
        enqueued: stream.enqueued,
        acknowledged: stream.acknowledged,
        events_lost: rejected.chain(dropped).collect(),
        in_flight: stream.in_flight,
        unknown_sends: stream.unknown_events,
        recovered: stream.recovered,
        spooled: stream.spooled,
        staged: stream.in_flight - stream.spooled.min(stream.in_flight),
        dead_lettered: stream.dead_lettered,
    }
}

fn cycle_record(report: &CycleReport, started: SimTime) -> CycleRecord {
    let cluster = |source: &SourceReport| {
        source.source.strip_prefix("kafka/").unwrap_or(&source.source).to_owned()
    };
    let missing = |source: &SourceReport| (cluster(source), kinds(&source.missing));
    let failed = report.sources.iter().filter(|source| source.failure.is_some());
    CycleRecord {
        number: report.cycle,
        started,
        wall: report.started_at,
        collected: started + Duration::from_millis(report.stages.collect_ms),
        cut_off: false,
        skipped: report.skipped,
        // Reports count whole milliseconds.
        ended: started + Duration::from_millis(report.duration_ms + 1),
        collecting: Duration::from_millis(report.stages.collect_ms),
        missing: report.sources.iter().map(missing).collect(),
        failed: failed.map(cluster).collect(),
        mode: report.mode,
        gaps: report.gaps.as_ref().map(gaps_record),
    }
}

fn gaps_record(gaps: &GapFigures) -> GapsRecord {
    let whole = gaps.overall();
    GapsRecord {
        desired: whole.desired,
        fresh: whole.fresh,
        stale: whole.stale,
        missing: whole.missing,
        filled: whole.filled,
        unfilled: gaps.unfilled,
    }
}

/// Missing parts by kind: the word before the slash of `log_dirs/timeout`.
fn kinds(missing: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut kinds = BTreeMap::new();
    for (reason, count) in missing {
        let kind = reason.split('/').next().unwrap_or(reason);
        *kinds.entry(kind.to_owned()).or_default() += count;
    }
    kinds
}

/// Types of the events about the pipeline's own breakers.
const MONITOR_EVENTS: [&str; 3] =
    [monitor::METRIC_EVENT_TYPE, monitor::STATE_CHANGE_EVENT_TYPE, monitor::HEALTH_EVENT_TYPE];

/// Types of the events about gaps and coverage.
const GAP_EVENTS: [&str; 2] = [COVERAGE_EVENT_TYPE, GAP_EVENT_TYPE];
/// Type of the events about incidents.
const INCIDENT_EVENT: &str = "NrAiIncident";
/// Type of the events about windows of time.
const WINDOW_EVENT: &str = "MessageQueueWindow";

fn newrelic_record(setup: &Setup, record: &Record) -> NewRelicRecord {
    let newrelic = &setup.newrelic;
    newrelic.advance(setup.wall(record.end));
    let at = |wall: UnixMillis| record.sim_time(wall, 0);
    let events = |event_type: &str| {
        let mut events = Vec::new();
        let mut forms: BTreeMap<u32, Form> = BTreeMap::new();
        newrelic.visit_events(event_type, |row| {
            let form = forms.entry(row.form()).or_insert_with(|| Form::of(row));
            events.push(form.event(row, record));
        });
        events.sort_by_key(|event: &StoredEvent| event.stored_at);
        events
    };
    let entities = newrelic.entities().into_iter().map(|entity| EntityRecord {
        guid: entity.guid.to_string(),
        type_name: entity.entity_type,
        name: entity.name,
        first_event_at: at(entity.first_seen),
        visible_at: at(entity.visible_at),
    });
    let relationships = newrelic.relationships().into_iter();
    let is_real = |event: &StoredEvent| event.text("dataSource") == "infrastructure";
    let (samples, stand_ins) = events("MessageQueue").into_iter().partition(is_real);
    let told = events("MessageQueueRelationship").into_iter();
    let (relationship_events, stand_in_relationships) = told.partition(is_real);
    NewRelicRecord {
        samples,
        stand_ins,
        stand_in_relationships,
        gap_events: GAP_EVENTS.into_iter().flat_map(events).collect(),
        relationship_events,
        monitor_events: MONITOR_EVENTS.into_iter().flat_map(events).collect(),
        window_events: events(WINDOW_EVENT),
        incidents: newrelic.events(INCIDENT_EVENT).iter().map(|e| incident(e, record)).collect(),
        entities: entities.collect(),
        relationships: relationships.map(|r| (r.source, r.kind, r.target)).collect(),
        requests: newrelic
            .requests()
            .into_iter()
            .map(|request| RequestSeen {
                at: at(request.at),
                request_id: request.request_id,
                accepted: request.uuid.is_some(),
                events_stored: request.events_stored.into(),
            })
            .collect(),
        unstored: newrelic.queued_events(),
        evicted: newrelic.store_usage().1.values().sum(),
        integration_errors: newrelic.integration_errors().into_iter().map(|e| e.message).collect(),
    }
}

fn incident(event: &newrelic::StoredEvent, record: &Record) -> IncidentRecord {
    let text =
        |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned).unwrap_or_default();
    // Times of events are whole milliseconds, which a float holds exactly.
    #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
    let degraded = event.get("degradationTime").and_then(Value::as_f64).unwrap_or(0.0) as i64;
    IncidentRecord {
        id: text("incidentId"),
        is_open: text("event") == "open",
        condition: text("conditionName"),
        guid: text("entity.guid"),
        priority: text("priority"),
        at: record.sim_time(event.timestamp, 0),
        degraded_at: record.sim_time(UnixMillis(degraded), 0),
    }
}

/// Where the attributes of events of one form stand in their rows, in order of their names.
struct Form {
    names: Arc<Names>,
    numbers: Vec<usize>,
    texts: Vec<usize>,
}

impl Form {
    fn of(row: &EventRow<'_>) -> Self {
        let columns = row.attributes().enumerate();
        let mut columns: Vec<(&Arc<str>, usize, bool)> = columns
            // What New Relic says of the entity is nothing that the pipeline sent.
            .filter(|(_, (name, _))| !name.starts_with("entity."))
            .map(|(at, (name, value))| (name, at, matches!(value, Value::Text(_))))
            .collect();
        columns.sort_unstable();
        let places = |texts: bool| {
            let chosen = columns.iter().filter(move |column| column.2 == texts);
            chosen.map(|(name, at, _)| (Arc::clone(name), *at)).unzip()
        };
        let (number_names, numbers) = places(false);
        let (text_names, texts) = places(true);
        let names = Arc::new(Names { numbers: number_names, texts: text_names });
        Self { names, numbers, texts }
    }

    fn event(&self, row: &EventRow<'_>, record: &Record) -> StoredEvent {
        let number = |at: &usize| row.at(*at).as_f64().unwrap_or(f64::NAN);
        let text = |at: &usize| match row.at(*at) {
            Value::Text(text) => Some(text),
            _ => None,
        };
        StoredEvent {
            timestamp: row.timestamp(),
            stored_at: record.sim_time(row.stored_at(), 0),
            names: Arc::clone(&self.names),
            numbers: self.numbers.iter().map(number).collect(),
            texts: self.texts.iter().filter_map(text).collect(),
        }
    }
}
