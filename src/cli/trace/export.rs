//! `shakedown trace export`: events for other programs.
//!
//! Invariant: what was in a file before is replaced by a whole export or stays; the trace itself is
//! never written to.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::{Exit, complain};
use super::{ExportFormat, Filter, FilterArgs, Trouble, reader};
use crate::sim::trace::TraceEvent;
use crate::sim::trace::export::EventJson;
use crate::sim::trace::file::Reader;
use crate::sim::trace::perfetto::Perfetto;

/// Arguments of `shakedown trace export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The trace file, as `shakedown run --trace FILE` writes it.
    file: PathBuf,
    /// What is written.
    #[arg(long, value_enum)]
    format: ExportFormat,
    /// Where to [default: standard output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    filter: FilterArgs,
}

impl ExportArgs {
    /// Carries the verb out.
    pub fn run(&self) -> Exit {
        if let Some(out) = self.out.as_deref().filter(|out| is_same(&self.file, out)) {
            complain(&format!(
                "{} is the trace file itself\nhelp: give --out another name",
                out.display()
            ));
            return Exit::Usage;
        }
        if let Err(exit) = self.filter.require_order() {
            return exit;
        }
        let mut filter = Filter::new(&self.filter);
        match (self.carry_out(&mut filter), &self.out) {
            (Ok(()), _) => filter.exit(),
            (Err(Trouble::Out(error)), Some(path)) => {
                complain(&format!("cannot write {}: {error}", path.display()));
                Exit::Failed
            }
            (Err(trouble), _) => trouble.exit(&self.file),
        }
    }

    fn carry_out(&self, filter: &mut Filter<'_>) -> Result<(), Trouble> {
        // First, so that a file which is none leaves everything as it is.
        let reader = reader(&self.file)?;
        let Some(path) = &self.out else {
            return self.export(reader, BufWriter::new(std::io::stdout()), filter);
        };
        let mut out = OutFile::create(path)?;
        match self.export(reader, &mut out, filter) {
            Err(Trouble::Out(error)) => Err(error.into()),
            // What was whole of a cut file is worth to be kept.
            exported => out.keep().map_err(Trouble::from).and(exported),
        }
    }

    fn export<R: Read>(
        &self,
        mut reader: Reader<R>,
        mut out: impl Write,
        filter: &mut Filter<'_>,
    ) -> Result<(), Trouble> {
        if self.format == ExportFormat::Jsonl {
            let written = each(&mut reader, filter, |event| {
                out.write_all(EventJson::from(event).line().as_bytes())
            });
            return written.and(out.flush().map_err(Trouble::from));
        }
        let mut perfetto = Perfetto::new(&mut out, &reader.passport().clone())?;
        let written = each(&mut reader, filter, |event| perfetto.event(event));
        // What was whole of a cut file makes a whole document.
        let finished = perfetto.finish();
        written.and(finished.map_err(Trouble::from))
    }
}

/// Whether both names lead to one file that is there.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    real(one).is_some_and(|one| real(other) == Some(one))
}

/// A file that takes the place of an older one when it is whole, not before.
struct OutFile {
    out: BufWriter<File>,
    /// Where it is written, and what it is to be called; nothing for a device or a pipe.
    names: Option<[PathBuf; 2]>,
}

impl OutFile {
    fn create(path: &Path) -> std::io::Result<Self> {
        // A link stays one: the file that it leads to is the one to replace.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if std::fs::metadata(&path).is_ok_and(|known| !known.is_file()) {
            return Ok(Self { out: BufWriter::new(File::create(&path)?), names: None });
        }
        let mut next = path.clone().into_os_string();
        next.push(".next");
        let next = PathBuf::from(next);
        let out = BufWriter::new(File::create(&next)?);
        Ok(Self { out, names: Some([next, path]) })
    }

    fn keep(mut self) -> std::io::Result<()> {
        self.out.flush()?;
        if let Some([next, path]) = &self.names {
            std::fs::rename(next, path)?;
            self.names = None;
        }
        Ok(())
    }
}

impl Drop for OutFile {
    fn drop(&mut self) {
        if let Some([next, _]) = &self.names {
            // What is left of it is of no use, and there may be nothing left.
            let _ = std::fs::remove_file(next);
        }
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Writes every event that `filter` takes.
fn each<R: Read>(
    reader: &mut Reader<R>,
    filter: &mut Filter<'_>,
    mut write: impl FnMut(&TraceEvent) -> std::io::Result<()>,
) -> Result<(), Trouble> {
    while !filter.is_over() {
        let Some(event) = reader.next_event()? else { break };
        if filter.take(&event) {
            write(&event)?;
        }
    }
    Ok(())
}
