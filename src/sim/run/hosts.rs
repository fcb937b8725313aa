//! What runs on each host of a scenario, and what is kept of it outside the world.
//!
//! Invariant: a fleet and New Relic outlive their hosts' crashes (they are data centres); the
//! pipeline's memory does not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::defect::{Defect, tampered};
use super::user::{self, User};
use super::watch::{Posts, Told, tell_components, tell_cycle_begin, tell_cycle_end, watched};
use crate::alerts::{self, AlertsFile};
use crate::collect::kafka::{Jmx, KafkaSourceConfig};
use crate::config::Cycle;
use crate::definitions::builtin;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::newrelic::{Addresses, ApiKey};
use crate::pipeline::service::Service;
use crate::pipeline::{
    CycleNews, CycleReport, Cycles, GuardConfig, HybridSettings, KafkaSource, ModeSwitch, Pipeline,
    PipelineConfig, PipelineStatus, Source,
};
use crate::ports::{Clock, Endpoint, Ports};
use crate::resilience::breaker::BreakerConfig;
use crate::rt::{ShutdownHandle, race};
use crate::sim::check::record::BooksRecord;
use crate::sim::fault::NewRelicFault;
use crate::sim::fleet::{Fleet, JMX_PORT, WIRE_PORT, broker_host, serve_broker};
use crate::sim::newrelic::news::News;
use crate::sim::newrelic::{self, Account, DelayRange, FaultWindow, NewRelic, NewRelicConfig};
use crate::sim::scenario::{
    KafkaSpec, NEWRELIC_HOST, NEWRELIC_PORT, PIPELINE_HOST, RELATIONSHIPS_EVERY, Scenario,
    SwitchSpec, USER_HOST,
};
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;
use crate::sim::trace::{EventId, Trace, Value};
use crate::sim::world::{CrashMode, NetworkFault, World, WorldError};
use crate::stream::StreamConfig;
use crate::stream::spool::SpoolConfig;

/// Ingest key of the simulated account; it opens nothing else.
const INGEST_KEY: &str = "0123456789abcdef0123456789abcdef0123NRAL";

/// User key of the simulated account; it opens NerdGraph.
const USER_KEY: &str = "NRAK-SHAKEDOWNSHAKEDOWNSHAKEDOWN";

/// Everything of a run that is not inside the world.
pub struct Setup {
    pub scenario: Scenario,
    pub seed: Seed,
    pub defect: Option<Defect>,
    pub trace: Trace,
    pub fleets: BTreeMap<String, Fleet>,
    pub newrelic: NewRelic,
    pub lives: Lives,
    pub user: User,
}

/// One life of the pipeline, as it goes on.
pub struct Life {
    pub started: SimTime,
    pub ended: Option<SimTime>,
    pub status: Option<PipelineStatus>,
    pub cycles: Vec<Arc<CycleReport>>,
    /// When each cycle began, by its number: its report knows only what the wall clock showed.
    pub starts: BTreeMap<u64, SimTime>,
    /// What it sent to New Relic.
    pub posts: Posts,
    /// Its breakers, and everything that they told.
    pub breakers: Told,
    /// Its books at the begin and the end of each cycle, if they are wanted.
    pub books: Vec<BooksRecord>,
}

/// The pipeline's lives so far; shared with its host.
#[derive(Clone)]
pub struct Lives {
    lives: Arc<Mutex<Vec<Life>>>,
    /// Whether the books are kept.
    keeps_books: bool,
}

impl Lives {
    /// None yet.
    fn new(keeps_books: bool) -> Self {
        Self { lives: Arc::default(), keeps_books }
    }

    /// The lives, oldest first.
    pub fn lock(&self) -> MutexGuard<'_, Vec<Life>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new life begins at `at`.
    pub fn expect_at(&self, at: SimTime) {
        self.lock().push(Life {
            started: at,
            ended: None,
            status: None,
            cycles: Vec::new(),
            starts: BTreeMap::new(),
            posts: Posts::default(),
            breakers: Told::default(),
            books: Vec::new(),
        });
    }

