//! Pages on simulated sockets.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use axum::http::Request;

use super::*;
use crate::collect::kafka::{Jmx, KafkaSourceConfig};
use crate::domain::units::UnixMillis;
use crate::pipeline::{Cycles, KafkaSource, Pipeline};
use crate::ports::{Http, HttpLimits, Net, Ports};
use crate::rt::ShutdownHandle;
use crate::sim::fleet::{Fleet, FleetSpec, serve_broker};
use crate::sim::kernel::{Kernel, KernelConfig, KernelPorts};
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;
use crate::sim::trace::{Sink, Trace};
use crate::sim::world::World;

/// The same pages on simulated sockets, in front of a pipeline whose every port is simulated.
#[test]
fn pages_are_served_in_the_simulated_world() {
    let epoch = UnixMillis(1_700_000_005_000);
    let spec = FleetSpec { topics: 3, groups: 2, ..FleetSpec::default() };
    let fleet = Fleet::new(spec, Seed(7), epoch).expect("possible");
    let mut kernel = Kernel::new(KernelConfig::new(Seed(7), epoch), Trace::new(Sink::None));
    for id in fleet.broker_ids() {
        let (fleet, host) = (fleet.clone(), format!("orders-broker-{id}"));
        let serve = move |ports| -> Pin<Box<dyn Future<Output = ()>>> {
            let fleet = fleet.clone();
            Box::pin(async move {
                let signal = ShutdownHandle::new().signal();
                serve_broker(ports, fleet, id, signal).await.expect("serves");
            })
        };
        kernel.host(&host, Box::new(serve)).expect("new");
    }
    kernel.host("pipeline", Box::new(|ports| Box::pin(simulated_pipeline(ports)))).expect("new");
    let answers = Rc::new(RefCell::new(Vec::new()));
    let heard = Rc::clone(&answers);
    let probe = move |ports: KernelPorts| -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(probe(ports, Rc::clone(&heard)))
    };
    kernel.host("probe", Box::new(probe)).expect("new");
    kernel.run_until(SimTime::ZERO + Duration::from_secs(60)).expect("no panic");

    let answers = answers.borrow();
    let codes: Vec<(&str, u16)> =
        answers.iter().map(|(path, code, _)| (path.as_str(), *code)).collect();
    // Nobody plays New Relic here, so the pipeline is alive and not ready.
    let expected = [("/health/live", 200), ("/health/ready", 503), ("/metrics", 200)];
    assert_eq!(codes, expected);
    let samples = samples(&answers[2].2);
    assert_eq!(samples["shakedown_cycles_total"], 2.0);
    assert_eq!(samples[r#"shakedown_samples_collected_total{kind="broker"}"#], 6.0);
    assert_eq!(samples[r#"shakedown_health{check="source/kafka/orders",status="healthy"}"#], 1.0);
    assert!(samples["shakedown_events_in_flight"] > 0.0);
}

async fn simulated_pipeline(ports: KernelPorts) {
    let bootstrap = vec!["orders-broker-1:9092".parse().expect("valid")];
    let settings =
        KafkaSourceConfig { jmx: Jmx::Port(7071), ..KafkaSourceConfig::new("orders", bootstrap) };
    let source = KafkaSource::new(ports.clone(), settings);
    let config = TestWorld::config();
    let mut pipeline =
        Pipeline::new(ports.clone(), config, vec![Box::new(source)], None).expect("valid");
    let pages = router(pipeline.status(), ports.clock().clone());
    let listener = ports.net().listen(8080).await.expect("free");
    let stop = ShutdownHandle::new();
    let signal = stop.signal();
    crate::rt::spawn("pages", async move {
        crate::rt::http::serve("pages", listener, pages, signal).await;
    });
    pipeline.run(Cycles::Forever, &stop.signal()).await;
}

/// Asks for three pages 26 s into the run.
async fn probe(ports: KernelPorts, answers: Rc<RefCell<Vec<(String, u16, String)>>>) {
    ports.clock().sleep(Duration::from_secs(26)).await;
    for path in ["/health/live", "/health/ready", "/metrics"] {
        let request = Request::get(format!("http://pipeline:8080{path}"));
        let request = request.body(bytes::Bytes::new()).expect("valid");
        let limits = HttpLimits { timeout: Duration::from_secs(5), body_bytes_max: 1 << 20 };
        let answer = ports.http().send(request, limits).await.expect("an answer");
        let body = String::from_utf8(answer.body().to_vec()).expect("utf-8");
        answers.borrow_mut().push((path.to_owned(), answer.status().as_u16(), body));
    }
}
