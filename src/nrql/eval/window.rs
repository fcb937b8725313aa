//! Buckets of TIMESERIES.
//!
//! Invariants: buckets are counted back from the end of the window and never reach before its
//! begin, so the first may begin later than SINCE says; there are at most [`BUCKETS_MAX`]. The
//! bucket of an instant is arithmetic. Source: "Set a query's time range", snapping.
//!
//! Assumed: the widths of AUTO between the documented ones; a window shorter than one bucket is
//! one bucket of its own length.

use super::super::ast::{Amount, BucketWidth, Timeseries};
use super::super::error::NrqlError;
use super::super::result::TimeWindow;
use super::limits::{limit, semantic};

/// Buckets of one TIMESERIES. Source: "TIMESERIES".
pub(super) const BUCKETS_MAX: i64 = 366;

/// The buckets of one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Buckets {
    /// Of the first bucket, in milliseconds since 1970.
    pub begin: i64,
    /// Of each bucket, in milliseconds.
    pub width: i64,
    /// From one bucket's begin to the next one's.
    pub slide: i64,
    /// How many.
    pub count: usize,
}

/// Window up to which AUTO takes a width, both in milliseconds.
const AUTO: &[(i64, i64)] = &[
    (5 * MINUTE, 5_000),
    (15 * MINUTE, 15_000),
    (30 * MINUTE, 30_000),
    (90 * MINUTE, MINUTE),
    (3 * HOUR, 5 * MINUTE),
    (6 * HOUR, 10 * MINUTE),
    (12 * HOUR, 15 * MINUTE),
    (DAY, 30 * MINUTE),
    (2 * DAY, HOUR),
    (4 * DAY, 2 * HOUR),
    (7 * DAY, 6 * HOUR),
    (14 * DAY, 12 * HOUR),
    (366 * DAY, DAY),
];
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Buckets {
    /// The buckets that `series` makes of `window`.
    pub(super) fn of(series: &Timeseries, window: &TimeWindow) -> Result<Self, NrqlError> {
        let span = window.end.millis_since(window.begin).max(1);
        if series.slide_by.is_some() && matches!(series.width, BucketWidth::Auto | BucketWidth::Max)
        {
            return Err(semantic(
                "NRQL Syntax Error: SLIDE BY needs a length of time behind TIMESERIES, not AUTO or \
                 MAX",
            ));
        }
        let width = width_ms(&series.width, span)?;
        let slide = match &series.slide_by {
            None => width,
            Some(BucketWidth::Fixed(amount)) => positive_ms(*amount)?,
            Some(BucketWidth::Max) => ceil_to_second(span, BUCKETS_MAX),
            Some(BucketWidth::Auto) => auto_ms(span),
            Some(BucketWidth::Template(_)) => return Err(template()),
        };
        // What New Relic picks itself may leave gaps between buckets.
        let picked = !matches!(series.slide_by, Some(BucketWidth::Fixed(_)));
        if slide > width && !picked {
            return Err(semantic(
                "NRQL Syntax Error: SLIDE BY must not be greater than the TIMESERIES window",
            ));
        }
        let count = if span < width { 1 } else { 1 + (span - width) / slide };
        if count > BUCKETS_MAX {
            return Err(limit(
                format!(
                    "TIMESERIES would give {count} buckets: at most {BUCKETS_MAX} are supported"
                ),
                "use wider buckets, TIMESERIES MAX, or a shorter window",
            ));
        }
        let width = width.min(span);
        let begin = window.end.0.saturating_sub(width).saturating_sub((count - 1) * slide);
        Ok(Self { begin, width, slide, count: usize::try_from(count).unwrap_or(1) })
    }

    /// These buckets, moved by `millis`.
    pub(super) const fn moved(mut self, millis: i64) -> Self {
        self.begin = self.begin.saturating_add(millis);
        self
    }

    /// How many buckets an instant may be in at once.
    fn overlap(&self) -> usize {
        usize::try_from((self.width + self.slide - 1) / self.slide).unwrap_or(1).max(1)
    }

    /// How often rows are gone through for all buckets.
    pub(super) fn turns(&self) -> usize {
        self.overlap().min(self.count)
    }

    /// The bucket of `at` in one of [`turns`](Self::turns), if any: where fewer buckets than
    /// overlap there are each turn is about one bucket.
    pub(super) fn bucket_in(&self, at: i64, turn: usize) -> Option<usize> {
        if self.overlap() <= self.count {
            return self.bucket(at, turn);
        }
        let (begin, end) = self.bounds(turn);
        (at >= begin && at < end).then_some(turn)
    }

    /// From when until when rows are in `bucket` in a turn.
    pub(super) fn span_in(&self, bucket: usize, turn: usize) -> (i64, i64) {
        if self.overlap() <= self.count { self.span(bucket, turn) } else { self.bounds(bucket) }
    }

    /// The newest bucket that `at` may be in, seen by begin alone, and how far into it.
    fn newest(&self, at: i64) -> Option<usize> {
        let offset = at.checked_sub(self.begin)?;
        if offset < 0 {
            return None;
        }
        usize::try_from(offset / self.slide).ok()
    }

    /// The bucket `back` before the newest that `at` may be in, when it holds `at`.
    fn bucket(&self, at: i64, back: usize) -> Option<usize> {
        let bucket = self.newest(at)?.checked_sub(back)?;
        let (begin, end) = self.bounds(bucket);
        (bucket < self.count && at >= begin && at < end).then_some(bucket)
    }

    /// From when until when rows are in `bucket` as the one `back` before their newest.
    fn span(&self, bucket: usize, back: usize) -> (i64, i64) {
        let (begin, end) = self.bounds(bucket);
        let (newest_begin, _) = self.bounds(bucket + back);
        (begin.max(newest_begin), end.min(newest_begin.saturating_add(self.slide)))
    }

    /// Begin and end of bucket `index`, in milliseconds.
    pub(super) fn bounds(&self, index: usize) -> (i64, i64) {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        let begin = self.begin.saturating_add(index.saturating_mul(self.slide));
        (begin, begin.saturating_add(self.width))
    }
}

