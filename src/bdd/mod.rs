//! Feature files: scenarios in words, run as simulations.
//!
//! A scenario's steps describe a simulated situation, let it run, and look at what New Relic holds
//! afterwards. Nothing here simulates: `When the simulation runs` hands a plain scenario to the
//! runner and gets its report back.
//!
//! - `document`: a file as a tree whose every text knows its place, and what is wrong with it
//! - `pattern`, `steps`: words with typed holes, and the catalogue of steps
//! - `suite`: files to trials, lint included; what comes of a trial
//! - `report`, `reference`: verdicts and catalogue for people and programs
//!
//! Invariants:
//! - Nothing in a file is swallowed: a line that is no step, no keyword and no description is an
//!   error with its place; so is a step that no pattern matches, or more than one, and a scenario
//!   without a `Then`.
//! - Steps only add to the story; what they may ask of a run is what its New Relic was told.
//! - A feature's outcome is a function of its text and the seed.
//!
//! Not modelled: other spoken languages than English, hooks, parallel steps.

pub mod document;
pub mod pattern;
pub mod reference;
pub mod report;
pub mod steps;
pub mod story;
pub mod suite;

#[cfg(test)]
mod tests;
