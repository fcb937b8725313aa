#!/usr/bin/env bash
# What `shakedown sweep jobs` prints: checked against the schemas of GitHub's workflows (PyPI
# check-jsonschema) and of Kubernetes (PyPI kubernetes-validate), then carried out here, every command
# line of it, and the merged summaries compared with one sweep of everything. Exit 1 when a check
# fails.
#
# SHAKEDOWN: the program to test (default target/debug/shakedown, built when absent).
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=target/interop/venv-jobs
if ! "$venv/bin/python" -I -c 'import check_jsonschema, kubernetes_validate' 2>/dev/null; then
  mkdir -p target/interop
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check \
    check-jsonschema==0.39.0 kubernetes-validate==1.37.0 PyYAML==6.0.3
fi

program=${SHAKEDOWN:-target/debug/shakedown}
if [[ ! -x $program ]]; then
  cargo build --bin shakedown
fi
exec "$venv/bin/python" -I -B ci/interop/sweep_jobs.py "$program"
