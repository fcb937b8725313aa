//! A broker's figures as its Prometheus JMX exporter gives them, with the exporter's
//! `kafka-2_0_0` example rules, lower-cased.
//!
//! Invariants:
//! - Values are written as Java writes doubles (`12.0`, `1.2345678E7`): parsing gives back the
//!   value in the journal exactly.
//! - Families come in order of name, labels in order of name, as client_java 1.x writes them.
//!
//! Not modelled: the hundreds of further series that real rules let through.

use std::fmt::Write as _;

use super::gauges::to_f64;
use super::journal::{BrokerGauges, Observed};
use super::state::{State, TopicCounters};

/// Quantiles that the exporter gives of a Kafka histogram, with a factor on the 99th percentile.
const QUANTILES: [(&str, f64); 6] =
    [("0.50", 0.2), ("0.75", 0.35), ("0.95", 0.7), ("0.98", 0.9), ("0.99", 1.0), ("0.999", 1.8)];

type TopicSeries = (&'static str, &'static str, fn(&TopicCounters) -> u64);

/// `BrokerTopicMetrics` that exist for the broker and per topic.
const TOPIC_SERIES: [TopicSeries; 7] = [
    (
        "kafka_server_brokertopicmetrics_bytesin_total",
        "kafka.server:name=BytesInPerSec,type=BrokerTopicMetrics,attribute=Count",
        |c| c.bytes_in,
    ),
    (
        "kafka_server_brokertopicmetrics_bytesout_total",
        "kafka.server:name=BytesOutPerSec,type=BrokerTopicMetrics,attribute=Count",
        |c| c.bytes_out,
    ),
    (
        "kafka_server_brokertopicmetrics_failedfetchrequests_total",
        "kafka.server:name=FailedFetchRequestsPerSec,type=BrokerTopicMetrics,attribute=Count",
        |c| c.failed_fetch_requests,
    ),
    (
        "kafka_server_brokertopicmetrics_failedproducerequests_total",
        "kafka.server:name=FailedProduceRequestsPerSec,type=BrokerTopicMetrics,attribute=Count",
        |c| c.failed_produce_requests,
    ),
    (
        "kafka_server_brokertopicmetrics_messagesin_total",
        "kafka.server:name=MessagesInPerSec,type=BrokerTopicMetrics,attribute=Count",
        |c| c.messages_in,
    ),
    (
        "kafka_server_brokertopicmetrics_totalfetchrequests_total",
        "kafka.server:name=TotalFetchRequestsPerSec,type=BrokerTopicMetrics,attribute=Count",
        |c| c.fetch_requests,
    ),
    (
        "kafka_server_brokertopicmetrics_totalproducerequests_total",
        "kafka.server:name=TotalProduceRequestsPerSec,type=BrokerTopicMetrics,attribute=Count",
        |c| c.produce_requests,
    ),
];

/// A page as it grows.
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let text = &mut self.text;
        for part in ["# HELP ", name, " Attribute exposed for management ", help, "\n# TYPE "] {
            text.push_str(part);
        }
        for part in [name, " ", kind, "\n"] {
            text.push_str(part);
        }
    }

    fn count(&mut self, name: &str, labels: &str, value: u64) {
        self.head(name, labels);
        write_count(&mut self.text, value);
        self.text.push('\n');
    }

    fn gauge(&mut self, name: &str, labels: &str, value: f64) {
        self.head(name, labels);
        write_double(&mut self.text, value);
        self.text.push('\n');
    }

    fn head(&mut self, name: &str, labels: &str) {
        self.text.push_str(name);
        if !labels.is_empty() {
            self.text.push('{');
            self.text.push_str(labels);
            self.text.push('}');
        }
        self.text.push(' ');
    }

    /// A family with one series.
    fn single_count(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.family(name, kind, help);
        self.count(name, "", value);
    }

    fn single_gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        self.gauge(name, "", value);
    }
}

