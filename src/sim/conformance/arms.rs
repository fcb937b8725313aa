//! The arms: a real machine, and any simulated world.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::poll_fn;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::LocalSet;

use super::{Arm, CLIENT, Cannot, Case, Control, SERVER, Stage, THIRD, Verdict};
use crate::adapters::{OsEntropy, RealPorts, SystemClock, TokioNet};
use crate::ports::{Clock, Ports};
use crate::rt::http::HttpOverNet;
use crate::rt::{self, Race};
use crate::sim::time::SimTime;
use crate::sim::world::{CrashMode, Direction, HostFactory, NetworkFault, World, WorldError};

/// A case that takes longer on a real machine hangs.
const REAL_MAX: Duration = Duration::from_secs(150);
/// A case that takes longer in simulated time hangs.
const SIMULATED_MAX: SimTime = SimTime::from_secs(1_800);
/// How often the arm looks for requests, in simulated time.
const SLICE: Duration = Duration::from_millis(10);

/// Simulated hosts in a world that `build` makes for each case.
pub(super) struct WorldArm<W> {
    pub name: &'static str,
    pub seed: u64,
    pub build: fn(u64) -> W,
    pub alias: fn(&mut W, &str, &[&str]) -> Result<(), WorldError>,
}

impl<W: World> WorldArm<W> {
    fn control(&self, world: &mut W, control: &Control) -> Result<String, Cannot> {
        let cannot = |error: WorldError| Cannot(error.to_string());
        match control {
            Control::Fault(fault) => world.apply(fault).map(|()| String::new()).map_err(cannot),
            Control::BlackHole => {
                let (from, to) = (CLIENT.to_owned(), THIRD.to_owned());
                let fault = NetworkFault::Partition { from, to, direction: Direction::Both };
                world.apply(&fault).map_err(cannot)?;
                Ok(format!("{THIRD}:80"))
            }
            Control::Alias => {
                (self.alias)(world, "several", &[THIRD, SERVER]).map_err(cannot)?;
                Ok("several".to_owned())
            }
        }
    }

    fn drive(&self, world: &mut W, stage: &Stage) -> Verdict {
        while world.now() < SIMULATED_MAX {
            if let Err(error) = world.run_until(world.now() + SLICE) {
                return Verdict::Fail(error.to_string());
            }
            while let Some(control) = stage.next_request() {
                stage.answer(self.control(world, &control));
            }
            if let Some(verdict) = stage.verdict() {
                return verdict;
            }
        }
        Verdict::Fail(format!("no verdict at {SIMULATED_MAX}"))
    }
}

impl<W: World> Arm for WorldArm<W> {
    type Ports = W::Ports;

    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, case: &Case<W::Ports>) -> Verdict {
        rt::take_panics();
        let (mut world, stage) = ((self.build)(self.seed), Stage::new(SERVER));
        let [server, client] = factories(case, &stage);
        let third: HostFactory<W::Ports> = Box::new(|_| Box::pin(async {}));
        for (name, factory) in [(SERVER, server), (THIRD, third), (CLIENT, client)] {
            if let Err(error) = world.host(name, factory) {
                return Verdict::Fail(error.to_string());
            }
        }
        self.drive(&mut world, &stage)
    }
}

/// Both hosts' main futures.
fn factories<P: Ports>(case: &Case<P>, stage: &Stage) -> [HostFactory<P>; 2] {
    let (server, client) = (case.server, case.client);
    let (at_server, at_client) = (stage.clone(), stage.clone());
    [
        Box::new(move |ports| server(ports, at_server.clone())),
        Box::new(move |ports| {
            let stage = at_client.clone();
            Box::pin(async move {
                let outcome = client(ports, stage.clone()).await;
                stage.finish(outcome);
            })
        }),
    ]
}

/// This machine: its sockets, its files; hosts are task sets of one thread.
pub(super) struct RealArm<P> {
    pub name: &'static str,
    pub ports: fn(&Path) -> P,
}

/// One host of the real arm; without tasks it is down.
struct RealHost<P> {
    factory: HostFactory<P>,
    folder: tempfile::TempDir,
    tasks: Option<LocalSet>,
    name: &'static str,
}

impl<P: Ports> RealHost<P> {
    fn start(&mut self, ports: fn(&Path) -> P) {
        let main = (self.factory)(ports(self.folder.path()));
        let (tasks, name) = (LocalSet::new(), self.name);
        tasks.spawn_local(async move {
            if let Err(payload) = std::panic::AssertUnwindSafe(main).catch_unwind().await {
                rt::record_panic(name, payload.as_ref());
            }
        });
        self.tasks = Some(tasks);
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(tasks) = &mut self.tasks {
            // A set without tasks is a host that is up and idle.
            let _ = Pin::new(tasks).poll(cx);
        }
    }
}

