//! A broker's place in the connection book: at most one connection, kept across cycles.
//!
//! Invariants:
//! - Whatever breaks the protocol or the transport closes the connection; a call that is dropped
//!   half-way (a deadline) closes it too, because its answer may still come.
//! - Within a cycle a connection is reopened at most once, and a broker that does not accept one
//!   is not asked again.

use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Request, StrBytes};

use super::error::{ClientError, IoFailure};
use super::wire::{Call, Connection, Traffic};
use crate::ports::{Endpoint, Net, Ports};
use crate::sometimes;

/// One broker as this collector is connected to it.
#[derive(Debug)]
pub(super) struct Peer<S> {
    connection: Option<Connection<S>>,
    opens_left: u8,
    /// Why it is not asked any more in this cycle.
    given_up: Option<ClientError>,
    /// Set while an answer is awaited: a call that was dropped leaves it set.
    half_way: bool,
    traffic: Traffic,
}

impl<S> Default for Peer<S> {
    fn default() -> Self {
        let traffic = Traffic::default();
        Self { connection: None, opens_left: 2, given_up: None, half_way: false, traffic }
    }
}

/// What a peer needs to open a connection.
pub(super) struct Dialer<'a, P: Ports> {
    pub(super) ports: &'a P,
    pub(super) client_id: &'a StrBytes,
    pub(super) frame_bytes_max: usize,
}

impl<P: Ports> Clone for Dialer<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Ports> Copy for Dialer<'_, P> {}

pub(super) type Stream<P> = <<P as Ports>::Net as Net>::Stream;

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send> Peer<S> {
    /// Forgets the last cycle's failures.
    pub(super) fn begin_cycle(&mut self) {
        self.given_up = None;
        self.close_if_half_way();
        self.opens_left = 1;
        match &mut self.connection {
            Some(connection) => connection.reused = true,
            None => self.opens_left = 2,
        }
    }

    /// The answer to a dropped call may still come: nothing else can be read there.
    fn close_if_half_way(&mut self) {
        if self.half_way {
            self.close();
        }
    }

    fn close(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            self.traffic.add(connection.take_traffic());
        }
        self.half_way = false;
    }

    /// Whether a connection is open.
    pub(super) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Whether the broker of the open connection offers an API at all.
    pub(super) fn offers(&self, key: ApiKey) -> bool {
        self.connection.as_ref().is_some_and(|c| c.offered().knows(key as i16))
    }

    /// The version that [`Peer::call`] would use now, if connected.
    pub(super) fn version<R: Call>(&self) -> Option<i16> {
        self.connection.as_ref().and_then(|c| c.offered().choose::<R>().ok())
    }

    /// What went over this peer's connections since the last call.
    pub(super) fn take_traffic(&mut self) -> Traffic {
        let mut traffic = std::mem::take(&mut self.traffic);
        if let Some(connection) = &mut self.connection {
            traffic.add(connection.take_traffic());
        }
        traffic
    }

    /// Connects unless connected.
    pub(super) async fn connect<P>(
        &mut self,
        dialer: Dialer<'_, P>,
        endpoint: &Endpoint,
    ) -> Result<(), ClientError>
    where
        P: Ports,
        P::Net: Net<Stream = S>,
    {
        self.close_if_half_way();
        if self.connection.is_some() {
            return Ok(());
        }
        if let Some(error) = &self.given_up {
            return Err(error.clone());
        }
        self.opens_left = self.opens_left.checked_sub(1).ok_or_else(|| ClientError::Lost {
            api: "connect",
            cause: IoFailure {
                kind: std::io::ErrorKind::NotConnected,
                text: "closed earlier in this cycle".to_owned(),
            },
        })?;
        let net = dialer.ports.net();
        let client_id = dialer.client_id.clone();
        let opened = Connection::open(net, endpoint, client_id, dialer.frame_bytes_max).await;
        match opened {
            Ok(connection) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err(error) => {
                self.given_up = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Sends a request, connecting first if need be; a connection of an earlier cycle that turns
    /// out to be closed is replaced once.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(super) async fn call<P, R>(
        &mut self,
        dialer: Dialer<'_, P>,
        endpoint: &Endpoint,
        make: impl Fn(i16) -> R + Send + Sync,
    ) -> Result<<R as Request>::Response, ClientError>
    where
        P: Ports,
        P::Net: Net<Stream = S>,
        R: Call + Send + Sync,
    {
        loop {
            self.connect(dialer, endpoint).await?;
            let Some(connection) = &mut self.connection else { continue };
            let reused = connection.reused;
            self.half_way = true;
            let result = connection.call(&make).await;
            self.half_way = false;
            let Err(error) = &result else { return result };
            if error.keeps_connection() {
                return result;
            }
            self.close();
            note(error);
            if self.opens_left == 0 {
                self.given_up = Some(error.clone());
                return result;
            }
            // The broker may have closed an idle connection since the last cycle.
            if !(reused && matches!(error, ClientError::Lost { .. })) {
                return result;
            }
        }
    }
}

/// What must have happened to a connection in some run of a sweep.
fn note(error: &ClientError) {
    sometimes!(BROKER_LOST, matches!(error, ClientError::Lost { .. }));
    sometimes!(FRAME_CUT_OFF, matches!(error, ClientError::Truncated { .. }));
    sometimes!(FRAME_CORRUPT, matches!(error, ClientError::Malformed { .. }));
    sometimes!(WRONG_CORRELATION_ID, matches!(error, ClientError::Correlation { .. }));
}
