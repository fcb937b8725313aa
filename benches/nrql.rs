//! What a query costs per row: filter, facets, time series with percentiles, distinct counts over
//! one and ten million events of twelve attributes; and what storing them costs.
//!
//! `cargo bench --bench nrql -- --figures` prints a table; with `--json FILE` it writes the same
//! for `ci/figures/nrql_duckdb.py`, which puts DuckDB's figures beside it. `--rows N` (several
//! times) changes the sizes. One thread; each figure is the best of several rounds, as whatever
//! else runs on the machine only ever adds time.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use shakedown::domain::account::AccountId;
use shakedown::domain::units::UnixMillis;
use shakedown::nrql::eval::{QueryContext, QueryLimits, run};
use shakedown::nrql::parse;
use shakedown::nrql::store::{Cell, EventStore, NewEvent, StoreConfig};

/// All events lie within six hours from here.
const BEGIN: i64 = 1_700_000_100_000;
const SPAN_MS: i64 = 6 * 3_600_000;
const ROUNDS: usize = 7;

const QUERIES: &[(&str, &str)] = &[
    ("count", "SELECT count(*) FROM Load"),
    ("filter + count", "SELECT count(*) FROM Load WHERE status = 'error' AND duration > 250"),
    (
        "LIKE + IS NOT NULL",
        "SELECT count(*) FROM Load WHERE topic LIKE '%9%' AND errorCode IS NOT NULL",
    ),
    ("average + sum", "SELECT average(duration), sum(bytes) FROM Load"),
    ("FACET + average", "SELECT average(duration) FROM Load FACET topic LIMIT 10"),
    (
        "FACET of two + average + max",
        "SELECT average(lag), max(duration) FROM Load FACET clusterName, hostname LIMIT MAX",
    ),
    (
        "TIMESERIES + percentile",
        "SELECT percentile(duration, 50, 95, 99) FROM Load TIMESERIES 5 minutes",
    ),
    ("FACET + uniqueCount", "SELECT uniqueCount(customer) FROM Load FACET region"),
];

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn instant() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn seconds_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}

/// Pseudo-random 28 bits, the `k`-th of event `n`. No step exceeds 63 bits, so that SQL can
/// compute the same: `ci/figures/nrql_duckdb.py` does.
fn mix(n: u64, k: u64) -> u64 {
    const WORD: u64 = 1 << 32;
    let a = (n * 2_654_435_761 + k * 1_013_904_223) % WORD;
    let b = ((a >> 16) * 69_069 + (a & 0xffff) * 40_503 + k) % WORD;
    b >> 4
}

struct Words {
    hosts: Vec<String>,
    clusters: Vec<String>,
    topics: Vec<String>,
    regions: Vec<String>,
    versions: Vec<String>,
    customers: Vec<String>,
}

