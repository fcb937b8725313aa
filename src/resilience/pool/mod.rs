//! A worker pool: bounded queue, priorities, retries that free their worker.