impl State {
    /// The page of broker `id`, which must exist, now; journalled.
    pub fn scrape(&mut self, id: i32, user_agent: &str) -> String {
        let gauges = self.gauges(id);
        self.observe(id, user_agent, |state| Observed::Scrape(Box::new(state.broker_truth(id))));
        let topics = self.broker(id).map_or(0, |broker| broker.slots.len());
        let hosted = self.view(id).hosted.len();
        let size = 12_000 + topics * 700 + hosted * 80;
        let mut page = Page { text: String::with_capacity(size) };
        jvm(&mut page, &gauges);
        self.controller_series(&mut page, id, &gauges);
        self.log_series(&mut page, id);
        self.request_series(&mut page, id, &gauges);
        self.topic_series(&mut page, id);
        server_series(&mut page, &gauges);
        self.replica_series(&mut page, id, &gauges);
        self.process_series(&mut page, id);
        page.text
    }

    fn controller_series(&self, page: &mut Page, id: i32, gauges: &BrokerGauges) {
        let unclean = self.broker(id).map_or(0, |broker| broker.counters.unclean_elections);
        page.single_count(
            "kafka_controller_controllerstats_uncleanleaderelections_total",
            "counter",
            "kafka.controller:name=UncleanLeaderElectionsPerSec,type=ControllerStats,\
             attribute=Count",
            unclean,
        );
        page.single_count(
            "kafka_controller_kafkacontroller_activecontrollercount",
            "gauge",
            "kafka.controller:name=ActiveControllerCount,type=KafkaController,attribute=Value",
            gauges.active_controller,
        );
        let (topics, partitions) = if gauges.active_controller == 1 {
            (self.topics.len() as u64, self.parts.len() as u64)
        } else {
            (0, 0)
        };
        for (name, bean, value) in [
            ("globalpartitioncount", "GlobalPartitionCount", partitions),
            ("globaltopiccount", "GlobalTopicCount", topics),
            ("offlinepartitionscount", "OfflinePartitionsCount", gauges.offline_partitions),
        ] {
            let name = format!("kafka_controller_kafkacontroller_{name}");
            let help = format!("kafka.controller:name={bean},type=KafkaController,attribute=Value");
            page.single_count(&name, "gauge", &help, value);
        }
    }

    fn log_series(&self, page: &mut Page, id: i32) {
        let name = "kafka_log_log_size";
        page.family(name, "gauge", "kafka.log:name=Size,type=Log,attribute=Value");
        for &part in &self.derived.brokers[super::state::slot_of(id)].hosted {
            let part = &self.parts[part];
            let topic = &self.topics[part.topic].name;
            page.text.push_str(name);
            page.text.push_str("{partition=\"");
            write_digits(&mut page.text, u64::from(part.index.unsigned_abs()));
            for piece in ["\",topic=\"", topic, "\"} "] {
                page.text.push_str(piece);
            }
            write_count(&mut page.text, part.size_bytes);
            page.text.push('\n');
        }
        page.single_count(
            "kafka_log_logflushstats_logflushrateandtimems_count",
            "counter",
            "kafka.log:name=LogFlushRateAndTimeMs,type=LogFlushStats,attribute=Count",
            self.broker(id).map_or(0, |broker| broker.counters.log_flushes),
        );
    }

