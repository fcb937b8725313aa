"""The figures of benches/nrql.rs beside DuckDB's, on the same data, in one run, on one core.

    python3 -m venv target/duckdb && target/duckdb/bin/pip install duckdb
    target/duckdb/bin/python ci/figures/nrql_duckdb.py [--rows N]... [--bench PROGRAM]

DuckDB makes the same events by the same formula in SQL, in memory, with `PRAGMA threads=1`; each
figure is the best of several rounds. Answers that must be exact are compared; the script fails when
they differ. `--bench` names a built bench; without it `cargo bench` builds and runs it.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import time

import duckdb

ROOT = pathlib.Path(__file__).resolve().parents[2]
BEGIN = 1_700_000_100_000
SPAN_MS = 6 * 3_600_000
ROUNDS = 7

# By the names of benches/nrql.rs. Percentiles and distinct counts are approximate on both sides.
QUERIES = {
    "count": "SELECT count(*) FROM load",
    "filter + count": "SELECT count(*) FROM load WHERE status = 'error' AND duration > 250",
    "LIKE + IS NOT NULL": "SELECT count(*) FROM load WHERE topic ILIKE '%9%' AND error_code IS NOT NULL",
    "average + sum": "SELECT avg(duration), sum(bytes) FROM load",
    "FACET + average": "SELECT topic, avg(duration), count(*) AS n FROM load GROUP BY topic"
    " ORDER BY 2 DESC LIMIT 10",
    "FACET of two + average + max": "SELECT cluster_name, hostname, avg(lag), max(duration)"
    " FROM load GROUP BY ALL ORDER BY 3 DESC",
    "TIMESERIES + percentile": "SELECT (ts - {begin}) // 300000 AS bucket,"
    " approx_quantile(duration, [0.5, 0.95, 0.99]) FROM load GROUP BY bucket ORDER BY bucket",
    "FACET + uniqueCount": "SELECT region, approx_count_distinct(customer) FROM load"
    " GROUP BY region ORDER BY 2 DESC",
}

# Answers that both sides must give alike, as numbers in the bench's text of its first row.
EXACT = {"count", "filter + count", "LIKE + IS NOT NULL", "average + sum", "FACET + average"}


def mix(k):
    """SQL of the bench's `mix(n, k)`."""
    a = f"((n * 2654435761 + {k}::BIGINT * 1013904223) % 4294967296)"
    return f"(((({a} >> 16) * 69069 + ({a} & 65535) * 40503 + {k}) % 4294967296) >> 4)"


def create(db, rows):
    named = lambda prefix, k, count, suffix="": f"'{prefix}' || ({mix(k)} % {count}) || '{suffix}'"
    db.execute("DROP TABLE IF EXISTS load")
    db.execute(
        f"""CREATE TABLE load AS SELECT
        {BEGIN} + n * {SPAN_MS} // {rows} AS ts,
        {named("host-", 1, 200, ".example.net")} AS hostname,
        {named("cluster-", 2, 4)} AS cluster_name,
        {named("orders.topic-", 3, 500)} AS topic,
        CASE WHEN {mix(4)} % 100 < 2 THEN 'error' WHEN {mix(4)} % 100 < 10 THEN 'warn' ELSE 'ok' END AS status,
        {named("region-", 5, 3)} AS region,
        {named("1.", 6, 5, ".0")} AS version,
        {named("customer-", 7, 20000)} AS customer,
        (({mix(8)} % 1000 + 1) * ({mix(9)} % 1000 + 1)) / 1000.0::DOUBLE AS duration,
        ({mix(10)} % 1000000)::DOUBLE AS bytes,
        ({mix(11)} % 10000)::DOUBLE AS lag,
        ({mix(12)} % 32)::DOUBLE AS part,
        CASE WHEN {mix(13)} % 10 = 0 THEN (400 + {mix(14)} % 200)::DOUBLE END AS error_code
        FROM range({rows}) t(n)"""
    )


def best(db, sql):
    fastest = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        answer = db.execute(sql).fetchall()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest, answer


def bench(program, sizes):
    path = ROOT / "target" / "nrql_figures.json"
    path.parent.mkdir(exist_ok=True)
    command = [program] if program else ["cargo", "bench", "--bench", "nrql", "--"]
    arguments = ["--figures", "--json", str(path)]
    for size in sizes:
        arguments += ["--rows", str(size)]
    subprocess.run([*command, *arguments], cwd=ROOT, check=True)
    return json.loads(path.read_text())


def numbers(text):
    return [float(found) for found in re.findall(r"(?:Integer|Number)\(([-0-9.e]+)\)", text)]


def differs(name, answer, first):
    ours = numbers(answer)
    theirs = [float(value) for value in first if isinstance(value, (int, float))][: len(ours)]
    close = lambda a, b: abs(a - b) <= 1e-9 * max(abs(a), abs(b))
    return name in EXACT and not all(map(close, ours, theirs))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, action="append")
    parser.add_argument("--bench")
    options = parser.parse_args()
    figures = bench(options.bench, options.rows or [1_000_000, 10_000_000])
    db = duckdb.connect()
    db.execute("PRAGMA threads=1")
    failed = False
    rows = None
    for figure in figures:
        if figure["rows"] != rows:
            rows = figure["rows"]
            create(db, rows)
            size = db.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchone()[0]
            print(f"\n{rows} events, one thread, DuckDB {duckdb.__version__}; bytes per event:"
                  f" {figure['bytes_per_event']:.0f} here, {size / rows:.0f} there (not compressed)")
            print(f"  {'query':<30}{'ms here':>10}{'ms DuckDB':>12}{'ratio':>8}")
        seconds, answer = best(db, QUERIES[figure["name"]].format(begin=BEGIN))
        ratio = figure["seconds"] / seconds
        wrong = differs(figure["name"], figure["answer"], answer[0])
        failed |= wrong
        print(f"  {figure['name']:<30}{figure['seconds'] * 1e3:>10.2f}{seconds * 1e3:>12.2f}"
              f"{ratio:>8.2f}{'   ANSWERS DIFFER: ' + figure['answer'] + str(answer[0]) if wrong else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
