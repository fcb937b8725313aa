//! Enrichers: attributes from the configuration or from a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::item::Item;
use super::{Context, Uniform, Verdict};

/// Attributes and their values.
pub type Values = Vec<(Arc<str>, String)>;

/// Adds fixed attributes.
#[derive(Debug, Clone, Default)]
pub struct StaticTags {
    /// Names and values.
    pub set: Values,
}

/// Adds the attributes of the row that an attribute's value names.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    /// The attribute whose value is looked up.
    pub key: String,
    /// Rows by that value.
    pub table: BTreeMap<String, Values>,
    /// What values that have no row get.
    pub fallback: Values,
    /// Whether items without a row are dropped (`not_in_table`) instead.
    pub drop_missing: bool,
}

fn set_all(item: &mut dyn Item, values: &Values) -> Verdict {
    let mut changed = false;
    for (name, value) in values {
        match item.set_text(name, value) {
            Ok(new) => changed |= new,
            Err(refusal) => return Verdict::Fail(format!("{name}: {refusal}")),
        }
    }
    if changed { Verdict::Changed } else { Verdict::Pass }
}

impl Uniform for StaticTags {
    fn writes(&self) -> bool {
        true
    }

    fn look(&mut self, item: &mut dyn Item, _: &Context) -> Verdict {
        set_all(item, &self.set)
    }
}

impl Uniform for Lookup {
    fn writes(&self) -> bool {
        true
    }

    fn look(&mut self, item: &mut dyn Item, _: &Context) -> Verdict {
        let row = item.text_of(&self.key).and_then(|value| self.table.get(value.as_ref()));
        match row {
            Some(values) => set_all(item, values),
            None if self.drop_missing => Verdict::Drop("not_in_table".into()),
            None => set_all(item, &self.fallback),
        }
    }
}
