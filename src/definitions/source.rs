//! Which file of a definitions folder is which, and which of them a view shows.
//!
//! The layout is that of newrelic/entity-definitions: `entity-types/<domain>-<type>/…` and
//! `relationships/{synthesis,candidates}/*.yml`. A file with `.stg` before its ending replaces its
//! sibling in New Relic's staging and is not seen in production.

/// One file of a definitions folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// `…/<domain>-<type>/definition.yml` and the like; errors repeat it.
    pub path: &'a str,
    /// Its whole text.
    pub text: &'a str,
}

/// Whose view of the files counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// Files without `.stg`.
    #[default]
    Production,
    /// A `.stg` file replaces its sibling.
    Staging,
}
