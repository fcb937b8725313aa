//! A folder of definitions in one input: each file begins with a line `=== path`.

use crate::definitions::{Definitions, Source, TestOptions, TestRun, View};

/// A definitions folder, loaded in both views, with its test data run.
pub fn definitions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let files = text.split("=== ").filter_map(|file| file.split_once('\n'));
    let sources: Vec<Source<'_>> = files.map(|(path, text)| Source { path, text }).collect();
    for view in [View::Production, View::Staging] {
        let (set, problems) = Definitions::check(sources.iter().copied(), view);
        problems.iter().map(ToString::to_string).for_each(drop);
        drop(TestRun::new(&set, |_| true, TestOptions::default()));
    }
}
