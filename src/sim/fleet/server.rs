//! Serves brokers on a network: Kafka's wire protocol and the JMX exporter's HTTP.
//!
//! Invariants:
//! - Requests of one connection are answered in order, one at a time, as brokers do.
//! - Memory per connection is bounded by the largest frame; a frame's bytes are read as they come,
//!   never reserved because a length was claimed.
//!
//! Not modelled: connection limits, idle time-outs of connections.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State as AxumState;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::wire::{CloseReason, Connection, FRAME_BYTES_MAX, Outcome, Pending};
use super::{Fleet, JMX_PORT, WIRE_PORT};
use crate::ports::{Clock, Listener, Net, Ports};
use crate::rt::{self, Race, Shutdown};
use crate::sim::time::SimTime;

/// Why serving ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A port could not be bound.
    #[error("cannot listen on port {port} for broker {broker}: free it or choose another --port")]
    Listen {
        /// Broker.
        broker: i32,
        /// Port.
        port: u16,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no such broker.
    #[error("the fleet has no broker {0}")]
    UnknownBroker(i32),
    /// More brokers than ports.
    #[error("port {first} leaves no room for {brokers} brokers with two ports each")]
    Ports {
        /// First port asked for.
        first: u16,
        /// Number of brokers.
        brokers: usize,
    },
}

/// Where one broker of [`serve_fleet`] listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokerPort {
    /// Broker id.
    pub broker: i32,
    /// Kafka's port.
    pub port: u16,
    /// The JMX exporter's.
    pub jmx_port: u16,
}

/// How [`serve_fleet`] serves.
#[derive(Debug, Clone, PartialEq)]
pub struct ServeOptions {
    /// Host that brokers advertise.
    pub host: String,
    /// Kafka port of the first broker, the others follow; 0 picks free ones.
    pub port: u16,
    /// JMX port of the first broker, the others follow; 0 picks free ones.
    pub jmx_port: u16,
    /// Virtual seconds per real second.
    pub speed: f64,
}

/// A clock for tests of connections.
#[cfg(test)]
pub(super) fn test_clock<C: Clock>(clock: C) -> FleetClock<C> {
    FleetClock { clock, origin: Duration::ZERO, speed: 1.0 }
}

/// Virtual time of a served fleet: the host's monotonic clock from an origin on, times a speed.
#[derive(Clone)]
pub(super) struct FleetClock<C: Clock> {
    clock: C,
    origin: Duration,
    speed: f64,
}

impl<C: Clock> FleetClock<C> {
    fn now(&self) -> SimTime {
        let passed = self.clock.monotonic().saturating_sub(self.origin);
        // Exactly 1 in every simulation, where rounding would break determinism's proof.
        SimTime::from(if self.speed == 1.0 { passed } else { passed.mul_f64(self.speed) })
    }

    /// Lets so much virtual time pass.
    async fn pause(&self, time: Duration) {
        if !time.is_zero() {
            self.sleep_until(self.now() + time).await;
        }
    }

    async fn sleep_until(&self, at: SimTime) {
        let pause = at - self.now();
        let pause = if self.speed == 1.0 { pause } else { pause.div_f64(self.speed) };
        // Never spin: a pending request looks at most a thousand times a second.
        self.clock.sleep(pause.max(Duration::from_millis(1))).await;
    }
}

/// Serves broker `id` on ports 9092 and 7071 of its own host until `shutdown`, or until dropped.
///
/// The fleet's time is the clock's monotonic time, which must be the run's time on every host.
/// The broker is up from the call on: called again after a restart of its host, its counters
/// start at zero. Whoever takes the host down tells [`Fleet::broker_down`] at that instant, or
/// the cluster does not notice before the restart.
///
/// # Errors
/// [`ServeError`] when the broker does not exist or a port is taken.
pub async fn serve_broker<P: Ports>(
    ports: P,
    fleet: Fleet,
    id: i32,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    if fleet.host(id).is_none() {
        return Err(ServeError::UnknownBroker(id));
    }
    let clock = FleetClock { clock: ports.clock().clone(), origin: Duration::ZERO, speed: 1.0 };
    fleet.broker_serves(id, clock.now());
    let wire = listen(&ports, id, WIRE_PORT).await?;
    let jmx = listen(&ports, id, JMX_PORT).await?;
    spawn_jmx(&fleet, id, &clock, jmx, shutdown.clone());
    accept_all(wire, fleet, id, clock, shutdown).await;
    Ok(())
}

