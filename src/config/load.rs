//! From the file, the environment and the flags to one valid configuration.
//!
//! Precedence: flags, then environment (New Relic's own variable names), then the file, then
//! defaults. An address overrides a region, wherever each comes from.
//!
//! Invariants:
//! - Every problem of all three places is reported at once, each where it was written.
//! - The license key comes from the environment or the file, never from a flag: arguments are
//!   visible to every process of the machine.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Component;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::extensions::{ExtensionTables, Extensions, resolve};
use super::lookup_file::Files;
use super::quantity::DurationText;
use super::schema::{KafkaTable, LogFormat, LogLevel, NriTable, PipelineFile, StreamTable};
use super::toml_file::{FileProblems, Place, Problem, TomlFile};
use crate::domain::account::AccountId;
use crate::domain::tag::{TagError, TagValue, Tags};
use crate::hybrid::mode::Mode;
use crate::newrelic::{Addresses, ApiKey, Region};
use crate::ports::Endpoint;

mod hybrid;
mod resilience;

pub use hybrid::Hybrid;
pub use resilience::{Alerts, Breakers, Limits, Recovery, Resilience, SpoolSettings, Webhook};
pub(super) use resilience::{check_header_name, check_webhook, without_path};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// What the command line says; `None` leaves the word to the next in rank.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--account-id`.
    pub account_id: Option<String>,
    /// `--region`.
    pub region: Option<String>,
    /// `--base-url`.
    pub base_url: Option<String>,
    /// `--interval`.
    pub interval: Option<DurationText>,
    /// `--mode`.
    pub mode: Option<Mode>,
    /// `--http-port`.
    pub http_port: Option<u16>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
    /// `--log-level`.
    pub log_level: Option<LogLevel>,
}

/// Looks up an environment variable; a function, so that tests have their own environment.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where events go.
    pub newrelic: Destination,
    /// Kafka clusters.
    pub kafka: Vec<KafkaSource>,
    /// Outputs of nri-kafka.
    pub nri: Vec<NriTable>,
    /// Cycles.
    pub cycle: Cycle,
    /// The desired topology; `None` without one.
    pub hybrid: Option<Hybrid>,
    /// Batches.
    pub stream: StreamTable,
    /// How failures of the world are met.
    pub resilience: Resilience,
    /// What users add.
    pub extensions: Extensions,
    /// Health and metrics; `None` when switched off.
    pub http: Option<HttpListen>,
    /// Format of the log.
    pub log_format: LogFormat,
    /// Level of the log.
    pub log_level: LogLevel,
    /// The file with everything that overrode it.
    effective: PipelineFile,
}

/// Where events go.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The account.
    pub account: AccountId,
    /// Its ingest key.
    pub key: ApiKey,
    /// New Relic's addresses, overrides applied.
    pub addresses: Addresses,
}

/// One Kafka cluster, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSource {
    /// Its name.
    pub cluster: String,
    /// Brokers to ask first.
    pub bootstrap: Vec<Endpoint>,
    /// Port of the JMX exporter on every broker's host.
    pub jmx_port: Option<u16>,
    /// JMX exporters by broker id; empty when `jmx_port` is given.
    pub jmx: BTreeMap<i32, Endpoint>,
    /// Client id.
    pub client_id: String,
    /// Groups to read even if no broker lists them.
    pub groups: Vec<String>,
    /// Longest time that one broker may take to describe the cluster.
    pub discovery_timeout: Duration,
    /// Longest time that one broker's own part may take.
    pub broker_timeout: Duration,
    /// Brokers asked at the same time.
    pub concurrency: usize,
}

/// Cycles, with their defaults worked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// Time between starts, whole milliseconds; starts are multiples of it on the wall clock.
    pub interval: Duration,
    /// Longest time for collecting from one source.
    pub collect_deadline: Duration,
    /// Longest duration of a cycle; longer than `collect_deadline`.
    pub cycle_deadline: Duration,
    /// Longest time between a request to stop and the end of the run.
    pub shutdown_deadline: Duration,
    /// Time between two sends of the relationships: they go with the first cycle of each such
    /// span of the wall clock. Zero sends them with every cycle.
    pub relationships_every: Duration,
    /// Whether relationships tell which brokers serve a topic.
    pub serves: bool,
    /// Attribute `environment` of all events.
    pub environment: Option<String>,
    /// Tags of all entities.
    pub tags: BTreeMap<String, String>,
}

