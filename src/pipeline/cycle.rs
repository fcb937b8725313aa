//! One cycle, from the first question to the last answer.
//!
//! Invariant: a cycle that is dropped half way loses nothing but its report: what was collected is
//! booked in one step with what became of it, and what was enqueued is the stream's.

use std::convert::Infallible;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use super::guard::GuardedSource;
use super::report::{
    CycleReport, Examples, GapFigures, SourceFailure, SourceReport, StageMillis, StreamReport, add,
    add_all,
};
use super::schedule::Schedule;
use super::source::Collected;
use super::stages::Staged;
use super::status::CycleNews;
use super::{Counts, Pipeline, moment};
use crate::domain::sample::RawSample;
use crate::domain::units::{UnixMillis, whole_millis};
use crate::ports::{Clock, Ports};
use crate::resilience::pool::{BatchMode, TaskOptions};
use crate::sometimes;
use crate::stream::{EncodedEvent, FlushReport, Ledger};

/// Events that a cycle handed to the stream, besides those of entities.
struct Enqueued {
    relationships: u64,
    windows: u64,
    gaps: u64,
    monitoring: u64,
    /// Those of entities included.
    all: u64,
}

impl<P: Ports> Pipeline<P> {
    /// Runs one cycle and accounts for it. Dropped half way it loses nothing but its report: what
    /// was collected is booked at once with what became of it, what was enqueued is the stream's.
    pub(super) async fn cycle(&mut self, schedule: Schedule) {
        let clock = self.ports.clock().clone();
        let began = moment(&clock);
        self.started += 1;
        let number = self.started;
        let mode = self.mode.get();
        self.status.update(|status| {
            status.mode = mode;
            status.started = number;
            status.last_start = Some(began);
        });
        self.status.tell(&CycleNews::Began { number, at: began });

        let (samples, sources) =
            if mode.collects() { self.collect(&clock).await } else { Default::default() };
        let collected = moment(&clock);
        let stages = || self.stages.borrow_mut().run(&samples, mode, collected.wall, &clock);
        let staged = self.guards.stages(stages).await;
        let mut staged = staged.unwrap_or_else(|| Staged::failed(&samples, "stages_failed"));
        staged.mode = mode;
        let mut report = self.book(number, &samples, sources, staged, began.wall);
        report.collected_at = collected.wall;
        report.stages.collect_ms =
            whole_millis(collected.monotonic.saturating_sub(began.monotonic));

        let streaming = clock.monotonic();
        let spent = streaming.saturating_sub(began.monotonic);
        let flush =
            self.streamer.flush(self.config.cycle.cycle_deadline.saturating_sub(spent)).await;
        report.stages.stream_ms = whole_millis(clock.monotonic().saturating_sub(streaming));
        // From report to report, so that what happens between two cycles is in one of them.
        let after = self.streamer.ledger();
        let before = std::mem::replace(&mut self.reported, after.clone());
        report.stream = stream_report(&before, &after, &flush);

        let duration = clock.monotonic().saturating_sub(began.monotonic);
        report.duration_ms = whole_millis(duration);
        report.skipped = schedule.skipped(began.wall, report.duration_ms);
        sometimes!(CYCLE_SKIPPED, report.skipped > 0);
        sometimes!(CYCLE_CUT_OFF, flush.deadline_passed);
        sometimes!(EVENTS_KEPT_OVER_A_CYCLE, flush.remaining > 0);
        self.finish(report, duration);
    }

    /// Asks all sources at the same time, each within the collection deadline.
    async fn collect(&mut self, clock: &P::Clock) -> (Vec<RawSample<'static>>, Vec<SourceReport>) {
        let deadline = self.config.cycle.collect_deadline;
        let asked = self.sources.iter().map(|source| {
            let (source, clock) = (source.clone(), clock.clone());
            // The source's component limits its time.
            let options = TaskOptions::new(source.name().to_owned()).timeout(Duration::MAX);
            let ask = move || ask(source.clone(), clock.clone(), deadline);
            (options, ask)
        });
        let answers = self.pool.submit_batch(asked, BatchMode::SettleAll).await;
        let pool = self.pool.stats();
        self.status.update(|status| status.resilience.pool = Some(pool));
        let answers = answers.into_iter().map(|answer| {
            answer.unwrap_or_else(|error| {
                let reason = "task".to_owned();
                (Err(SourceFailure { reason, message: error.to_string() }), Duration::ZERO)
            })
        });
        let last = self.last_report();
        let mut samples = Vec::new();
        let mut reports = Vec::new();
        for (source, (answer, took)) in self.sources.iter().zip(answers) {
            let mut report = SourceReport {
                source: source.name().to_owned(),
                collect_ms: whole_millis(took),
                samples: 0,
                missing: Counts::new(),
                missing_examples: Examples::default(),
                failure: None,
            };
            match answer {
                Ok(collected) => {
                    report.samples = collected.samples.len() as u64;
                    for part in collected.missing {
                        add(&mut report.missing, &part.reason, part.count);
                        report.missing_examples.add(&part.reason, || part.detail);
                    }
                    // Mostly there is one source: its samples need not be copied.
                    if samples.is_empty() {
                        samples = collected.samples;
                    } else {
                        samples.extend(collected.samples);
                    }
                }
                Err(failure) => report.failure = Some(failure),
            }
            let previous = last.as_ref().and_then(|last| last.sources.get(reports.len()));
            log_source(&report, previous);
            reports.push(report);
        }
        (samples, reports)
    }

