//! Folding cycles: what wins, what is added, what is rolled up.
