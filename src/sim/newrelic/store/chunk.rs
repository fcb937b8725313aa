//! Up to 1,024 events of one shape: rows while it grows, columns once it is full.

/// Rows of a full chunk.
const CHUNK_ROWS: usize = 1_024;

/// What the store notes about an event besides its attributes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Milliseconds since 1970.
    pub(super) timestamp: i64,
    /// Milliseconds since 1970.
    pub(super) stored_at: i64,
    /// Order of arrival.
    pub(super) number: u64,
    /// The request that brought it.
    pub(super) request: u32,
}

#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) shape: u32,
    width: usize,
    pub(super) rows: Vec<Row>,
    /// Row after row until sealed, then column after column.
    cells: Vec<u64>,
    sealed: bool,
    pub(super) newest: i64,
}

impl Chunk {
    pub(super) fn new(shape: u32, width: usize) -> Self {
        let (rows, cells) = (Vec::new(), Vec::new());
        Self { shape, width, rows, cells, sealed: false, newest: i64::MIN }
    }

    pub(super) fn push(&mut self, row: Row, cells: impl Iterator<Item = u64>) {
        self.rows.push(row);
        self.cells.extend(cells);
        debug_assert_eq!(self.cells.len(), self.rows.len() * self.width);
        self.newest = self.newest.max(row.timestamp);
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= CHUNK_ROWS
    }

    /// Turns rows into columns and gives spare memory back.
    pub(super) fn seal(&mut self) {
        let rows = self.rows.len();
        let mut columns = Vec::with_capacity(self.cells.len());
        for column in 0..self.width {
            columns.extend((0..rows).map(|row| self.cells[row * self.width + column]));
        }
        self.cells = columns;
        self.rows.shrink_to_fit();
        self.sealed = true;
    }

    pub(super) fn cell(&self, row: usize, column: usize) -> u64 {
        if self.sealed {
            self.cells[column * self.rows.len() + row]
        } else {
            self.cells[row * self.width + column]
        }
    }

    /// Memory in use, spare capacity included.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.rows.capacity() * size_of::<Row>()
            + self.cells.capacity() * size_of::<u64>()
    }
}
