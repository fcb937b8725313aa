//! The defects that `ci/defects/run` plants: every patch still fits the source, and names checks
//! that exist.

use std::fs;
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use shakedown::sim::check::CATALOGUE;

/// One trial over all patches.
pub fn trials() -> Vec<Trial> {
    vec![Trial::test("defects/patches_fit", all_fit)]
}

fn all_fit() -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let planted = root.join("ci/defects");
    let (mut faults, patches) = of_folder(root, &planted)?;
    // What no sweep finds within a minute yet must fit too.
    faults.extend(of_folder(root, &planted.join("open"))?.0);
    if patches < 30 {
        faults.push(format!("only {patches} patches, at least 30 are promised"));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

/// What is wrong with the patches in one folder, and how many there are.
fn of_folder(root: &Path, folder: &Path) -> Result<(Vec<String>, usize), Failed> {
    let mut faults = Vec::new();
    let mut patches = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            patches += 1;
            let name = path.display().to_string();
            let found = problems(root, &fs::read_to_string(&path)?);
            faults.extend(found.into_iter().map(|fault| format!("{name}: {fault}")));
        }
    }
    Ok((faults, patches))
}

fn problems(root: &Path, patch: &str) -> Vec<String> {
    let (head, diff) = patch.split_once("\n\n").unwrap_or((patch, ""));
    let mut faults = Vec::new();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    if field("Defect: ").is_none() {
        faults.push("no line `Defect: …`".to_owned());
    }
    for check in field("Check: ").unwrap_or("(none)").split(", ") {
        if !CATALOGUE.iter().any(|known| known.name == check) {
            faults.push(format!("there is no check `{check}`"));
        }
    }
    faults.extend(hunks(diff).into_iter().filter_map(|(file, before)| {
        let text = fs::read_to_string(root.join(&file)).unwrap_or_default();
        (!text.contains(&before)).then(|| format!("{file} no longer holds:\n{before}"))
    }));
    faults
}

/// Each hunk's file and the lines that it expects there.
fn hunks(diff: &str) -> Vec<(String, String)> {
    let mut hunks: Vec<(String, String)> = Vec::new();
    let mut file = String::new();
    for line in diff.lines() {
        if let Some(name) = line.strip_prefix("+++ b/") {
            file = name.to_owned();
        } else if line.starts_with("@@") {
            hunks.push((file.clone(), String::new()));
        } else if !line.starts_with("---")
            && let Some(kept) = line.strip_prefix(' ').or_else(|| line.strip_prefix('-'))
            && let Some((_, before)) = hunks.last_mut()
        {
            before.push_str(kept);
            before.push('\n');
        }
    }
    hunks
}
