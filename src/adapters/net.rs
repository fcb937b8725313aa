//! Kernel sockets.
//!
//! Invariant: names resolve here and nowhere else, for HTTP too ([`super::ReqwestHttp`]), so an
//! unknown name is `NotFound` on every path.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::SystemClock;
use crate::ports::{Clock, Endpoint, Listener, Net};

/// Pause after an accept failed for want of resources (file descriptors, memory).
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// TCP of the operating system, Nagle's algorithm off.
#[derive(Debug, Clone, Copy)]
pub struct TokioNet {
    clock: SystemClock,
    listen_on: Option<IpAddr>,
}

impl TokioNet {
    /// The machine's network; `clock` paces the accept loop.
    pub fn new(clock: SystemClock) -> Self {
        Self { clock, listen_on: None }
    }

    /// The same network, but it listens on `address` only.
    #[must_use]
    pub fn listening_on(self, address: IpAddr) -> Self {
        Self { listen_on: Some(address), ..self }
    }
}

impl Net for TokioNet {
    type Stream = TcpStream;
    type Listener = TokioListener;

    #[expect(clippy::disallowed_methods, reason = "this is the real name service")]
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(literal) = host.parse() {
            return Ok(vec![literal]);
        }
        let found = tokio::net::lookup_host((host, 0)).await.map_err(lookup_error)?;
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in found {
            if !addresses.contains(&address.ip()) {
                addresses.push(address.ip());
            }
        }
        Ok(addresses)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the real network")]
    async fn connect(&self, to: &Endpoint) -> io::Result<TcpStream> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in self.resolve(&to.host).await? {
            match TcpStream::connect(SocketAddr::new(address, to.port)).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the real network")]
    async fn listen(&self, port: u16) -> io::Result<TokioListener> {
        // One socket for both address families where the machine has IPv6.
        let any = self.listen_on.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let listener = match TcpListener::bind((any, port)).await {
            Err(error) if self.listen_on.is_none() && error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?
            }
            other => other?,
        };
        let port = listener.local_addr()?.port();
        Ok(TokioListener { listener, port, clock: self.clock })
    }
}

/// The resolver's errors have no kind of their own; only "try again" is not a verdict on the name.
fn lookup_error(error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() || error.to_string().contains("emporary failure") {
        return error;
    }
    io::Error::new(io::ErrorKind::NotFound, error)
}

/// A bound TCP port.
#[derive(Debug)]
pub struct TokioListener {
    listener: TcpListener,
    port: u16,
    clock: SystemClock,
}

impl Listener for TokioListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    stream.set_nodelay(true)?;
                    return Ok((stream, peer));
                }
                // The client gave up while it was queued.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted
                            | io::ErrorKind::ConnectionReset
                            | io::ErrorKind::ConnectionRefused
                    ) => {}
                Err(error) => {
                    tracing::error!(port = self.port, %error, "Accept failed; trying again.");
                    self.clock.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn port(&self) -> u16 {
        self.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookup_errors_keep_what_they_know() {
        let check = |error: io::Error, expected| assert_eq!(lookup_error(error).kind(), expected);
        let text = "failed to lookup address information: Name or service not known";
        check(io::Error::other(text), io::ErrorKind::NotFound);
        let text = "failed to lookup address information: Temporary failure in name resolution";
        check(io::Error::other(text), io::ErrorKind::Other);
        check(io::Error::from_raw_os_error(13), io::ErrorKind::PermissionDenied);
    }

    #[tokio::test]
    async fn address_literals_need_no_resolver() {
        let net = TokioNet::new(SystemClock::new());
        for literal in ["127.0.0.1", "::1"] {
            assert_eq!(net.resolve(literal).await.unwrap(), [literal.parse::<IpAddr>().unwrap()]);
        }
    }
}
