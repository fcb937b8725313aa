//! The operating system's clocks.

use std::time::{Duration, Instant, SystemTime};

use crate::domain::units::UnixMillis;
use crate::ports::Clock;

/// Wall time of the system; monotonic time since this value was made.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic origin is now.
    #[expect(clippy::disallowed_methods, reason = "this is the real clock")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the real clock")]
    fn wall(&self) -> UnixMillis {
        let millis = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            // A machine set before 1970 is wrong, but a number all the same.
            Err(before) => {
                i64::try_from(before.duration().as_millis()).map_or(i64::MIN, i64::wrapping_neg)
            }
        };
        UnixMillis(millis)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the real clock")]
    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the real clock")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn clocks_move_on() {
        let clock = SystemClock::new();
        let (wall, started) = (clock.wall(), clock.monotonic());
        clock.sleep(Duration::from_millis(2)).await;
        assert!(clock.monotonic() - started >= Duration::from_millis(2));
        // 2020-01-01: a unit error would be a factor of a thousand.
        assert!(wall.0 > 1_577_836_800_000 && wall.0 < 100_000_000_000_000, "{wall}");
    }
}
