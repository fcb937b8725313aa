//! One scrape of a broker's Prometheus JMX exporter, reduced to the series this crate knows.
//!
//! Names are those of the exporter's kafka-2_0_0 example rules, lower-cased.
//!
//! Invariants:
//! - A value is taken once and only if it is finite (a counter: and not negative); everything
//!   else is counted by reason ([`Rejected`]), never defaulted.
//! - Series nobody asked for cost a parse and no memory; internal topics (`__…`) are left out.

use std::borrow::Cow;

use indexmap::IndexMap;

use super::is_internal;
use crate::collect::prometheus::{self, Entry, Labels, Limits, LineError, Sample, TextError};
use crate::ports::{Endpoint, HttpError, HttpLimits, HttpRequest};
use crate::rt::with_causes;

/// Counters of a topic, and of a broker without the label `topic`.
pub(super) const TOPIC_RATES: [&str; 7] = [
    "kafka_server_brokertopicmetrics_bytesin_total",
    "kafka_server_brokertopicmetrics_bytesout_total",
    "kafka_server_brokertopicmetrics_messagesin_total",
    "kafka_server_brokertopicmetrics_failedproducerequests_total",
    "kafka_server_brokertopicmetrics_failedfetchrequests_total",
    "kafka_server_brokertopicmetrics_totalproducerequests_total",
    "kafka_server_brokertopicmetrics_totalfetchrequests_total",
];

/// Counters of a broker; the first seven are [`TOPIC_RATES`].
pub(super) const BROKER_RATES: [&str; 15] = [
    TOPIC_RATES[0],
    TOPIC_RATES[1],
    TOPIC_RATES[2],
    TOPIC_RATES[3],
    TOPIC_RATES[4],
    TOPIC_RATES[5],
    TOPIC_RATES[6],
    "kafka_server_brokertopicmetrics_bytesrejected_total",
    "kafka_network_requestmetrics_requests_total{request=\"Produce\"}",
    "kafka_network_requestmetrics_requests_total{request=\"FetchConsumer\"}",
    "kafka_network_requestmetrics_requests_total{request=\"FetchFollower\"}",
    "kafka_server_replicamanager_isrshrinks_total",
    "kafka_server_replicamanager_isrexpands_total",
    "kafka_controller_controllerstats_uncleanleaderelections_total",
    "kafka_log_logflushstats_logflushrateandtimems_count",
];

/// Gauges of a broker.
pub(super) const BROKER_GAUGES: [&str; 14] = [
    "kafka_network_requestmetrics_totaltimems{quantile=\"0.99\",request=\"Produce\"}",
    "kafka_network_requestmetrics_totaltimems{quantile=\"0.99\",request=\"FetchConsumer\"}",
    "kafka_server_replicamanager_partitioncount",
    "kafka_server_replicamanager_leadercount",
    "kafka_server_replicamanager_underreplicatedpartitions",
    "kafka_server_replicamanager_offlinereplicacount",
    "kafka_controller_kafkacontroller_offlinepartitionscount",
    "kafka_controller_kafkacontroller_activecontrollercount",
    "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent",
    "java_lang_operatingsystem_cpuload",
    "java_lang_operatingsystem_totalmemorysize",
    "java_lang_operatingsystem_freememorysize",
    "jvm_memory_used_bytes{area=\"heap\"}",
    "jvm_memory_max_bytes{area=\"heap\"}",
];

/// What a name in the text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Series {
    /// A counter of a broker, or of a topic if it carries the label `topic`.
    Topical(usize),
    /// A counter of a broker.
    Rate(usize),
    /// Requests by type and API version, summed over versions.
    Requests,
    /// Quantiles of request time by type.
    RequestTime,
    /// Heap memory, if the label `area` says so.
    Memory(usize),
    /// A gauge of a broker.
    Gauge(usize),
    /// When the process started.
    ProcessStart,
}

