//! A pipeline for tests: scripted sources, a scripted New Relic, virtual time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Read;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::{
    Collected, Collecting, Cycles, GuardConfig, MissingPart, Pipeline, PipelineConfig, RunReport,
    Source, SourceFailure,
};
use crate::config::Cycle;
use crate::domain::account::AccountId;
use crate::domain::sample::{Origin, RawSample, Subject};
use crate::domain::units::UnixMillis;
use crate::newrelic::{ApiKey, Region};
use crate::ports::testing::{TestClock, TestPorts};
use crate::ports::{Clock, Http, HttpError, HttpLimits, HttpRequest, HttpResponse};
use crate::resilience::breaker::Admitted;
use crate::rt::ShutdownHandle;
use crate::stream::StreamConfig;

/// A license key that must never be seen.
pub(crate) const CANARY_KEY: &str = "c4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryNRAL";

/// What the scripted New Relic does with one POST.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// This status after that long.
    Status(u16, Duration),
    /// Nothing, until the time-out.
    Silence,
}

pub(crate) const ACCEPT: Answer = Answer::Status(200, Duration::from_millis(40));
pub(crate) const UNAVAILABLE: Answer = Answer::Status(503, Duration::from_millis(40));

/// New Relic by script: `answers` one by one, then `otherwise`.
#[derive(Clone)]
pub(crate) struct ScriptedNewRelic {
    clock: TestClock,
    answers: Arc<Mutex<(VecDeque<Answer>, Answer)>>,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl ScriptedNewRelic {
    /// All events that were sent, whatever came of them.
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        let bodies = self.bodies.lock().expect("no test panics while it holds these");
        let read = |body: &Vec<u8>| -> Vec<serde_json::Value> {
            let mut json = Vec::new();
            if flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut json).is_err() {
                json.clone_from(body);
            }
            serde_json::from_slice(&json).expect("a list of events")
        };
        bodies.iter().flat_map(read).collect()
    }
}

impl Http for ScriptedNewRelic {
    async fn send(
        &self,
        request: HttpRequest,
        limits: HttpLimits,
    ) -> Result<HttpResponse, HttpError> {
        let answer = {
            let mut answers = self.answers.lock().expect("no test panics while it holds these");
            answers.0.pop_front().unwrap_or(answers.1)
        };
        let body = request.body().to_vec();
        self.bodies.lock().expect("no test panics while it holds these").push(body);
        let authority = request.uri().authority().expect("absolute").to_string();
        match answer {
            Answer::Status(code, after) => {
                self.clock.sleep(after).await;
                let body = Bytes::from_static(b"{\"success\":true,\"uuid\":\"u\"}");
                let mut response = HttpResponse::new(body);
                *response.status_mut() = code.try_into().expect("a status");
                Ok(response)
            }
            Answer::Silence => {
                self.clock.sleep(limits.timeout).await;
                Err(HttpError::Timeout { authority, timeout: limits.timeout, sent: true })
            }
        }
    }
}

/// What a scripted source does in one cycle.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Samples of so many brokers after that long.
    Brokers(i32, Duration),
    /// The same with one part missing.
    Partial(i32, Duration),
    /// The same with one more sample that has no identity, and a field that cannot be.
    Invalid(i32, Duration),
    /// A failure after that long.
    Fails(Duration),
    /// Never an answer.
    Hangs,
}

/// A source by script: `steps` one by one, then the last for ever.
pub(crate) struct ScriptedSource {
    name: String,
    clock: TestClock,
    steps: VecDeque<Step>,
    /// When each collection began, relative to the test's beginning.
    pub(crate) starts: Rc<RefCell<Vec<Duration>>>,
    busy: Rc<RefCell<bool>>,
}

/// Marks a source as busy; cleared when the collection ends or is dropped.
struct Busy(Rc<RefCell<bool>>);

impl Busy {
    fn begin(flag: &Rc<RefCell<bool>>) -> Self {
        assert!(!flag.replace(true), "two collections of one source overlap");
        Self(Rc::clone(flag))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.replace(false);
    }
}

impl ScriptedSource {
    pub(crate) fn new(clock: &TestClock, name: &str, steps: &[Step]) -> Self {
        Self {
            name: name.to_owned(),
            clock: clock.clone(),
            steps: steps.iter().copied().collect(),
            starts: Rc::default(),
            busy: Rc::default(),
        }
    }

    fn cluster(&self) -> String {
        self.name.rsplit('/').next().unwrap_or("orders").to_owned()
    }
}

/// One broker as the collector describes it, with few figures.
pub(crate) fn broker_sample(cluster: &str, broker_id: i32, at: UnixMillis) -> RawSample<'static> {
    let subject = Subject::Broker { broker_id };
    let mut sample = RawSample::new(Origin::Kafka, cluster.to_owned(), subject, at);
    sample.number("metadata.partition_count", 12.0);
    sample.number("metadata.leader_count", 4.0);
    sample.number("metadata.under_replicated", 0.0);
    sample.rate("kafka_server_brokertopicmetrics_messagesin_total", 100.0, 15_000);
    sample.text("host", format!("{cluster}-broker-{broker_id}"));
    sample
}

