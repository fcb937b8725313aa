//! The ordered start and stop of a pipeline and of what it needs.
//!
//! | component | kind | start |
//! | --- | --- | --- |
//! | `spool` | critical | opens it; one of somebody else, or of a newer program, refuses |
//! | `new-relic`, `source/…` | optional | connects once; unanswered, the start is degraded |
//! | `pipeline` | critical, needs `spool` | makes it |
//! | what the caller adds, e.g. its pages | as the caller says | |
//!
//! Invariants:
//! - Either everything critical has started, or what had been started is stopped again and the
//!   error names every failure.
//! - Reachability is looked at, not insisted on: a source that is down at the start is asked again
//!   by every cycle.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::source::Source;
use super::{Pipeline, PipelineConfig, PipelineStatus, open_spool};
use crate::newrelic::Addresses;
use crate::ports::{Clock, Endpoint, Net, Ports};
use crate::resilience::supervisor::{
    Component, PlanError, StartError, StartReport, StopReport, Supervisor, SupervisorConfig,
};

/// The component that is the pipeline itself.
pub const PIPELINE: &str = "pipeline";
/// Longest look at whether something can be reached.
const REACH_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest opening of a spool: the patience with a disk that fails, and a repair.
const SPOOL_TIMEOUT: Duration = Duration::from_secs(120);

/// Why a service does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The components cannot be put in order.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Something critical failed.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The pipeline's component said that it started, and there is no pipeline.
    #[error("the pipeline was not made")]
    Missing,
}

/// A cell that the pipeline's status is put into once it is made.
pub type StatusCell = Rc<RefCell<Option<PipelineStatus>>>;

/// A pipeline that is ready to run, and what was started for it.
pub struct Service<P: Ports> {
    /// The pipeline.
    pub pipeline: Pipeline<P>,
    /// What was started, and what was left out.
    pub report: StartReport,
    supervisor: Supervisor<P::Clock>,
}

impl<P: Ports> Service<P> {
    /// Starts a pipeline of `config` over `sources`, and what `more` makes beside it; components
    /// of `more` may need [`PIPELINE`], and then find its status in the cell.
    ///
    /// # Errors
    /// Every failure of a critical component.
    pub async fn start(
        ports: P,
        config: PipelineConfig,
        sources: Vec<Box<dyn Source>>,
        more: impl FnOnce(StatusCell) -> Vec<Component>,
    ) -> Result<Self, ServiceError> {
        let mut components = vec![reach(&ports, "new-relic", newrelic_endpoint(&config))];
        for source in &sources {
            let endpoints = source.endpoints();
            if !endpoints.is_empty() {
                components.push(reach(&ports, &format!("source/{}", source.name()), endpoints));
            }
        }
        let made = Rc::new(RefCell::new(None));
        let status = StatusCell::default();
        let opened = Rc::new(RefCell::new(None));
        components.push(spool(&ports, &config, &opened));
        let board = Rc::new(RefCell::new(None));
        let make = {
            let (made, status, board) = (Rc::clone(&made), Rc::clone(&status), Rc::clone(&board));
            let (ports, sources) = (ports.clone(), RefCell::new(Some(sources)));
            move || {
                let sources = sources.take().unwrap_or_default();
                let pipeline = Pipeline::new(ports.clone(), config.clone(), sources, opened.take());
                let started = pipeline.map_err(|error| error.to_string()).map(|mut pipeline| {
                    if let Some(board) = board.take() {
                        pipeline.show_board(board);
                    }
                    status.replace(Some(pipeline.status()));
                    made.replace(Some(pipeline));
                });
                std::future::ready(started)
            }
        };
        components.push(Component::critical(PIPELINE).needs("spool").start(make));
        components.extend(more(Rc::clone(&status)));
        let clock = ports.clock().clone();
        let mut supervisor = Supervisor::new(clock, SupervisorConfig::default(), components)?;
        board.replace(Some(supervisor.board()));
        let report = supervisor.start().await?;
        for failure in &report.left_out {
            tracing::warn!(component = %failure.name, reason = %failure.reason, "Starts degraded.");
        }
        let pipeline = made.take().ok_or(ServiceError::Missing)?;
        Ok(Self { pipeline, report, supervisor })
    }

    /// Stops what was started, in reverse order, each within its deadline.
    pub async fn stop(&mut self) -> StopReport {
        let report = self.supervisor.stop().await;
        for late in &report.not_stopped {
            tracing::warn!(component = %late.name, reason = %late.reason, "Did not stop in time.");
        }
        report
    }
}

/// A spool that is open, on its way to the pipeline.
type OpenedCell<P> = Rc<RefCell<Option<crate::stream::spool::Opened<<P as Ports>::Disk>>>>;

fn spool<P: Ports>(ports: &P, config: &PipelineConfig, opened: &OpenedCell<P>) -> Component {
    let (ports, config, opened) = (ports.clone(), config.spool.clone(), Rc::clone(opened));
    let open = move || {
        let (ports, config, opened) = (ports.clone(), config.clone(), Rc::clone(&opened));
        async move {
            let Some(config) = config else { return Ok(()) };
            let spool = open_spool(&ports, &config).await.map_err(|error| error.to_string())?;
            opened.replace(spool);
            Ok(())
        }
    };
    Component::critical("spool").start(open).start_within(SPOOL_TIMEOUT)
}

/// Where events go; nothing if the address is none, which the pipeline then says better.
fn newrelic_endpoint(config: &PipelineConfig) -> Vec<Endpoint> {
    let uri = Addresses::events_of(&config.addresses, config.account).ok();
    let endpoint = uri.and_then(|uri| {
        let port = if uri.scheme_str() == Some("http") { 80 } else { 443 };
        Some(Endpoint::new(uri.host()?, uri.port_u16().unwrap_or(port)))
    });
    endpoint.into_iter().collect()
}

/// Looks once whether one of `endpoints` takes connections.
fn reach<P: Ports>(ports: &P, name: &str, endpoints: Vec<Endpoint>) -> Component {
    let ports = ports.clone();
    let look = move || {
        let (ports, endpoints) = (ports.clone(), endpoints.clone());
        async move {
            let mut reason = "no address is known".to_owned();
            for endpoint in &endpoints {
                let connected = ports.net().connect(endpoint);
                match ports.clock().timeout(REACH_TIMEOUT, connected).await {
                    Ok(Ok(_)) => return Ok(()),
                    Ok(Err(error)) => reason = format!("cannot connect to {endpoint}: {error}"),
                    Err(elapsed) => reason = format!("{endpoint}: {elapsed}"),
                }
            }
            Err(reason)
        }
    };
    Component::optional(name).start(look)
}