fn series(name: &str) -> Option<Series> {
    Some(match name {
        "kafka_server_brokertopicmetrics_bytesin_total" => Series::Topical(0),
        "kafka_server_brokertopicmetrics_bytesout_total" => Series::Topical(1),
        "kafka_server_brokertopicmetrics_messagesin_total" => Series::Topical(2),
        "kafka_server_brokertopicmetrics_failedproducerequests_total" => Series::Topical(3),
        "kafka_server_brokertopicmetrics_failedfetchrequests_total" => Series::Topical(4),
        "kafka_server_brokertopicmetrics_totalproducerequests_total" => Series::Topical(5),
        "kafka_server_brokertopicmetrics_totalfetchrequests_total" => Series::Topical(6),
        "kafka_server_brokertopicmetrics_bytesrejected_total" => Series::Rate(7),
        "kafka_network_requestmetrics_requests_total" => Series::Requests,
        "kafka_server_replicamanager_isrshrinks_total" => Series::Rate(11),
        "kafka_server_replicamanager_isrexpands_total" => Series::Rate(12),
        "kafka_controller_controllerstats_uncleanleaderelections_total" => Series::Rate(13),
        "kafka_log_logflushstats_logflushrateandtimems_count" => Series::Rate(14),
        "kafka_network_requestmetrics_totaltimems" => Series::RequestTime,
        "kafka_server_replicamanager_partitioncount" => Series::Gauge(2),
        "kafka_server_replicamanager_leadercount" => Series::Gauge(3),
        "kafka_server_replicamanager_underreplicatedpartitions" => Series::Gauge(4),
        "kafka_server_replicamanager_offlinereplicacount" => Series::Gauge(5),
        "kafka_controller_kafkacontroller_offlinepartitionscount" => Series::Gauge(6),
        "kafka_controller_kafkacontroller_activecontrollercount" => Series::Gauge(7),
        "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent" => Series::Gauge(8),
        "java_lang_operatingsystem_cpuload" => Series::Gauge(9),
        "java_lang_operatingsystem_totalmemorysize" => Series::Gauge(10),
        "java_lang_operatingsystem_freememorysize" => Series::Gauge(11),
        "process_start_time_seconds" => Series::ProcessStart,
        "jvm_memory_used_bytes" => Series::Memory(12),
        "jvm_memory_max_bytes" => Series::Memory(13),
        _ => return None,
    })
}

/// Values that were not taken, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rejected {
    /// Lines that cannot be read.
    pub malformed_lines: u64,
    /// NaN or infinite.
    pub not_finite: u64,
    /// A counter below zero.
    pub negative_counters: u64,
    /// The same series a second time in one text.
    pub duplicates: u64,
    /// The first line that cannot be read.
    pub first: Option<LineError>,
}

/// Counters of one topic on one broker, in the order of [`TOPIC_RATES`].
pub(super) type TopicCounters = [Option<f64>; TOPIC_RATES.len()];

/// What one scrape said.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Scrape {
    /// Counters in the order of [`BROKER_RATES`].
    pub(super) rates: [Option<f64>; BROKER_RATES.len()],
    /// Gauges in the order of [`BROKER_GAUGES`].
    pub(super) gauges: [Option<f64>; BROKER_GAUGES.len()],
    /// When the broker's process started, Unix seconds, if the exporter says so.
    pub(super) started: Option<f64>,
    /// Topics by name.
    pub(super) topics: Vec<(String, TopicCounters)>,
    /// What was not taken.
    pub(super) rejected: Rejected,
}

/// Why a scrape gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScrapeError {
    /// No HTTP answer.
    #[error("{text}")]
    Http {
        /// The kind of failure.
        kind: &'static str,
        /// Its text.
        text: String,
    },
    /// An HTTP status other than 200.
    #[error("exporter answered with HTTP status {0}")]
    Status(u16),
    /// The body is not text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The body holds not one sample; where it first fails.
    #[error("not a Prometheus exposition: {0}")]
    NotExposition(LineError),
    /// The body holds nothing.
    #[error("exporter answered with an empty exposition")]
    Empty,
}

impl ScrapeError {
    /// The reason's name in counters.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Http { kind, .. } => kind,
            Self::Status(_) => "scrape_status",
            Self::Text(_) => "scrape_not_text",
            Self::NotExposition(_) => "scrape_not_exposition",
            Self::Empty => "scrape_empty",
        }
    }
}

impl From<HttpError> for ScrapeError {
    fn from(error: HttpError) -> Self {
        let kind = match &error {
            HttpError::Request(_) => "scrape_unsendable",
            HttpError::Connect { .. } => "scrape_connect",
            HttpError::Timeout { .. } => "scrape_timeout",
            HttpError::Broken { .. } => "scrape_broken",
            HttpError::Garbage { .. } => "scrape_not_http",
            HttpError::BodyTooLong { .. } => "scrape_too_long",
        };
        Self::Http { kind, text: with_causes(&error) }
    }
}

/// The request for the exposition at `endpoint`.
///
/// # Errors
/// [`ScrapeError::Http`] if the host name cannot stand in a URI.
pub(super) fn request(endpoint: &Endpoint) -> Result<HttpRequest, ScrapeError> {
    http::Request::get(format!("http://{endpoint}/metrics"))
        .header(http::header::ACCEPT, "text/plain;version=0.0.4")
        .body(bytes::Bytes::new())
        .map_err(|error| HttpError::Request(error.to_string()).into())
}