/// Where health and metrics are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpListen {
    /// Address.
    pub address: IpAddr,
    /// Port; 0 picks a free one.
    pub port: u16,
}

impl Config {
    /// Reads `text` (of the file `name`) and puts environment and flags over it; `files` reads the
    /// rows of lookup tables that have a file of their own.
    ///
    /// # Errors
    /// Every problem of the three.
    pub fn load(
        name: &str,
        text: &str,
        environment: Environment<'_>,
        flags: &Flags,
        files: Option<Files<'_>>,
    ) -> Result<Self, FileProblems> {
        let file = TomlFile::parse("config", name, text)?;
        let effective: PipelineFile = file.read()?;
        let mut loader =
            Loader { file: &file, environment, files, own: Vec::new(), foreign: Vec::new() };
        loader.build(effective, flags)
    }

    /// The effective configuration as TOML, secrets as asterisks.
    pub fn redacted(&self) -> String {
        toml::to_string(&self.effective)
            .unwrap_or_else(|error| format!("# cannot be shown: {error}\n"))
    }
}

/// A value and where it was written.
struct Setting {
    text: String,
    origin: Origin,
}

enum Origin {
    Flag(&'static str),
    Environment(&'static str),
    File(Place),
}

struct Loader<'a> {
    file: &'a TomlFile,
    environment: Environment<'a>,
    files: Option<Files<'a>>,
    /// Problems of the file.
    own: Vec<Problem>,
    /// Problems of the command line and the environment.
    foreign: Vec<FileProblems>,
}

impl Loader<'_> {
    fn build(
        &mut self,
        mut effective: PipelineFile,
        flags: &Flags,
    ) -> Result<Config, FileProblems> {
        match flags.interval {
            Some(interval) if (SECOND..=HOUR).contains(&interval.0) => {
                effective.pipeline.interval = interval;
            }
            Some(interval) => {
                let text = format!("--interval={interval}");
                let message = format!("`--interval` is {interval}");
                let help = Some("allowed: 1s to 1h".to_owned());
                let span = "--interval=".len()..text.len();
                let problem = Problem { rule: "out_of_range", message, span, help };
                self.report_foreign("command line", &text, problem);
            }
            None => {}
        }
        effective.hybrid.mode = flags.mode.unwrap_or(effective.hybrid.mode);
        effective.http.port = flags.http_port.unwrap_or(effective.http.port);
        effective.log.format = flags.log_format.unwrap_or(effective.log.format);
        effective.log.level = flags.log_level.unwrap_or(effective.log.level);

        let newrelic = self.destination(&mut effective, flags);
        let kafka = self.kafka(&effective.kafka);
        self.sources(&effective);
        let cycle = self.cycle(&effective);
        let hybrid = self.hybrid(&effective.hybrid);
        self.stream(&effective.stream);
        let resilience = self.resilience(&effective);
        let extensions = self.extensions(&effective);
        let http = self.http(&effective);
        let mut problems = std::mem::take(&mut self.foreign);
        if let Err(own) = self.file.require(std::mem::take(&mut self.own)) {
            problems.insert(0, own);
        }
        match (newrelic, http) {
            (Some(newrelic), Some(http)) if problems.is_empty() => Ok(Config {
                newrelic,
                kafka,
                nri: effective.nri.clone(),
                cycle,
                hybrid,
                stream: effective.stream.clone(),
                resilience,
                extensions,
                http: effective.http.enabled.then_some(http),
                log_format: effective.log.format,
                log_level: effective.log.level,
                effective,
            }),
            _ => Err(FileProblems::join(problems)),
        }
    }

    fn report(&mut self, rule: &'static str, place: &Place, message: String, help: &str) {
        self.own.push(self.file.problem(rule, place, message, help));
    }

