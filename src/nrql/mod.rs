//! NRQL: lexer, parser, tree, printer, lint, evaluator over a columnar event store. Pure.
//!
//! Source: New Relic's "NRQL syntax, clauses, and functions" and its sibling pages; where nobody
//! says, the choice stands in the claims of the simulated New Relic.
//!
//! Invariants:
//! - Nothing here reads a clock: a query runs at an instant that the caller names.
//! - Whatever the text, the answer is a result or an error with its position: never a panic, never
//!   unbounded work or memory.
//! - parse → print → parse is the identity.

pub mod ast;
#[cfg(test)]
mod document;
mod error;
pub mod eval;
pub mod hashing;
mod legacy;
mod lex;
pub mod lint;
mod parse;
mod print;
mod result;
pub mod store;
pub mod template;
pub mod time;
mod value;
pub mod walk;

pub use error::{ErrorKind, NrqlError, Span, line_column};
pub use eval::{QueryContext, QueryLimits, run};
pub use legacy::Content;
pub use parse::{HEIGHT_MAX, NESTING_MAX, TEXT_BYTES_MAX, is_reserved, parse, parse_expression};
pub use print::expression_text;
pub use result::{Metadata, Outcome, QueryResult, Row, TimeWindow};
pub use value::{MetricKind, MetricValue, Value};