    /// Where the present life's POSTs are kept.
    fn posts(&self) -> Posts {
        self.lock().last().map(|life| life.posts.clone()).unwrap_or_default()
    }

    /// The present life ends at `at`.
    pub fn end_by_crash(&self, at: SimTime) {
        if let Some(life) = self.lock().last_mut() {
            life.ended = Some(at);
        }
    }

    /// The present life's pipeline runs: from here on everything is kept and traced that it tells.
    fn born<P: Ports>(&self, pipeline: &Pipeline<P>, clock: &P::Clock, trace: &Trace) {
        let mut lives = self.lock();
        let index = lives.len().saturating_sub(1);
        let Some(life) = lives.last_mut() else { return };
        life.status = Some(pipeline.status());
        life.breakers = Told::by(pipeline.breakers(), trace);
        drop(lives);
        tell_components(&pipeline.recovery(), trace);
        // Both networks' monotonic clocks count from the world's start.
        let now = SimTime::from(clock.monotonic());
        let born = trace.event(now, PIPELINE_HOST, format_args!("born"));
        trace.go_on_from(born);
        let born = trace.cause();
        // The lives keep the status, so what the status tells must not keep them.
        let (kept, clock, trace) = (Arc::downgrade(&self.lives), clock.clone(), trace.clone());
        let keeps_books = self.keeps_books;
        pipeline.status().subscribe(Arc::new(move |news| {
            let Some(lives) = kept.upgrade() else { return };
            let mut lives = lives.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(life) = lives.get_mut(index) else { return };
            if keeps_books {
                let now = SimTime::from(clock.monotonic());
                life.books.extend(life.status.as_ref().map(|status| books(status, now)));
            }
            match news {
                CycleNews::Began { number, at } => {
                    tell_cycle_begin(&trace, born, *number, SimTime::from(at.monotonic));
                    // Times of events are whole milliseconds, and so must their cycle's begin be.
                    let millis = u64::try_from(at.monotonic.as_millis()).unwrap_or(u64::MAX);
                    life.starts.insert(*number, SimTime::from_millis(millis));
                }
                CycleNews::Ended(report) => {
                    tell_cycle_end(&trace, report, SimTime::from(clock.monotonic()));
                    life.cycles.push(Arc::clone(report));
                }
            }
        }));
    }
}

fn books(status: &PipelineStatus, at: SimTime) -> BooksRecord {
    status.read(|now| BooksRecord {
        at,
        enqueued: now.stream.enqueued,
        spooled: now.stream.spooled,
        staged: now.stream.in_flight.saturating_sub(now.stream.spooled),
        held_bytes: now.memory.held_bytes,
    })
}

impl Setup {
    /// Prepares a run.
    pub fn new(scenario: &Scenario, seed: Seed, defect: Option<Defect>, trace: &Trace) -> Self {
        let fleet = |(name, spec): (&String, &KafkaSpec)| {
            (name.clone(), new_fleet(scenario, name, spec, seed, trace))
        };
        Self {
            scenario: scenario.clone(),
            seed,
            defect,
            trace: trace.clone(),
            fleets: scenario.kafka.iter().map(fleet).collect(),
            newrelic: new_newrelic(scenario, seed),
            lives: Lives::new(trace.is_kept()),
            user: User::default(),
        }
    }

    /// True wall-clock time at `at`.
    pub fn wall(&self, at: SimTime) -> UnixMillis {
        self.scenario.epoch().plus(at.since_start())
    }
}

fn new_fleet(
    scenario: &Scenario,
    name: &str,
    spec: &KafkaSpec,
    seed: Seed,
    trace: &Trace,
) -> Fleet {
    let fleet =
        Fleet::new(spec.fleet(name), seed.child(&format!("fleet/{name}")), scenario.epoch());
    // The scenario's rules hold it to the fleet's.
    let fleet = fleet.unwrap_or_else(|error| panic!("a scenario that loads has a fleet: {error}"));
    fleet.attach_trace(trace.clone());
    fleet
}

