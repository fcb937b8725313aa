//! What an estate has at this moment: from its brokers, from New Relic, or from a file of events.
//!
//! Invariants:
//! - A source that cannot be asked is an error and never an estate without entities.
//! - What could be read in part is said in [`Estate::notes`], because it makes entities look
//!   absent.

mod events;
mod kafka;
mod newrelic;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tokio::task::LocalSet;

use super::account::AccountArgs;
use super::{Exit, complain};
use crate::adapters::RealPorts;
use crate::config::quantity::DurationText;
use crate::domain::account::AccountId;
use crate::domain::entity::EntityKey;
use crate::domain::units::UnixNanos;
use crate::hybrid::gap::Observed;
use crate::ports::Endpoint;
use crate::rt;

/// Where the estate is looked at.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "source", required = true, multiple = false)]
pub struct SourceArgs {
    /// Ask a Kafka cluster's brokers: its name as monitoring has it, and where they listen; give
    /// it once for each cluster.
    #[arg(long, value_name = "NAME=HOST:PORT,…")]
    kafka: Vec<KafkaCluster>,
    /// Ask New Relic for the MessageQueue events of an account; the user key comes from
    /// NEW_RELIC_API_KEY.
    #[arg(long)]
    newrelic: bool,
    /// Read events from a file of JSON lines, as the Event API takes them; - is standard input.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

/// How New Relic is asked.
#[derive(Debug, Clone, clap::Args)]
pub struct NewRelicArgs {
    #[command(flatten)]
    account: AccountArgs,
    /// How far back events count; an entity without any in this time is not there.
    #[arg(long, value_name = "DURATION", default_value = "1d")]
    window: DurationText,
}

impl NewRelicArgs {
    /// The account, if it is known; reports then name the GUIDs of what is missing.
    ///
    /// # Errors
    /// [`Exit::Usage`], after a complaint, when what is named is no account.
    pub fn account(&self) -> Result<Option<AccountId>, Exit> {
        self.account.named_id()
    }
}

/// A Kafka cluster of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KafkaCluster {
    name: String,
    bootstrap: Vec<Endpoint>,
}

impl std::str::FromStr for KafkaCluster {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A name may hold `=`, an address may not.
        let (name, addresses) =
            text.rsplit_once('=').ok_or("write NAME=HOST:PORT, such as orders=kafka-1:9092")?;
        if name.is_empty() {
            return Err("write the cluster's name before the `=`".to_owned());
        }
        let endpoint = |text: &str| text.trim().parse::<Endpoint>().map_err(|e| e.to_string());
        let bootstrap: Result<Vec<Endpoint>, String> = addresses.split(',').map(endpoint).collect();
        Ok(Self { name: name.to_owned(), bootstrap: bootstrap? })
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Entities alone; subscriptions if they cost nothing.
    Entities,
    /// Which group reads which topic, too.
    Subscriptions,
}

/// What an estate has.
#[derive(Debug, Default)]
pub struct Estate {
    /// Where this was found, for reports.
    pub source: String,
    /// What was found; an entity may occur more than once.
    pub observed: Vec<Observed>,
    /// Topics that consumer groups read, where that is known.
    pub subscriptions: BTreeMap<EntityKey, Vec<String>>,
    /// Addresses of clusters that were asked, by the cluster's key.
    pub bootstrap: BTreeMap<EntityKey, Vec<String>>,
    /// The instant that it is about, by the source's own clock.
    pub now: UnixNanos,
    /// What could not be read, and what was left out.
    pub notes: Vec<String>,
}

/// Why there is no estate to look at.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It does not answer.
    #[error("{0}")]
    Unreachable(String),
    /// The command line lacks something.
    #[error("{0}")]
    Usage(String),
    /// A file is not what it should be.
    #[error("{0}")]
    Invalid(String),
}

impl SourceError {
    /// Tells it; how the process ends.
    pub fn tell(&self) -> Exit {
        complain(&self.to_string());
        match self {
            Self::Unreachable(_) => Exit::Unreachable,
            Self::Usage(_) => Exit::Usage,
            Self::Invalid(_) => Exit::InvalidFile,
        }
    }
}

impl SourceArgs {
    /// Looks at the estate once.
    ///
    /// # Errors
    /// The source cannot be asked.
    pub fn read(&self, newrelic: &NewRelicArgs, wanted: Wanted) -> Result<Estate, SourceError> {
        if let Some(path) = &self.events {
            return events::read(path);
        }
        let cannot = |error: String| SourceError::Unreachable(format!("cannot start: {error}"));
        let ports = RealPorts::new(Path::new(".")).map_err(|e| cannot(rt::with_causes(&e)))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| cannot(error.to_string()))?;
        let local = LocalSet::new();
        if self.newrelic {
            let client = newrelic::Client::new(ports, newrelic)?;
            return local.block_on(&runtime, client.read(wanted));
        }
        local.block_on(&runtime, kafka::read(&ports, &self.kafka))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_of_the_command_line() {
        let check = |text: &str, expected: Result<(&str, usize), &str>| {
            let found = text.parse::<KafkaCluster>();
            let found = found.as_ref().map(|c| (c.name.as_str(), c.bootstrap.len()));
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(error), Err(words)) => assert!(error.contains(words), "{text}: {error}"),
                (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
            }
        };
        check("orders=kafka-1:9092", Ok(("orders", 1)));
        check("a=b=h:1, i:2", Ok(("a=b", 2)));
        check("orders", Err("write NAME=HOST:PORT"));
        check("=h:1", Err("name before"));
        check("orders=", Err("``"));
        check("orders=h", Err("h"));
    }
}