impl Source for ScriptedSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn collect(&mut self, _admitted: Admitted) -> Collecting<'_> {
        let step = match self.steps.len() {
            1 => self.steps.front().copied(),
            _ => self.steps.pop_front(),
        };
        let step = step.expect("a script has a step");
        Box::pin(async move {
            let _busy = Busy::begin(&self.busy);
            self.starts.borrow_mut().push(self.clock.monotonic());
            let (brokers, takes) = match step {
                Step::Brokers(brokers, takes)
                | Step::Partial(brokers, takes)
                | Step::Invalid(brokers, takes) => (brokers, takes),
                Step::Fails(takes) => (0, takes),
                Step::Hangs => (0, Duration::from_secs(1 << 30)),
            };
            self.clock.sleep(takes).await;
            if let Step::Fails(_) = step {
                let message = "no bootstrap broker answers".to_owned();
                return Err(SourceFailure { reason: "unreachable".to_owned(), message });
            }
            let now = self.clock.wall();
            let cluster = self.cluster();
            let mut samples: Vec<RawSample<'static>> =
                (1..=brokers).map(|id| broker_sample(&cluster, id, now)).collect();
            if let Step::Invalid(..) = step {
                samples.push(broker_sample(&cluster, -1, now));
                samples[0].number("metadata.is_controller", f64::NAN);
            }
            let missing = match step {
                Step::Partial(..) => vec![MissingPart {
                    reason: "broker/connect".to_owned(),
                    count: 1,
                    detail: "broker 9: cannot connect".to_owned(),
                }],
                _ => Vec::new(),
            };
            Ok(Collected { samples, missing })
        })
    }
}

pub(crate) type TestPipeline = Pipeline<TestPorts<ScriptedNewRelic>>;

/// The world of one test.
pub(crate) struct TestWorld {
    pub(crate) clock: TestClock,
    pub(crate) newrelic: ScriptedNewRelic,
    pub(crate) shutdown: ShutdownHandle,
}

impl TestWorld {
    /// New Relic gives `answers` one by one, then `otherwise`.
    pub(crate) fn new(answers: &[Answer], otherwise: Answer) -> Self {
        let clock = TestClock::default();
        let answers = Arc::new(Mutex::new((answers.iter().copied().collect(), otherwise)));
        let newrelic = ScriptedNewRelic { clock: clock.clone(), answers, bodies: Arc::default() };
        Self { clock, newrelic, shutdown: ShutdownHandle::new() }
    }

    /// Interval 15 s, collection 10 s, cycle 15 s, shutdown 10 s, relationships each minute.
    pub(crate) fn config() -> PipelineConfig {
        PipelineConfig {
            hybrid: None,
            account: AccountId::try_from(7).expect("valid"),
            key: ApiKey::ingest(CANARY_KEY).expect("valid"),
            addresses: Region::Local.addresses(),
            cycle: Cycle {
                interval: Duration::from_secs(15),
                collect_deadline: Duration::from_secs(10),
                cycle_deadline: Duration::from_secs(15),
                shutdown_deadline: Duration::from_secs(10),
                relationships_every: Duration::from_secs(60),
                serves: false,
                environment: None,
                tags: Default::default(),
            },
            stream: StreamConfig::default(),
            spool: None,
            guards: GuardConfig::default(),
            extensions: Default::default(),
        }
    }

    pub(crate) fn pipeline(
        &self,
        config: PipelineConfig,
        sources: Vec<ScriptedSource>,
    ) -> TestPipeline {
        let ports = TestPorts::new(&self.clock, self.newrelic.clone());
        let sources = sources.into_iter().map(|s| Box::new(s) as Box<dyn Source>).collect();
        Pipeline::new(ports, config, sources, None).expect("valid")
    }

    /// Runs until `stop` from the test's beginning, then shuts down.
    pub(crate) fn run_until(&self, pipeline: &mut TestPipeline, stop: Duration) -> RunReport {
        let signal = self.shutdown.signal();
        let wait = stop.saturating_sub(self.clock.monotonic());
        let stopper = async {
            self.clock.sleep(wait).await;
            self.shutdown.request();
        };
        let run = pipeline.run(Cycles::Forever, &signal);
        self.clock.run(futures_util::future::join(run, stopper)).0
    }

    /// Runs exactly `cycles`.
    pub(crate) fn run_cycles(&self, pipeline: &mut TestPipeline, cycles: u64) -> RunReport {
        let signal = self.shutdown.signal();
        self.clock.run(pipeline.run(Cycles::Exactly(cycles), &signal))
    }
}