fn words() -> Words {
    let named = |count: u64, name: &dyn Fn(u64) -> String| (0..count).map(name).collect();
    Words {
        hosts: named(200, &|n| format!("host-{n}.example.net")),
        clusters: named(4, &|n| format!("cluster-{n}")),
        topics: named(500, &|n| format!("orders.topic-{n}")),
        regions: named(3, &|n| format!("region-{n}")),
        versions: named(5, &|n| format!("1.{n}.0")),
        customers: named(20_000, &|n| format!("customer-{n}")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of few digits")]
fn push(store: &mut EventStore, account: AccountId, words: &Words, n: u64, rows: u64) {
    let pick = |of: &'_ [String], k: u64| (mix(n, k) % of.len() as u64) as usize;
    let status = match mix(n, 4) % 100 {
        0..2 => "error",
        2..10 => "warn",
        _ => "ok",
    };
    let duration = ((mix(n, 8) % 1_000 + 1) * (mix(n, 9) % 1_000 + 1)) as f64 / 1_000.0;
    let cells = [
        ("hostname", Cell::Text(&words.hosts[pick(&words.hosts, 1)])),
        ("clusterName", Cell::Text(&words.clusters[pick(&words.clusters, 2)])),
        ("topic", Cell::Text(&words.topics[pick(&words.topics, 3)])),
        ("status", Cell::Text(status)),
        ("region", Cell::Text(&words.regions[pick(&words.regions, 5)])),
        ("version", Cell::Text(&words.versions[pick(&words.versions, 6)])),
        ("customer", Cell::Text(&words.customers[pick(&words.customers, 7)])),
        ("duration", Cell::Number(duration)),
        ("bytes", Cell::Number((mix(n, 10) % 1_000_000) as f64)),
        ("lag", Cell::Number((mix(n, 11) % 10_000) as f64)),
        ("partition", Cell::Number((mix(n, 12) % 32) as f64)),
        ("errorCode", Cell::Number((400 + mix(n, 14) % 200) as f64)),
    ];
    // One event in ten has the last attribute.
    let count = if mix(n, 13).is_multiple_of(10) { cells.len() } else { cells.len() - 1 };
    let timestamp = BEGIN + (n * SPAN_MS.cast_unsigned() / rows).cast_signed();
    store.push(NewEvent {
        account,
        event_type: "Load",
        timestamp: UnixMillis(timestamp),
        stored_at: UnixMillis(timestamp + 1_000),
        request: (n / 1_000) as u32,
        cells: &cells[..count],
    });
}

struct Figure {
    name: &'static str,
    query: &'static str,
    seconds: f64,
    answer: String,
}

fn measure(store: &EventStore, account: AccountId) -> Result<Vec<Figure>, String> {
    let mut figures = Vec::new();
    let limits = QueryLimits { rows_max: u64::MAX, ..QueryLimits::default() };
    let now = UnixMillis(BEGIN + SPAN_MS);
    let context = QueryContext { store, accounts: &[account], now, limits };
    for (name, query) in QUERIES {
        let text = format!("{query} SINCE 6 hours ago");
        let statement = parse(&text).map_err(|fault| format!("{text}: {fault}"))?;
        let mut best = f64::INFINITY;
        let mut answer = String::new();
        for _ in 0..ROUNDS {
            let start = instant();
            let result = run(&text, &statement, &context);
            best = best.min(seconds_since(start));
            let result = black_box(result).map_err(|fault| format!("{text}: {fault}"))?;
            answer = format!("{:?}", result.results.first());
        }
        figures.push(Figure { name, query, seconds: best, answer });
    }
    Ok(figures)
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
fn figures(rows: u64, json: &mut String) -> Result<String, String> {
    let account = AccountId::try_from(1).map_err(|fault| fault.to_string())?;
    let words = words();
    let mut store = EventStore::new(StoreConfig { bytes_max: usize::MAX / 2 });
    let start = instant();
    (0..rows).for_each(|n| push(&mut store, account, &words, n, rows));
    let seconds = seconds_since(start);
    let bytes = store.bytes() as f64 / rows as f64;
    let mut table = format!(
        "{rows} events of 12 attributes: stored at {:.2} M events/s, {bytes:.1} bytes per event\n",
        rows as f64 / seconds / 1e6
    );
    let line = |text: &mut String, name: &str, ms: &str, rate: &str| {
        writeln!(text, "  {name:<30}{ms:>12}{rate:>16}").map_err(|fault| fault.to_string())
    };
    line(&mut table, "query", "ms", "M rows/s")?;
    for (at, figure) in measure(&store, account)?.iter().enumerate() {
        let rate = rows as f64 / figure.seconds / 1e6;
        let ms = format!("{:.2}", figure.seconds * 1e3);
        line(&mut table, figure.name, &ms, &format!("{rate:.0}"))?;
        let head = if at == 0 && json.is_empty() { "" } else { ",\n" };
        let answer = figure.answer.replace('\\', "").replace('"', "'");
        write!(
            json,
            "{head}{{\"rows\": {rows}, \"name\": \"{}\", \"query\": \"{}\", \"seconds\": {}, \
             \"bytes_per_event\": {bytes}, \"answer\": \"{answer}\"}}",
            figure.name, figure.query, figure.seconds,
        )
        .map_err(|fault| fault.to_string())?;
    }
    Ok(table)
}

fn main() -> ExitCode {
    let mut sizes = Vec::new();
    let mut json_path = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rows" => sizes.extend(arguments.next().and_then(|rows| rows.parse::<u64>().ok())),
            "--json" => json_path = arguments.next(),
            _ => {}
        }
    }
    if sizes.is_empty() {
        sizes = vec![1_000_000, 10_000_000];
    }
    let mut json = String::new();
    let mut out = std::io::stdout();
    for rows in sizes {
        let shown = match figures(rows, &mut json) {
            Ok(table) => writeln!(out, "{table}"),
            Err(fault) => writeln!(out, "{fault}"),
        };
        if shown.is_err() {
            return ExitCode::FAILURE;
        }
    }
    match json_path.map(|path| std::fs::write(path, format!("[{json}]\n"))) {
        Some(Err(_)) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}
