//! What a host on turmoil is given.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::fabric::{Fabric, HostId};
use super::net::TurmoilNet;
use crate::domain::units::UnixMillis;
use crate::ports::{Clock, Entropy, Ports};
use crate::rt::http::HttpOverNet;
use crate::sim::disk::{DiskStore, SimDisk};
use crate::sim::seed::Seed;

/// One host's view of a turmoil world; made anew at every start of the host.
#[derive(Clone)]
pub struct TurmoilPorts {
    clock: TurmoilClock,
    entropy: SeededEntropy,
    net: TurmoilNet,
    http: HttpOverNet<TurmoilNet, TurmoilClock>,
    disk: SimDisk,
}

impl TurmoilPorts {
    pub(super) fn new(fabric: &Fabric, host: HostId, disk: &DiskStore) -> Self {
        let name = fabric.lock().name(host);
        let clock = TurmoilClock { fabric: fabric.clone(), host };
        let net = TurmoilNet { fabric: fabric.clone(), host };
        let http = HttpOverNet::new(net.clone(), clock.clone());
        let disk = disk.mount_on(&clock);
        // The kernel's derivation, so that a host draws the same on both networks.
        let entropy = SeededEntropy(fabric.seed.child(&name));
        Self { clock, entropy, net, http, disk }
    }
}

impl Ports for TurmoilPorts {
    type Clock = TurmoilClock;
    type Entropy = SeededEntropy;
    type Net = TurmoilNet;
    type Http = HttpOverNet<TurmoilNet, TurmoilClock>;
    type Disk = SimDisk;

    fn clock(&self) -> &TurmoilClock {
        &self.clock
    }

    fn entropy(&self) -> &SeededEntropy {
        &self.entropy
    }

    fn net(&self) -> &TurmoilNet {
        &self.net
    }

    fn http(&self) -> &HttpOverNet<TurmoilNet, TurmoilClock> {
        &self.http
    }

    fn disk(&self) -> &SimDisk {
        &self.disk
    }
}

/// Simulated time; monotonic time counts from the start of the run.
#[derive(Clone)]
pub struct TurmoilClock {
    fabric: Fabric,
    host: HostId,
}

impl Clock for TurmoilClock {
    fn wall(&self) -> UnixMillis {
        let skew = self.fabric.lock().skew_ms(self.host);
        self.fabric.epoch.plus(self.monotonic()).plus_millis(skew)
    }

    fn monotonic(&self) -> Duration {
        self.fabric.now().since_start()
    }

    async fn sleep(&self, duration: Duration) {
        // Counted, so that a loop of empty sleeps is found out.
        self.fabric.wait(|_| Some(())).await;
        #[expect(clippy::disallowed_methods, reason = "this is the simulated clock")]
        tokio::time::sleep(duration).await;
    }
}

/// Streams of the run's seed, by host and purpose.
#[derive(Debug, Clone, Copy)]
pub struct SeededEntropy(Seed);

impl Entropy for SeededEntropy {
    fn stream(&self, purpose: &str) -> ChaCha8Rng {
        self.0.stream(purpose)
    }
}
