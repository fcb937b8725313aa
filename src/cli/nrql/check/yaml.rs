//! Queries of golden and summary metrics, put together from their parts.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::queries::FoundQuery;

/// What a file says about a metric; the rest of it is the definitions' business.
#[derive(Deserialize)]
struct Metric {
    #[serde(default)]
    queries: IndexMap<String, Parts>,
    query: Option<Parts>,
}

#[derive(Deserialize)]
struct Parts {
    select: Option<Spanned<String>>,
    from: Option<Spanned<String>>,
    #[serde(rename = "where")]
    filter: Option<Spanned<String>>,
    facet: Option<Spanned<String>>,
}

/// The queries of `golden_metrics.yml` or `summary_metrics.yml`.
pub(super) fn queries(name: &str, text: &str) -> Result<Vec<FoundQuery>, Vec<String>> {
    // Some public files have tabs at the ends of lines, which YAML's own tools take.
    let plain = text.replace('\t', " ");
    let metrics: IndexMap<String, Metric> = serde_saphyr::from_str(&plain).map_err(|error| {
        let at = error.location();
        let (line, column) = at.map_or((1, 1), |at| (at.line(), at.column()));
        vec![format!("{name}:{line}:{column}: {}", error.without_snippet())]
    })?;
    let mut found = Vec::new();
    for (metric, said) in &metrics {
        for (provider, parts) in &said.queries {
            found.extend(composed(text, &format!("{metric}, {provider}"), parts));
        }
        if let Some(parts) = &said.query {
            found.extend(composed(text, metric, parts));
        }
    }
    Ok(found)
}

/// `SELECT … FROM … [WHERE …] [FACET …]`; a part's bytes come from its own place.
fn composed(file: &str, owner: &str, parts: &Parts) -> Option<FoundQuery> {
    let select = parts.select.as_ref()?;
    let mut query =
        FoundQuery { text: String::new(), owner: Some(owner.to_owned()), places: Vec::new() };
    let clauses = [
        ("SELECT ", Some(select)),
        (" FROM ", parts.from.as_ref()),
        (" WHERE ", parts.filter.as_ref()),
        (" FACET ", parts.facet.as_ref()),
    ];
    for (keyword, part) in clauses {
        let Some(part) = part else {
            if keyword == " FROM " {
                query.text.push_str(" FROM Metric");
            }
            continue;
        };
        let place = place(file, part);
        // The keyword is the key before the part: `from: X`, or on the line above it.
        let line_start = file.get(..place).and_then(|before| before.rfind('\n'));
        let word = keyword.trim_end();
        let key = place.saturating_sub(word.trim_start().len() + 2);
        let key = key.max(line_start.map_or(0, |newline| newline + 1));
        query.text.push_str(word.get(..word.len() - word.trim_start().len()).unwrap_or_default());
        query.places.push((query.text.len(), key));
        query.text.push_str(keyword.trim_start());
        query.places.push((query.text.len(), place));
        query.text.push_str(part.value.trim_end());
    }
    Some(query)
}

/// The first byte of a scalar's text: behind its quote or, of a block, on its first line.
fn place(file: &str, part: &Spanned<String>) -> usize {
    let line = usize::try_from(part.referenced.line()).unwrap_or(1).saturating_sub(1);
    let column = usize::try_from(part.referenced.column()).unwrap_or(1).saturating_sub(1);
    let start: usize = file.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = file.get(start..).unwrap_or_default();
    let width: usize = rest.chars().take(column).map(char::len_utf8).sum();
    let from = start + width;
    let written = file.get(from..).unwrap_or_default();
    let first_line = part.value.lines().next().unwrap_or_default();
    // Quotes and block markers come before the text; what has escapes is placed at its quote.
    let within = written.get(..).and_then(|rest| rest.find(first_line)).unwrap_or(0);
    let near = written.get(..within).is_some_and(|skipped| skipped.lines().count() <= 2);
    from + if near { within } else { 0 }
}
