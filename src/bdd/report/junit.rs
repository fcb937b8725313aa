//! For CI systems: a test suite for each feature, a test case for each scenario.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Verdict, replay, text};

/// The report.
pub fn junit(verdicts: &[Verdict<'_>]) -> String {
    let mut report = Report::new("shakedown features");
    let mut suites: Vec<TestSuite> = Vec::new();
    for verdict in verdicts {
        let name = verdict.trial.feature.as_str();
        if suites.last().is_none_or(|suite| suite.name.as_str() != name) {
            suites.push(TestSuite::new(name));
        }
        if let Some(suite) = suites.last_mut() {
            suite.add_test_case(case(verdict));
        }
    }
    report.add_test_suites(suites);
    report.to_string().unwrap_or_else(|error| error.to_string())
}

fn case(verdict: &Verdict<'_>) -> TestCase {
    let trial = verdict.trial;
    let status = match verdict.failed() {
        None => TestCaseStatus::success(),
        Some(outcome) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(outcome.failure.clone().unwrap_or_default());
            status.set_description(text::failure(trial, outcome, verdict.card.as_deref()));
            status
        }
    };
    let rule = trial.rule.as_deref().map(|rule| format!("{rule} :: ")).unwrap_or_default();
    let mut case = TestCase::new(format!("{rule}{}", trial.scenario), status);
    case.set_classname(trial.feature.clone());
    let outcome = verdict.failed().or(verdict.outcomes.first());
    case.add_property(("place", trial.place().as_str()));
    if let Some(outcome) = outcome {
        case.add_property(("seed", outcome.seed.to_string().as_str()));
        case.add_property(("again", replay(trial, outcome).as_str()));
    }
    case
}
