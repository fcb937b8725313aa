//! The pure stages of a cycle: raw samples to events.
//!
//! Invariants:
//! - Every sample is either transformed or rejected for a reason; every entity and relationship is
//!   either encoded or rejected for a reason.
//! - Time is read only to say how long a stage took.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::PipelineConfig;
use super::figures::{Figures, SERIES_MAX};
use super::mode::SteadyCalendar;
use super::report::{Counts, Examples, add, add_all};
use crate::aggregate::window::{ClosedWindow, Reading, SourceId, WindowStats, Windows};
use crate::aggregate::{Aggregator, AggregatorConfig, EntityState};
use crate::config::Extensions;
use crate::domain::sample::RawSample;
use crate::domain::tag::{TagError, Tags};
use crate::domain::units::{UnixMillis, whole_millis};
use crate::hooks::{Chain, CycleFailure, HookStats, Point};
use crate::hybrid::manager::{Addition, HybridManager, HybridReport, ToldEvent};
use crate::hybrid::mode::Mode;
use crate::hybrid::model::Moment;
use crate::hybrid::topology::Topology;
use crate::ports::Clock;
use crate::stream::EncodedEvent;
use crate::synthesize::window::WINDOW_EVENT_TYPE;
use crate::synthesize::{Synthesis, SynthesisConfig, Synthesizer, event};
use crate::transform::{CanonicalSample, transform, transform_with};

/// Bytes reserved for one event; most are a little shorter.
const EVENT_BYTES: usize = 1_024;

/// The stages and what they remember from cycle to cycle.
pub(super) struct Stages {
    aggregator: Aggregator,
    synthesizer: Synthesizer,
    hybrid: Option<HybridManager>,
    calendar: SteadyCalendar,
    /// What the rates of stand-ins are said to cover, in milliseconds.
    window_ms: i64,
    extensions: Extensions,
    windows: Option<Windows>,
    /// Steps around the stages.
    pub(super) hooks: Chain,
    /// Most entities per metric whose figures are kept to be shown.
    pub(super) series_max: usize,
}

/// What the stages made of one cycle's samples.
#[derive(Debug, Default)]
pub(super) struct Staged {
    /// Where its entities come from.
    pub(super) mode: Mode,
    pub(super) transformed: u64,
    /// Invalid samples, by reason.
    pub(super) rejected: Counts,
    /// Single fields left out of samples, by reason.
    pub(super) fields_left_out: Counts,
    /// Entities and relationships that could not be made, by reason.
    pub(super) unsynthesized: Counts,
    /// Some of what was rejected or left out, in words.
    pub(super) examples: Examples,
    /// Entities, by type.
    pub(super) entities: Counts,
    /// One event per entity.
    pub(super) entity_events: Vec<EncodedEvent>,
    /// One event per relationship.
    pub(super) relationship_events: Vec<EncodedEvent>,
    /// Events about gaps and coverage.
    pub(super) gap_events: Vec<EncodedEvent>,
    /// What the cycle showed of the desired topology.
    pub(super) hybrid: Option<HybridReport>,
    /// One event per window that was told.
    pub(super) window_events: Vec<EncodedEvent>,
    /// Custom metrics without a value, by `metric/reason`.
    pub(super) metrics_absent: Counts,
    /// What the windows did since the start.
    pub(super) windows: Option<WindowStats>,
    /// What each step did since the start.
    pub(super) hooks: Vec<HookStats>,
    /// What the metrics page shows of the entities.
    pub(super) figures: Figures,
    pub(super) transform: Duration,
    pub(super) aggregate: Duration,
    pub(super) synthesize: Duration,
}

