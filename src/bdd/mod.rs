//! Feature files: scenarios in words, run as simulations.
//!
//! A scenario's steps describe a simulated situation, let it run, and look at what New Relic holds
//! afterwards. Nothing here simulates: `When the simulation runs` hands a plain scenario to the
//! runner and gets its report back.
//!
//! Invariants:
//! - A step that no pattern of the catalogue matches, or more than one, is an error with its line;
//!   so is a scenario without a `Then`: none passes by being skipped.
//! - Steps only add to the story; what they may ask of a run is what its New Relic was told.
//! - A feature's outcome is a function of its text and the seed.
//!
//! Not modelled: other spoken languages than English, hooks, parallel steps.

pub mod pattern;
pub mod run;
pub mod steps;
pub mod story;

#[cfg(test)]
mod tests;