/// Serves all brokers of `fleet` on one host until `shutdown`; `started` hears where they are
/// before the first request is taken.
///
/// # Errors
/// [`ServeError`] when a port is taken or there are not enough.
pub async fn serve_fleet<P: Ports>(
    ports: P,
    fleet: Fleet,
    options: ServeOptions,
    shutdown: Shutdown,
    started: impl FnOnce(&[BrokerPort]),
) -> Result<(), ServeError> {
    let ids = fleet.broker_ids();
    let origin = ports.clock().monotonic();
    let clock = FleetClock { clock: ports.clock().clone(), origin, speed: options.speed };
    let port_of = |first: u16, index: usize| match first {
        0 => Ok(0),
        _ => u16::try_from(usize::from(first) + index)
            .map_err(|_| ServeError::Ports { first, brokers: ids.len() }),
    };
    let mut bound = Vec::new();
    let mut listeners = Vec::new();
    for (index, &id) in ids.iter().enumerate() {
        let wire = listen(&ports, id, port_of(options.port, index)?).await?;
        let jmx = listen(&ports, id, port_of(options.jmx_port, index)?).await?;
        fleet.advertise(id, &options.host, wire.port());
        bound.push(BrokerPort { broker: id, port: wire.port(), jmx_port: jmx.port() });
        listeners.push((id, wire, jmx));
    }
    started(&bound);
    for (id, wire, jmx) in listeners {
        spawn_jmx(&fleet, id, &clock, jmx, shutdown.clone());
        let serving = accept_all(wire, fleet.clone(), id, clock.clone(), shutdown.clone());
        rt::spawn(format!("broker-{id}"), serving);
    }
    shutdown.requested().await;
    Ok(())
}

async fn listen<P: Ports>(
    ports: &P,
    broker: i32,
    port: u16,
) -> Result<<P::Net as Net>::Listener, ServeError> {
    let bound = ports.net().listen(port).await;
    bound.map_err(|source| ServeError::Listen { broker, port, source })
}

