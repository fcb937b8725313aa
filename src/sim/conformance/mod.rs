//! One suite of cases for every arm of the ports: real sockets, the kernel, turmoil.
//!
//! A case is a server's and a client's future, generic over [`Ports`]; the client asks its arm for
//! faults through the [`Stage`]. What an arm cannot do it says by name, with the reason, and the
//! tests hold the exact list of such exceptions per arm, so that it cannot grow in silence.
//!
//! Invariants:
//! - Each case runs in a world of its own, and a case that never ends fails.
//! - A case that a real machine runs too asserts no upper bound on time that a loaded machine
//!   could miss; only cases made of simulated faults do.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use super::world::{CrashMode, Direction, NetworkFault};
use crate::ports::{Clock, Endpoint, Net, Ports};

mod arms;
mod disk;
mod faults;
mod http;
mod net;
mod tests;

/// Host that runs [`Case::server`]; it may crash and restart.
const SERVER: &str = "server";
/// Host that runs [`Case::client`].
const CLIENT: &str = "client";
/// A host without software.
const THIRD: &str = "third";

/// Enough for any step that should succeed, on a loaded machine too.
const GENEROUS: Duration = Duration::from_secs(60);
/// How long silence is listened to, where a real machine listens too.
const SHORT: Duration = Duration::from_millis(300);
/// How long silence is listened to in simulated time.
const LONG: Duration = Duration::from_secs(5);

/// One case over the ports `P`.
struct Case<P> {
    name: &'static str,
    server: fn(P, Stage) -> LocalBoxFuture<'static, ()>,
    client: fn(P, Stage) -> LocalBoxFuture<'static, Outcome>,
}

/// A client's end: a failed assertion panics, what an arm cannot do comes back as its reason.
type Outcome = Result<(), Cannot>;

/// Why an arm cannot do what a case needs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cannot(String);

/// What became of one case on one arm.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Pass,
    Fail(String),
    Cannot(String),
}

/// Somewhere to run cases.
trait Arm {
    /// What its hosts get.
    type Ports: Ports;
    /// Its name in the table.
    fn name(&self) -> &'static str;
    /// Runs one case in a fresh world.
    fn run(&self, case: &Case<Self::Ports>) -> Verdict;
}

macro_rules! case {
    ($name:literal, $server:path, $client:path) => {
        $crate::sim::conformance::Case {
            name: $name,
            server: |ports, stage| Box::pin($server(ports, stage)),
            client: |ports, stage| Box::pin($client(ports, stage)),
        }
    };
}
use case;

/// Every case, by theme.
fn cases<P: Ports>() -> Vec<Case<P>> {
    let mut cases = net::cases();
    cases.extend(faults::cases());
    cases.extend(http::cases());
    cases.extend(disk::cases());
    cases
}

/// Runs `cases` on `arm`, in order.
fn run<A: Arm>(arm: &A, cases: &[Case<A::Ports>]) -> Column {
    let run = |case: &Case<_>| (case.name, arm.run(case));
    Column { arm: arm.name(), verdicts: cases.iter().map(run).collect() }
}

