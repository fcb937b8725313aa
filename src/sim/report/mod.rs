//! Verdicts as text, JSON, JUnit and pictures.
