//! One bit per row: validity of columns, truth of conditions.
//!
//! Invariant: bits behind the last row are zero, so words can be counted and combined whole.

/// A set of rows out of `len`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bitmap {
    words: Vec<u64>,
    len: usize,
}

const BITS: usize = u64::BITS as usize;

impl Bitmap {
    /// No row of `len`.
    pub fn zeros(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(BITS)], len }
    }

    /// All rows of `len`.
    pub fn ones(len: usize) -> Self {
        let mut all = Self { words: vec![u64::MAX; len.div_ceil(BITS)], len };
        all.clear_tail();
        all
    }

    /// The rows for which `holds`; called once per row, in order.
    pub fn from_fn(len: usize, mut holds: impl FnMut(usize) -> bool) -> Self {
        let mut words = Vec::with_capacity(len.div_ceil(BITS));
        for start in (0..len).step_by(BITS) {
            let mut word = 0;
            for bit in 0..BITS.min(len - start) {
                word |= u64::from(holds(start + bit)) << bit;
            }
            words.push(word);
        }
        Self { words, len }
    }

    /// The rows whose value `holds`.
    pub fn from_slice<T: Copy>(values: &[T], holds: impl Fn(T) -> bool) -> Self {
        let mut words = Vec::with_capacity(values.len().div_ceil(BITS));
        let mut whole = values.chunks_exact(BITS);
        for chunk in whole.by_ref() {
            // Bytes first: this compiles to vector compares, shifting bits one by one does not.
            let mut bytes = [0u8; BITS];
            for (byte, value) in bytes.iter_mut().zip(chunk) {
                *byte = u8::from(holds(*value));
            }
            words.push(pack(&bytes));
        }
        if !whole.remainder().is_empty() {
            let bits = whole.remainder().iter().enumerate();
            words.push(bits.fold(0, |word, (bit, value)| word | u64::from(holds(*value)) << bit));
        }
        Self { words, len: values.len() }
    }

    fn clear_tail(&mut self) {
        let rest = self.len % BITS;
        if rest != 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << rest) - 1;
        }
    }

    /// Rows, set or not.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bits of 64 rows each; the last word's tail is zero.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Whether `row` is set; rows beyond the end are not.
    pub fn get(&self, row: usize) -> bool {
        self.words.get(row / BITS).is_some_and(|word| word >> (row % BITS) & 1 == 1)
    }

    /// Sets or clears `row`; rows beyond the end are left alone.
    pub fn set(&mut self, row: usize, value: bool) {
        if row < self.len {
            let bit = 1 << (row % BITS);
            if value {
                self.words[row / BITS] |= bit;
            } else {
                self.words[row / BITS] &= !bit;
            }
        }
    }

    /// Appends one row.
    pub fn push(&mut self, value: bool) {
        if self.len.is_multiple_of(BITS) {
            self.words.push(0);
        }
        self.len += 1;
        self.set(self.len - 1, value);
    }

    /// Appends `rows` rows that are not set.
    pub fn pad(&mut self, rows: usize) {
        self.len += rows;
        self.words.resize(self.len.div_ceil(BITS), 0);
    }

    /// Number of rows set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether every row is set.
    pub fn all(&self) -> bool {
        self.count() == self.len
    }

    /// Whether no row is set.
    pub fn none(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Keeps the rows that `other` has too.
    pub fn and(&mut self, other: &Self) {
        for (own, others) in self.words.iter_mut().zip(&other.words) {
            *own &= others;
        }
    }

    /// Adds the rows of `other`.
    pub fn or(&mut self, other: &Self) {
        for (own, others) in self.words.iter_mut().zip(&other.words) {
            *own |= others;
        }
    }

    /// Drops the rows of `other`.
    pub fn and_not(&mut self, other: &Self) {
        for (own, others) in self.words.iter_mut().zip(&other.words) {
            *own &= !others;
        }
    }

    /// Sets what was not and clears what was.
    pub fn negate(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        self.clear_tail();
    }

    /// Rows `start..end` as a bitmap of their own.
    #[must_use]
    pub fn slice(&self, start: usize, end: usize) -> Self {
        let (end, len) = (end.min(self.len), end.min(self.len).saturating_sub(start));
        let (first, shift) = (start / BITS, start % BITS);
        let word = |at: usize| self.words.get(at).copied().unwrap_or(0);
        let words = (0..len.div_ceil(BITS)).map(|at| match shift {
            0 => word(first + at),
            _ => word(first + at) >> shift | word(first + at + 1) << (BITS - shift),
        });
        let mut slice = Self { words: words.collect(), len };
        debug_assert!(start <= end || len == 0);
        slice.clear_tail();
        slice
    }

    /// The given rows as a bitmap of their own.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        Self::from_slice(rows, |row| self.get(row as usize))
    }

    /// The rows set, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                (rest != 0).then(|| {
                    let bit = rest.trailing_zeros() as usize;
                    rest &= rest - 1;
                    at * BITS + bit
                })
            })
        })
    }

    /// The rows set, in order, as a list.
    #[expect(clippy::cast_possible_truncation, reason = "batches have far fewer than 2³² rows")]
    pub fn to_rows(&self) -> Vec<u32> {
        let mut rows = Vec::with_capacity(self.count());
        for (at, word) in self.words.iter().enumerate() {
            let start = (at * BITS) as u32;
            if *word == u64::MAX {
                rows.extend(start..start + u64::BITS);
                continue;
            }
            let mut rest = *word;
            while rest != 0 {
                rows.push(start + rest.trailing_zeros());
                rest &= rest - 1;
            }
        }
        rows
    }

    /// Calls `visit` with each row set, in order; whole words without a test per row.
    #[inline]
    pub fn for_each(&self, mut visit: impl FnMut(usize)) {
        for (at, word) in self.words.iter().enumerate() {
            let start = at * BITS;
            if *word == u64::MAX {
                (start..start + BITS).for_each(&mut visit);
                continue;
            }
            let mut rest = *word;
            while rest != 0 {
                visit(start + rest.trailing_zeros() as usize);
                rest &= rest - 1;
            }
        }
    }

    /// Memory in use, in bytes.
    pub fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    /// Gives spare memory back.
    pub fn shrink(&mut self) {
        self.words.shrink_to_fit();
    }
}

