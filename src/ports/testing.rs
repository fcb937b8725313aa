//! Ports for tests that need no network: a clock that jumps to its next timer, seeded entropy, any
//! [`Http`] and [`Disk`], no sockets.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use tokio::io::DuplexStream;
use tokio::task::LocalSet;

use crate::domain::units::UnixMillis;
use crate::ports::{
    Clock, Disk, DiskFile, DiskLock, Endpoint, Entropy, Http, HttpError, HttpLimits, HttpRequest,
    HttpResponse, Listener, Net, Ports,
};

/// Wall time at the origin of every [`TestClock`].
pub(crate) const EPOCH: UnixMillis = UnixMillis(1_700_000_000_000);

thread_local! {
    static LOCAL: LocalSet = LocalSet::new();
}

#[derive(Default)]
struct Timers {
    now: Duration,
    next: u64,
    waiting: BTreeMap<(Duration, u64), Waker>,
}

/// Virtual time that [`TestClock::run`] drives.
#[derive(Clone, Default)]
pub(crate) struct TestClock(Arc<Mutex<Timers>>);

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl TestClock {
    fn timers(&self) -> MutexGuard<'_, Timers> {
        self.0.lock().expect("no test panics while it holds the timers")
    }

    /// Lets `duration` pass while nothing runs.
    pub(crate) fn advance(&self, duration: Duration) {
        self.timers().now += duration;
    }

    /// Runs `future` to its end, and what it spawns beside it; time jumps to the next timer
    /// whenever all of them wait.
    pub(crate) fn run<F: Future>(&self, future: F) -> F::Output {
        // One for the whole test: what one run spawned goes on in the next.
        LOCAL.with(|local| self.drive(local.run_until(future)))
    }

    fn drive<F: Future>(&self, future: F) -> F::Output {
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(Arc::clone(&flag));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            if flag.0.swap(false, Ordering::AcqRel) {
                continue;
            }
            let due = {
                let mut timers = self.timers();
                let ((at, _), waker) =
                    timers.waiting.pop_first().expect("the future waits for nothing");
                timers.now = timers.now.max(at);
                waker
            };
            due.wake();
        }
    }
}

/// A timer; it waits in one place, however often it is polled, and leaves it when dropped.
struct Sleep {
    clock: TestClock,
    until: Duration,
    place: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut timers = clock.timers();
        if timers.now >= self.until {
            return Poll::Ready(());
        }
        let place = *self.place.get_or_insert(timers.next);
        timers.next = timers.next.max(place + 1);
        timers.waiting.insert((self.until, place), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.clock.timers().waiting.remove(&(self.until, place));
        }
    }
}

impl Clock for TestClock {
    fn wall(&self) -> UnixMillis {
        EPOCH.plus(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        self.timers().now
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        let until = self.monotonic().saturating_add(duration);
        Sleep { clock: self.clone(), until, place: None }
    }
}

/// A clock whose timers fire late, as real ones do.
#[derive(Clone)]
pub(crate) struct LateClock(pub(crate) TestClock, pub(crate) Duration);

impl Clock for LateClock {
    fn wall(&self) -> UnixMillis {
        self.0.wall()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        self.0.sleep(duration + self.1)
    }
}

/// Streams that depend on their purpose only.
#[derive(Clone)]
pub(crate) struct TestEntropy;

impl Entropy for TestEntropy {
    fn stream(&self, purpose: &str) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(xxhash_rust::xxh3::xxh3_64(purpose.as_bytes()))
    }
}

/// Neither network nor HTTP nor files.
#[derive(Clone)]
pub(crate) struct Nothing;

fn nothing<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Net for Nothing {
    type Stream = DuplexStream;
    type Listener = Nothing;

    async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        nothing()
    }

    async fn connect(&self, _to: &Endpoint) -> io::Result<DuplexStream> {
        nothing()
    }

    async fn listen(&self, _port: u16) -> io::Result<Nothing> {
        nothing()
    }
}

impl Http for Nothing {
    async fn send(&self, _: HttpRequest, _: HttpLimits) -> Result<HttpResponse, HttpError> {
        Err(HttpError::Request("no HTTP here".to_owned()))
    }
}

impl Listener for Nothing {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
        nothing()
    }

    fn port(&self) -> u16 {
        0
    }
}

impl DiskFile for Nothing {
    fn len(&self) -> io::Result<u64> {
        nothing()
    }

    fn read_at(&self, _offset: u64, _buffer: &mut [u8]) -> io::Result<()> {
        nothing()
    }

    fn write_at(&self, _offset: u64, _data: &[u8]) -> io::Result<()> {
        nothing()
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        nothing()
    }

    fn sync(&self) -> io::Result<()> {
        nothing()
    }
}

impl Disk for Nothing {
    type File = Nothing;

    fn open(&self, _path: &str) -> io::Result<Nothing> {
        nothing()
    }

    fn read(&self, _path: &str) -> io::Result<Vec<u8>> {
        nothing()
    }

    fn rename(&self, _from: &str, _to: &str) -> io::Result<()> {
        nothing()
    }

    fn remove(&self, _path: &str) -> io::Result<()> {
        nothing()
    }

    fn list(&self, _path: &str) -> io::Result<Vec<String>> {
        nothing()
    }

    fn lock(&self, _path: &str) -> io::Result<DiskLock> {
        nothing()
    }

    async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        job()
    }
}

/// Ports around one HTTP client, and a disk if a test needs one.
#[derive(Clone)]
pub(crate) struct TestPorts<H, D = Nothing> {
    pub(crate) clock: TestClock,
    pub(crate) http: H,
    pub(crate) disk: D,
}

impl<H> TestPorts<H> {
    pub(crate) fn new(clock: &TestClock, http: H) -> Self {
        Self { clock: clock.clone(), http, disk: Nothing }
    }
}

impl<H: Http, D: Disk> Ports for TestPorts<H, D> {
    type Clock = TestClock;
    type Entropy = TestEntropy;
    type Net = Nothing;
    type Http = H;
    type Disk = D;

    fn clock(&self) -> &TestClock {
        &self.clock
    }

    fn entropy(&self) -> &TestEntropy {
        &TestEntropy
    }

    fn net(&self) -> &Nothing {
        &Nothing
    }

    fn http(&self) -> &H {
        &self.http
    }

    fn disk(&self) -> &D {
        &self.disk
    }
}
