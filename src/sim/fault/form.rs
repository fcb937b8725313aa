//! What the schema cannot say of a fault: values that must fit each other or the world.

use std::time::Duration;

use crate::config::quantity::DurationText;

/// Something wrong with a fault's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormFault {
    /// The rule's name.
    pub rule: &'static str,
    /// Keys from the fault's table to the place.
    pub keys: Vec<&'static str>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
}

impl FormFault {
    /// One of these; `keys` lead from the table that reports it to the place.
    pub fn new(
        rule: &'static str,
        keys: &[&'static str],
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { rule, keys: keys.to_vec(), message: message.into(), help: help.into() }
    }

    /// The same, seen from the table around it, where it stands under `key`.
    pub(super) fn under(mut self, key: &'static str) -> Self {
        self.keys.insert(0, key);
        self
    }
}

/// A share must hit something, and cannot hit more than all.
pub(super) fn share(share: Option<f64>) -> Vec<FormFault> {
    if share.is_none_or(|share| share > 0.0 && share <= 1.0) {
        return Vec::new();
    }
    let message = "a share lies above 0 and at most at 1";
    vec![FormFault::new("share", &["share"], message, "for example share = 0.3; without it, all")]
}

/// Two different hosts.
pub(super) fn between(between: &[String; 2]) -> Vec<FormFault> {
    if between[0] != between[1] {
        return Vec::new();
    }
    let message = format!("`{}` has no link to itself", between[0]);
    vec![FormFault::new("between", &["between"], message, "name two different hosts")]
}

/// `Retry-After` counts whole seconds.
pub(super) fn retry_after(asked: Option<DurationText>) -> Vec<FormFault> {
    const DAY: Duration = Duration::from_secs(86_400);
    let whole = |text: DurationText| text.as_millis().is_multiple_of(1_000) && text.0 <= DAY;
    if asked.is_none_or(whole) {
        return Vec::new();
    }
    let message = "`Retry-After` counts whole seconds, up to a day";
    let help = "for example retry_after = \"30s\"";
    vec![FormFault::new("retry_after", &["retry_after"], message, help)]
}

/// A time that is not zero.
pub(super) fn some_time(key: &'static str, time: DurationText) -> Vec<FormFault> {
    if !time.0.is_zero() {
        return Vec::new();
    }
    let message = format!("`{key}` is 0: the fault would do nothing");
    vec![FormFault::new("no_effect", &[key], message, format!("for example {key} = \"2s\""))]
}