impl Stages {
    /// Stages of a pipeline that begins now by `clock`.
    pub(super) fn new(config: &PipelineConfig, clock: &impl Clock) -> Result<Self, TagError> {
        let mut tags = Tags::default();
        for (key, value) in &config.cycle.tags {
            tags.insert(key, value)?;
        }
        let environment = config.cycle.environment.as_ref().map(|text| text.parse()).transpose()?;
        let synthesis = SynthesisConfig {
            account: config.account,
            environment,
            tags,
            serves: config.cycle.serves,
        };
        let calendar = SteadyCalendar::new(clock.wall(), clock.monotonic());
        let began = calendar.at(clock.monotonic());
        let hybrid = config
            .hybrid
            .as_ref()
            .map(|hybrid| HybridManager::new(hybrid.config.clone(), config.account, began));
        let desired = config.hybrid.as_ref().map(|hybrid| &hybrid.config.topology);
        let rosters = desired.map(Topology::rosters).unwrap_or_default();
        let extensions = config.extensions.clone();
        // One thread fills them.
        let watched = |config| Windows::new(config, NonZeroUsize::MIN).watched_since(clock.wall());
        let windows = extensions.windows.map(watched);
        Ok(Self {
            hybrid,
            calendar,
            window_ms: whole_millis(config.cycle.interval).cast_signed(),
            aggregator: Aggregator::new(AggregatorConfig {
                rosters,
                ..AggregatorConfig::default()
            }),
            synthesizer: Synthesizer::new(synthesis),
            windows,
            hooks: Chain::new(&extensions.hooks),
            extensions,
            series_max: SERIES_MAX,
        })
    }

    /// Runs all stages over the samples of one cycle in `mode`, whose collection ended at `now`.
    pub(super) fn run(
        &mut self,
        samples: &[RawSample<'_>],
        mode: Mode,
        now: UnixMillis,
        clock: &impl Clock,
    ) -> Staged {
        let mut staged = self.stages(samples, mode, now, clock).unwrap_or_else(|failure| {
            tracing::error!(%failure, "The cycle's samples are lost.");
            let mut failed = Staged::failed(samples, "hook_failed");
            failed.examples.add("hook_failed", || failure.to_string());
            failed
        });
        staged.hooks = self.hooks.stats();
        staged.windows = self.windows.as_ref().map(Windows::stats);
        staged
    }

    fn stages(
        &mut self,
        samples: &[RawSample<'_>],
        mode: Mode,
        now: UnixMillis,
        clock: &impl Clock,
    ) -> Result<Staged, CycleFailure> {
        let mut staged = Staged::default();
        let began = clock.monotonic();
        let mut samples = Cow::Borrowed(samples);
        if self.hooks.stands_at(Point::BeforeTransform) {
            let dropped = self.hooks.before_transform(samples.to_mut(), clock)?;
            add_all(&mut staged.rejected, &dropped);
        }
        let mut canonical = staged.transform(&samples, &self.extensions);
        if self.hooks.stands_at(Point::AfterTransform) {
            let dropped = self.hooks.after_transform(&mut canonical, clock)?;
            add_all(&mut staged.rejected, &dropped);
        }
        staged.transformed = canonical.len() as u64;
        let transformed = clock.monotonic();
        let mut states = self.aggregator.fold(canonical, now);
        if let Some(hybrid) = &mut self.hybrid {
            let moment = Moment { at: now, window_ms: self.window_ms };
            let added = hybrid.cycle(mode, &states, moment, self.calendar.at(transformed));
            staged.add(added, &mut states);
        }
        if !self.extensions.metrics.is_empty() {
            staged.derive(&self.extensions, &mut states);
        }
        let aggregated = clock.monotonic();
        if self.hooks.stands_at(Point::BeforeStream) {
            let dropped = self.hooks.before_stream(&mut states, clock)?;
            add_all(&mut staged.unsynthesized, &dropped);
        }
        if let Some(windows) = &self.windows {
            // Stand-ins are for now; what is told of a span of time is what fleets said in it.
            for state in states.iter().filter(|state| !state.data_source.is_simulated()) {
                windows.observe(&Reading::of(state, SourceId::default()), now);
            }
            staged.tell(&self.synthesizer, &windows.advance(now));
        }
        staged.encode(&self.synthesizer.synthesize(&states));
        staged.figures = Figures::of(&states, self.series_max);
        let synthesized = clock.monotonic();
        staged.transform = transformed.saturating_sub(began);
        staged.aggregate = aggregated.saturating_sub(transformed);
        staged.synthesize = synthesized.saturating_sub(aggregated);
        Ok(staged)
    }

    /// Events of all windows that are open, and why some cannot be made.
    pub(super) fn shut_down(&mut self) -> (Vec<EncodedEvent>, Counts) {
        let mut staged = Staged::default();
        if let Some(windows) = &self.windows {
            staged.tell(&self.synthesizer, &windows.shut_down());
        }
        (staged.window_events, staged.unsynthesized)
    }
}

impl Staged {
    /// What becomes of samples whose stages failed: all are rejected.
    pub(super) fn failed(samples: &[RawSample<'_>], reason: &str) -> Self {
        let mut staged = Self::default();
        add(&mut staged.rejected, reason, samples.len() as u64);
        staged
    }

    fn transform<'s>(
        &mut self,
        samples: &'s [RawSample<'_>],
        extensions: &Extensions,
    ) -> Vec<CanonicalSample<'s>> {
        let mappings = Some(&*extensions.mappings).filter(|mappings| !mappings.is_empty());
        let mut canonical = Vec::with_capacity(samples.len());
        for sample in samples {
            let transformed = match mappings {
                Some(mappings) => transform_with(sample, mappings),
                None => transform(sample),
            };
            match transformed {
                Ok(sample) => {
                    for warning in &sample.warnings {
                        let reason = warning.reason.as_str();
                        add(&mut self.fields_left_out, reason, 1);
                        self.examples.add(reason, || format!("{}: {reason}", warning.name));
                    }
                    canonical.push(sample);
                }
                Err(rejection) => {
                    add(&mut self.rejected, rejection.as_str(), 1);
                    self.examples.add(rejection.as_str(), || rejection.to_string());
                }
            }
        }
        canonical
    }

