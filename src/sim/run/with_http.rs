//! Ports with another HTTP arm; everything else is as it was.

use crate::ports::{Http, Ports};

/// `ports`, whose requests go through `http`.
#[derive(Clone)]
pub struct WithHttp<P, H> {
    /// Everything but HTTP.
    pub ports: P,
    /// HTTP.
    pub http: H,
}

impl<P: Ports, H: Http> Ports for WithHttp<P, H> {
    type Clock = P::Clock;
    type Entropy = P::Entropy;
    type Net = P::Net;
    type Http = H;
    type Disk = P::Disk;

    fn clock(&self) -> &P::Clock {
        self.ports.clock()
    }
    fn entropy(&self) -> &P::Entropy {
        self.ports.entropy()
    }
    fn net(&self) -> &P::Net {
        self.ports.net()
    }
    fn http(&self) -> &H {
        &self.http
    }
    fn disk(&self) -> &P::Disk {
        self.ports.disk()
    }
}