    /// The first of flag, environment and file that says something.
    fn setting(
        &self,
        flag: (&'static str, Option<&String>),
        variable: &'static str,
        key: &str,
        in_file: Option<String>,
    ) -> Option<Setting> {
        if let (name, Some(text)) = flag {
            return Some(Setting { text: text.clone(), origin: Origin::Flag(name) });
        }
        if let Some(text) = (self.environment)(variable).filter(|text| !text.is_empty()) {
            return Some(Setting { text, origin: Origin::Environment(variable) });
        }
        let place = Place::root().key("newrelic").key(key);
        in_file.map(|text| Setting { text, origin: Origin::File(place) })
    }

    /// Parses `setting`, or reports its problem where it was written.
    fn parse<T>(
        &mut self,
        setting: Option<Setting>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let setting = setting?;
        let reason = match parse(setting.text.trim()) {
            Ok(value) => return Some(value),
            Err(reason) => reason,
        };
        let (message, help) = match reason.split_once(": ").or_else(|| reason.split_once("; ")) {
            Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
            None => (reason, None),
        };
        let (name, text) = match setting.origin {
            Origin::File(place) => {
                let span = self.file.span(&place);
                self.own.push(Problem { rule: "invalid_value", message, span, help });
                return None;
            }
            Origin::Flag(flag) => ("command line", format!("{flag}={}", setting.text)),
            Origin::Environment(variable) => {
                ("environment", format!("{variable}={}", setting.text))
            }
        };
        let span = text.len() - setting.text.len()..text.len();
        self.report_foreign(name, &text, Problem { rule: "invalid_value", message, span, help });
        None
    }

    fn report_foreign(&mut self, name: &str, text: &str, problem: Problem) {
        self.foreign.push(FileProblems::new("config", name, text, vec![problem]));
    }

    fn destination(&mut self, effective: &mut PipelineFile, flags: &Flags) -> Option<Destination> {
        let place = Place::root().key("newrelic");
        let table = &mut effective.newrelic;
        if table.region.is_some() && table.base_url.is_some() {
            let message = "`region` and `base_url` are both given".to_owned();
            let help = "give one: an address overrides a region";
            self.report("conflict", &place.key("region"), message, help);
        }
        let in_file = table.account_id.map(|id| id.to_string());
        let flag = ("--account-id", flags.account_id.as_ref());
        let account = self.setting(flag, "NEW_RELIC_ACCOUNT_ID", "account_id", in_file);
        if account.is_none() {
            let message = "no account id".to_owned();
            let help = "set NEW_RELIC_ACCOUNT_ID, or `account_id` in [newrelic]";
            self.report("missing_key", &place, message, help);
        }
        let account =
            self.parse(account, |text| AccountId::from_str(text).map_err(|e| e.to_string()));
        table.account_id = account.map(AccountId::get);

        let key = table.license_key.as_ref().map(|key| key.expose_secret().to_owned());
        let no_flag = ("", None);
        let key = self.setting(no_flag, "NEW_RELIC_LICENSE_KEY", "license_key", key);
        if key.is_none() {
            let message = "no license key".to_owned();
            let help = "set NEW_RELIC_LICENSE_KEY, or `license_key` in [newrelic]";
            self.report("missing_key", &place, message, help);
        }
        let key = self.parse(key, |text| ApiKey::ingest(text).map_err(|e| e.to_string()));
        table.license_key = key.as_ref().map(|key| SecretString::from(key.expose()));

        let flag = ("--region", flags.region.as_ref());
        let region = self.setting(flag, "NEW_RELIC_REGION", "region", table.region.take());
        let had_region = region.is_some();
        let region = self.parse(region, |text| text.parse::<Region>().map_err(|e| e.to_string()));
        let flag = ("--base-url", flags.base_url.as_ref());
        let url =
            self.setting(flag, "NEW_RELIC_INSIGHTS_BASE_URL", "base_url", table.base_url.take());
        let had_url = url.is_some();
        let url = self.parse(url, |text| check_base_url(text).map(|()| text.to_owned()));
        table.region = region.map(|region| region.to_string());
        table.base_url.clone_from(&url);
        if (had_region && region.is_none()) || (had_url && url.is_none()) {
            return None;
        }
        let mut addresses = region.unwrap_or_default().addresses();
        if let Some(url) = url {
            addresses.events = url;
        }
        Some(Destination { account: account?, key: key?, addresses })
    }

    fn kafka(&mut self, tables: &[KafkaTable]) -> Vec<KafkaSource> {
        let mut sources = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            let place = Place::root().key("kafka").at(index);
            let mut bootstrap: Vec<Endpoint> = Vec::new();
            for (at, endpoint) in table.bootstrap.iter().enumerate() {
                if bootstrap.contains(&endpoint.0) {
                    let place = place.key("bootstrap").at(at);
                    let message = format!("`{endpoint}` is listed twice");
                    self.report("duplicate", &place, message, "remove one");
                } else {
                    bootstrap.push(endpoint.0.clone());
                }
            }
            let mut jmx = BTreeMap::new();
            for (id, endpoint) in &table.jmx {
                match id.parse::<u32>().map(i32::try_from) {
                    Ok(Ok(id)) => drop(jmx.insert(id, endpoint.0.clone())),
                    _ => {
                        let message = format!("`{id}` is not a broker id");
                        let help = "write the id as Kafka's node.id has it, for example 1";
                        self.report("invalid_key", &place.key("jmx").key(id), message, help);
                    }
                }
            }
            if table.jmx_port.is_some() && !table.jmx.is_empty() {
                let message = "`jmx_port` and `jmx` are both given".to_owned();
                let help = "give one: the same port everywhere, or every exporter by itself";
                self.report("conflict", &place.key("jmx_port"), message, help);
            }
            self.positive(&place.key("discovery_timeout"), table.discovery_timeout);
            self.positive(&place.key("broker_timeout"), table.broker_timeout);
            sources.push(KafkaSource {
                cluster: table.cluster.clone(),
                bootstrap,
                jmx_port: table.jmx_port,
                jmx,
                client_id: table.client_id.clone(),
                groups: table.groups.clone(),
                discovery_timeout: table.discovery_timeout.0,
                broker_timeout: table.broker_timeout.0,
                concurrency: table.concurrency,
            });
        }
        sources
    }

