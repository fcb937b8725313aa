//! Whether a rule's conditions hold.