/// Starts every host of the scenario.
pub fn start<W: World>(world: &mut W, setup: &Setup) -> Result<(), WorldError> {
    let (newrelic, trace, epoch) =
        (setup.newrelic.clone(), setup.trace.clone(), setup.scenario.epoch());
    world.host(
        NEWRELIC_HOST,
        Box::new(move |ports| {
            let newrelic = newrelic.clone();
            newrelic.listen(Some(newrelic_listener(&ports, &trace, epoch)));
            Box::pin(async move { newrelic::serve(ports, newrelic, NEWRELIC_PORT).await })
        }),
    )?;
    for (cluster, fleet) in &setup.fleets {
        for id in fleet.broker_ids() {
            let fleet = fleet.clone();
            let host = broker_host(cluster, id);
            world.host(
                &host,
                Box::new(move |ports| {
                    let fleet = fleet.clone();
                    Box::pin(async move {
                        let never = ShutdownHandle::new();
                        let served = serve_broker(ports, fleet, id, never.signal()).await;
                        served.unwrap_or_else(|error| panic!("broker {id} cannot serve: {error}"));
                    })
                }),
            )?;
        }
    }
    // Nobody is there before it joins; to others it is a machine that refuses connections.
    for host in setup.scenario.later_starts().into_keys() {
        world.apply(&NetworkFault::Crash { host, mode: CrashMode::Process })?;
    }
    let (scenario, asking) = (setup.scenario.clone(), setup.user.clone());
    world.host(
        USER_HOST,
        Box::new(move |ports| {
            let (scenario, asking) = (scenario.clone(), asking.clone());
            let who = (account(&scenario), user_key());
            Box::pin(async move { user::run(ports, scenario, who, asking).await })
        }),
    )?;
    setup.lives.expect_at(world.now());
    let (scenario, defect, lives) = (setup.scenario.clone(), setup.defect, setup.lives.clone());
    let trace = setup.trace.clone();
    world.host(
        PIPELINE_HOST,
        Box::new(move |ports| {
            let (scenario, lives, trace) = (scenario.clone(), lives.clone(), trace.clone());
            Box::pin(async move { run_pipeline(ports, scenario, defect, lives, trace).await })
        }),
    )
}

/// Writes what New Relic tells into the trace.
fn newrelic_listener<P: Ports>(
    ports: &P,
    trace: &Trace,
    epoch: UnixMillis,
) -> newrelic::news::Listener {
    let (clock, trace) = (ports.clock().clone(), trace.clone());
    Arc::new(move |news| {
        let now = SimTime::from(clock.monotonic());
        match news {
            News::Answered { request, led_by } => {
                let led_by = led_by.map(|id| EventId(id.get())).or(trace.cause());
                let (id, status) = (Value(&request.request_id), request.status);
                let accepted = request.uuid.is_some();
                let fault = request.fault.unwrap_or("none");
                let what = format_args!(
                    "request id={id} accepted={accepted} status={status} fault={fault}"
                );
                trace.go_on_from(trace.event_from(led_by, now, NEWRELIC_HOST, what));
            }
            News::Parsed(request) => {
                let (id, events) = (Value(&request.request_id), request.events_stored);
                let what = format_args!("stored id={id} events={events}");
                trace.event(now, NEWRELIC_HOST, what);
            }
            News::Entity { guid, entity_type, visible_at } => {
                let visible_ms = visible_at.0 - epoch.0;
                let what =
                    format_args!("entity guid={guid} type={entity_type} visible_ms={visible_ms}");
                trace.event(now, NEWRELIC_HOST, what);
            }
        }
    })
}

