//! Stages into cycles: schedule, run, account, drain.
