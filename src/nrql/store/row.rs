//! One stored event, read in place.

use std::sync::Arc;

use super::forms::Forms;
use super::segment::Segment;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::nrql::value::Value;

/// A stored event.
#[derive(Debug, Clone, Copy)]
pub struct EventRow<'a> {
    account: AccountId,
    segment: &'a Segment,
    row: usize,
    forms: &'a Forms,
}

impl<'a> EventRow<'a> {
    pub(super) fn new(
        account: AccountId,
        segment: &'a Segment,
        row: usize,
        forms: &'a Forms,
    ) -> Self {
        Self { account, segment, row, forms }
    }

    /// The account it belongs to.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Its own time.
    pub fn timestamp(&self) -> UnixMillis {
        UnixMillis(self.segment.timestamps()[self.row])
    }

    /// When it could be queried first.
    pub fn stored_at(&self) -> UnixMillis {
        UnixMillis(self.segment.stored_at(self.row))
    }

    /// Number of the accepted request that brought it.
    pub fn request(&self) -> u32 {
        self.segment.request(self.row)
    }

    /// Its place in the order in which all events came.
    pub fn arrival(&self) -> u64 {
        self.segment.arrival(self.row)
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.segment.value(self.row, name)
    }

    /// Names and values in the order in which they were sent.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a Arc<str>, Value)> + use<'a> {
        let row = *self;
        let columns = &self.forms.get(self.form()).columns;
        columns.iter().enumerate().map(move |(at, (name, _))| (name, row.at(at)))
    }

    /// The attribute in a column of its form, in the order of [`EventRow::attributes`]; null when
    /// the form has no such column.
    pub fn at(&self, column: usize) -> Value {
        let form = self.forms.get(self.form());
        let kind = form.columns.get(column).map(|(_, kind)| *kind);
        let value = kind.and_then(|kind| self.segment.value_at(self.row, column, kind));
        value.unwrap_or(Value::Null)
    }

    /// Number of its form: rows of one form have the same names and kinds in the same order.
    pub fn form(&self) -> u32 {
        self.segment.form(self.row)
    }
}
