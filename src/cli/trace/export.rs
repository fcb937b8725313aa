//! `shakedown trace export`: events for other programs.

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
        let out: Box<dyn Write> = match &self.out {
            None => Box::new(std::io::stdout()),
            Some(path) => match File::create(path) {
                Ok(file) => Box::new(file),
                Err(error) => return cannot_write(path, &error),
            },
        };
        let mut filter = Filter::new(&self.filter);
        match (self.export(BufWriter::new(out), &mut filter), &self.out) {
            (Ok(()), _) => filter.exit(),
            (Err(Trouble::Out(error)), Some(path)) => cannot_write(path, &error),
            (Err(trouble), _) => trouble.exit(&self.file),
        }
    }

    fn export(&self, mut out: impl Write, filter: &mut Filter<'_>) -> Result<(), Trouble> {
        let mut reader = reader(&self.file)?;
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

fn cannot_write(path: &Path, error: &std::io::Error) -> Exit {
    complain(&format!("cannot write {}: {error}", path.display()));
    Exit::Failed
}
