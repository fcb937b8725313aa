//! Expositions of a broker, good and bad.

use proptest::prelude::*;

use super::super::scrape::{
    BROKER_GAUGES, BROKER_RATES, Rejected, Scrape, ScrapeError, TOPIC_RATES, read,
};
use super::*;
use crate::resilience::breaker::Admitted;

/// What a scrape took, as readable lines in the order of the tables.
fn taken(scrape: &Scrape) -> Vec<String> {
    let rates = BROKER_RATES.iter().zip(&scrape.rates);
    let gauges = BROKER_GAUGES.iter().zip(&scrape.gauges);
    let mut taken: Vec<_> = rates
        .chain(gauges)
        .filter_map(|(name, value)| value.map(|value| format!("{name} {value}")))
        .collect();
    for (topic, row) in &scrape.topics {
        let values = TOPIC_RATES.iter().zip(row);
        taken.extend(
            values
                .filter_map(|(name, value)| value.map(|value| format!("{topic}: {name} {value}"))),
        );
    }
    taken
}

#[test]
fn every_series_has_its_place() {
    let mut text = String::new();
    for (index, name) in TOPIC_RATES.iter().enumerate() {
        let _ = writeln!(text, "{name} {index}\n{name}{{topic=\"t\",}} 10{index}");
    }
    let plain = BROKER_RATES[7..].iter().chain(&BROKER_GAUGES);
    for (index, name) in plain.enumerate() {
        let _ = writeln!(text, "{name} {}", 200 + index);
    }
    let scrape = read(text.as_bytes()).expect("an exposition");
    assert!(scrape.rates.iter().chain(&scrape.gauges).all(Option::is_some), "{scrape:?}");
    let expected_rates = (0..7).chain(200..208).map(|n| Some(f64::from(n)));
    assert!(scrape.rates.iter().copied().eq(expected_rates), "{:?}", scrape.rates);
    assert!(scrape.gauges.iter().copied().eq((208..222).map(|n| Some(f64::from(n)))));
    let row = [100., 101., 102., 103., 104., 105., 106.].map(Some);
    assert_eq!(scrape.topics, [("t".to_owned(), row)]);
    assert_eq!(scrape.rejected, Rejected::default());
}

#[test]
fn labels_decide() {
    let requests = "kafka_network_requestmetrics_requests_total";
    let time = "kafka_network_requestmetrics_totaltimems";
    let bytes = "kafka_server_brokertopicmetrics_bytesin_total";
    let text = format!(
        "{requests}{{request=\"Produce\",version=\"9\",}} 5\n\
         {requests}{{request=\"Produce\",version=\"11\",}} 7\n\
         {requests}{{request=\"Metadata\",version=\"9\",}} 100\n\
         {time}{{quantile=\"0.50\",request=\"Produce\",}} 1\n\
         {time}{{request=\"FetchConsumer\",quantile=\"0.99\",}} 2\n\
         {bytes}{{topic=\"b\\\\c\",}} 1\n\
         {bytes}{{topic=\"a\",}} 2\n\
         {bytes}{{topic=\"__x\",}} 3\n\
         {bytes}{{partition=\"1\",}} 4\n\
         kafka_server_replicamanager_leadercount{{x=\"y\"}} 1\n\
         jvm_memory_used_bytes{{area=\"nonheap\"}} 1\n\
         jvm_memory_max_bytes{{pool=\"x\",area=\"heap\"}} 2\n\
         something_else 9\n"
    );
    let scrape = read(text.as_bytes()).expect("an exposition");
    assert_eq!(
        taken(&scrape),
        [
            format!("{requests}{{request=\"Produce\"}} 12"),
            format!("{time}{{quantile=\"0.99\",request=\"FetchConsumer\"}} 2"),
            "jvm_memory_max_bytes{area=\"heap\"} 2".to_owned(),
            format!("a: {bytes} 2"),
            format!("b\\c: {bytes} 1"),
        ]
    );
}

#[test]
fn bad_values_are_counted_and_never_taken() {
    let bytes = "kafka_server_brokertopicmetrics_bytesin_total";
    let text = format!(
        "{bytes} NaN\n{bytes}{{topic=\"t\"}} -1\n{bytes}{{topic=\"u\"}} 1\n\
         {bytes}{{topic=\"u\"}} 2\njava_lang_operatingsystem_cpuload +Inf\n\
         kafka_server_replicamanager_leadercount 12x\nother NaN\n{bytes} 12"
    );
    let scrape = read(text.as_bytes()).expect("an exposition");
    assert_eq!(taken(&scrape), [format!("u: {bytes} 1")]);
    let Rejected { malformed_lines, not_finite, negative_counters, duplicates, first } =
        scrape.rejected;
    assert_eq!((malformed_lines, not_finite, negative_counters, duplicates), (2, 2, 1, 1));
    let first = first.expect("two lines cannot be read").to_string();
    assert_eq!(first, "line 6, column 41: expected a number");
}

#[test]
fn what_is_no_exposition() {
    let cases: &[(u16, &str, &str)] = &[
        (200, "", "exporter answered with an empty exposition"),
        (200, "# HELP only a comment\n", "exporter answered with an empty exposition"),
        (
            200,
            "<html>\n<body>no</body>\n</html>\n",
            "not a Prometheus exposition: line 1, column 1: expected a metric name",
        ),
        (
            200,
            "{\"error\": 1}",
            "not a Prometheus exposition: line 1, column 13: the text ends before the end of the \
             line: cut off",
        ),
        (503, "up 1\n", "exporter answered with HTTP status 503"),
    ];
    for (status, text, expected) in cases {
        let fake = Fake::new(model());
        fake.model().expositions.insert(1, (*status, (*text).to_owned()));
        let collection = run(async {
            KafkaCollector::new(fake.clone(), config(&fake)).collect(Admitted::for_tests()).await
        });
        let collection = collection.expect("brokers answer");
        assert_eq!(missing(&collection), [format!("scrape of broker 1: {expected}")]);
        assert_eq!(collection.stats.failures.values().sum::<u64>(), 1);
    }
    let bad = read(b"up 1\nup \xff\n").expect_err("not text");
    assert_eq!(bad, ScrapeError::Text(crate::collect::prometheus::TextError::NotUtf8 { line: 2 }));
}

#[test]
fn rejected_values_are_in_the_statistics() {
    let fake = Fake::new(model());
    let text = "java_lang_operatingsystem_cpuload NaN\nup{ 1\nup 1\n".to_owned();
    fake.model().expositions.insert(0, (200, text));
    let collection = run(async {
        KafkaCollector::new(fake.clone(), config(&fake)).collect(Admitted::for_tests()).await
    });
    let collection = collection.expect("brokers answer");
    assert_eq!(
        collection.stats.failures,
        BTreeMap::from([("scrape_line_malformed", 1), ("value_not_finite", 1)])
    );
    assert!(collection.missing.is_empty(), "single values are no missing part");
}

proptest! {
    /// Mutated expositions never panic, and what is taken is finite and a topic's own.
    #[test]
    fn mutated_expositions(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut text = exposition(1, 3).into_bytes();
        for (at, byte) in changes {
            let at = at.index(text.len());
            text[at] = byte;
        }
        text.truncate(cut.index(text.len()) + 1);
        if let Ok(scrape) = read(&text) {
            let rows = scrape.topics.iter().flat_map(|(_, row)| row);
            let all = scrape.rates.iter().chain(&scrape.gauges).chain(rows);
            prop_assert!(all.flatten().all(|value| value.is_finite()));
            prop_assert!(scrape.topics.iter().all(|(topic, _)| !topic.starts_with("__")));
        }
    }
}
