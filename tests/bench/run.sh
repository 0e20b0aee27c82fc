#!/bin/sh
# Prints the project's performance as ratios measured side by side. Needs a Release build: tests/bench/run.sh BUILD_DIR [RUNS]
# Run as root: without privilege the scan does less.
set -eu
build=${1:?usage: tests/bench/run.sh BUILD_DIR [RUNS]}
runs=${2:-15}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/site.yaml" <<EOF
contracts:
  - {id: BENCH-1, authority: bench, work: bench, starts: 2026-04-01, ends: 2036-03-31, framework: sapporo-7-2}
data_paths: [{path: /srv, dataset: bench}]
EOF
measure=$build/tests/bench/bench-measure
floor=$build/tests/bench/bench-floor
echo "whole scan, recorded (A) against the floor (B); budget: ratio <= 8"
"$measure" -n "$runs" "$build/agent/tenken" scan --record --site "$work/site.yaml" --state "$work/state" -- "$floor" diag
echo
echo "whole scan, not recorded (A) against the floor (B)"
"$measure" -n "$runs" "$build/agent/tenken" scan --site "$work/site.yaml" -- "$floor" diag
echo
echo "memory; budget: <= 16 MiB"
"$measure" --pss "$build/agent/tenken" scan --site "$work/site.yaml"
if [ -x "$build/tests/bench/collector-bench" ]; then
    echo
    "$build/tests/bench/collector-bench"
fi
