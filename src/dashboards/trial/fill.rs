//! What variables stand for.

use std::collections::BTreeMap;

use super::cause::Cause;
use super::{Answers, Fault, ask, rows, values as row_values};
use crate::dashboards::model::{Dashboard, Replacement, Variable, VariableKind};
use crate::nrql::{Value, template};

/// Chooses everything.
const ALL: &str = "*";

/// What each variable is replaced by, with what is chosen at first; and variables that offer
/// nothing.
pub(super) fn values(
    dashboard: &Dashboard,
    answers: &Answers<'_>,
) -> (BTreeMap<String, String>, Vec<Fault>) {
    let (mut all, mut faults) = (BTreeMap::new(), Vec::new());
    for (number, variable) in dashboard.variables.iter().enumerate() {
        match offered(variable, answers) {
            Ok(offered) => {
                all.insert(variable.name.clone(), chosen(variable, offered));
            }
            Err((cause, query)) => faults.push(Fault {
                page: None,
                widget: variable.name.clone(),
                pointer: format!("/variables/{number}"),
                cause,
                query,
            }),
        }
    }
    (all, faults)
}

/// `text` with every known variable replaced.
pub(super) fn filled(text: &str, values: &BTreeMap<String, String>) -> String {
    template::fill(text, values)
}

fn offered(variable: &Variable, answers: &Answers<'_>) -> Result<Vec<String>, (Cause, String)> {
    match &variable.kind {
        VariableKind::Text => Ok(Vec::new()),
        VariableKind::Enum(items) => Ok(items.iter().map(|item| item.value.clone()).collect()),
        VariableKind::Nrql(query) => {
            let asked = ask(&query.text, answers);
            let (_, result) =
                asked.map_err(|error| (Cause::Error(error.to_string()), query.text.clone()))?;
            let mut found = Vec::new();
            for row in rows(&result) {
                // A facet's values, or the members of uniques().
                match row.get("facet") {
                    Some(facet) => texts(facet, &mut found),
                    None => row_values(&result, row).for_each(|(_, v)| texts(v, &mut found)),
                }
            }
            found.sort();
            found.dedup();
            if found.is_empty() {
                return Err((Cause::NothingOffered, query.text.clone()));
            }
            Ok(found)
        }
    }
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Text(text) => found.push(text.to_string()),
        Value::List(members) => members.iter().for_each(|member| texts(member, found)),
        Value::Number(number) => found.push(number.to_string()),
        Value::Integer(number) => found.push(number.to_string()),
        _ => {}
    }
}

/// What users see first: the defaults; everything where `*` is one; else the first value offered.
fn chosen(variable: &Variable, offered: Vec<String>) -> String {
    let everything = variable.defaults.iter().any(|value| value == ALL);
    let mut values = match variable.defaults.as_slice() {
        defaults if !defaults.is_empty() && !everything => defaults.to_vec(),
        // A text has no list of everything: the star stays, for LIKE.
        _ if offered.is_empty() => vec![if everything { "%".to_owned() } else { String::new() }],
        _ if everything || variable.multiple => offered,
        _ => offered.into_iter().take(1).collect(),
    };
    if !variable.multiple && !everything {
        values.truncate(1);
    }
    let plain = matches!(variable.replacement, Replacement::Identifier | Replacement::Number);
    let typed = variable.kind == VariableKind::Text && variable.replacement == Replacement::Default;
    let values = values.iter().map(|value| {
        if plain || typed { value.clone() } else { super::super::query::quoted(value) }
    });
    values.collect::<Vec<_>>().join(", ")
}
