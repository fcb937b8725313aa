//! redb's storage over a file of the Disk port.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::StorageBackend;

use crate::ports::DiskFile;

/// An open file.
pub(super) struct Backend<F>(pub(super) F);

impl<F> std::fmt::Debug for Backend<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backend")
    }
}

impl<F: DiskFile> StorageBackend for Backend<F> {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, data)
    }
}

/// Runs what redb may panic in when a file is damaged; the panic's text.
pub(super) fn contain<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let text = |panic: &(dyn Any + Send)| {
        let text = panic.downcast_ref::<&str>().copied();
        let owned = panic.downcast_ref::<String>().map(String::as_str);
        text.or(owned).unwrap_or("panic without a text").to_owned()
    };
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| text(panic.as_ref()))
}