async fn accept_all<L, C>(
    mut listener: L,
    fleet: Fleet,
    id: i32,
    clock: FleetClock<C>,
    shutdown: Shutdown,
) where
    L: Listener,
    L::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    C: Clock,
{
    loop {
        match rt::race(shutdown.requested(), listener.accept()).await {
            Race::First(()) => return,
            Race::Second(Ok((stream, peer))) => {
                let (fleet, clock) = (fleet.clone(), clock.clone());
                let connection = Connection::new(id, format!("/{}", peer.ip()));
                let shutdown = shutdown.clone();
                rt::spawn(format!("broker-{id}-connection"), async move {
                    let serving = serve_connection(stream, &fleet, connection, &clock);
                    let _ = rt::race(shutdown.requested(), serving).await;
                });
            }
            // Out of descriptors, or a peer that was gone before it was accepted.
            Race::Second(Err(error)) => {
                tracing::warn!(broker = id, %error, "Cannot accept a connection.");
                clock.clock.sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Answers one connection until it ends; bad frames end it with a counted reason.
pub(super) async fn serve_connection<S, C>(
    mut stream: S,
    fleet: &Fleet,
    connection: Connection,
    clock: &FleetClock<C>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Clock,
{
    let mut buffer = BytesMut::new();
    loop {
        let frame = match read_frame(&mut stream, &mut buffer).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(reason) => {
                fleet.connection_closed(connection.broker, reason);
                return;
            }
        };
        match answer(fleet, &connection, frame, clock).await {
            Ok(None) => {}
            Ok(Some(reply)) => {
                clock.pause(fleet.answer_delay(connection.broker)).await;
                let sent = stream.write_all(&reply.bytes).await.and(stream.flush().await);
                if reply.breaks_off {
                    fleet.connection_closed(connection.broker, CloseReason::BrokenOff);
                }
                if sent.is_err() || reply.breaks_off {
                    return;
                }
            }
            Err(reason) => {
                fleet.connection_closed(connection.broker, reason);
                return;
            }
        }
    }
}

/// Bytes to be sent.
struct Reply {
    bytes: Bytes,
    /// Whether the connection ends with them, in the middle of the answer.
    breaks_off: bool,
}

/// The answer to one frame, after as long a wait as the request allows.
async fn answer<C: Clock>(
    fleet: &Fleet,
    connection: &Connection,
    frame: Bytes,
    clock: &FleetClock<C>,
) -> Result<Option<Reply>, CloseReason> {
    let mut changed = fleet.0.changed.notified();
    let mut outcome = fleet.handle(connection, frame, clock.now());
    loop {
        let Pending { request, wake_at } = match outcome {
            Outcome::Reply(bytes) => return Ok(Some(Reply { bytes, breaks_off: false })),
            Outcome::BreakOff(bytes) => return Ok(Some(Reply { bytes, breaks_off: true })),
            Outcome::Silent => return Ok(None),
            Outcome::Close(reason) => return Err(reason),
            Outcome::Wait(pending) => *pending,
        };
        let _ = rt::race(changed, clock.sleep_until(wake_at)).await;
        changed = fleet.0.changed.notified();
        outcome = fleet.resume(connection, request, clock.now());
    }
}

/// The next frame without its length; `None` at a clean end.
async fn read_frame<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
) -> Result<Option<Bytes>, CloseReason> {
    loop {
        if let Some(prefix) = buffer.first_chunk::<4>() {
            let length = i32::from_be_bytes(*prefix);
            let length = usize::try_from(length).map_err(|_| CloseReason::InvalidLength)?;
            if length > FRAME_BYTES_MAX {
                return Err(CloseReason::FrameTooLarge);
            }
            if buffer.len() >= 4 + length {
                buffer.advance(4);
                return Ok(Some(buffer.split_to(length).freeze()));
            }
        }
        buffer.reserve(4_096);
        match stream.read_buf(buffer).await {
            Ok(0) if buffer.is_empty() => return Ok(None),
            Ok(0) => return Err(CloseReason::Truncated),
            Ok(_) => {}
            // The peer reset the connection: nothing to answer.
            Err(_) => return Ok(None),
        }
    }
}

#[derive(Clone)]
struct Exporter<C: Clock> {
    fleet: Fleet,
    id: i32,
    clock: FleetClock<C>,
}

fn spawn_jmx<L, C>(fleet: &Fleet, id: i32, clock: &FleetClock<C>, listener: L, shutdown: Shutdown)
where
    L: Listener,
    L::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    C: Clock,
{
    let exporter = Arc::new(Exporter { fleet: fleet.clone(), id, clock: clock.clone() });
    let router = Router::new().route("/metrics", get(metrics::<C>)).route("/", get(metrics::<C>));
    let router = router.with_state(exporter);
    let name = format!("broker-{id}-jmx");
    rt::spawn(name.clone(), async move {
        rt::http::serve(&name, listener, router, shutdown).await;
    });
}

async fn metrics<C: Clock>(
    AxumState(exporter): AxumState<Arc<Exporter<C>>>,
    headers: HeaderMap,
) -> Response {
    let now = exporter.clock.now();
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let page = exporter.fleet.scrape(exporter.id, now, agent.unwrap_or(""));
    exporter.clock.pause(exporter.fleet.answer_delay(exporter.id)).await;
    match page {
        Some(page) => ([(header::CONTENT_TYPE, kind)], page).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