    fn request_series(&self, page: &mut Page, id: i32, gauges: &BrokerGauges) {
        let counters = self.broker(id).map(|broker| broker.counters).unwrap_or_default();
        let name = "kafka_network_requestmetrics_requests_total";
        page.family(
            name,
            "counter",
            "kafka.network:name=RequestsPerSec,request=*,type=RequestMetrics,attribute=Count",
        );
        // Clients of two generations: brokers count requests per API version.
        for (request, count, versions) in [
            ("FetchConsumer", counters.requests_fetch_consumer, ["13", "17"]),
            ("FetchFollower", counters.requests_fetch_follower, ["17", "18"]),
            ("Metadata", counters.requests_metadata, ["12", "13"]),
            ("Produce", counters.requests_produce, ["9", "11"]),
        ] {
            let older = count / 3;
            for (version, value) in versions.into_iter().zip([older, count - older]) {
                let _ = write!(page.text, "{name}{{request=\"{request}\",version=\"{version}\"}} ");
                write_count(&mut page.text, value);
                page.text.push('\n');
            }
        }
        let name = "kafka_network_requestmetrics_totaltimems";
        page.family(
            name,
            "gauge",
            "kafka.network:name=TotalTimeMs,request=*,type=RequestMetrics,attribute=percentiles",
        );
        for (request, p99) in [
            ("FetchConsumer", gauges.fetch_consumer_p99_ms),
            ("FetchFollower", gauges.fetch_follower_p99_ms),
            ("Produce", gauges.produce_p99_ms),
        ] {
            for (quantile, factor) in QUANTILES {
                let _ =
                    write!(page.text, "{name}{{quantile=\"{quantile}\",request=\"{request}\"}} ");
                write_double(&mut page.text, p99 * factor);
                page.text.push('\n');
            }
        }
        page.single_gauge(
            "kafka_network_socketserver_networkprocessoravgidle_percent",
            "kafka.network:name=NetworkProcessorAvgIdlePercent,type=SocketServer,attribute=Value",
            gauges.network_idle,
        );
    }

    fn topic_series(&self, page: &mut Page, id: i32) {
        let Some(broker) = self.broker(id) else { return };
        page.single_count(
            "kafka_server_brokertopicmetrics_bytesrejected_total",
            "counter",
            "kafka.server:name=BytesRejectedPerSec,type=BrokerTopicMetrics,attribute=Count",
            broker.counters.bytes_rejected,
        );
        for (name, help, value) in TOPIC_SERIES {
            page.family(name, "counter", help);
            page.count(name, "", value(&broker.counters.all));
            for (&topic, &slot) in &broker.slots {
                for part in [name, "{topic=\"", &self.topics[topic].name, "\"} "] {
                    page.text.push_str(part);
                }
                let count = value(&broker.topics[slot as usize].1);
                write_count(&mut page.text, count);
                page.text.push('\n');
            }
        }
    }

    fn replica_series(&self, page: &mut Page, id: i32, gauges: &BrokerGauges) {
        let counters = self.broker(id).map(|broker| broker.counters).unwrap_or_default();
        for (name, kind, bean, value) in [
            ("isrexpands_total", "counter", "IsrExpandsPerSec", counters.isr_expands),
            ("isrshrinks_total", "counter", "IsrShrinksPerSec", counters.isr_shrinks),
            ("leadercount", "gauge", "LeaderCount", gauges.leader_count),
            ("offlinereplicacount", "gauge", "OfflineReplicaCount", 0),
            ("partitioncount", "gauge", "PartitionCount", gauges.partition_count),
            (
                "underreplicatedpartitions",
                "gauge",
                "UnderReplicatedPartitions",
                gauges.under_replicated,
            ),
        ] {
            let attribute = if kind == "counter" { "Count" } else { "Value" };
            let name = format!("kafka_server_replicamanager_{name}");
            let help =
                format!("kafka.server:name={bean},type=ReplicaManager,attribute={attribute}");
            page.single_count(&name, kind, &help, value);
        }
    }

