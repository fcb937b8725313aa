//! What the kernel costs: one virtual hour of keep-alive polls of N brokers every 10 s (4 KB
//! answers) and one post of 50 KB per round; over HTTP (hyper and axum included) and bare.

use std::future::Future;
use std::hint::black_box;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use shakedown::domain::units::UnixMillis;
use shakedown::ports::{Clock, Endpoint, Http, HttpLimits, Listener, Net, Ports};
use shakedown::rt;
use shakedown::rt::http::serve;
use shakedown::sim::kernel::{Kernel, KernelConfig, KernelPorts, KernelStream};
use shakedown::sim::seed::{Seed, below};
use shakedown::sim::time::SimTime;
use shakedown::sim::trace::{Sink, Trace};
use shakedown::sim::world::{NetworkFault, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ANSWER_BYTES: usize = 4 * 1024;
const POST_BYTES: usize = 50 * 1024;
const PORT: u16 = 9_092;
const ROUND: Duration = Duration::from_secs(10);
const LIMITS: HttpLimits =
    HttpLimits { timeout: Duration::from_secs(5), body_bytes_max: 1024 * 1024 };

fn add<F, Fut>(kernel: &mut Kernel, name: &str, main: F)
where
    F: Fn(KernelPorts) -> Fut + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let factory = Box::new(move |ports| Box::pin(main(ports)) as std::pin::Pin<Box<_>>);
    kernel.host(name, factory).expect("names differ");
}

/// Runs one virtual hour and gives the number of packets delivered.
fn hour<S, C, SFut, CFut>(brokers: u64, server: S, collector: C) -> u64
where
    S: Fn(KernelPorts) -> SFut + Copy + 'static,
    SFut: Future<Output = ()> + 'static,
    C: Fn(KernelPorts, u64) -> CFut + 'static,
    CFut: Future<Output = ()> + 'static,
{
    let seed = Seed(1);
    let config = KernelConfig::new(seed, UnixMillis(1_767_225_600_000));
    let mut kernel = Kernel::new(config, Trace::new(Sink::None));
    let mut rng = seed.stream("latency");
    add(&mut kernel, "collector", move |ports| collector(ports, brokers));
    for number in 0..=brokers {
        let name = server_name(number, brokers);
        add(&mut kernel, &name, server);
        let latency = Duration::from_micros(1_000 + below(&mut rng, 19_001));
        let (from, to, jitter) = ("collector".to_owned(), name, Duration::ZERO);
        let fault = NetworkFault::Latency { from, to, latency, jitter };
        kernel.apply(&fault).expect("both hosts exist");
    }
    kernel.run_until(SimTime::from_secs(3_600)).expect("nothing panics");
    kernel.stats().packets
}

/// The last server is the one that is posted to.
fn server_name(number: u64, brokers: u64) -> String {
    if number == brokers { "newrelic".to_owned() } else { format!("broker-{number}") }
}

async fn http_server(ports: KernelPorts) {
    let answer = Bytes::from(vec![b'x'; ANSWER_BYTES]);
    let router = Router::new()
        .route("/metrics", get(move || std::future::ready(answer.clone())))
        .route("/events", post(|_: Bytes| std::future::ready("{}")));
    let listener = ports.net().listen(PORT).await.expect("a free port");
    let never = rt::ShutdownHandle::new();
    serve("server", listener, router, never.signal()).await;
}

async fn http_collector(ports: KernelPorts, brokers: u64) {
    let request = |uri: String, body: Bytes| {
        let method = if body.is_empty() { "GET" } else { "POST" };
        http::Request::builder().method(method).uri(uri).body(body).expect("a valid request")
    };
    loop {
        let polls = (0..brokers).map(|number| {
            let ports = ports.clone();
            let uri = format!("http://broker-{number}:{PORT}/metrics");
            rt::spawn("poll", async move {
                ports.http().send(request(uri, Bytes::new()), LIMITS).await.expect("an answer")
            })
        });
        for poll in polls.collect::<Vec<_>>() {
            let answer = poll.await.expect("no panic");
            assert_eq!(answer.body().len(), ANSWER_BYTES);
        }
        let body = Bytes::from(vec![b'y'; POST_BYTES]);
        let uri = format!("http://newrelic:{PORT}/events");
        ports.http().send(request(uri, body), LIMITS).await.expect("an answer");
        ports.clock().sleep(ROUND).await;
    }
}

/// Reads a length, then as many bytes; answers 4 KB to a short request, 2 bytes to a long one.
async fn bare_server(ports: KernelPorts) {
    let mut listener = ports.net().listen(PORT).await.expect("a free port");
    while let Ok((mut stream, _)) = listener.accept().await {
        rt::spawn("serve", async move {
            let mut request = vec![0; POST_BYTES];
            while let Ok(len) = stream.read_u32().await {
                let request = &mut request[..len as usize];
                if stream.read_exact(request).await.is_err() {
                    return;
                }
                let answer_bytes = if request.len() == POST_BYTES { 2 } else { ANSWER_BYTES };
                if stream.write_all(&vec![0; answer_bytes]).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn bare_exchange(stream: &mut KernelStream, request: usize, answer: usize) {
    let mut message = u32::try_from(request).expect("small").to_be_bytes().to_vec();
    message.resize(4 + request, 0);
    stream.write_all(&message).await.expect("connected");
    stream.read_exact(&mut vec![0; answer]).await.expect("an answer");
}

async fn bare_collector(ports: KernelPorts, brokers: u64) {
    let mut streams = Vec::new();
    for number in 0..=brokers {
        let to = Endpoint::new(server_name(number, brokers), PORT);
        streams.push(ports.net().connect(&to).await.expect("a server"));
    }
    loop {
        let mut polls = Vec::new();
        let sink = streams.pop();
        for mut stream in streams.drain(..) {
            let clock = ports.clock().clone();
            polls.push(rt::spawn("poll", async move {
                let exchange = bare_exchange(&mut stream, 100, ANSWER_BYTES);
                clock.timeout(LIMITS.timeout, exchange).await.expect("in time");
                stream
            }));
        }
        for poll in polls {
            streams.push(poll.await.expect("no panic"));
        }
        if let Some(mut stream) = sink {
            bare_exchange(&mut stream, POST_BYTES, 2).await;
            streams.push(stream);
        }
        ports.clock().sleep(ROUND).await;
    }
}

fn polling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kernel/one_hour");
    group.sample_size(10);
    for brokers in [3, 10, 100] {
        group.bench_function(BenchmarkId::new("http", brokers), |bencher| {
            bencher.iter(|| black_box(hour(brokers, http_server, http_collector)));
        });
        group.bench_function(BenchmarkId::new("bare", brokers), |bencher| {
            bencher.iter(|| black_box(hour(brokers, bare_server, bare_collector)));
        });
    }
    group.finish();
}

criterion_group!(benches, polling);
criterion_main!(benches);
