//! The threads' primitives that [`super::Windows`] stands on, of their own module so that a test
//! can put a checker's primitives in their place.

pub(super) use std::sync::{Mutex, MutexGuard};