async fn run_pipeline<P: Ports>(
    ports: P,
    scenario: Scenario,
    defect: Option<Defect>,
    lives: Lives,
    trace: Trace,
) {
    let ports = tampered(watched(ports, lives.posts(), trace.clone()), defect);
    let sources = scenario.kafka.iter().map(|(name, spec)| -> Box<dyn Source> {
        Box::new(KafkaSource::new(ports.clone(), source_config(&scenario, name, spec)))
    });
    let mut config = pipeline_config(&scenario);
    if let Some(defect) = defect {
        defect.misconfigure(&mut config, lives.lock().len());
    }
    let service = Service::start(ports.clone(), config, sources.collect(), |_| Vec::new()).await;
    let Service { mut pipeline, .. } =
        service.unwrap_or_else(|error| panic!("a scenario that loads has a pipeline: {error}"));
    lives.born(&pipeline, ports.clock(), &trace);
    let never = ShutdownHandle::new();
    let switches = scenario.pipeline.hybrid.map(|hybrid| hybrid.switch).unwrap_or_default();
    if switches.is_empty() {
        pipeline.run(Cycles::Forever, &never.signal()).await;
    } else {
        let modes = follow_modes(pipeline.mode_switch(), switches, ports.clock().clone(), trace);
        race(modes, pipeline.run(Cycles::Forever, &never.signal())).await;
    }
}

/// Sets the modes that a scenario asks for when it asks for them; one that began later begins with
/// the mode of its time.
async fn follow_modes(
    mode: ModeSwitch,
    switches: Vec<SwitchSpec>,
    clock: impl Clock,
    trace: Trace,
) -> std::convert::Infallible {
    for switch in switches {
        let wait = switch.at.0.saturating_sub(clock.monotonic());
        clock.sleep(wait).await;
        let set = mode.set(switch.to);
        set.unwrap_or_else(|error| panic!("a scenario that loads has a topology: {error}"));
        let now = SimTime::from(clock.monotonic());
        trace.event(now, PIPELINE_HOST, format_args!("mode to={}", switch.to));
    }
    std::future::pending().await
}

fn source_config(scenario: &Scenario, name: &str, spec: &KafkaSpec) -> KafkaSourceConfig {
    let first = (1..=spec.brokers.min(3)).map(|id| broker_host(name, id));
    let bootstrap = first.map(|host| Endpoint::new(host, WIRE_PORT)).collect();
    let patience = scenario.pipeline.request_timeout.0;
    KafkaSourceConfig {
        jmx: if spec.jmx { Jmx::Port(JMX_PORT) } else { Jmx::None },
        discovery_timeout: patience.min(scenario.pipeline.interval.0 / 4),
        broker_timeout: patience,
        cycle_timeout: scenario.pipeline.interval.0 * 2 / 3,
        ..KafkaSourceConfig::new(name, bootstrap)
    }
}

/// The account that the pipeline of `scenario` sends to.
pub fn account(scenario: &Scenario) -> AccountId {
    let account = AccountId::try_from(scenario.pipeline.account_id);
    account.unwrap_or_else(|error| panic!("a scenario that loads has an account: {error}"))
}

fn ingest_key() -> ApiKey {
    ApiKey::ingest(INGEST_KEY).unwrap_or_else(|error| panic!("the built-in key: {error}"))
}

fn user_key() -> ApiKey {
    ApiKey::new(USER_KEY).unwrap_or_else(|error| panic!("the built-in key: {error}"))
}

/// The stream's settings that `scenario` asks for.
pub fn stream_config(scenario: &Scenario) -> StreamConfig {
    let spec = &scenario.pipeline;
    let usual = StreamConfig::default();
    let memory_max = spec.memory_max.as_usize();
    StreamConfig {
        batch_events_max: spec.batch_events as usize,
        batch_bytes_max: spec.batch_bytes.as_usize(),
        buffer_events_max: spec.buffer_events as usize,
        buffer_bytes_max: memory_max,
        resident_bytes_max: usual.resident_bytes_max.min(memory_max),
        spool_bytes_max: spec.spool_size_max.as_usize(),
        spool_age_max: spec.spool_age_max.0,
        request_timeout: spec.request_timeout.0,
        breaker: BreakerConfig {
            failure_threshold: spec.event_api.failure_threshold,
            success_threshold: spec.event_api.success_threshold,
            retry_delay: spec.event_api.retry_delay.0,
            ..usual.breaker
        },
        ..usual
    }
}

