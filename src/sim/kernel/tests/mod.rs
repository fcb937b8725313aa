//! Tests of the kernel through its ports, as hosts use it.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::ports::{Clock, Endpoint, Listener, Net, Ports};
use crate::rt;
use crate::sim::trace::Sink;
use crate::sim::world::Direction;

mod chaos;
mod crash;
mod faults;
mod http;
mod links;
mod points;
mod sockets;
mod time;

/// 2026-01-01T00:00:00Z.
const EPOCH: UnixMillis = UnixMillis(1_767_225_600_000);
const PORT: u16 = 9_092;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Whole milliseconds of latency, no jitter: times in tests are sums by hand.
fn config(latency: Duration) -> KernelConfig {
    KernelConfig { latency, jitter: Duration::ZERO, ..KernelConfig::new(Seed(1), EPOCH) }
}

/// A world under test, with notes that its hosts take.
struct Stage {
    kernel: Kernel,
    trace: Trace,
    notes: Notes,
}

/// What hosts wrote down, with the time.
#[derive(Clone, Default)]
struct Notes(Rc<RefCell<Vec<(Duration, String)>>>);

impl Notes {
    fn add(&self, ports: &KernelPorts, text: impl Into<String>) {
        self.0.borrow_mut().push((ports.clock().monotonic(), text.into()));
    }

    /// `milliseconds text`, with fractions as far as needed.
    fn take(&self) -> Vec<String> {
        let notes = std::mem::take(&mut *self.0.borrow_mut());
        notes.into_iter().map(|(at, text)| format!("{} {text}", millis(at))).collect()
    }
}

fn millis(at: Duration) -> String {
    let ns = at.as_nanos();
    let text = format!("{}.{:06}", ns / 1_000_000, ns % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Stage {
    fn new(config: KernelConfig) -> Self {
        let trace = Trace::new(Sink::Memory(Vec::new()));
        Self { kernel: Kernel::new(config, trace.clone()), trace, notes: Notes::default() }
    }

    fn host<F, Fut>(&mut self, name: &str, main: F)
    where
        F: Fn(KernelPorts, Notes) -> Fut + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        let notes = self.notes.clone();
        let factory: HostFactory<KernelPorts> =
            Box::new(move |ports| Box::pin(main(ports, notes.clone())));
        self.kernel.host(name, factory).expect("a new name");
    }

    fn run(&mut self, until: Duration) {
        self.kernel.run_until(SimTime::from(until)).expect("no trouble");
    }

    fn apply(&mut self, fault: NetworkFault) {
        self.kernel.apply(&fault).expect("a fault the kernel knows");
    }

    fn partition(&mut self, from: &str, to: &str, direction: Direction) {
        self.apply(NetworkFault::Partition { from: from.into(), to: to.into(), direction });
    }

    fn repair(&mut self, from: &str, to: &str) {
        self.apply(NetworkFault::Repair { from: from.into(), to: to.into() });
    }

    fn crash(&mut self, host: &str, mode: CrashMode) {
        self.apply(NetworkFault::Crash { host: host.into(), mode });
    }

    fn restart(&mut self, host: &str) {
        self.apply(NetworkFault::Restart { host: host.into() });
    }

    fn notes(&self) -> Vec<String> {
        self.notes.take()
    }

    fn trace_text(&self) -> String {
        String::from_utf8(self.trace.finish().expect("kept in memory")).expect("text")
    }
}

async fn connect(ports: &KernelPorts, host: &str) -> std::io::Result<KernelStream> {
    ports.net().connect(&Endpoint::new(host, PORT)).await
}

/// Echoes every connection until its end.
async fn echo_server(ports: KernelPorts) {
    let mut listener = ports.net().listen(PORT).await.expect("a free port");
    while let Ok((mut stream, _)) = listener.accept().await {
        rt::spawn("echo", async move {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count) = stream.read(&mut buffer).await {
                if count == 0 || stream.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// One line back and forth; the error's kind when there is none.
async fn ping(stream: &mut KernelStream) -> Result<(), std::io::ErrorKind> {
    let exchange = async {
        stream.write_all(b"ping").await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        Ok(())
    };
    let result: std::io::Result<()> = exchange.await;
    result.map_err(|error| error.kind())
}
