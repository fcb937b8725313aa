//! What a sweep costs: wall clock, processor time.

use std::num::NonZeroUsize;
use std::time::Instant;

use super::super::progress::now;
use crate::sim::sweep::Performance;

/// Measures from its start on.
pub struct Stopwatch {
    began: Instant,
    cpu_seconds: f64,
}

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self { began: now(), cpu_seconds: cpu_seconds() }
    }

    /// What has passed since the start, with `jobs` runs side by side.
    pub fn stop(&self, jobs: NonZeroUsize) -> Performance {
        Performance {
            jobs: jobs.get() as u64,
            wall_seconds: now().duration_since(self.began).as_secs_f64(),
            cpu_seconds: cpu_seconds() - self.cpu_seconds,
        }
    }
}

/// User and system time of this process so far, in seconds; 0 where there is no /proc.
fn cpu_seconds() -> f64 {
    /// Linux counts both in hundredths of a second, whatever its own tick.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields are counted after the command's name, which may hold anything but ends with `)`.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let fields = after.split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}