    /// Books the samples and hands their events to the stream, without a pause in between.
    fn book(
        &mut self,
        number: u64,
        samples: &[RawSample<'_>],
        sources: Vec<SourceReport>,
        mut staged: Staged,
        now: UnixMillis,
    ) -> CycleReport {
        let kinds = kinds_of(samples);
        let told = self.enqueue(&mut staged, now);
        let mut rejected = staged.rejected.clone();
        add_all(&mut rejected, &staged.unsynthesized);
        self.status.update(|status| {
            status.figures_left_out += staged.figures.left_out();
            status.figures = Arc::new(staged.figures);
            status.book_collections(&sources);
            let ledger = &mut status.ledger;
            add_all(&mut ledger.collected, &kinds);
            ledger.transformed += staged.transformed;
            add_all(&mut ledger.rejected, &staged.rejected);
            add_all(&mut ledger.fields_left_out, &staged.fields_left_out);
            add_all(&mut ledger.unsynthesized, &staged.unsynthesized);
            add_all(&mut ledger.entities, &staged.entities);
            ledger.relationships += told.relationships;
            ledger.windows += told.windows;
            add_all(&mut ledger.metrics_absent, &staged.metrics_absent);
            ledger.monitoring += told.monitoring;
            ledger.gaps += told.gaps;
            ledger.enqueued += told.all;
            ledger.add_sources(&sources);
            status.hooks = staged.hooks;
            status.windows = staged.windows;
        });
        CycleReport {
            cycle: number,
            started_at: now,
            collected_at: now,
            duration_ms: 0,
            stages: StageMillis {
                collect_ms: 0,
                transform_ms: whole_millis(staged.transform),
                aggregate_ms: whole_millis(staged.aggregate),
                synthesize_ms: whole_millis(staged.synthesize),
                stream_ms: 0,
            },
            sources,
            samples: kinds,
            rejected,
            unsynthesized: staged.unsynthesized,
            fields_left_out: staged.fields_left_out,
            rejection_examples: staged.examples,
            entities: staged.entities,
            relationships: told.relationships,
            mode: staged.mode,
            gaps: staged.hybrid.as_ref().map(GapFigures::of),
            windows: told.windows,
            metrics_absent: staged.metrics_absent,
            events_enqueued: told.all,
            stream: StreamReport::default(),
            skipped: 0,
        }
    }

    /// Hands the events of a cycle to the stream, those that are due of the pipeline itself after
    /// them.
    fn enqueue(&mut self, staged: &mut Staged, now: UnixMillis) -> Enqueued {
        let due = self.relationships.is_due(now);
        let relationships = take(&mut staged.relationship_events);
        let kinds = [
            take(&mut staged.entity_events),
            if due { relationships } else { Vec::new() },
            take(&mut staged.window_events),
            take(&mut staged.gap_events),
            self.monitor_events(),
        ];
        let counts = kinds.each_ref().map(|events| events.len() as u64);
        for event in kinds.into_iter().flatten() {
            self.streamer.enqueue(event);
        }
        let [_, relationships, windows, gaps, monitoring] = counts;
        Enqueued { relationships, windows, gaps, monitoring, all: counts.iter().sum() }
    }

    /// What is due to be told of the breakers.
    fn monitor_events(&self) -> Vec<EncodedEvent> {
        let now = moment(self.ports.clock());
        if now.monotonic < self.monitor.next_due() {
            return Vec::new();
        }
        let breakers = self.guards.breakers().stats(now.monotonic);
        self.monitor.take_due(&breakers, now)
    }

    /// Publishes the end of a cycle.
    fn finish(&mut self, report: CycleReport, duration: Duration) {
        self.completed += 1;
        self.skipped += report.skipped;
        log_cycle(&report);
        let report = Arc::new(report);
        let now = moment(self.ports.clock());
        self.status.update(|status| {
            status.completed += 1;
            status.skipped += report.skipped;
            status.durations.record(duration);
            if report.collected() {
                status.last_collected = Some(now);
            }
            for source in report.sources.iter().filter(|source| source.failure.is_none()) {
                status.last_collected_from.insert(source.source.clone(), now);
            }
            status.last_report = Some(Arc::clone(&report));
        });
        self.status.observe(self.ports.clock());
        self.status.tell(&CycleNews::Ended(report));
    }
}

/// Numbers of `samples` by kind.
fn kinds_of(samples: &[RawSample<'_>]) -> Counts {
    let mut kinds = Counts::new();
    // Sources give samples of one kind in a row.
    for run in samples.chunk_by(|left, right| left.subject.kind() == right.subject.kind()) {
        add(&mut kinds, run[0].subject.kind().label(), run.len() as u64);
    }
    kinds
}

/// Collects from one source within `deadline`; the answer and the time it took.
async fn ask<P: Ports>(
    source: GuardedSource<P>,
    clock: P::Clock,
    deadline: Duration,
) -> Result<(Result<Collected, SourceFailure>, Duration), Infallible> {
    let began = clock.monotonic();
    let answer = source.collect(deadline).await;
    Ok((answer, clock.monotonic().saturating_sub(began)))
}

/// What the stream did between two accounts.
fn stream_report(before: &Ledger, after: &Ledger, flush: &FlushReport) -> StreamReport {
    let mut report = StreamReport {
        acknowledged: after.acknowledged - before.acknowledged,
        in_flight: after.in_flight,
        unknown_posts: after.unknown_sends - before.unknown_sends,
        stopped: flush.stopped.map(str::to_owned),
        ..StreamReport::default()
    };
    for (reason, count) in &after.rejected {
        let new = count - before.rejected.get(reason).copied().unwrap_or(0);
        if new > 0 {
            add(&mut report.rejected, reason.as_str(), new);
        }
    }
    for (reason, count) in &after.dropped {
        let new = count - before.dropped.get(reason).copied().unwrap_or(0);
        if new > 0 {
            add(&mut report.dropped, reason.as_str(), new);
        }
    }
    if report.stopped.is_none() && flush.deadline_passed {
        report.stopped = Some("cycle_deadline".to_owned());
    }
    if report.stopped.is_none() && after.in_flight > 0 && flush.wait.is_some() {
        report.stopped = Some("retry_after".to_owned());
    }
    report
}

/// Logs what changed since the source's `previous` report: a part that is missing for ever is news
/// once.
fn log_source(report: &SourceReport, previous: Option<&SourceReport>) {
    let source = &report.source;
    let failure = previous.and_then(|previous| previous.failure.as_ref());
    match (&report.failure, failure) {
        (Some(SourceFailure { reason, message }), _) => {
            tracing::warn!(%source, %reason, detail = %message, "Source gave nothing.");
        }
        (None, Some(_)) => tracing::info!(%source, "Source gives data again."),
        (None, None) => {}
    }
    let known = previous.map(|previous| &previous.missing);
    for (reason, parts) in &report.missing {
        if !known.is_some_and(|known| known.contains_key(reason)) {
            let example = report.missing_examples.of(reason);
            tracing::warn!(%source, %reason, parts, example, "Parts of a source are missing.");
        }
    }
    let again = known.into_iter().flat_map(Counts::keys);
    for reason in again.filter(|reason| !report.missing.contains_key(*reason)) {
        if report.failure.is_none() {
            tracing::info!(%source, %reason, "Parts of a source are back.");
        }
    }
}

fn log_cycle(report: &CycleReport) {
    for (reason, count) in &report.rejected {
        let example = report.rejection_examples.of(reason);
        tracing::warn!(%reason, count, example, "Samples were rejected.");
    }
    for (reason, count) in &report.fields_left_out {
        let example = report.rejection_examples.of(reason);
        tracing::warn!(%reason, count, example, "Fields were left out.");
    }
    if report.skipped > 0 {
        let (cycle, skipped) = (report.cycle, report.skipped);
        tracing::warn!(cycle, skipped, "Cycle was longer than the interval; starts were skipped.");
    }
    let stream = &report.stream;
    for (reason, count) in &stream.dropped {
        tracing::error!(%reason, count, "Events were dropped.");
    }
    if let Some(reason) = &stream.stopped {
        let in_flight = stream.in_flight;
        tracing::warn!(%reason, in_flight, "New Relic did not take all events; they are kept.");
    }
    tracing::info!(
        cycle = report.cycle,
        duration_ms = report.duration_ms,
        samples = super::total(&report.samples),
        entities = super::total(&report.entities),
        relationships = report.relationships,
        enqueued = report.events_enqueued,
        acknowledged = stream.acknowledged,
        in_flight = stream.in_flight,
        "Cycle ended."
    );
}
