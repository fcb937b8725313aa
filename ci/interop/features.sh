#!/usr/bin/env bash
# Runs the feature files, a failing one too, and gives the Cucumber messages to the official HTML
# formatter of npm; the report must hold every scenario, and nothing in it may be unknown. Exit 1
# when something fails.
#
# SHAKEDOWN: the program to test (default target/debug/shakedown, built when absent).
set -euo pipefail
cd "$(dirname "$0")/../.."

program=${SHAKEDOWN:-target/debug/shakedown}
if [[ ! -x $program ]]; then
  cargo build --bin shakedown
fi
tools=target/interop/cucumber
out=target/interop/features
mkdir -p "$tools" "$out"
if [[ ! -d $tools/node_modules/@cucumber/html-formatter ]]; then
  npm install --silent --no-audit --no-fund --prefix "$tools" \
    @cucumber/html-formatter@21 @cucumber/messages@27
fi
sed 's/holds 7 entities of "orders"/holds 8 entities of "orders"/' features/entities.feature \
  >"$out/broken.feature"
sed -i 's/^Feature: .*/Feature: Broken on purpose/' "$out/broken.feature"
"$program" features features --messages "$out/passing.ndjson" --out "$out" >/dev/null
"$program" features "$out/broken.feature" --messages "$out/failing.ndjson" --out "$out" \
  >/dev/null && exit 1
NODE_PATH=$tools/node_modules node ci/interop/features.cjs \
  "$out/passing.ndjson" PASSED "$out/failing.ndjson" FAILED