    /// Rules over all sources: there is one, unless none is asked, and none appears twice.
    fn sources(&mut self, effective: &PipelineFile) {
        let none = effective.kafka.is_empty() && effective.nri.is_empty();
        if none && effective.hybrid.mode.collects() {
            let message = "nothing to collect from".to_owned();
            self.report(
                "no_source",
                &Place::root(),
                message,
                "add a [[kafka]] or an [[nri]] table",
            );
        }
        let kafka = effective.kafka.iter().map(|table| ("kafka", &table.cluster));
        let nri = effective.nri.iter().map(|table| ("nri", &table.cluster));
        let kafka = kafka.enumerate();
        let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
        for (index, (table, cluster)) in kafka.chain(nri.enumerate()) {
            let place = Place::root().key(table).at(index).key("cluster");
            if seen.insert(cluster, ()).is_some() {
                let message = format!("cluster `{cluster}` appears twice");
                let help = "its entities would have the same identity: rename or remove one";
                self.report("duplicate", &place, message, help);
            }
            if cluster.chars().any(char::is_control) {
                let message = "the cluster's name holds a control character".to_owned();
                self.report("invalid_value", &place, message, "use letters, digits, `-`, `_`, `.`");
            }
        }
        let mut stdin = 0;
        for (index, table) in effective.nri.iter().enumerate() {
            let place = Place::root().key("nri").at(index);
            stdin += usize::from(table.stdin);
            for (at, file) in table.files.iter().enumerate() {
                let parts = std::path::Path::new(file).components();
                if !parts.into_iter().all(|part| matches!(part, Component::Normal(_))) {
                    let message = format!("`{file}` is not below the folder of this file");
                    let help = "write a relative path without `..`, for example var/nri-kafka.json";
                    self.report("invalid_value", &place.key("files").at(at), message, help);
                }
            }
            if table.files.is_empty() && !table.stdin {
                let message = "this [[nri]] reads nothing".to_owned();
                self.report("no_source", &place, message, "give `files` or `stdin = true`");
            }
            if table.stdin && stdin > 1 {
                let message = "standard input is read already".to_owned();
                self.report("duplicate", &place.key("stdin"), message, "it can feed one [[nri]]");
            }
        }
    }

