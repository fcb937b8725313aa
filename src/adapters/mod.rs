//! The real world behind the ports: system clock, kernel sockets, reqwest, files.
//!
//! Invariants:
//! - Only the command line builds these; nothing that runs in a simulation can name them.
//! - This is the one room that may lift the bans on real time, sockets and entropy.

mod clock;
mod disk;
mod entropy;
mod http;
mod net;

use std::io;
use std::net::IpAddr;
use std::path::Path;

pub use clock::SystemClock;
pub use disk::{FileDisk, OpenFile};
pub use entropy::OsEntropy;
pub use http::ReqwestHttp;
pub use net::{TokioListener, TokioNet};

use crate::ports::Ports;

/// This process's view of the real world; its disk is one folder.
#[derive(Debug, Clone)]
pub struct RealPorts {
    clock: SystemClock,
    entropy: OsEntropy,
    net: TokioNet,
    http: ReqwestHttp,
    disk: FileDisk,
}

/// Why the real world is not usable.
#[derive(Debug, thiserror::Error)]
pub enum RealPortsError {
    /// The data folder cannot be made or opened.
    #[error("data folder {folder} is not usable")]
    Disk {
        /// The folder.
        folder: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The HTTP client cannot start: no TLS root certificates, most often.
    #[error("HTTP client cannot start")]
    Http(#[source] reqwest::Error),
}

impl RealPorts {
    /// The real world, with `folder` (made when absent) as the disk.
    ///
    /// # Errors
    /// See [`RealPortsError`].
    pub fn new(folder: &Path) -> Result<Self, RealPortsError> {
        let disk = FileDisk::new(folder).map_err(|source| RealPortsError::Disk {
            folder: folder.display().to_string(),
            source,
        })?;
        let clock = SystemClock::new();
        let net = TokioNet::new(clock);
        let http = ReqwestHttp::new(net, clock).map_err(RealPortsError::Http)?;
        Ok(Self { clock, entropy: OsEntropy, net, http, disk })
    }

    /// The same world, but its network listens on `address` only.
    #[must_use]
    pub fn listening_on(self, address: IpAddr) -> Self {
        Self { net: self.net.listening_on(address), ..self }
    }
}

impl Ports for RealPorts {
    type Clock = SystemClock;
    type Entropy = OsEntropy;
    type Net = TokioNet;
    type Http = ReqwestHttp;
    type Disk = FileDisk;

    fn clock(&self) -> &SystemClock {
        &self.clock
    }

    fn entropy(&self) -> &OsEntropy {
        &self.entropy
    }

    fn net(&self) -> &TokioNet {
        &self.net
    }

    fn http(&self) -> &ReqwestHttp {
        &self.http
    }

    fn disk(&self) -> &FileDisk {
        &self.disk
    }
}
