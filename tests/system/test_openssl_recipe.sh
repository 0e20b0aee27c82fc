#!/bin/sh
# Runs the recipe of README.md ("Verify evidence with openssl alone") exactly as it is written there: openssl alone accepts
# the evidence, and rejects it with one byte changed.
set -eu

build=${TENKEN_BUILD:?the build directory}
source=${TENKEN_SOURCE:?the source directory}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAIL: $*"
    exit 1
}

for tool in jq awk base64 openssl; do
    command -v "$tool" > /dev/null || fail "$tool is not installed"
done

awk '/^## / { here = $0 == "## Verify evidence with openssl alone" }
    here && /^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' \
    "$source/README.md" > "$work/recipe.sh"
test "$(wc -l < "$work/recipe.sh")" -gt 10 || fail "the recipe was not found in the document"

"$build/tests/agent-evidence-test_make_evidence" "$work" > "$work/made.log" 2>&1 ||
    fail "no evidence could be made: $(cat "$work/made.log")"
mv "$work/statement.json" "$work/original.json"

# verify NAME: runs the recipe in a directory of its own on $work/NAME.json
verify() {
    rm -rf "$work/run"
    mkdir "$work/run"
    cp "$work/$1.json" "$work/run/evidence.json"
    cp "$work/${2:-host}.pub.pem" "$work/run/host.pub.pem"
    (cd "$work/run" && sh "$work/recipe.sh") > "$work/out" 2>&1
}

verify evidence || fail "good evidence was refused: $(cat "$work/out")"
grep -q '^good: signed by [0-9a-f]\{64\}$' "$work/out" || fail "no good: $(cat "$work/out")"
cmp -s "$work/run/statement.json" "$work/original.json" || fail "another statement came out"
echo "accepted as it is"

# One byte of the statement, in the facts and outside them; the signature is the old one.
change() {
    LC_ALL=C sed "$2" "$work/original.json" > "$work/changed.json"
    test "$(cmp -l "$work/original.json" "$work/changed.json" | wc -l)" = 1 || fail "$1: not one byte"
    jq -c --arg payload "$(base64 -w0 < "$work/changed.json")" '.payload = $payload' \
        "$work/evidence.json" > "$work/$1.json"
    if verify "$1"; then
        fail "$1: accepted"
    fi
    grep -qi 'failure' "$work/out" || fail "$1: refused for another reason: $(cat "$work/out")"
    echo "refused: one byte changed in $1"
}
change facts 's|"/srv/city","data",0|"/srv/city","data",1|'
change verdict 's|"verdict":"fail"|"verdict":"fain"|'
change head 's|SP-017|SP-018|'

# One bit of the signature.
jq -c '.signatures[0].sig |= (if .[0:1] == "A" then "B" else "A" end) + .[1:]' \
    "$work/evidence.json" > "$work/signature.json"
if verify signature; then
    fail "a changed signature was accepted"
fi
echo "refused: signature changed"

# Another key.
openssl genpkey -algorithm ed25519 -out "$work/other.key" 2> "$work/log"
openssl pkey -in "$work/other.key" -pubout -out "$work/other.pub.pem"
if verify evidence other; then
    fail "another key was accepted"
fi
echo "refused: another key"

# The same statement under another type, and with a second signature.
jq -c '.payloadType = "application/json"' "$work/evidence.json" > "$work/type.json"
jq -c '.signatures += .signatures' "$work/evidence.json" > "$work/two.json"
for name in type two; do
    if verify "$name"; then
        fail "$name: accepted"
    fi
    echo "refused: $name"
done
