//! Ctrl-C as a wish to end with what there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::rt::race;

/// A flag that SIGINT and SIGTERM set from now on; neither ends the process any more.
///
/// # Errors
/// When the operating system gives no thread or no signals.
pub fn flag() -> std::io::Result<Arc<AtomicBool>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    let work = move || {
        runtime.block_on(race(interrupt.recv(), terminate.recv()));
        set.store(true, Ordering::SeqCst);
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(work)?;
    Ok(flag)
}