    /// Takes what the hybrid manager adds to a cycle.
    fn add(&mut self, added: Addition, states: &mut Vec<EntityState>) {
        states.extend(added.states);
        let encoded =
            |told: ToldEvent| EncodedEvent { json: told.json, kind: told.event_type.into() };
        self.gap_events = added.events.into_iter().map(encoded).collect();
        self.hybrid = added.report;
    }

    /// Sets the custom metrics of `states`.
    fn derive(&mut self, extensions: &Extensions, states: &mut [EntityState]) {
        for ((metric, absence), count) in extensions.metrics.apply(states) {
            let reason = format!("{metric}/{}", absence.as_str());
            add(&mut self.metrics_absent, &reason, count);
        }
    }

    /// Makes events of `windows`.
    fn tell(&mut self, synthesizer: &Synthesizer, windows: &[ClosedWindow]) {
        for window in windows {
            let mut json = Vec::with_capacity(2 * EVENT_BYTES);
            match synthesizer.write_window(window, &mut json) {
                Ok(()) => {
                    let kind = WINDOW_EVENT_TYPE.into();
                    self.window_events.push(EncodedEvent { json, kind });
                }
                Err(rejection) => {
                    add(&mut self.unsynthesized, rejection.as_str(), 1);
                    self.examples.add(rejection.as_str(), || rejection.to_string());
                }
            }
        }
    }

    fn encode(&mut self, synthesis: &Synthesis<'_>) {
        for entity in &synthesis.entities {
            let kind = entity.kind().type_name();
            let mut json = Vec::with_capacity(EVENT_BYTES);
            event::write_entity(entity, &mut json);
            add(&mut self.entities, kind, 1);
            self.entity_events.push(EncodedEvent { json, kind: kind.into() });
        }
        for relationship in &synthesis.relationships {
            let mut json = Vec::with_capacity(EVENT_BYTES / 2);
            event::write_relationship(relationship, &mut json);
            let kind = event::RELATIONSHIP_EVENT_TYPE;
            self.relationship_events.push(EncodedEvent { json, kind: kind.into() });
        }
        for rejection in &synthesis.rejected {
            add(&mut self.unsynthesized, rejection.as_str(), 1);
            self.examples.add(rejection.as_str(), || rejection.to_string());
        }
    }
}
