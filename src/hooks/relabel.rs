//! Rewriting attributes, in the spirit of Prometheus' `relabel_config`.

use std::sync::Arc;

use super::item::Item;
use super::matcher::Pattern;
use super::{Context, Uniform, Verdict};

/// What a rule does when its pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Sets the target to the replacement, `$1` and the like filled; an empty result removes it.
    Replace {
        /// Which attribute.
        target: Arc<str>,
        /// The template.
        replacement: String,
    },
    /// Drops the item if the pattern does not match (`not_kept`).
    Keep,
    /// Drops the item (`matched`).
    Drop,
    /// Removes the target.
    Remove {
        /// Which attribute.
        target: Arc<str>,
    },
}

/// One rule.
#[derive(Debug, Clone)]
pub struct RelabelRule {
    /// Attributes whose texts are joined; one that is absent counts as empty.
    pub source: Vec<String>,
    /// What stands between them.
    pub separator: String,
    /// What the joined text must match as a whole.
    pub pattern: Pattern,
    /// What is done.
    pub action: Action,
}

/// Rules, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Relabel {
    /// In order.
    pub rules: Vec<RelabelRule>,
}

impl RelabelRule {
    fn apply(&self, item: &mut dyn Item) -> Verdict {
        let texts: Vec<_> =
            self.source.iter().map(|name| item.text_of(name).unwrap_or_default()).collect();
        let text = texts.join(&self.separator);
        drop(texts);
        match &self.action {
            Action::Keep if !self.pattern.matches(&text) => Verdict::Drop("not_kept".into()),
            Action::Drop if self.pattern.matches(&text) => Verdict::Drop("matched".into()),
            Action::Keep | Action::Drop => Verdict::Pass,
            Action::Remove { target } => {
                let removed = self.pattern.matches(&text) && item.remove(target);
                if removed { Verdict::Changed } else { Verdict::Pass }
            }
            Action::Replace { target, replacement } => {
                let Some(value) = self.pattern.fill(&text, replacement) else {
                    return Verdict::Pass;
                };
                if value.is_empty() && target.as_ref() != "clusterName" {
                    return if item.remove(target) { Verdict::Changed } else { Verdict::Pass };
                }
                match item.set_text(target, &value) {
                    Ok(true) => Verdict::Changed,
                    Ok(false) => Verdict::Pass,
                    Err(refusal) => Verdict::Fail(format!("{target}: {refusal}")),
                }
            }
        }
    }
}

impl Uniform for Relabel {
    fn writes(&self) -> bool {
        true
    }

    fn look(&mut self, item: &mut dyn Item, _: &Context) -> Verdict {
        let mut changed = false;
        for rule in &self.rules {
            match rule.apply(item) {
                Verdict::Pass => {}
                Verdict::Changed => changed = true,
                end => return end,
            }
        }
        if changed { Verdict::Changed } else { Verdict::Pass }
    }
}
