//! Middleware: a token bucket in front of what follows.
//!
//! Invariant: at most [`BUCKETS_MAX`] buckets; what would need one more shares the last.

use std::collections::BTreeMap;

use super::item::Item;
use super::{Context, Uniform, Verdict};
use crate::resilience::InvalidSetting;
use crate::resilience::limiter::{Limiter, LimiterConfig};

/// Most buckets of one step.
const BUCKETS_MAX: usize = 1_000;

/// What items share a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Per {
    /// All.
    #[default]
    All,
    /// Those of one kind.
    Kind,
    /// Those of one source.
    Source,
    /// Those of one cluster.
    Cluster,
}

/// Drops items beyond a rate (`rate_limited`).
#[derive(Debug, Clone)]
pub struct RateLimit {
    config: LimiterConfig,
    per: Per,
    buckets: BTreeMap<String, Limiter>,
    rest: Limiter,
}

impl RateLimit {
    /// Full buckets.
    ///
    /// # Errors
    /// All settings that are out of range.
    pub fn new(config: LimiterConfig, per: Per) -> Result<Self, Vec<InvalidSetting>> {
        Ok(Self { config, per, buckets: BTreeMap::new(), rest: Limiter::new(config)? })
    }

    /// The same limit with full buckets of its own.
    pub(super) fn fresh(&self) -> Self {
        let rest = Limiter::new(self.config).unwrap_or_else(|_| self.rest.clone());
        Self { config: self.config, per: self.per, buckets: BTreeMap::new(), rest }
    }

    fn bucket(&mut self, item: &dyn Item) -> &Limiter {
        let key = match self.per {
            Per::All => return &self.rest,
            Per::Kind => item.kind(),
            Per::Source => item.source(),
            Per::Cluster => item.cluster(),
        };
        if !self.buckets.contains_key(key)
            && self.buckets.len() < BUCKETS_MAX
            && let Ok(limiter) = Limiter::new(self.config)
        {
            self.buckets.insert(key.to_owned(), limiter);
        }
        self.buckets.get(key).unwrap_or(&self.rest)
    }
}

impl Uniform for RateLimit {
    fn look(&mut self, item: &mut dyn Item, context: &Context) -> Verdict {
        match self.bucket(item).try_acquire(1, context.now) {
            Ok(()) => Verdict::Pass,
            Err(_) => Verdict::Drop("rate_limited".into()),
        }
    }
}
