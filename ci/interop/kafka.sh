#!/usr/bin/env bash
# Runs `shakedown pipeline` against a Kafka cluster that nobody here wrote: librdkafka's mock
# (PyPI confluent-kafka), with old and missing APIs. Exit 1 when a check fails.
#
# SHAKEDOWN: the program to test (default target/debug/shakedown, built when absent).
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=target/interop/venv
if ! "$venv/bin/python" -c 'import confluent_kafka' 2>/dev/null; then
  mkdir -p target/interop
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka
fi

program=${SHAKEDOWN:-target/debug/shakedown}
if [[ ! -x $program ]]; then
  cargo build --bin shakedown
fi

run=target/interop/kafka
rm -rf "$run"
mkdir -p "$run"
"$venv/bin/python" -B ci/interop/kafka.py serve "$run/ready" "$run/events.jsonl" 2>"$run/mock.log" &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true' EXIT

for _ in $(seq 600); do
  if [[ -s $run/ready ]]; then break; fi
  if ! kill -0 "$pid" 2>/dev/null; then
    echo "the mock cluster ended before it was ready:" >&2
    cat "$run/mock.log" >&2
    exit 1
  fi
  sleep 0.1
done
if [[ ! -s $run/ready ]]; then
  echo "the mock cluster was not ready within 60 s" >&2
  exit 1
fi
IFS=$'\t' read -r bootstrap endpoint <"$run/ready"

cat >"$run/pipeline.toml" <<TOML
[newrelic]
account_id = 1234567
base_url = "$endpoint"

[[kafka]]
cluster = "mock"
bootstrap = ["${bootstrap//,/\", \"}"]
# The mock lists no groups.
groups = ["billing"]

[pipeline]
interval = "3s"

[http]
enabled = false
TOML

# Any key will do: it is not New Relic that answers.
NEW_RELIC_LICENSE_KEY=0123456789012345678901234567890123456789 \
  "$program" pipeline --config "$run/pipeline.toml" --cycles 3 --format json \
  >"$run/report.json" 2>"$run/pipeline.log" || {
  echo "shakedown pipeline ended with code $?:" >&2
  cat "$run/pipeline.log" >&2
  exit 1
}
"$venv/bin/python" -B ci/interop/kafka.py check "$run/events.jsonl" "$run/report.json"
