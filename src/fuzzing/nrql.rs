//! Fuzz entry of NRQL's language side: parse, print, lint, times.

use crate::domain::units::UnixMillis;
use crate::nrql::ast::Statement;
use crate::nrql::lint::{Catalogue, lint};
use crate::nrql::{ErrorKind, line_column, parse, template, time};

/// Any text as a query: it is refused with a place inside it, or it prints to itself.
///
/// # Panics
/// When what a query prints does not parse to the same tree, or an error has no place in the text.
pub fn nrql(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    drop(template::names(text));
    let tree = match parse(text) {
        Ok(tree) => tree,
        Err(error) => {
            let span = error.span.unwrap_or_default();
            assert!(span.start <= span.end && span.end <= text.len(), "{error}: outside the text");
            let (line, column) = line_column(text, &span);
            assert!(line > 0 && column > 0);
            return;
        }
    };
    let printed = tree.to_string();
    match parse(&printed) {
        Ok(again) => assert_eq!(again, tree, "{printed}"),
        // Canonical forms can be longer and deeper than what was written.
        Err(error) => assert_eq!(error.kind, ErrorKind::Limit, "{printed}: {error}"),
    }
    drop(lint(&tree, Some(&Catalogue::message_queue())));
    if let Statement::Select(query) = &tree {
        drop(time::window(query, UnixMillis(1_702_902_896_789)));
    }
}
