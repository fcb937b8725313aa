#!/usr/bin/env bash
# Draws a preview of every dashboard template and opens it in Chromium at two widths, in light and
# dark: no error on the console, no request, no page wider than its window, every widget drawn, no
# text cut or covered by another, every link to a page leads to one. Screenshots are left in
# target/interop/previews. Exit 1 when something fails.
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

out=target/interop/previews
rm -rf "$out"
mkdir -p "$out"
templates=$("$program" dashboards list --format json |
  node -e 'const { templates } = JSON.parse(require("fs").readFileSync(0));
    console.log(templates.map((template) => template.name).join("\n"));')
for template in $templates; do
  "$program" dashboards render "$template" --simulate --html "$out/$template.html" >/dev/null
done
node ci/interop/preview.cjs "$browser" "$out" "$out"/*.html