/// What one scrape may cost.
pub(super) fn limits(timeout: std::time::Duration, body_bytes_max: usize) -> HttpLimits {
    HttpLimits { timeout, body_bytes_max }
}

/// Reads an exposition.
///
/// # Errors
/// When it holds no sample at all; single bad lines and values are counted instead.
pub(super) fn read(text: &[u8]) -> Result<Scrape, ScrapeError> {
    let limits = Limits { text_bytes_max: usize::MAX, ..Limits::default() };
    let mut reader = Reader::default();
    let mut samples = 0u64;
    for entry in prometheus::parse(text, limits)? {
        match entry {
            Ok(Entry::Sample(sample)) => {
                samples += 1;
                reader.take(&sample);
            }
            Ok(Entry::Help { .. } | Entry::Type { .. }) => {}
            Err(error) => {
                let rejected = &mut reader.scrape.rejected;
                rejected.malformed_lines += 1;
                rejected.first.get_or_insert(error);
            }
        }
    }
    if samples == 0 {
        let first = reader.scrape.rejected.first;
        return Err(first.map_or(ScrapeError::Empty, ScrapeError::NotExposition));
    }
    Ok(reader.finish())
}

#[derive(Default)]
struct Reader<'a> {
    scrape: Scrape,
    topics: IndexMap<Cow<'a, str>, TopicCounters>,
    /// Exporters list topics in one order in every family: the next one is mostly the next row.
    next_topic: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, sample: &Sample<'a>) {
        let Some(series) = series(sample.name) else { return };
        let labels = sample.labels;
        match series {
            Series::Topical(index) => match labels.get("topic") {
                Some(topic) => self.topic(topic, index, sample.value),
                None if labels.is_empty() => self.counter(index, sample.value),
                None => {}
            },
            Series::Rate(index) if labels.is_empty() => self.counter(index, sample.value),
            Series::Gauge(index) if labels.is_empty() => self.gauge(index, sample.value),
            Series::Rate(_) | Series::Gauge(_) => {}
            Series::ProcessStart => self.scrape.started = Some(sample.value),
            Series::Requests => self.requests(labels, sample.value),
            Series::RequestTime => self.request_time(labels, sample.value),
            Series::Memory(index) => {
                if labels.get("area").is_some_and(|area| area == "heap") {
                    self.gauge(index, sample.value);
                }
            }
        }
    }

    fn requests(&mut self, labels: Labels<'a>, value: f64) {
        let index = match labels.get("request").as_deref() {
            Some("Produce") => 8,
            Some("FetchConsumer") => 9,
            Some("FetchFollower") => 10,
            _ => return,
        };
        if self.is_counter(value) {
            *self.scrape.rates[index].get_or_insert(0.0) += value;
        }
    }

    fn request_time(&mut self, labels: Labels<'a>, value: f64) {
        if labels.get("quantile").is_none_or(|quantile| quantile != "0.99") {
            return;
        }
        match labels.get("request").as_deref() {
            Some("Produce") => self.gauge(0, value),
            Some("FetchConsumer") => self.gauge(1, value),
            _ => {}
        }
    }

    fn is_counter(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            self.scrape.rejected.not_finite += 1;
        } else if value < 0.0 {
            self.scrape.rejected.negative_counters += 1;
        } else {
            return true;
        }
        false
    }

    fn counter(&mut self, index: usize, value: f64) {
        if self.is_counter(value) {
            set(&mut self.scrape.rates[index], value, &mut self.scrape.rejected);
        }
    }

    fn gauge(&mut self, index: usize, value: f64) {
        if value.is_finite() {
            set(&mut self.scrape.gauges[index], value, &mut self.scrape.rejected);
        } else {
            self.scrape.rejected.not_finite += 1;
        }
    }

    fn topic(&mut self, topic: Cow<'a, str>, index: usize, value: f64) {
        if is_internal(&topic) || !self.is_counter(value) {
            return;
        }
        let guess = self.topics.get_index(self.next_topic).filter(|(name, _)| **name == topic);
        let row = match guess {
            Some(_) => self.next_topic,
            None => {
                let entry = self.topics.entry(topic);
                let row = entry.index();
                entry.or_default();
                row
            }
        };
        self.next_topic = row + 1;
        set(&mut self.topics[row][index], value, &mut self.scrape.rejected);
    }

    fn finish(self) -> Scrape {
        let mut scrape = self.scrape;
        let owned = self.topics.into_iter().map(|(topic, row)| (topic.into_owned(), row));
        scrape.topics = owned.collect();
        scrape.topics.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        scrape
    }
}

fn set(slot: &mut Option<f64>, value: f64, rejected: &mut Rejected) {
    match slot {
        Some(_) => rejected.duplicates += 1,
        None => *slot = Some(value),
    }
}
