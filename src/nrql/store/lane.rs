//! A whole number for every row, in little memory when it hardly changes.

/// Numbers by row.
#[derive(Debug, Clone)]
pub(super) enum Lane {
    /// The same for all of so many rows.
    Constant(i64, usize),
    /// From the first, each one more.
    Steps(i64, usize),
    /// Above a base, by less than 2⁸.
    Bytes(i64, Vec<u8>),
    /// Above a base, by less than 2¹⁶.
    Shorts(i64, Vec<u16>),
    /// Above a base, by less than 2³².
    Words(i64, Vec<u32>),
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
            _ => {
                let mut values: Vec<i64> = (0..self.len()).map(|row| self.get(row)).collect();
                values.push(number);
                *self = Self::Wide(values);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Constant(_, len) | Self::Steps(_, len) => *len,
            Self::Bytes(_, values) => values.len(),
            Self::Shorts(_, values) => values.len(),
            Self::Words(_, values) => values.len(),
            Self::Wide(values) => values.len(),
        }
    }

    pub(super) fn get(&self, row: usize) -> i64 {
        match self {
            Self::Constant(value, _) => *value,
            Self::Steps(first, _) => first + row as i64,
            Self::Bytes(base, values) => base + i64::from(values[row]),
            Self::Shorts(base, values) => base + i64::from(values[row]),
            Self::Words(base, values) => base + i64::from(values[row]),
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
        // What lies too far apart for a subtraction stays as it is.
        match greatest.checked_sub(base) {
            Some(0) => *self = Self::Constant(base, values.len()),
            Some(span) if span <= u8::MAX.into() => {
                *self = Self::Bytes(base, values.iter().map(|own| (own - base) as u8).collect());
            }
            Some(span) if span <= u16::MAX.into() => {
                *self = Self::Shorts(base, values.iter().map(|own| (own - base) as u16).collect());
            }
            Some(span) if span <= u32::MAX.into() => {
                *self = Self::Words(base, values.iter().map(|own| (own - base) as u32).collect());
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
            Self::Bytes(_, values) => values.capacity(),
            Self::Shorts(_, values) => values.capacity() * size_of::<u16>(),
            Self::Words(_, values) => values.capacity() * size_of::<u32>(),
            Self::Wide(values) => values.capacity() * size_of::<i64>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_in_the_tightest_form() {
        let cases: [(&[i64], usize); 7] = [
            (&[7, 7, 7], 0),
            (&[7, 8, 9], 0),
            (&[7, 8, 8], 3),
            (&[-100, 155, 0], 3),
            (&[0, 256, 1], 6),
            (&[5, 70_000, 5], 12),
            (&[i64::MIN, i64::MAX, 0], 24),
        ];
        for (numbers, bytes) in cases {
            let mut lane = Lane::new();
            numbers.iter().for_each(|number| lane.push(*number));
            for sealed in [false, true] {
                if sealed {
                    lane.seal();
                    assert_eq!(lane.bytes(), bytes, "{numbers:?}");
                }
                let got: Vec<i64> = (0..lane.len()).map(|row| lane.get(row)).collect();
                assert_eq!(got, numbers);
            }
            assert_eq!(lane.take(&[2, 0]).get(0), numbers[2]);
        }
    }
}
