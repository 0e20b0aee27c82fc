#!/bin/sh
# Proves the packaged daily run in a lab machine with systemd: dpkg installs the package, the timer
# starts the inspection by itself, the evidence verifies and goes into a collector, and the unit's
# confinement changes no fact. Needs the lab (TENKEN_LAB = folder of its run.sh), a build with the
# collector (TENKEN_BUILD) and the package; not part of the ordinary tests.
#   TENKEN_LAB=... TENKEN_BUILD=... tests/system/lab_unit.sh tenken_*.deb
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
: "${TENKEN_LAB:?folder that holds run.sh of the lab}"
: "${TENKEN_BUILD:?build folder with tenken-collector}"
package=${1:?the package of the agent}
collector=$TENKEN_BUILD/server-stub/tenken-collector
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
die() {
    printf 'FAIL: %s\n' "$*" >&2
    exit 1
}

mkdir "$work/in" "$work/out"
cp "$package" "$work/in/tenken.deb"
cp "$here/tests/system/lab_unit_guest.sh" "$work/in/"
"$TENKEN_LAB/run.sh" "${TENKEN_LAB_PROFILE:-base}" -t 900 -i "$work/in" -o "$work/out" -- bash ./lab_unit_guest.sh ||
    die "in the lab machine"

echo "== the evidence of the timer's own run goes into a collector"
cp -r "$here/policies" "$work/policies" && chmod -R go-w "$work/policies"
export TENKEN_POLICY_DIR="$work/policies"
"$collector" import --store "$work/store" --enroll "$work/out/host.pub.pem" --contract LAB-1 \
    "$work/out/lab.intoto.jsonl" || die "import"
"$collector" month --store "$work/store" --contract LAB-1 --month "$(cat "$work/out/month")" --format json >"$work/month.json" ||
    die "month"
grep -q '"inspected": *1' "$work/month.json" || {
    cat "$work/month.json" >&2
    die "the month does not count the day"
}
echo "== good"
