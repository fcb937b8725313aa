//! The reference pipeline: what New Relic should hold, computed from the fleet's own journal.
//!
//! Pure, sequential, obvious, and written without the pipeline's own rooms: it shares no code with
//! `domain` (its instants apart), `transform`, `aggregate` or `synthesize`, so that a mistake there
//! cannot repeat here.
//!
//! Not modelled: batching, delivery, compression; those are judged by conservation.

pub mod arrival;
pub mod cycle;
pub mod expect;
pub mod gap;
pub mod guid;
pub mod health;
pub mod instant;
pub mod objects;
pub mod presence;