fn pipeline_config(scenario: &Scenario) -> PipelineConfig {
    let spec = &scenario.pipeline;
    let interval = spec.interval.0;
    PipelineConfig {
        hybrid: spec.hybrid.as_ref().map(|hybrid| HybridSettings {
            mode: hybrid.mode,
            config: hybrid.config(scenario).unwrap_or_else(|faults| {
                panic!("a scenario that loads has a topology: {faults:?}")
            }),
        }),
        account: account(scenario),
        key: ingest_key(),
        addresses: Addresses {
            events: format!("http://{NEWRELIC_HOST}:{NEWRELIC_PORT}/v1"),
            ..crate::newrelic::Region::Local.addresses()
        },
        cycle: Cycle {
            interval,
            collect_deadline: interval * 3 / 4,
            cycle_deadline: interval,
            shutdown_deadline: interval,
            relationships_every: RELATIONSHIPS_EVERY,
            serves: spec.serves,
            environment: Some(spec.environment.clone()),
            tags: BTreeMap::new(),
        },
        stream: stream_config(scenario),
        spool: spec.spool.then(SpoolConfig::default),
        guards: GuardConfig::default(),
        extensions: scenario.extensions(),
    }
}

fn new_newrelic(scenario: &Scenario, seed: Seed) -> NewRelic {
    let account = Account {
        id: account(scenario),
        name: "simulation".to_owned(),
        keys: vec![ingest_key(), user_key()],
    };
    let config = NewRelicConfig {
        synthesis_lag: DelayRange {
            min: scenario.newrelic.synthesis_lag_min.0,
            max: scenario.newrelic.synthesis_lag_max.0,
        },
        ..NewRelicConfig::new(vec![account])
    };
    let newrelic = NewRelic::new(config, seed.child("newrelic"), Arc::new(builtin()));
    if let Some(settings) = &scenario.newrelic.alerts {
        plant_alerts(&newrelic, scenario, settings);
    }
    newrelic
}

/// Makes the policy and the conditions of `settings`, as somebody would before the run.
fn plant_alerts(newrelic: &NewRelic, scenario: &Scenario, settings: &AlertsFile) {
    let plan = alerts::plan(settings)
        .unwrap_or_else(|faults| panic!("a scenario that loads has alerts: {faults:?}"));
    let (key, now) = (user_key(), scenario.epoch());
    let mut policy = String::new();
    for mutation in alerts::mutations(&plan, account(scenario)) {
        let text = serde_json::to_string(&mutation).unwrap_or_default();
        let text = text.replace(alerts::POLICY_ID, &policy);
        let answer = newrelic.graphql(now, Some(key.expose()), text.as_bytes());
        assert!(answer.body.get("errors").is_none(), "planted alerts: {}", answer.body);
        if let Some(id) = answer.body["data"]["alertsPolicyCreate"]["id"].as_str() {
            id.clone_into(&mut policy);
        }
    }
}

/// Lets New Relic misbehave like this from `now` on.
pub fn misbehave(setup: &Setup, fault: &NewRelicFault, now: SimTime) {
    match fault {
        NewRelicFault::LateSynthesis { lag } => {
            setup.newrelic.delay_synthesis(setup.wall(now), *lag);
        }
        NewRelicFault::Ingest { fault, share } => {
            let window = FaultWindow::always(fault.clone(), setup.wall(now));
            setup.newrelic.inject(FaultWindow { share: *share, ..window });
        }
    }
}

/// Ends what [`misbehave`] began: faults of ingest do not overlap.
pub fn behave(setup: &Setup, fault: &NewRelicFault, now: SimTime) {
    if fault.spares_ingest() {
        setup.newrelic.delay_synthesis(setup.wall(now), Duration::ZERO);
    } else {
        setup.newrelic.clear_faults();
    }
}
