//! Noise that swings smoothly: drawn anew every two minutes, and blended in between.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::domain::entity::EntityKey;
use crate::domain::units::UnixMillis;
use crate::workload::gauge::unit;
use crate::workload::mix;

/// Time from one draw to the next.
const STEP_MS: i64 = 120_000;

/// One number per seed and key, the same in every process.
pub(super) fn key_hash(seed: u64, key: &EntityKey) -> u64 {
    let vhost = match key {
        EntityKey::Queue { vhost, .. } => vhost.as_str(),
        _ => "",
    };
    let parts = [key.kind().type_name(), key.provider().as_str(), key.cluster(), vhost, key.name()];
    parts.iter().fold(seed, |hash, part| xxh3_64_with_seed(part.as_bytes(), hash))
}

/// The noise of one entity at one instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wave {
    hash: u64,
    step: u64,
    blend: f64,
}

impl Wave {
    pub(super) fn of(seed: u64, key: &EntityKey, at: UnixMillis) -> Self {
        let share = at.0.rem_euclid(STEP_MS) as f64 / STEP_MS as f64;
        Self {
            hash: key_hash(seed, key),
            step: at.0.div_euclid(STEP_MS).cast_unsigned(),
            // Smoothstep: the slope is zero at both ends, so that no kink shows at a draw.
            blend: share * share * (3.0 - 2.0 * share),
        }
    }

    /// A number that never changes, 0 to 1; another one for each `what`.
    pub(super) fn base(&self, what: u64) -> f64 {
        unit(mix(self.hash, what, u64::MAX))
    }

    /// Between `low` and `high`, in proportion rather than in distance: 100 to 1,000 is as often
    /// below 316 as above.
    pub(super) fn between(&self, what: u64, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.base(what))
    }

    /// A number that swings between 0 and 1.
    pub(super) fn swing(&self, what: u64) -> f64 {
        let draw = |step: u64| unit(mix(mix(self.hash, what, 1), step, what));
        let (from, to) = (draw(self.step), draw(self.step.wrapping_add(1)));
        from + (to - from) * self.blend
    }

    /// A factor that swings around one by `amplitude` to either side.
    pub(super) fn around_one(&self, what: u64, amplitude: f64) -> f64 {
        1.0 + amplitude * (2.0 * self.swing(what) - 1.0)
    }
}
