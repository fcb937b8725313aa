//! Where cards go; `shakedown card`: the card of a run that has been.

use std::path::Path;

use super::{Exit, complain};
use crate::sim::run::RunReport;

/// Where cards go unless somebody names a folder.
const FOLDER: &str = "target/shakedown";

/// Writes the card `html` of a run to `folder`; where to. Failure counts when somebody named the
/// folder.
pub fn keep(folder: Option<&Path>, report: &RunReport, html: &str) -> Result<String, Exit> {
    let named = folder.is_some();
    let folder = folder.unwrap_or(Path::new(FOLDER));
    let path = folder.join(format!("{}.html", report.id));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, html));
    written.map(|()| path.display().to_string()).map_err(|error| {
        complain(&format!("cannot write the card {}: {error}", path.display()));
        if named { Exit::Failed } else { Exit::Ok }
    })
}
