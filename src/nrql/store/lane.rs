//! A whole number for every row, in little memory when it hardly changes.

/// Numbers by row.
#[derive(Debug, Clone)]
pub(super) enum Lane {
    /// The same for all of so many rows.
    Constant(i64, usize),
    /// From the first, each one more.
    Steps(i64, usize),
    /// Above a base.
    Narrow(i64, Vec<u32>),
    /// As they are.
    Wide(Vec<i64>),
}

impl Lane {
    pub(super) fn new() -> Self {
        Self::Constant(0, 0)
    }

    pub(super) fn push(&mut self, number: i64) {
        let steps_to = |first: i64, len: usize| first.checked_add(len as i64) == Some(number);
        match self {
            Self::Constant(value, len) if *len == 0 => (*value, *len) = (number, 1),
            Self::Constant(value, 1) if steps_to(*value, 1) => *self = Self::Steps(*value, 2),
            Self::Constant(value, len) if *value == number => *len += 1,
            Self::Steps(first, len) if steps_to(*first, *len) => *len += 1,
            Self::Wide(values) => values.push(number),
            Self::Constant(..) | Self::Steps(..) | Self::Narrow(..) => {
                let mut values: Vec<i64> = (0..self.len()).map(|row| self.get(row)).collect();
                values.push(number);
                *self = Self::Wide(values);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Constant(_, len) | Self::Steps(_, len) => *len,
            Self::Narrow(_, values) => values.len(),
            Self::Wide(values) => values.len(),
        }
    }

    pub(super) fn get(&self, row: usize) -> i64 {
        match self {
            Self::Constant(value, _) => *value,
            Self::Steps(first, _) => first + row as i64,
            Self::Narrow(base, values) => base + i64::from(values[row]),
            Self::Wide(values) => values[row],
        }
    }

    /// Ends growth: the tightest form.
    pub(super) fn seal(&mut self) {
        let Self::Wide(values) = self else { return };
        let (Some(least), Some(greatest)) = (values.iter().min(), values.iter().max()) else {
            return;
        };
        let base = *least;
        match greatest.checked_sub(base).map(u32::try_from) {
            Some(Ok(0)) => *self = Self::Constant(base, values.len()),
            Some(Ok(_)) => {
                let above = values.iter().map(|value| (value - base) as u32);
                *self = Self::Narrow(base, above.collect());
            }
            _ => values.shrink_to_fit(),
        }
    }

    /// The given rows as a lane of their own.
    pub(super) fn take(&self, rows: &[u32]) -> Self {
        let mut lane = Self::new();
        rows.iter().for_each(|row| lane.push(self.get(*row as usize)));
        lane
    }

    /// Memory in use, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Constant(..) | Self::Steps(..) => 0,
            Self::Narrow(_, values) => values.capacity() * size_of::<u32>(),
            Self::Wide(values) => values.capacity() * size_of::<i64>(),
        }
    }
}
