//! The pure stages of a cycle: raw samples to events.
//!
//! Invariants:
//! - Every sample is either transformed or rejected for a reason; every entity and relationship is
//!   either encoded or rejected for a reason.
//! - Time is read only to say how long a stage took.

use std::time::Duration;

use super::PipelineConfig;
use super::figures::{Figures, SERIES_MAX};
use super::report::{Counts, Examples, add};
use crate::aggregate::{Aggregator, AggregatorConfig};
use crate::domain::sample::RawSample;
use crate::domain::tag::{TagError, Tags};
use crate::domain::units::UnixMillis;
use crate::ports::Clock;
use crate::stream::EncodedEvent;
use crate::synthesize::{Synthesis, SynthesisConfig, Synthesizer, event};
use crate::transform::{CanonicalSample, transform};

/// Bytes reserved for one event; most are a little shorter.
const EVENT_BYTES: usize = 1_024;

/// The stages and what they remember from cycle to cycle.
pub(super) struct Stages {
    aggregator: Aggregator,
    synthesizer: Synthesizer,
    /// Most entities per metric whose figures are kept to be shown.
    pub(super) series_max: usize,
}

/// What the stages made of one cycle's samples.
#[derive(Debug, Default)]
pub(super) struct Staged {
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
    /// What the metrics page shows of the entities.
    pub(super) figures: Figures,
    pub(super) transform: Duration,
    pub(super) aggregate: Duration,
    pub(super) synthesize: Duration,
}

impl Stages {
    pub(super) fn new(config: &PipelineConfig) -> Result<Self, TagError> {
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
        Ok(Self {
            aggregator: Aggregator::new(AggregatorConfig::default()),
            synthesizer: Synthesizer::new(synthesis),
            series_max: SERIES_MAX,
        })
    }

    /// Runs all stages over the samples of one cycle, whose collection ended at `now`.
    pub(super) fn run(
        &mut self,
        samples: &[RawSample<'_>],
        now: UnixMillis,
        clock: &impl Clock,
    ) -> Staged {
        let mut staged = Staged::default();
        let began = clock.monotonic();
        let canonical = staged.transform(samples);
        let transformed = clock.monotonic();
        let states = self.aggregator.fold(canonical, now);
        let aggregated = clock.monotonic();
        staged.encode(&self.synthesizer.synthesize(&states));
        staged.figures = Figures::of(&states, self.series_max);
        let synthesized = clock.monotonic();
        staged.transform = transformed.saturating_sub(began);
        staged.aggregate = aggregated.saturating_sub(transformed);
        staged.synthesize = synthesized.saturating_sub(aggregated);
        staged
    }
}

impl Staged {
    /// What becomes of samples whose stages panicked: all are rejected.
    pub(super) fn failed(samples: &[RawSample<'_>]) -> Self {
        let mut staged = Self::default();
        add(&mut staged.rejected, "stages_failed", samples.len() as u64);
        staged
    }

    fn transform<'s>(&mut self, samples: &'s [RawSample<'_>]) -> Vec<CanonicalSample<'s>> {
        let mut canonical = Vec::with_capacity(samples.len());
        for sample in samples {
            match transform(sample) {
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
        self.transformed = canonical.len() as u64;
        canonical
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