/// Listeners that must stay full, and what fills them.
type Holes = Vec<(TcpListener, Vec<TcpStream>)>;

impl<P: Ports> RealArm<P> {
    fn control(&self, host: &mut RealHost<P>, control: &Control) -> Result<String, Cannot> {
        let cannot = |what: &str| Err(Cannot(format!("this machine {what}")));
        match control {
            Control::BlackHole => cannot("makes a black hole elsewhere"),
            Control::Alias => cannot("takes names from the system's resolver"),
            Control::Fault(NetworkFault::Crash { mode: CrashMode::Process, .. }) => {
                host.tasks = None;
                Ok(String::new())
            }
            Control::Fault(NetworkFault::Restart { .. }) => {
                host.start(self.ports);
                Ok(String::new())
            }
            Control::Fault(NetworkFault::Crash { .. }) => cannot("cannot lose power in a test"),
            Control::Fault(NetworkFault::Skew { .. }) => cannot("has one clock for all"),
            Control::Fault(_) => cannot("has no faults on its loopback link"),
        }
    }

    async fn drive(&self, hosts: &mut [RealHost<P>; 2], stage: &Stage) -> Verdict {
        let mut holes = Holes::new();
        loop {
            let request = poll_fn(|cx| {
                for host in hosts.iter_mut() {
                    host.poll(cx);
                }
                let panics = rt::take_panics();
                if let Some(panic) = panics.first() {
                    return Poll::Ready(Err(Verdict::Fail(panic.message.clone())));
                }
                if let Some(verdict) = stage.verdict() {
                    return Poll::Ready(Err(verdict));
                }
                stage.next_request().map_or(Poll::Pending, |control| Poll::Ready(Ok(control)))
            });
            match request.await {
                Err(verdict) => return verdict,
                Ok(Control::BlackHole) => stage.answer(Ok(black_hole(&mut holes).await)),
                Ok(control) => stage.answer(self.control(&mut hosts[0], &control)),
            }
        }
    }
}

/// A listener whose queue is full: Linux drops further SYNs.
async fn black_hole(holes: &mut Holes) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let (clock, mut queued) = (SystemClock::new(), Vec::new());
    let patience = Duration::from_millis(500);
    loop {
        let connect = TcpSocket::new_v4().unwrap().connect(address);
        match clock.timeout(patience, connect).await {
            Ok(connected) => queued.push(connected.unwrap()),
            Err(_) => break,
        }
    }
    assert!(!queued.is_empty());
    holes.push((listener, queued));
    address.to_string()
}

impl<P: Ports> Arm for RealArm<P> {
    type Ports = P;

    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, case: &Case<P>) -> Verdict {
        rt::take_panics();
        let stage = Stage::new("127.0.0.1");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let [server, client] = factories(case, &stage);
        let host = |name, factory| {
            let folder = tempfile::tempdir().unwrap();
            let mut host = RealHost { factory, folder, tasks: None, name };
            host.start(self.ports);
            host
        };
        runtime.block_on(async {
            let mut hosts = [host(SERVER, server), host(CLIENT, client)];
            let clock = SystemClock::new();
            match rt::race(self.drive(&mut hosts, &stage), clock.sleep(REAL_MAX)).await {
                Race::First(verdict) => verdict,
                Race::Second(()) => Verdict::Fail(format!("no verdict within {REAL_MAX:?}")),
            }
        })
    }
}

/// The real world, with the simulations' HTTP client in place of reqwest.
#[derive(Clone)]
pub(super) struct OverNetPorts {
    real: RealPorts,
    http: HttpOverNet<TokioNet, SystemClock>,
}

impl OverNetPorts {
    pub fn new(folder: &Path) -> Self {
        let real = RealPorts::new(folder).unwrap();
        let http = HttpOverNet::new(*real.net(), *real.clock());
        Self { real, http }
    }
}

impl Ports for OverNetPorts {
    type Clock = SystemClock;
    type Entropy = OsEntropy;
    type Net = TokioNet;
    type Http = HttpOverNet<TokioNet, SystemClock>;
    type Disk = <RealPorts as Ports>::Disk;

    fn clock(&self) -> &SystemClock {
        self.real.clock()
    }

    fn entropy(&self) -> &OsEntropy {
        self.real.entropy()
    }

    fn net(&self) -> &TokioNet {
        self.real.net()
    }

    fn http(&self) -> &Self::Http {
        &self.http
    }

    fn disk(&self) -> &Self::Disk {
        self.real.disk()
    }
}
