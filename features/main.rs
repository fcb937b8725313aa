//! Every scenario of every feature file below this folder, one trial each.

#![expect(clippy::print_stderr, reason = "a test program tells of its own failures")]

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use shakedown::bdd::run::{self, Catalogue};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = match trials() {
        Ok(trials) => trials,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
    };
    if trials.is_empty() {
        eprintln!("there is no feature, so nothing is proven");
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials() -> Result<Vec<Trial>, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let catalogue = Catalogue::new().map_err(|error| error.to_string())?;
    let files = run::files(&root.join("features")).map_err(|error| error.to_string())?;
    let (mut trials, mut errors) = (Vec::new(), Vec::new());
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{name}: {error}"))?;
        match run::trials(&catalogue, &name, &text) {
            Ok(found) => trials.extend(found.into_iter().map(trial)),
            Err(wrong) => errors.extend(wrong.iter().map(ToString::to_string)),
        }
    }
    if errors.is_empty() { Ok(trials) } else { Err(errors.join("\n")) }
}

fn trial(trial: run::Trial) -> Trial {
    let name = trial.name.clone();
    Trial::test(name, move || trial.run().map_err(|failure| failure.to_string().into()))
}
