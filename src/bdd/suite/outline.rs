//! Outlines to cases: one for each row of examples, the holes filled.

use crate::bdd::document::{Argument, Scenario, Step, Text, problem};
use crate::config::toml_file::Problem;

/// One case of a scenario.
pub(super) struct Case<'s> {
    /// Its name; of an outline with the row's values.
    pub name: String,
    /// Where it stands.
    pub at: usize,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Tags of its examples.
    pub tags: &'s [Text],
}

/// The cases of a scenario: itself, or one for each row.
///
/// # Errors
/// Holes that no column fills, columns that no step uses, examples without an outline and the
/// other way round.
pub(super) fn cases(scenario: &Scenario) -> Result<Vec<Case<'_>>, Vec<Problem>> {
    let at = scenario.name.span.start;
    if scenario.examples.is_empty() {
        if scenario.is_outline {
            let help = "add `Examples:` and a table, or make it a `Scenario:`";
            let message = "this outline has no examples, so it makes no scenario";
            return Err(vec![problem("no_examples", scenario.name.span.clone(), message, help)]);
        }
        let (name, steps) = (scenario.name.value.clone(), scenario.steps.clone());
        return Ok(vec![Case { name, at, steps, tags: &[] }]);
    }
    let problems = faults(scenario);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut cases = Vec::new();
    for examples in &scenario.examples {
        let Some((head, rows)) = examples.table.rows.split_first() else { continue };
        for row in rows {
            let pairs = head.cells.iter().zip(&row.cells);
            let values: Vec<(String, &str)> = pairs
                .map(|(hole, cell)| (format!("<{}>", hole.value), cell.value.as_str()))
                .collect();
            let fill = |text: &str| {
                values.iter().fold(text.to_owned(), |text, (hole, value)| text.replace(hole, value))
            };
            let shown: Vec<&str> = row.cells.iter().map(|cell| cell.value.as_str()).collect();
            let plain = &scenario.name.value;
            let name = match fill(plain) {
                filled if filled == *plain => format!("{plain} ({})", shown.join(", ")),
                filled => filled,
            };
            let steps = scenario.steps.iter().map(|step| filled(step, &fill)).collect();
            cases.push(Case { name, at: row.span.start, steps, tags: &examples.tags });
        }
    }
    Ok(cases)
}

fn filled(step: &Step, fill: &dyn Fn(&str) -> String) -> Step {
    let mut step = step.clone();
    step.text.value = fill(&step.text.value);
    match &mut step.argument {
        Some(Argument::Table(table)) => {
            for cell in table.rows.iter_mut().flat_map(|row| &mut row.cells) {
                cell.value = fill(&cell.value);
            }
        }
        Some(Argument::Quoted(text)) => text.value = fill(&text.value),
        None => {}
    }
    step
}

/// Every text of a scenario that may have holes.
fn texts(scenario: &Scenario) -> Vec<&Text> {
    let mut texts = vec![&scenario.name];
    for step in &scenario.steps {
        texts.push(&step.text);
        match &step.argument {
            Some(Argument::Table(table)) => {
                texts.extend(table.rows.iter().flat_map(|row| &row.cells));
            }
            Some(Argument::Quoted(text)) => texts.push(text),
            None => {}
        }
    }
    texts
}

fn faults(scenario: &Scenario) -> Vec<Problem> {
    let mut problems = Vec::new();
    let texts = texts(scenario);
    for examples in &scenario.examples {
        let Some(head) = examples.table.rows.first() else { continue };
        for (position, hole) in head.cells.iter().enumerate() {
            let written = format!("<{}>", hole.value);
            if head.cells[..position].iter().any(|other| other.value == hole.value) {
                let message = format!("two columns are called `{}`", hole.value);
                let help = "give one of them another name";
                problems.push(problem("same_name", hole.span.clone(), message, help));
            } else if !texts.iter().any(|text| text.value.contains(&written)) {
                let message = format!("no step has a hole `{written}`");
                let help = "use the column in a step, or remove it";
                problems.push(problem("unused_column", hole.span.clone(), message, help));
            }
        }
        let known: Vec<String> =
            head.cells.iter().map(|cell| format!("<{}>", cell.value)).collect();
        for text in texts.iter().skip(1) {
            for hole in holes(&text.value).filter(|hole| !known.iter().any(|known| known == hole)) {
                let start = text.span.start + text.value.find(hole).unwrap_or(0);
                let message = format!("no column of the examples fills `{hole}`");
                let help = format!("the columns are {}", known.join(", "));
                let span = start..(start + hole.len()).min(text.span.end);
                problems.push(problem("unfilled_hole", span, message, help));
            }
        }
    }
    problems
}

/// `<a>`, `<b c>` in a text.
fn holes(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(start) = text[from..].find('<').map(|at| from + at) {
            let end = start + text[start..].find('>')? + 1;
            from = start + 1;
            let inner = &text[start + 1..end - 1];
            let is_name = |c: char| c.is_alphanumeric() || " _-".contains(c);
            if !inner.is_empty() && !inner.starts_with(' ') && inner.chars().all(is_name) {
                from = end;
                return Some(&text[start..end]);
            }
        }
        None
    })
}
