//! Every scenario of every feature file below this folder, one trial each.

#![expect(clippy::print_stderr, reason = "a test program tells of its own failures")]

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use shakedown::bdd::report::failure;
use shakedown::bdd::suite::{self, Catalogue, SEED, Suite};

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
    let name = |file: &Path| file.strip_prefix(root).unwrap_or(file).display().to_string();
    let suite = Suite::read(&catalogue, &[root.join("features")], name)
        .map_err(|error| error.to_string())?;
    let problems: String = suite.problems.iter().map(|file| file.render(false)).collect();
    if problems.is_empty() {
        Ok(suite.trials.into_iter().map(trial).collect())
    } else {
        Err(problems)
    }
}

fn trial(trial: suite::Trial) -> Trial {
    Trial::test(trial.name(), move || {
        let outcome = trial.run(SEED);
        if outcome.passed() { Ok(()) } else { Err(failure(&trial, &outcome, None).into()) }
    })
}