/// One arm's verdicts, in the order of the cases.
#[derive(Debug)]
struct Column {
    arm: &'static str,
    verdicts: Vec<(&'static str, Verdict)>,
}

/// The table of arms and cases, in Markdown, with the reasons below.
fn table(columns: &[Column]) -> String {
    let mut text = String::from("| case |");
    let mut rule = String::from("| --- |");
    for column in columns {
        let _ = write!(text, " {} |", column.arm);
        rule.push_str(" --- |");
    }
    let _ = write!(text, "\n{rule}\n");
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in columns.iter().flat_map(|column| &column.verdicts) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let mut reasons: Vec<String> = Vec::new();
    for name in names {
        let _ = write!(text, "| {name} |");
        for column in columns {
            let verdict = column.verdicts.iter().find(|(case, _)| *case == name);
            let cell = match verdict {
                Some((_, Verdict::Pass)) => "yes".to_owned(),
                Some((_, Verdict::Fail(_))) => "**fails**".to_owned(),
                Some((_, Verdict::Cannot(reason))) => {
                    let at = reasons.iter().position(|known| known == reason);
                    let number = at.unwrap_or_else(|| {
                        reasons.push(reason.clone());
                        reasons.len() - 1
                    });
                    format!("no ({})", number + 1)
                }
                None => "".to_owned(),
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    for (number, reason) in reasons.iter().enumerate() {
        let _ = write!(text, "\n{}. {reason}", number + 1);
    }
    text.push('\n');
    text
}

/// What a client may ask of its arm.
#[derive(Debug, Clone)]
enum Control {
    /// A fault, now.
    Fault(NetworkFault),
    /// An endpoint that never answers a SYN.
    BlackHole,
    /// A name with several addresses: first one that refuses, then the server's.
    Alias,
}

/// What the two hosts and their arm share; survives crashes, as a test's notebook must.
#[derive(Clone)]
struct Stage(Arc<Mutex<Notebook>>);

struct Notebook {
    server: String,
    ports: BTreeMap<&'static str, u16>,
    notes: BTreeMap<&'static str, u64>,
    asked: VecDeque<Control>,
    answered: VecDeque<Result<String, Cannot>>,
    verdict: Option<Verdict>,
}

impl Stage {
    /// A stage whose server the client reaches as `server`.
    fn new(server: &str) -> Self {
        Self(Arc::new(Mutex::new(Notebook {
            server: server.to_owned(),
            ports: BTreeMap::new(),
            notes: BTreeMap::new(),
            asked: VecDeque::new(),
            answered: VecDeque::new(),
            verdict: None,
        })))
    }

    fn book(&self) -> MutexGuard<'_, Notebook> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a note that the other host can read.
    fn note(&self, key: &'static str, value: u64) {
        self.book().notes.insert(key, value);
    }

    /// Adds one to a note.
    fn count(&self, key: &'static str) {
        self.add(key, 1);
    }

    /// Adds to a note.
    fn add(&self, key: &'static str, value: u64) {
        *self.book().notes.entry(key).or_default() += value;
    }

    /// A note; 0 when nobody set it.
    fn noted(&self, key: &'static str) -> u64 {
        self.book().notes.get(key).copied().unwrap_or(0)
    }

    /// Waits until a note is at least `value`.
    async fn until<P: Ports>(&self, ports: &P, key: &'static str, value: u64) {
        let started = ports.clock().monotonic();
        while self.noted(key) < value {
            assert!(ports.clock().monotonic() - started < GENEROUS, "`{key}` never became {value}");
            ports.clock().sleep(Duration::from_millis(5)).await;
        }
    }

    /// Listens on a free port at first, and on the same port in every later life of the host.
    async fn listen<P: Ports>(&self, ports: &P) -> <P::Net as Net>::Listener {
        use crate::ports::Listener as _;
        let known = self.book().ports.get("main").copied();
        let listener = ports.net().listen(known.unwrap_or(0)).await.expect("a port to listen on");
        self.book().ports.insert("main", listener.port());
        listener
    }

    /// The server's endpoint, once it listens.
    async fn server<P: Ports>(&self, ports: &P) -> Endpoint {
        let started = ports.clock().monotonic();
        loop {
            let found = {
                let book = self.book();
                book.ports.get("main").map(|port| Endpoint::new(book.server.clone(), *port))
            };
            if let Some(server) = found {
                return server;
            }
            assert!(ports.clock().monotonic() - started < GENEROUS, "the server never listened");
            ports.clock().sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks the arm for something and waits until it is done.
    async fn ask<P: Ports>(&self, ports: &P, control: Control) -> Result<String, Cannot> {
        self.book().asked.push_back(control);
        loop {
            ports.clock().sleep(Duration::from_millis(5)).await;
            if let Some(answer) = self.book().answered.pop_front() {
                return answer;
            }
        }
    }

    async fn fault<P: Ports>(&self, ports: &P, fault: NetworkFault) -> Outcome {
        self.ask(ports, Control::Fault(fault)).await.map(|_| ())
    }

    async fn partition<P: Ports>(
        &self,
        ports: &P,
        from: &str,
        to: &str,
        direction: Direction,
    ) -> Outcome {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.fault(ports, NetworkFault::Partition { from, to, direction }).await
    }

    async fn repair<P: Ports>(&self, ports: &P) -> Outcome {
        let (from, to) = (CLIENT.to_owned(), SERVER.to_owned());
        self.fault(ports, NetworkFault::Repair { from, to }).await
    }

    async fn crash<P: Ports>(&self, ports: &P, mode: CrashMode) -> Outcome {
        self.fault(ports, NetworkFault::Crash { host: SERVER.to_owned(), mode }).await
    }

    async fn restart<P: Ports>(&self, ports: &P) -> Outcome {
        self.fault(ports, NetworkFault::Restart { host: SERVER.to_owned() }).await
    }

    /// The arm's side: what was asked and not answered yet.
    fn next_request(&self) -> Option<Control> {
        self.book().asked.pop_front()
    }

    fn answer(&self, answer: Result<String, Cannot>) {
        self.book().answered.push_back(answer);
    }

    fn finish(&self, outcome: Outcome) {
        self.book().verdict = Some(match outcome {
            Ok(()) => Verdict::Pass,
            Err(Cannot(reason)) => Verdict::Cannot(reason),
        });
    }

    fn verdict(&self) -> Option<Verdict> {
        self.book().verdict.clone()
    }
}
