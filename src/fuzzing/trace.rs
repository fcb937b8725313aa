//! Trace files: whole ones, and blocks whose checksum is right.

use std::io::Cursor;
use std::sync::LazyLock;

use crate::sim::run::Network;
use crate::sim::run::passport::Passport;
use crate::sim::scenario;
use crate::sim::seed::Seed;
use crate::sim::trace::TraceEvent;
use crate::sim::trace::file::{Index, Reader, Writer};

/// What comes before the first block of a file.
static HEAD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut head = Vec::new();
    if let Ok(scenario) = scenario::load("fuzz.toml", scenario::BUILT_IN) {
        let passport = Passport::of("fuzz.toml", &scenario, Seed(1), Network::Kernel);
        drop(Writer::new(&mut head, &passport));
    }
    head
});

/// Bytes of a block before its payload; the last four are the checksum.
const BLOCK_HEAD_BYTES: usize = 57;

/// A trace file; what begins with `B` is a block of one, and its checksum is set right; text is
/// lines.
///
/// # Panics
/// When a line that was read is not what its event prints, or two readers disagree.
pub fn trace(data: &[u8]) {
    if data.first() == Some(&b'B') && data.len() >= BLOCK_HEAD_BYTES {
        let mut block = data.to_vec();
        let checksum = BLOCK_HEAD_BYTES - 4..BLOCK_HEAD_BYTES;
        block[checksum.clone()].fill(0);
        let sum = crc32c::crc32c(&block).to_le_bytes();
        block[checksum].copy_from_slice(&sum);
        file(&[HEAD.as_slice(), &block].concat());
    } else {
        file(data);
        for line in String::from_utf8_lossy(data).lines() {
            event(line);
        }
    }
}

fn file(bytes: &[u8]) {
    let whole = Reader::open(bytes).and_then(|mut reader| {
        while let Some(line) = reader.next_line()? {
            event(line);
        }
        Ok(reader.digest())
    });
    let index = Index::open(Cursor::new(bytes));
    if let Ok(digest) = whole {
        assert_eq!(index.ok().map(|index| index.digest()), digest, "two readers, two digests");
        return;
    }
    if let Ok(mut index) = index {
        let blocks = index.blocks().len();
        for number in 0..blocks {
            drop(index.events(number));
        }
    }
}

fn event(line: &str) {
    if let Ok(event) = TraceEvent::parse(line, 1) {
        let printed = event.to_string();
        assert_eq!(TraceEvent::parse(&printed, 1), Ok(event), "{printed}");
    }
}
