//! One kind of values of one attribute within a segment.
//!
//! Values stand at their rows while most rows have one; an attribute that few rows have keeps its
//! values in a row with the numbers of their rows, so that rare attributes cost what they hold.

use std::borrow::Cow;

use crate::nrql::eval::bitmap::Bitmap;
use crate::nrql::eval::column::Validity;

/// One value in so many rows makes a part dense …
const DENSE_SHARE: usize = 4;
/// … and it stays so down to one in so many, lest it go back and forth.
const SPARSE_SHARE: usize = 16;

/// Values of one kind.
#[derive(Debug, Clone)]
pub(super) struct Part<T> {
    values: Vec<T>,
    /// Values that count.
    count: usize,
    layout: Layout,
}

#[derive(Debug, Clone)]
enum Layout {
    /// Every row up to the last value's has one.
    Full,
    /// Values at their rows.
    Dense(Bitmap),
    /// Rows of the values, ascending.
    Sparse(Vec<u32>),
}

impl<T: Copy + Default> Part<T> {
    pub(super) fn new() -> Self {
        Self { values: Vec::new(), count: 0, layout: Layout::Full }
    }

    /// Appends the value of `row`, later than all rows before; returns what that cost in bytes.
    pub(super) fn push(&mut self, row: usize, value: T) -> usize {
        self.count += 1;
        self.append(row, value)
    }

    fn append(&mut self, row: usize, value: T) -> usize {
        if let Layout::Sparse(rows) = &mut self.layout {
            rows.push(row as u32);
            self.values.push(value);
            if self.values.len() * DENSE_SHARE > row {
                return self.make_dense() + size_of::<T>();
            }
            return size_of::<T>() + size_of::<u32>();
        }
        let gap = row - self.values.len();
        if gap > 0 && self.count * SPARSE_SHARE <= row {
            self.make_sparse();
            return self.append(row, value);
        }
        if gap > 0 && matches!(self.layout, Layout::Full) {
            self.layout = Layout::Dense(Bitmap::ones(self.values.len()));
        }
        self.values.resize(row, T::default());
        self.values.push(value);
        if let Layout::Dense(valid) = &mut self.layout {
            valid.pad(gap);
            valid.push(true);
        }
        (gap + 1) * size_of::<T>() + gap / 8 + 1
    }

    /// Returns the bytes that this added.
    fn make_dense(&mut self) -> usize {
        let Layout::Sparse(rows) = std::mem::replace(&mut self.layout, Layout::Full) else {
            return 0;
        };
        let len = rows.last().map_or(0, |row| *row as usize + 1);
        let mut values = vec![T::default(); len];
        let mut valid = Bitmap::zeros(len);
        for (row, value) in rows.iter().zip(&self.values) {
            values[*row as usize] = *value;
            valid.set(*row as usize, true);
        }
        let added = (len - self.values.len()) * size_of::<T>() + len / 8;
        self.values = values;
        self.layout = Layout::Dense(valid);
        added
    }

    fn make_sparse(&mut self) {
        let rows: Vec<u32> = match &self.layout {
            Layout::Full => (0..self.values.len() as u32).collect(),
            Layout::Dense(valid) => valid.iter().map(|row| row as u32).collect(),
            Layout::Sparse(_) => return,
        };
        self.values = rows.iter().map(|row| self.values[*row as usize]).collect();
        self.layout = Layout::Sparse(rows);
    }

    /// Ends growth at `rows` rows: the tighter layout, and no spare memory.
    pub(super) fn seal(&mut self, rows: usize) {
        let dense = self.count * DENSE_SHARE > rows;
        match (&self.layout, dense) {
            (Layout::Sparse(_), true) => {
                self.make_dense();
            }
            (Layout::Full | Layout::Dense(_), false) => self.make_sparse(),
            _ => {}
        }
        if dense && self.values.len() < rows {
            let gap = rows - self.values.len();
            if matches!(self.layout, Layout::Full) {
                self.layout = Layout::Dense(Bitmap::ones(self.values.len()));
            }
            if let Layout::Dense(valid) = &mut self.layout {
                valid.pad(gap);
            }
            self.values.resize(rows, T::default());
        }
        self.values.shrink_to_fit();
        match &mut self.layout {
            Layout::Full => {}
            Layout::Dense(valid) => valid.shrink(),
            Layout::Sparse(rows) => rows.shrink_to_fit(),
        }
    }

    /// The value of `row`.
    pub(super) fn get(&self, row: usize) -> Option<T> {
        match &self.layout {
            Layout::Full => self.values.get(row).copied(),
            Layout::Dense(valid) => valid.get(row).then(|| self.values[row]),
            Layout::Sparse(rows) => {
                rows.binary_search(&(row as u32)).ok().map(|at| self.values[at])
            }
        }
    }

    /// All values at `rows` rows.
    pub(super) fn column(&self, rows: usize) -> (Cow<'_, [T]>, Validity<'_>) {
        match &self.layout {
            Layout::Full if self.values.len() == rows => {
                (Cow::Borrowed(&self.values), Validity::All)
            }
            Layout::Dense(valid) if self.values.len() == rows => {
                (Cow::Borrowed(&self.values), Validity::Rows(Cow::Borrowed(valid)))
            }
            Layout::Full | Layout::Dense(_) => {
                let mut values = self.values.clone();
                values.resize(rows, T::default());
                let mut valid = match &self.layout {
                    Layout::Dense(valid) => valid.clone(),
                    _ => Bitmap::ones(self.values.len()),
                };
                valid.pad(rows - self.values.len());
                (Cow::Owned(values), Validity::Rows(Cow::Owned(valid)))
            }
            Layout::Sparse(places) => {
                let mut values = vec![T::default(); rows];
                let mut valid = Bitmap::zeros(rows);
                for (row, value) in places.iter().zip(&self.values) {
                    values[*row as usize] = *value;
                    valid.set(*row as usize, true);
                }
                (Cow::Owned(values), Validity::Rows(Cow::Owned(valid)))
            }
        }
    }

    /// The given rows as a part of their own, each value changed by `change`.
    pub(super) fn take<U: Copy + Default>(
        &self,
        rows: &[u32],
        mut change: impl FnMut(T) -> U,
    ) -> Part<U> {
        let mut part = Part::new();
        for (at, row) in rows.iter().enumerate() {
            if let Some(value) = self.get(*row as usize) {
                part.push(at, change(value));
            }
        }
        part
    }

    /// Memory in use, in bytes, spare capacity included.
    pub(super) fn bytes(&self) -> usize {
        let layout = match &self.layout {
            Layout::Full => 0,
            Layout::Dense(valid) => valid.bytes(),
            Layout::Sparse(rows) => rows.capacity() * size_of::<u32>(),
        };
        self.values.capacity() * size_of::<T>() + layout
    }

    /// Whether no row has a value.
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}
