#!/usr/bin/env bash
# Serves a simulated New Relic on free loopback ports and drives it with New Relic's own, unmodified
# telemetry SDKs (PyPI newrelic-telemetry-sdk, npm @newrelic/telemetry-sdk), then reads back through
# NRQL and NerdGraph what they sent, and runs the page's script in a document (npm jsdom). Exit 1
# when a check fails.
#
# SHAKEDOWN: the program to test (default target/debug/shakedown, built when absent).
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=target/interop/venv-newrelic
if ! "$venv/bin/python" -I -c 'import newrelic_telemetry_sdk' 2>/dev/null; then
  mkdir -p target/interop
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check newrelic-telemetry-sdk==0.9.0
fi
node=target/interop/node
if command -v npm >/dev/null && [[ ! -d $node/node_modules/@newrelic/telemetry-sdk || \
  ! -d $node/node_modules/jsdom ]]; then
  mkdir -p "$node"
  npm --prefix "$node" install --ignore-scripts --no-audit --no-fund --silent \
    @newrelic/telemetry-sdk@0.6.0 jsdom
fi

program=${SHAKEDOWN:-target/debug/shakedown}
if [[ ! -x $program ]]; then
  cargo build --bin shakedown
fi
exec "$venv/bin/python" -I -B ci/interop/newrelic.py "$program" "$node"
