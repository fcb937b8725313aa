//! Template variables: `{{name}}` of dashboards and `{{{entity.id}}}` of definitions.
//!
//! New Relic replaces them as text, before the query is read; so does [`fill`].

use std::collections::BTreeMap;

/// `text` with every variable that `values` knows replaced; the others stay. Three braces take the
/// value as it is, and so do two: nothing is escaped in NRQL.
pub fn fill(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let (before, from) = rest.split_at(start);
        filled.push_str(before);
        match variable(from) {
            Some((name, width)) => {
                match values.get(name) {
                    Some(value) => filled.push_str(value),
                    None => filled.push_str(from.get(..width).unwrap_or_default()),
                }
                rest = from.get(width..).unwrap_or_default();
            }
            None => {
                filled.push_str("{{");
                rest = from.get(2..).unwrap_or_default();
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// The names of all variables in `text`, in order, each as often as it stands there.
pub fn names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let from = rest.get(start..).unwrap_or_default();
        match variable(from) {
            Some((name, width)) => {
                names.push(name);
                rest = from.get(width..).unwrap_or_default();
            }
            None => rest = from.get(2..).unwrap_or_default(),
        }
    }
    names
}

/// The name and the width of the variable that `text` begins with.
fn variable(text: &str) -> Option<(&str, usize)> {
    let triple = text.starts_with("{{{");
    let (braces, close) = if triple { (3, "}}}") } else { (2, "}}") };
    let line = text.find('\n').map_or(text, |end| text.get(..end).unwrap_or_default());
    let inner = line.get(braces..)?;
    let end = inner.find(close)?;
    Some((inner.get(..end)?.trim(), braces + end + close.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let values = [("a", "1"), ("entity.id", "MTIz")];
        let values = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(fill(text, &values), expected);
    }

    #[test]
    fn known_variables_are_replaced_and_the_others_stay() {
        check("x = {{a}} AND y = '{{ a }}'", "x = 1 AND y = '1'");
        check("guid = '{{{entity.id}}}'", "guid = 'MTIz'");
        check("{{b}} {{{c}}} {{", "{{b}} {{{c}}} {{");
        check("{{a\n}} {{a}}", "{{a\n}} 1");
        check("", "");
        assert_eq!(names("{{b}} {{{ c }}} {{ {{a}}"), ["b", "c", "{{a"]);
    }
}
