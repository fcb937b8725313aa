#!/usr/bin/env bash
# Makes cards of runs that pass, fail, and are large, and opens them in Chromium at three widths, in
# light and dark: no error on the console, no request, no page wider than its window, and every
# control does what it says. Screenshots and PDFs are left in target/interop/cards. Exit 1 when
# something fails.
#
# SHAKEDOWN: the program to test (default target/debug/shakedown, built when absent).
# CHROMIUM: the browser (default: the first of chromium, chromium-browser, google-chrome).
set -euo pipefail
cd "$(dirname "$0")/../.."

program=${SHAKEDOWN:-target/debug/shakedown}
if [[ ! -x $program ]]; then
  cargo build --bin shakedown
fi
browser=${CHROMIUM:-}
for name in chromium chromium-browser google-chrome; do
  browser=${browser:-$(command -v "$name" || true)}
done
if [[ -z $browser ]] || ! command -v node >/dev/null; then
  echo "node and Chromium are needed: apt-get install nodejs chromium" >&2
  exit 1
fi

out=target/interop/cards
rm -rf "$out"
mkdir -p "$out"
# Folder, exit code and arguments of each run.
make() {
  local want=$1 code=0
  shift
  "$program" run "$@" --out "$out" >/dev/null || code=$?
  if [[ $code -ne $want ]]; then
    echo "shakedown run $* ended with $code, not $want" >&2
    exit 1
  fi
}
make 0
make 0 scenarios/steady.toml
make 0 scenarios/hundred-brokers.toml
make 0 scenarios/api-outage.toml --network turmoil
make 11 fixtures/scenarios/breaks_its_promise.toml
node ci/interop/card.cjs "$browser" "$out" "$out"/*.html
