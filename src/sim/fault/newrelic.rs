//! Faults of New Relic itself: what it answers, how late, and whom it hits.
//!
//! Invariant: a key that its answer has no use for is an error of the file, never ignored.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FormFault;
use crate::config::quantity::{DurationText, SizeText};

/// `Retry-After` of a 429 that says nothing else.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(30);

/// A misbehaving New Relic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRelicFaultSpec {
    /// What it does to the requests that it hits.
    pub answer: NewRelicAnswer,
    /// Share of the requests that it hits; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: Option<f64>,
    /// `Retry-After`, in whole seconds, of `too_many_requests` (default 30s) and `unavailable`
    /// (default none).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<DurationText>,
    /// How long after taking a request `slow` answers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DurationText>,
    /// Longest body, as sent, that `payload_too_large` lets pass; without it, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_max: Option<SizeText>,
    /// How much later than usual entities become visible under `late_synthesis`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<DurationText>,
}

/// What New Relic answers while it misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NewRelicAnswer {
    /// 429 with `Retry-After`.
    TooManyRequests,
    /// 503.
    Unavailable,
    /// 500.
    Error,
    /// 403.
    Forbidden,
    /// 408.
    RequestTimeout,
    /// 413.
    PayloadTooLarge,
    /// Takes the data at once and answers late.
    Slow,
    /// Takes the data, then drops the connection without an answer.
    AcceptedThenLost,
    /// Takes the data and answers with half a body.
    Truncated,
    /// Takes the data and answers with something that is not JSON.
    Garbage,
    /// Takes and answers as ever, but entities become visible late.
    LateSynthesis,
}

/// The keys beside `answer` and `share`, and the answers that each belongs to.
const KEYS: [(&str, &[NewRelicAnswer]); 4] = [
    ("retry_after", &[NewRelicAnswer::TooManyRequests, NewRelicAnswer::Unavailable]),
    ("after", &[NewRelicAnswer::Slow]),
    ("body_max", &[NewRelicAnswer::PayloadTooLarge]),
    ("lag", &[NewRelicAnswer::LateSynthesis]),
];

impl NewRelicAnswer {
    /// As the file has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooManyRequests => "too_many_requests",
            Self::Unavailable => "unavailable",
            Self::Error => "error",
            Self::Forbidden => "forbidden",
            Self::RequestTimeout => "request_timeout",
            Self::PayloadTooLarge => "payload_too_large",
            Self::Slow => "slow",
            Self::AcceptedThenLost => "accepted_then_lost",
            Self::Truncated => "truncated",
            Self::Garbage => "garbage",
            Self::LateSynthesis => "late_synthesis",
        }
    }

    /// For people.
    const fn words(self) -> &'static str {
        match self {
            Self::TooManyRequests => "429 too many requests",
            Self::Unavailable => "503 unavailable",
            Self::Error => "500 error",
            Self::Forbidden => "403 forbidden",
            Self::RequestTimeout => "408 request timeout",
            Self::PayloadTooLarge => "413 payload too large",
            Self::Slow => "slow answers",
            Self::AcceptedThenLost => "accepted, then lost",
            Self::Truncated => "half an answer",
            Self::Garbage => "garbage for an answer",
            Self::LateSynthesis => "late synthesis",
        }
    }

    /// Whether ingest itself goes on as ever.
    pub const fn spares_ingest(self) -> bool {
        matches!(self, Self::LateSynthesis)
    }
}

impl NewRelicFaultSpec {
    /// The wait that it asks for, in whole seconds.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        let default =
            (self.answer == NewRelicAnswer::TooManyRequests).then_some(RETRY_AFTER_DEFAULT);
        let asked = self.retry_after.map(|text| text.0).or(default)?;
        u32::try_from(asked.as_secs()).ok()
    }

    /// For people.
    pub(super) fn label(&self) -> String {
        let mut label = format!("New Relic: {}", self.answer.words());
        if let Some(share) = self.share {
            label.push_str(&format!(" to {share} of the requests"));
        }
        label
    }

    fn has(&self, key: &str) -> bool {
        match key {
            "retry_after" => self.retry_after.is_some(),
            "after" => self.after.is_some(),
            "body_max" => self.body_max.is_some(),
            _ => self.lag.is_some(),
        }
    }

    /// What is wrong with its form.
    pub(super) fn faults_of_form(&self) -> Vec<FormFault> {
        let mut faults = Vec::new();
        let mut fault = |rule, key, message: String, help: &str| {
            faults.push(FormFault::new(rule, &["newrelic", key], message, help));
        };
        for (key, answers) in KEYS {
            if self.has(key) && !answers.contains(&self.answer) {
                let names: Vec<_> = answers.iter().map(|answer| answer.name()).collect();
                let message = format!("`{key}` means nothing to `{}`", self.answer.name());
                let help = format!("remove it; it belongs to {}", names.join(" and "));
                fault("newrelic_key", key, message, &help);
            }
        }
        let needed = match self.answer {
            NewRelicAnswer::Slow => Some(("after", "add after = \"2s\"")),
            NewRelicAnswer::LateSynthesis => Some(("lag", "add lag = \"30s\"")),
            _ => None,
        };
        if let Some((key, help)) = needed
            && !self.has(key)
        {
            fault(
                "newrelic_key",
                "answer",
                format!("`{}` needs `{key}`", self.answer.name()),
                help,
            );
        }
        if self.share.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            let message = "a share lies above 0 and at most at 1".to_owned();
            fault("share", "share", message, "for example share = 0.3; without it, all are hit");
        }
        if self.share.is_some() && self.answer.spares_ingest() {
            let message = "late synthesis hits every entity".to_owned();
            fault("share", "share", message, "remove `share`");
        }
        let whole = |text: &DurationText| text.as_millis().is_multiple_of(1_000) && text.0 <= DAY;
        if self.retry_after.is_some_and(|asked| !whole(&asked)) {
            let message = "`Retry-After` counts whole seconds, up to a day".to_owned();
            fault("retry_after", "retry_after", message, "for example retry_after = \"30s\"");
        }
        faults
    }
}

const DAY: Duration = Duration::from_secs(86_400);
