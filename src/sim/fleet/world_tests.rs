//! Brokers on the kernel's hosts, and the real collector against them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::collect::Collection;
use crate::collect::kafka::{Jmx, KafkaCollector, KafkaSourceConfig};
use crate::domain::sample::{RawValue, Subject};
use crate::ports::{Clock, Endpoint, Ports};
use crate::resilience::breaker::Admitted;
use crate::rt::ShutdownHandle;
use crate::sim::kernel::{Kernel, KernelConfig, KernelPorts};
use crate::sim::trace::{Sink, TraceDigest};
use crate::sim::world::{CrashMode, HostFactory, NetworkFault, World};

const NOON: UnixMillis = UnixMillis(1_767_614_400_000);

type Cycle = (SimTime, Result<Collection, String>);
type Cycles = Rc<RefCell<Vec<Cycle>>>;

fn collector(fleet: &Fleet, cycles: &Cycles) -> HostFactory<KernelPorts> {
    let (fleet, cycles) = (fleet.clone(), Rc::clone(cycles));
    Box::new(move |ports: KernelPorts| {
        let bootstrap = fleet.broker_ids().into_iter().filter_map(|id| fleet.host(id));
        let bootstrap = bootstrap.map(|host| Endpoint::new(host.to_string(), WIRE_PORT)).collect();
        let mut config = KafkaSourceConfig::new("orders", bootstrap);
        config.jmx = Jmx::Port(JMX_PORT);
        let cycles = Rc::clone(&cycles);
        Box::pin(async move {
            let clock = ports.clock().clone();
            let mut collector = KafkaCollector::new(ports, config);
            loop {
                let started = SimTime::from(clock.monotonic());
                let collected = collector
                    .collect(Admitted::for_tests())
                    .await
                    .map_err(|error| error.to_string());
                cycles.borrow_mut().push((started, collected));
                let next = started + Duration::from_secs(15);
                clock.sleep(next - SimTime::from(clock.monotonic())).await;
            }
        })
    })
}

/// Two virtual minutes with broker 2 down from 40 s to 70 s.
fn run(seed: u64) -> (Fleet, Vec<Cycle>, TraceDigest) {
    let fleet = Fleet::new(FleetSpec::default(), Seed(seed), NOON).expect("possible");
    let trace = Trace::new(Sink::None);
    fleet.attach_trace(trace.clone());
    let mut kernel = Kernel::new(KernelConfig::new(Seed(seed), NOON), trace.clone());
    let stop = ShutdownHandle::new();
    for id in fleet.broker_ids() {
        let (fleet, stop) = (fleet.clone(), stop.clone());
        let host = fleet.host(id).expect("broker").to_string();
        let factory: HostFactory<KernelPorts> = Box::new(move |ports| {
            let (fleet, signal) = (fleet.clone(), stop.signal());
            Box::pin(async move {
                serve_broker(ports, fleet, id, signal).await.expect("ports are free")
            })
        });
        kernel.host(&host, factory).expect("a new host");
    }
    let cycles = Cycles::default();
    kernel.host("pipeline", collector(&fleet, &cycles)).expect("a new host");
    let host = fleet.host(2).expect("broker 2").to_string();
    kernel.run_until(SimTime::from_secs(40)).expect("calm");
    fleet.broker_down(2, kernel.now());
    let crash = NetworkFault::Crash { host: host.clone(), mode: CrashMode::Process };
    kernel.apply(&crash).expect("a crash");
    kernel.run_until(SimTime::from_secs(70)).expect("with a broker down");
    kernel.apply(&NetworkFault::Restart { host }).expect("a restart");
    kernel.run_until(SimTime::from_secs(120)).expect("with the broker back");
    let digest = trace.digest();
    drop(kernel);
    let cycles = std::mem::take(&mut *cycles.borrow_mut());
    (fleet, cycles, digest)
}

fn rate(collection: &Collection, broker: i32) -> Option<f64> {
    let wanted = Subject::Broker { broker_id: broker };
    let sample = collection.samples.iter().find(|sample| sample.subject == wanted)?;
    let name = "kafka_server_brokertopicmetrics_messagesin_total";
    sample.fields.iter().find_map(|field| match field.value {
        RawValue::Rate { per_second, .. } if field.name == name => Some(per_second),
        _ => None,
    })
}

#[test]
fn the_collector_sees_what_the_fleet_did() {
    let (fleet, cycles, _) = run(3);
    assert_eq!(cycles.len(), 8);
    let journal = fleet.take_journal();
    let scrapes = |broker: i32| {
        journal.iter().filter_map(move |seen| match &seen.what {
            Observed::Scrape(truth) if seen.broker == broker => Some((seen.at, truth)),
            _ => None,
        })
    };
    for (index, (at, collected)) in cycles.iter().enumerate() {
        let collection = collected.as_ref().expect("a broker answers");
        // The cycle at 45 s meets the dead broker; then it is fenced, so nobody speaks of it.
        let complete = index != 3;
        assert_eq!(collection.missing.is_empty(), complete, "at {at}: {:?}", collection.missing);
    }
    // Broker 1's rate in the second cycle is what its exporter said in both.
    let mut seen = scrapes(1);
    let (first, second) = (seen.next().expect("a scrape"), seen.next().expect("a scrape"));
    let grown = second.1.counters.all.messages_in - first.1.counters.all.messages_in;
    let expected = super::gauges::to_f64(grown) / 15.0;
    let measured = rate(cycles[1].1.as_ref().expect("collected"), 1).expect("a rate");
    assert!((measured - expected).abs() < expected * 0.01, "{measured} and {expected}");
    // A restarted broker's counters are known again one cycle after its first scrape.
    let after: Vec<_> = scrapes(2).filter(|(at, _)| *at > SimTime::from_secs(70)).collect();
    assert!(after.iter().all(|(_, truth)| truth.started_at == SimTime::from_secs(70)));
    assert_eq!(rate(cycles[5].1.as_ref().expect("collected"), 2), None);
    assert!(rate(cycles[6].1.as_ref().expect("collected"), 2).is_some());
    for id in 1..=3 {
        assert!(fleet.closed_connections(id).is_empty(), "{:?}", fleet.closed_connections(id));
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    assert_eq!(run(5).2, run(5).2);
    assert_ne!(run(5).2, run(6).2);
}