    fn process_series(&self, page: &mut Page, id: i32) {
        let Some(broker) = self.broker(id) else { return };
        let started_ms = self.wall(broker.started_at).0;
        let up = (self.now - broker.started_at).as_secs();
        for (name, kind, help, value) in [
            ("process_cpu_seconds_total", "counter", "user and system CPU time", up / 4),
            ("process_open_fds", "gauge", "open file descriptors", 900 + up % 40),
        ] {
            page.single_count(name, kind, help, value);
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of our era fit 53 bits")]
        let seconds = started_ms as f64 / 1_000.0;
        page.single_gauge("process_start_time_seconds", "start time, Unix seconds", seconds);
    }
}

fn jvm(page: &mut Page, gauges: &BrokerGauges) {
    page.single_gauge(
        "java_lang_operatingsystem_cpuload",
        "java.lang:type=OperatingSystem,attribute=CpuLoad",
        gauges.cpu_load,
    );
    for (name, attribute, value) in [
        ("freememorysize", "FreeMemorySize", gauges.memory_free_bytes),
        ("totalmemorysize", "TotalMemorySize", gauges.memory_total_bytes),
    ] {
        let name = format!("java_lang_operatingsystem_{name}");
        let help = format!("java.lang:type=OperatingSystem,attribute={attribute}");
        page.single_count(&name, "gauge", &help, value);
    }
    for (name, help, heap, nonheap) in [
        ("jvm_memory_committed_bytes", "Committed", gauges.heap_max_bytes, 150 << 20),
        ("jvm_memory_max_bytes", "Max", gauges.heap_max_bytes, 1 << 30),
        ("jvm_memory_used_bytes", "Used", gauges.heap_used_bytes, 140 << 20),
    ] {
        page.family(name, "gauge", help);
        page.count(name, "area=\"heap\"", heap);
        page.count(name, "area=\"nonheap\"", nonheap);
    }
    page.single_count("jvm_threads_current", "gauge", "threads", 96);
}

fn server_series(page: &mut Page, gauges: &BrokerGauges) {
    page.single_gauge(
        "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent",
        "kafka.server:name=RequestHandlerAvgIdlePercent,type=KafkaRequestHandlerPool,\
         attribute=OneMinuteRate",
        gauges.handler_idle,
    );
}

/// A whole number as `Double.toString` writes it.
fn write_count(out: &mut String, value: u64) {
    if value < 10_000_000 {
        write_digits(out, value);
        out.push_str(".0");
        return;
    }
    if value > 1 << 53 {
        write_double(out, to_f64(value));
        return;
    }
    let start = out.len();
    write_digits(out, value);
    let exponent = out.len() - start - 1;
    out.truncate(out.trim_end_matches('0').len().max(start + 1));
    if out.len() == start + 1 {
        out.push('0');
    }
    out.insert(start + 1, '.');
    out.push('E');
    write_digits(out, exponent as u64);
}

/// A whole number; `fmt` would cost most of a page's time.
fn write_digits(out: &mut String, mut value: u64) {
    let mut buffer = [b'0'; 20];
    let mut at = buffer.len();
    loop {
        at -= 1;
        // The remainder is below ten.
        buffer[at] = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&buffer[at..]).unwrap_or("0"));
}

/// A double as `Double.toString` writes it.
fn write_double(out: &mut String, value: f64) {
    let size = value.abs();
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else if size == 0.0 || (1e-3..1e7).contains(&size) {
        let start = out.len();
        let _ = write!(out, "{value}");
        if !out[start..].contains('.') {
            out.push_str(".0");
        }
    } else {
        let text = format!("{value:E}");
        let (mantissa, exponent) = text.split_once('E').unwrap_or((&text, "0"));
        let point = if mantissa.contains('.') { "" } else { ".0" };
        let _ = write!(out, "{mantissa}{point}E{exponent}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_like_javas() {
        let check = |value: f64, expected: &str| {
            let mut out = String::new();
            write_double(&mut out, value);
            assert_eq!(out, expected);
            assert_eq!(out.parse::<f64>().expect("parses"), value);
        };
        check(0.0, "0.0");
        check(0.25, "0.25");
        check(3.0, "3.0");
        check(1e7, "1.0E7");
        check(12_345_678.0, "1.2345678E7");
        check(1.5e-4, "1.5E-4");
        check(-2.5, "-2.5");
        let check = |value: u64, expected: &str| {
            let mut out = String::new();
            write_count(&mut out, value);
            assert_eq!(out, expected);
            assert_eq!(out.parse::<f64>().expect("parses"), to_f64(value));
        };
        check(0, "0.0");
        check(9_999_999, "9999999.0");
        check(10_000_000, "1.0E7");
        check(12_345_678, "1.2345678E7");
        check(34_359_738_368, "3.4359738368E10");
        check(u64::MAX, "1.8446744073709552E19");
    }
}
