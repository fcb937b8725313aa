//! What ends a sweep before its last seed: a signal, or its time.

use tokio::signal::unix::{SignalKind, signal};

use crate::config::quantity::DurationText;
use crate::rt::{Race, race};
use crate::sim::sweep::{Control, End};

/// From now on SIGINT and SIGTERM end the sweep, and `time` does when it is up.
///
/// # Errors
/// When the operating system gives no thread or no signals.
pub fn listen(control: Control, time: Option<DurationText>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let wait = async move {
        let mut signals = std::pin::pin!(race(interrupt.recv(), terminate.recv()));
        if let Some(DurationText(time)) = time {
            #[expect(clippy::disallowed_methods, reason = "how long people wait is real time")]
            let up = tokio::time::sleep(time);
            if let Race::Second(()) = race(signals.as_mut(), up).await {
                control.end(End::Time);
                signals.await;
            }
        } else {
            signals.await;
        }
        control.end(End::Interrupted);
    };
    let work = move || runtime.block_on(wait);
    std::thread::Builder::new().name("signals".to_owned()).spawn(work).map(|_| ())
}

/// A panic within a run is counted and told in the summary; its text does not go to standard error
/// once per run.
pub fn keep_panics_quiet() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some("run") {
            usual(panic);
        }
    }));
}
