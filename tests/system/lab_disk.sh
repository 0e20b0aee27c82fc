#!/bin/sh
# Proves the disk probe against real devices in a lab machine: builds each situation there with
# lvm, mdadm, cryptsetup, btrfs ..., and compares what the probe says with what is true. Needs the lab
# (TENKEN_LAB = folder of its run.sh) and a build (TENKEN_BUILD); not part of the ordinary tests.
#   TENKEN_LAB=... TENKEN_BUILD=... tests/system/lab_disk.sh [CASE...]
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
: "${TENKEN_LAB:?folder that holds run.sh of the lab}"
: "${TENKEN_BUILD:?build folder with tool_probe_dump}"
tool=$(find "$TENKEN_BUILD" -name tool_probe_dump -type f | head -n 1)
[ -n "$tool" ] || { echo "no tool_probe_dump below $TENKEN_BUILD" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/in" "$work/out"
cp "$tool" "$here/tests/system/lab_disk_guest.sh" "$here/tests/hosts/capture.sh" "$work/in/"
program=$(find "$TENKEN_BUILD" -name tenken -type f | head -n 1)
if [ -n "$program" ]; then
    cp "$program" "$work/in/"
    cp -r "$here/policies" "$work/in/policies"
    sed 's#/srv/city#/mnt/a/enc#' "$here/tests/hosts/fully-encrypted/site.yaml" >"$work/in/site.yaml"
fi
"$TENKEN_LAB/run.sh" base -t 1500 -i "$work/in" -o "${TENKEN_OUT:-$work/out}" -- bash ./lab_disk_guest.sh "$@"
