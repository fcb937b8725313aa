#!/usr/bin/env bash
# `shakedown fleet serve`, `shakedown pipeline` and a sink for events (Python's standard library) on
# loopback: what the fleet has arrives at the sink, health and metrics answer, SIGTERM drains.
# Exit 1 when a check fails.
#
# SHAKEDOWN: the program to test (default target/debug/shakedown, built when absent).
set -euo pipefail
cd "$(dirname "$0")/../.."

program=${SHAKEDOWN:-target/debug/shakedown}
if [[ ! -x $program ]]; then
  cargo build --bin shakedown
fi
# Isolated: this folder has a kafka.py of its own, which must not hide a package.
exec python3 -I -B ci/interop/end_to_end.py "$program"
