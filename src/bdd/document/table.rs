//! Rows of a table into cells.

use std::ops::Range;

use super::{Row, Text};

/// The cells of the row at `span` of `text`; `None` when it does not end with a `|`.
///
/// A `|`, a `\` and the end of a line are written `\|`, `\\` and `\n`.
pub(super) fn row(text: &str, span: Range<usize>) -> Option<Row> {
    let line = &text[span.clone()];
    let (mut cells, mut value, mut from) = (Vec::new(), String::new(), None);
    let mut letters = line.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '|' => {
                if let Some(from) = from.replace(at + 1) {
                    cells.push(cell(line, &value, from..at, span.start));
                }
                value.clear();
            }
            '\\' => match letters.clone().next() {
                Some((_, escaped @ ('|' | '\\' | 'n'))) => {
                    letters.next();
                    value.push(if escaped == 'n' { '\n' } else { escaped });
                }
                _ => value.push('\\'),
            },
            _ => value.push(letter),
        }
    }
    let ends = from == Some(line.len());
    ends.then_some(Row { cells, span })
}

/// A cell without the blanks around it; an empty one stands where its `|` does.
fn cell(line: &str, value: &str, range: Range<usize>, offset: usize) -> Text {
    let written = &line[range.clone()];
    let trimmed = written.trim();
    let start = offset + range.start + written.len() - written.trim_start().len();
    let span = if trimmed.is_empty() {
        offset + range.start..offset + range.end
    } else {
        start..start + trimmed.len()
    };
    Text { value: value.trim_matches([' ', '\t']).to_owned(), span }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_values_and_places() {
        let check = |line: &str, expected: Option<&[(&str, &str)]>| {
            let found = row(line, 0..line.len());
            let found: Option<Vec<(&str, &str)>> = found.as_ref().map(|row| {
                let cells = row.cells.iter();
                cells.map(|cell| (cell.value.as_str(), &line[cell.span.clone()])).collect()
            });
            assert_eq!(found.as_deref(), expected, "{line}");
        };
        check("| a | b c |", Some(&[("a", "a"), ("b c", "b c")]));
        check("|a|  |", Some(&[("a", "a"), ("", "  ")]));
        check(
            r"| a\|b | \\ | c\nd | \x |",
            Some(&[("a|b", r"a\|b"), (r"\", r"\\"), ("c\nd", r"c\nd"), (r"\x", r"\x")]),
        );
        check("| a | b", None);
        check(r"| a \|", None);
        check("|", Some(&[]));
    }
}