/// 64 bytes of zero or one as 64 bits.
#[inline]
fn pack(bytes: &[u8; BITS]) -> u64 {
    let mut word = 0;
    for (at, eight) in bytes.chunks_exact(8).enumerate() {
        let mut lanes = [0u8; 8];
        lanes.copy_from_slice(eight);
        // The product moves the lowest bit of each byte into the top byte, without carries.
        let bits = u64::from_le_bytes(lanes).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        word |= bits << (at * 8);
    }
    word
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(bits: &[bool]) -> Bitmap {
        let mut bitmap = Bitmap::default();
        bits.iter().for_each(|bit| bitmap.push(*bit));
        bitmap
    }

    proptest! {
        #[test]
        fn all_ways_agree(
            bits in prop::collection::vec(any::<bool>(), 0..300),
            cut in 0usize..300,
        ) {
            let bitmap = plain(&bits);
            prop_assert_eq!(&Bitmap::from_slice(&bits, |bit| bit), &bitmap);
            prop_assert_eq!(&Bitmap::from_fn(bits.len(), |row| bits[row]), &bitmap);
            let set: Vec<usize> = (0..bits.len()).filter(|row| bits[*row]).collect();
            prop_assert_eq!(bitmap.iter().collect::<Vec<_>>(), set.clone());
            let mut visited = Vec::new();
            bitmap.for_each(|row| visited.push(row));
            prop_assert_eq!(&visited, &set);
            prop_assert!(bitmap.to_rows().into_iter().map(|row| row as usize).eq(visited));
            prop_assert_eq!(bitmap.count(), set.len());
            prop_assert_eq!(bitmap.all(), bits.iter().all(|bit| *bit));
            prop_assert_eq!(bitmap.none(), set.is_empty());
            let cut = cut.min(bits.len());
            prop_assert_eq!(bitmap.slice(cut, bits.len()), plain(&bits[cut..]));
            prop_assert_eq!(bitmap.slice(0, cut), plain(&bits[..cut]));
            let mut negated = bitmap.clone();
            negated.negate();
            prop_assert_eq!(negated.count(), bits.len() - set.len());
            let rows: Vec<u32> = (0..bits.len()).rev().map(|row| row as u32).collect();
            let reversed: Vec<bool> = bits.iter().rev().copied().collect();
            prop_assert_eq!(bitmap.take(&rows), plain(&reversed));
            let mut padded = bitmap.clone();
            padded.pad(3);
            padded.push(true);
            prop_assert_eq!(padded.count(), set.len() + 1);
            prop_assert!(padded.get(bits.len() + 3));
        }
    }

    #[test]
    fn combinations() {
        let a = plain(&[true, true, false, false]);
        let b = plain(&[true, false, true, false]);
        let of = |change: fn(&mut Bitmap, &Bitmap)| {
            let mut result = a.clone();
            change(&mut result, &b);
            result.iter().collect::<Vec<_>>()
        };
        assert_eq!(of(Bitmap::and), [0]);
        assert_eq!(of(Bitmap::or), [0, 1, 2]);
        assert_eq!(of(Bitmap::and_not), [1]);
        assert!(Bitmap::ones(70).all() && Bitmap::ones(70).words()[1] == 0b11_1111);
    }
}
