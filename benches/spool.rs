//! The durable spool: one chunk appended and settled, on a real folder with and without syncs, and
//! on the simulated disk.
//!
//! `cargo bench --bench spool` prints criterion's wall-clock figures, then (and with `-- --figures`
//! only these) the same cases in megabytes and entries per second, and what a spool costs a
//! simulation: opening one, and one append and settlement, in microseconds.

use std::borrow::Cow;
use std::io::Write as _;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use shakedown::adapters::{FileDisk, SystemClock};
use shakedown::domain::units::UnixMillis;
use shakedown::ports::{Clock, Disk};
use shakedown::sim::disk::DiskStore;
use shakedown::sim::seed::Seed;
use shakedown::stream::EncodedEvent;
use shakedown::stream::spool::{Chunk, ChunkId, Settlement, Spool, SpoolConfig};
use tokio::runtime::Runtime;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const SIZES: [usize; 3] = [1, 100, 1_000];
/// Bytes of one event; the pipeline's are of this size.
const EVENT_BYTES: usize = 700;

fn chunk(id: u64, events: usize) -> Chunk {
    let event = |n: usize| EncodedEvent {
        json: format!("{{\"n\":\"{:x<width$}\"}}", n, width = EVENT_BYTES - 8).into_bytes(),
        kind: Cow::Borrowed("MESSAGE_QUEUE_BROKER"),
    };
    let events = (0..events).map(event).collect();
    Chunk { id: ChunkId(id), enqueued_at: NOW, attempts: 0, events }
}

fn config(sync: bool) -> SpoolConfig {
    SpoolConfig { sync, ..SpoolConfig::default() }
}

async fn open<D: Disk>(disk: D, sync: bool) -> Spool<D> {
    Spool::open(disk, config(sync), NOW).await.expect("an empty folder").spool
}

/// One chunk comes and goes.
async fn turn<D: Disk>(spool: &Spool<D>, id: u64, chunk: &Chunk) {
    let chunk = Chunk { id: ChunkId(id), ..chunk.clone() };
    spool.append(vec![chunk]).await.expect("room");
    let removed = vec![ChunkId(id)];
    spool.settle(Settlement { removed, ..Settlement::default() }).await.expect("room");
}

/// A spool on a folder below `target`, which is a disk and not memory.
fn real(runtime: &Runtime, sync: bool) -> (tempfile::TempDir, Spool<FileDisk>) {
    let folder = tempfile::tempdir_in("target").expect("a target folder");
    let disk = FileDisk::new(folder.path()).expect("the folder");
    let spool = runtime.block_on(open(disk, sync));
    (folder, spool)
}

fn real_disk(criterion: &mut Criterion, runtime: &Runtime) {
    let mut group = criterion.benchmark_group("spool/append+settle");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for sync in [true, false] {
        for events in SIZES {
            let (_folder, spool) = real(runtime, sync);
            let (chunk, mut id) = (chunk(0, events), 0);
            let name = if sync { "sync" } else { "no sync" };
            group.throughput(Throughput::Elements(events as u64));
            group.bench_function(BenchmarkId::new(name, events), |bencher| {
                bencher.iter(|| {
                    id += 10_000;
                    runtime.block_on(turn(&spool, id, &chunk));
                });
            });
        }
    }
    group.finish();
}

fn simulated_disk(criterion: &mut Criterion, runtime: &Runtime) {
    let mut group = criterion.benchmark_group("spool/simulated");
    group.bench_function("open", |bencher| {
        bencher.iter(|| runtime.block_on(open(DiskStore::new(Seed(1)).mount(), true)));
    });
    for events in [3, 100] {
        let store = DiskStore::new(Seed(1));
        let spool = runtime.block_on(open(store.mount(), true));
        let (chunk, mut id) = (chunk(0, events), 0);
        group.bench_function(BenchmarkId::new("append+settle", events), |bencher| {
            bencher.iter(|| {
                id += 10_000;
                runtime.block_on(turn(&spool, id, &chunk));
            });
        });
    }
    group.finish();
}

/// How often `work` runs in a second.
fn per_second(mut work: impl FnMut()) -> f64 {
    let (clock, mut times) = (SystemClock::new(), 0_u32);
    while clock.monotonic() < Duration::from_secs(1) {
        work();
        times += 1;
    }
    f64::from(times) / clock.monotonic().as_secs_f64()
}

fn figures(runtime: &Runtime) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nappend and settle, one chunk after another, events of {EVENT_BYTES} bytes:")?;
    for sync in [true, false] {
        for events in SIZES {
            let (_folder, spool) = real(runtime, sync);
            let (chunk, mut id) = (chunk(0, events), 0);
            let turns = per_second(|| {
                id += 10_000;
                runtime.block_on(turn(&spool, id, &chunk));
            });
            let entries = turns * events as f64;
            writeln!(
                out,
                "  {:8}{events:5} events: {turns:8.0} chunks/s {entries:8.0} entries/s {:6.1} MB/s",
                if sync { "sync" } else { "no sync" },
                entries * EVENT_BYTES as f64 / 1e6,
            )?;
        }
    }
    let opens = per_second(|| drop(runtime.block_on(open(DiskStore::new(Seed(1)).mount(), true))));
    let spool = runtime.block_on(open(DiskStore::new(Seed(1)).mount(), true));
    let (chunk, mut id) = (chunk(0, 30), 0);
    let turns = per_second(|| {
        id += 10_000;
        runtime.block_on(turn(&spool, id, &chunk));
    });
    writeln!(
        out,
        "on the simulated disk: open and close {:.0} µs, append and settle 30 events {:.0} µs",
        1e6 / opens,
        1e6 / turns
    )
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    if !std::env::args().any(|argument| argument == "--figures") {
        let mut criterion = Criterion::default().configure_from_args();
        real_disk(&mut criterion, &runtime);
        simulated_disk(&mut criterion, &runtime);
        criterion.final_summary();
    }
    if let Err(error) = figures(&runtime) {
        let _ = writeln!(std::io::stderr(), "the figures cannot be printed: {error}");
    }
}