    fn cycle(&mut self, effective: &PipelineFile) -> Cycle {
        let table = &effective.pipeline;
        let place = Place::root().key("pipeline");
        self.within(&place.key("interval"), table.interval, SECOND, HOUR);
        self.positive(&place.key("shutdown_deadline"), table.shutdown_deadline);
        self.positive(&place.key("relationships_every"), table.relationships_every);
        let cycle_deadline = table.cycle_deadline.unwrap_or(table.interval);
        // Absent, it is the interval, which has been looked at.
        if let Some(deadline) = table.cycle_deadline {
            self.within(&place.key("cycle_deadline"), deadline, SECOND, HOUR);
        }
        let collect_deadline =
            table.collect_deadline.map_or(cycle_deadline.0.saturating_mul(2) / 3, |d| d.0);
        if collect_deadline.is_zero() || collect_deadline >= cycle_deadline.0 {
            let message = format!(
                "`collect_deadline` must be shorter than `cycle_deadline` ({cycle_deadline})"
            );
            let help = "sending needs a part of the cycle, too";
            self.report("out_of_range", &place.key("collect_deadline"), message, help);
        }
        let mut tags = Tags::default();
        for (key, value) in &table.tags {
            if let Err(error) = tags.insert(key, value) {
                self.tag(&place.key("tags").key(key), &error);
            }
        }
        let environment = table.environment.as_ref().map(|text| text.parse::<TagValue>());
        if let Some(Err(error)) = &environment {
            self.tag(&place.key("environment"), error);
        }
        Cycle {
            interval: table.interval.0,
            collect_deadline,
            cycle_deadline: cycle_deadline.0,
            shutdown_deadline: table.shutdown_deadline.0,
            relationships_every: table.relationships_every.0,
            serves: table.serves,
            environment: table.environment.clone(),
            tags: table.tags.clone(),
        }
    }

    fn tag(&mut self, place: &Place, error: &TagError) {
        let text = error.to_string();
        let (message, help) =
            text.split_once("; ").unwrap_or((&text, "for example team = \"core\""));
        self.report("invalid_value", place, message.to_owned(), help);
    }

    fn stream(&mut self, table: &StreamTable) {
        let place = Place::root().key("stream");
        self.positive(&place.key("timeout"), table.timeout);
        if !(1_000..=16_000_000).contains(&table.batch_bytes.0) {
            let message = "`batch_bytes` is out of range".to_owned();
            self.report("out_of_range", &place.key("batch_bytes"), message, "allowed: 1kB to 16MB");
        }
        if table.buffer_events < table.batch_events {
            let message = "`buffer_events` is smaller than `batch_events`".to_owned();
            let help = "the buffer must hold a whole batch at least";
            self.report("out_of_range", &place.key("buffer_events"), message, help);
        }
        if table.buffer_bytes < table.batch_bytes {
            let message = "`buffer_bytes` is smaller than `batch_bytes`".to_owned();
            let help = "the buffer must hold a whole batch at least";
            self.report("out_of_range", &place.key("buffer_bytes"), message, help);
        }
    }

    fn extensions(&mut self, effective: &PipelineFile) -> Extensions {
        let tables = ExtensionTables {
            place: &Place::root(),
            windows: &effective.windows,
            metrics: &effective.metric,
            mappings: &effective.mapping,
            hooks: &effective.hook,
            tags: &effective.pipeline.tags,
            environment: effective.pipeline.environment.as_deref(),
        };
        resolve(self.file, tables, self.files).unwrap_or_else(|problems| {
            self.own.extend(problems);
            Extensions::default()
        })
    }

    fn http(&mut self, effective: &PipelineFile) -> Option<HttpListen> {
        // The schema's format has been checked.
        let address = IpAddr::from_str(&effective.http.address).ok()?;
        Some(HttpListen { address, port: effective.http.port })
    }

    fn positive(&mut self, place: &Place, duration: DurationText) {
        if duration.0.is_zero() {
            let message = format!("`{place}` is zero");
            self.report("out_of_range", place, message, "for example 10s");
        }
    }

    fn within(&mut self, place: &Place, duration: DurationText, min: Duration, max: Duration) {
        if duration.0 < min || duration.0 > max {
            let message = format!("`{place}` is {duration}");
            let (min, max) = (DurationText(min), DurationText(max));
            self.report("out_of_range", place, message, &format!("allowed: {min} to {max}"));
        }
    }
}

/// Whether events can be sent to `text`; the error says why not.
pub(super) fn check_base_url(text: &str) -> Result<(), String> {
    let account = AccountId::try_from(1).map_err(|error| error.to_string())?;
    let addresses = Addresses { events: text.to_owned(), ..Region::Us.addresses() };
    addresses.events_of(account).map(|_| ()).map_err(|error| error.to_string())
}