fn width_ms(width: &BucketWidth, span: i64) -> Result<i64, NrqlError> {
    Ok(match width {
        BucketWidth::Auto => auto_ms(span),
        BucketWidth::Max => ceil_to_second(span, BUCKETS_MAX),
        BucketWidth::Fixed(amount) => positive_ms(*amount)?,
        BucketWidth::Template(_) => return Err(template()),
    })
}

fn template() -> NrqlError {
    semantic("TIMESERIES holds a template variable that has no value")
}

fn auto_ms(span: i64) -> i64 {
    AUTO.iter()
        .find(|(up_to, _)| span <= *up_to)
        .map_or_else(|| ceil_to_second(span, BUCKETS_MAX), |(_, width)| *width)
}

/// The least whole second that cuts `span` into at most `parts`.
fn ceil_to_second(span: i64, parts: i64) -> i64 {
    let width = (span + parts - 1) / parts;
    ((width + 999) / 1_000).max(1) * 1_000
}

fn positive_ms(amount: Amount) -> Result<i64, NrqlError> {
    let millis = amount_ms(amount);
    if !(1.0..=1e15).contains(&millis) {
        return Err(semantic("NRQL Syntax Error: TIMESERIES needs a positive length of time"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "between 1 and 10^15")]
    let whole = millis as i64;
    Ok(whole)
}

/// An amount of time in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "lengths of time are far below 2^53 milliseconds")]
pub(super) fn amount_ms(amount: Amount) -> f64 {
    super::super::time::amount_ms(amount) as f64
}

#[cfg(test)]
mod tests {
    use super::super::super::ast::TimeUnit;
    use super::*;
    use crate::domain::units::UnixMillis;
    use crate::nrql::error::Span;

    fn series(width: BucketWidth, slide_by: Option<BucketWidth>) -> Timeseries {
        Timeseries { width, slide_by, span: Span::default() }
    }

    fn window(begin: i64, end: i64) -> TimeWindow {
        TimeWindow { begin: UnixMillis(begin), end: UnixMillis(end), ..TimeWindow::default() }
    }

    fn minutes(count: f64) -> BucketWidth {
        BucketWidth::Fixed(Amount { count, unit: TimeUnit::Minute })
    }

    #[test]
    fn begin_snaps_to_whole_buckets_from_the_end() {
        // The example of the page: 2023-12-20T00:04:59Z … 2023-12-21T00:03:12Z by 5 minutes.
        let window = window(1_703_030_699_000, 1_703_116_992_000);
        let buckets = Buckets::of(&series(minutes(5.0), None), &window).expect("buckets");
        assert_eq!(buckets.begin, 1_703_030_892_000);
        assert_eq!(buckets.bounds(286).1, window.end.0);
        assert_eq!(buckets.count, 287);
    }

    #[test]
    fn widths_left_to_new_relic() {
        let check = |hours: i64, width, expected_width, expected_count| {
            let buckets =
                Buckets::of(&series(width, None), &window(0, hours * HOUR)).expect("buckets");
            assert_eq!((buckets.width, buckets.count), (expected_width, expected_count));
        };
        check(1, BucketWidth::Auto, MINUTE, 60);
        check(24, BucketWidth::Auto, 30 * MINUTE, 48);
        check(24 * 7, BucketWidth::Auto, 6 * HOUR, 28);
        check(1, BucketWidth::Max, 10_000, 360);
        check(24 * 400, BucketWidth::Auto, 94_427_000, 365);
    }

    #[test]
    fn too_many_buckets_and_slides_wider_than_buckets_are_errors() {
        let hour = window(0, HOUR);
        let second = BucketWidth::Fixed(Amount { count: 1.0, unit: TimeUnit::Second });
        let error = Buckets::of(&series(second, None), &hour).expect_err("3,600 buckets");
        assert!(error.message.contains("366"), "{error}");
        assert!(Buckets::of(&series(minutes(5.0), Some(minutes(6.0))), &hour).is_err());
        assert!(Buckets::of(&series(minutes(0.0), None), &hour).is_err());
        assert!(Buckets::of(&series(minutes(-1.0), None), &hour).is_err());
        assert!(Buckets::of(&series(minutes(f64::NAN), None), &hour).is_err());
    }

    #[test]
    fn new_relic_picks_a_slide_wider_than_the_bucket() {
        let week = window(0, 7 * DAY);
        for (slide, expected, count) in
            [(BucketWidth::Auto, 6 * HOUR, 28), (BucketWidth::Max, 1_653_000, 366)]
        {
            let buckets = Buckets::of(&series(minutes(5.0), Some(slide)), &week).expect("buckets");
            assert_eq!((buckets.slide, buckets.count, buckets.turns()), (expected, count, 1));
            assert_eq!(buckets.bounds(buckets.count - 1), (7 * DAY - 5 * MINUTE, 7 * DAY));
            assert_eq!(buckets.bucket_in(7 * DAY - 5 * MINUTE - 1, 0), None);
            assert_eq!(buckets.bucket_in(7 * DAY - 5 * MINUTE, 0), Some(count - 1));
        }
        for width in [BucketWidth::Auto, BucketWidth::Max] {
            assert!(Buckets::of(&series(width, Some(minutes(1.0))), &week).is_err());
        }
    }

    #[test]
    fn few_buckets_that_overlap_often_take_few_turns() {
        let second = BucketWidth::Fixed(Amount { count: 1.0, unit: TimeUnit::Second });
        let window = window(0, DAY + 2_000);
        let day = BucketWidth::Fixed(Amount { count: 1.0, unit: TimeUnit::Day });
        let buckets = Buckets::of(&series(day, Some(second)), &window).expect("buckets");
        assert_eq!((buckets.count, buckets.overlap(), buckets.turns()), (3, 86_400, 3));
        let of = |at: i64| -> Vec<usize> {
            (0..buckets.turns()).filter_map(|turn| buckets.bucket_in(at, turn)).collect()
        };
        assert_eq!(of(0), [0]);
        assert_eq!(of(1_500), [0, 1]);
        assert_eq!(of(HOUR), [0, 1, 2]);
        assert_eq!(of(DAY + 1_000), [2]);
    }

    #[test]
    fn sliding_buckets_overlap() {
        let buckets =
            Buckets::of(&series(minutes(5.0), Some(minutes(2.0))), &window(0, 10 * MINUTE))
                .expect("buckets");
        assert_eq!((buckets.count, buckets.begin, buckets.overlap()), (3, MINUTE, 3));
        let of = |at: i64| -> Vec<usize> {
            (0..buckets.overlap()).filter_map(|back| buckets.bucket(at, back)).collect()
        };
        assert_eq!(of(0), Vec::<usize>::new());
        assert_eq!(of(MINUTE), [0]);
        assert_eq!(of(5 * MINUTE), [2, 1, 0]);
        assert_eq!(of(6 * MINUTE), [2, 1]);
        assert_eq!(of(10 * MINUTE - 1), [2]);
        assert_eq!(of(10 * MINUTE), Vec::<usize>::new());
    }
}
