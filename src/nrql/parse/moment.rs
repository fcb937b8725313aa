//! Points in time and lengths of time.

use super::{Parser, TokenKind};
use crate::nrql::ast::{Amount, TimeExpr, TimeKind, TimeUnit};
use crate::nrql::error::{NrqlError, Span};

const UNITS: &[(&str, TimeUnit)] = &[
    ("millisecond", TimeUnit::Millisecond),
    ("second", TimeUnit::Second),
    ("minute", TimeUnit::Minute),
    ("hour", TimeUnit::Hour),
    ("day", TimeUnit::Day),
    ("week", TimeUnit::Week),
    ("month", TimeUnit::Month),
    ("quarter", TimeUnit::Quarter),
    ("year", TimeUnit::Year),
];

const DAYS: &[&str] = &[
    "today",
    "yesterday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Units that `this` and `last` take.
const SPANS: &[&str] = &["minute", "hour", "day", "week", "month", "quarter", "year"];

/// Most amounts in one `… ago`.
const AMOUNTS_MAX: usize = 9;

/// The unit that `word` names, in singular or plural.
pub(super) fn unit(word: &str) -> Option<TimeUnit> {
    let word = word.to_ascii_lowercase();
    let singular = word.strip_suffix('s').unwrap_or(&word);
    UNITS.iter().find(|(name, _)| *name == singular).map(|(_, unit)| *unit)
}

const EXPECTED: &str = "a time, as in 1 hour ago, today, monday, this week, 1702899296789 or \
                        '2023-12-18 12:34'";

impl Parser<'_> {
    /// After SINCE and UNTIL.
    pub(super) fn moment(&mut self) -> Result<TimeExpr, NrqlError> {
        let start = self.span().start;
        let kind = self.moment_kind()?;
        let kind = if self.is_word("AT") { self.at_time(kind)? } else { kind };
        Ok(TimeExpr { kind, span: Span { start, end: self.last_end() } })
    }

    fn at_time(&mut self, day: TimeKind) -> Result<TimeKind, NrqlError> {
        let takes_time = matches!(day, TimeKind::Ago(_) | TimeKind::Named(_));
        if !takes_time {
            return Err(self.unexpected("another clause").with_help("AT goes with a day only"));
        }
        self.next();
        let time = self.text_literal("a time of day in quotes, as in '09:30'")?;
        Ok(TimeKind::At { day: Box::new(day), time })
    }

    fn moment_kind(&mut self) -> Result<TimeKind, NrqlError> {
        let kind = match self.peek() {
            TokenKind::Text(text) => TimeKind::Text(text.clone()),
            TokenKind::Template(inner) => TimeKind::Template(inner.clone()),
            TokenKind::Integer(number)
                if self.word_at(1).is_none_or(|word| !self.may_be_unit(word)) =>
            {
                TimeKind::Epoch(*number)
            }
            TokenKind::Integer(_) | TokenKind::Number(_) => return self.ago(),
            TokenKind::Word => return self.named(),
            _ => return Err(self.unexpected(EXPECTED)),
        };
        self.next();
        Ok(kind)
    }

    /// Whether the word behind a number is meant as its unit, rightly written or not.
    fn may_be_unit(&self, word: &str) -> bool {
        unit(word).is_some() || self.is_word_at(2, "AGO") || word.eq_ignore_ascii_case("AGO")
    }

    fn ago(&mut self) -> Result<TimeKind, NrqlError> {
        let mut amounts = vec![self.amount(EXPECTED)?];
        while matches!(self.peek(), TokenKind::Integer(_) | TokenKind::Number(_))
            && amounts.len() < AMOUNTS_MAX
        {
            amounts.push(self.amount(EXPECTED)?);
        }
        self.expect_word("AGO")?;
        Ok(TimeKind::Ago(amounts))
    }

    fn named(&mut self) -> Result<TimeKind, NrqlError> {
        if self.eat_word("NOW") {
            return Ok(TimeKind::Now);
        }
        let first = self.word().unwrap_or_default().to_ascii_lowercase();
        if DAYS.contains(&first.as_str()) {
            self.next();
            return Ok(TimeKind::Named(first));
        }
        if first != "this" && first != "last" {
            return Err(self.unexpected(EXPECTED));
        }
        self.next();
        let span = self.word().unwrap_or_default().to_ascii_lowercase();
        if !SPANS.contains(&span.as_str()) {
            return Err(self.unexpected("hour, day, week, month, quarter or year"));
        }
        self.next();
        Ok(TimeKind::Named(format!("{first} {span}")))
    }

    /// `5 minutes`.
    pub(super) fn amount(&mut self, what: &str) -> Result<Amount, NrqlError> {
        let count = match self.peek() {
            #[expect(clippy::cast_precision_loss, reason = "no length of time needs 2⁵³ units")]
            TokenKind::Integer(number) => *number as f64,
            TokenKind::Number(number) => *number,
            _ => return Err(self.unexpected(what)),
        };
        self.next();
        let Some(unit) = self.word().and_then(unit) else {
            return Err(self.unexpected("seconds, minutes, hours, days, weeks or months"));
        };
        self.next();
        Ok(Amount { count, unit })
    }
}
