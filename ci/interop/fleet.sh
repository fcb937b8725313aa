#!/usr/bin/env bash
# Serves a simulated Kafka cluster on free loopback ports and drives it with an unmodified
# third-party clients (PyPI confluent-kafka, which is librdkafka, and kafka-python). Exit 1 when a
# check fails.
#
# SHAKEDOWN: the program to test (default target/debug/shakedown, built when absent).
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=target/interop/venv
if ! "$venv/bin/python" -I -c 'import confluent_kafka, kafka' 2>/dev/null; then
  mkdir -p target/interop
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka kafka-python
fi

program=${SHAKEDOWN:-target/debug/shakedown}
if [[ ! -x $program ]]; then
  cargo build --bin shakedown
fi

started=target/interop/fleet-started.txt
log=target/interop/fleet-serve.log
: >"$started"
"$program" ${SHAKEDOWN_VERB-fleet serve} --brokers 3 --port 0 --jmx-port 0 --seed 7 \
  >"$started" 2>"$log" &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true' EXIT

for _ in $(seq 100); do
  if [[ $(wc -l <"$started") -ge 3 ]]; then break; fi
  if ! kill -0 "$pid" 2>/dev/null; then
    echo "fleet serve ended before it was ready:" >&2
    cat "$log" >&2
    exit 1
  fi
  sleep 0.1
done
if [[ $(wc -l <"$started") -lt 3 ]]; then
  echo "fleet serve was not ready within 10 s" >&2
  exit 1
fi

"$venv/bin/python" -B ci/interop/fleet.py "$started"
# Isolated: this folder has a kafka.py of its own, which must not hide the package.
"$venv/bin/python" -I -B ci/interop/fleet_kafka_python.py "$started"
