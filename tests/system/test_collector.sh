#!/bin/sh
# The collector as a whole program, over TLS, with evidence that the agent recorded: server-stub/cmd_serve.c
# server-stub/cmd_token.c server-stub/cmd_month.c server-stub/cmd_import.c server-stub/cmd_prune.c server-stub/cmd_doctor.c
set -eu

build=${TENKEN_BUILD:?the build directory}
collector=$build/server-stub/tenken-collector
tenken=$build/agent/tenken
work=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2> /dev/null || true
        wait "$server" 2> /dev/null || true
    fi
    rm -rf "$work"
}
trap stop EXIT
# The checkout may belong to another user, and rules that others can change are refused.
cp -r "${TENKEN_SOURCE:?the source directory}/policies" "$work/policies"
chmod -R go-w "$work/policies"
export TENKEN_POLICY_DIR="$work/policies"

fail() {
    echo "FAIL: $*"
    exit 1
}
same() { [ "$2" = "$3" ] || fail "$1: '$2', wanted '$3'"; }
has() { case $2 in *"$3"*) ;; *) fail "$1: no '$3' in: $2" ;; esac }
# code WANTED WHY COMMAND...: the exit code; output in $work/out
code() {
    wanted=$1 why=$2
    shift 2
    got=0
    "$@" > "$work/out" 2>&1 || got=$?
    [ "$got" = "$wanted" ] || fail "$why: exit $got, wanted $wanted: $(cat "$work/out")"
}
# until_true WHY COMMAND...: waits until it holds, a minute at most
until_true() {
    why=$1 tries=0
    shift
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || fail "$why: did not come to pass"
        sleep 0.1
    done
}

# --- usage ---
for c in user baseline attest report form; do
    code 64 "$c" "$collector" "$c"
    has "$c" "$(cat "$work/out")" "not in this version"
done
code 64 "no command" "$collector"
code 64 "unknown command" "$collector" surve
code 0 "help" "$collector" --help
code 0 "help of a command" "$collector" month --help
code 64 "no store" "$collector" token --contract A
code 64 "unknown option" "$collector" token --stor x
has "unknown option" "$(cat "$work/out")" "did you mean --store"
code 64 "a database server" "$collector" token --store postgresql://x/y --contract A
code 64 "no contract" "$collector" token --store "$work/none" --role=
code 1 "no store there" "$collector" month --store "$work/absent" --contract A --month 2026-11
code 1 "no store there" "$collector" doctor --store "$work/absent"
code 64 "bad format" "$collector" month --store "$work/absent" --contract A --month 2026-11 --format pdf
[ ! -e "$work/absent" ] || fail "looking made a store"

# --- evidence of this host ---
mkdir "$work/host"
cat > "$work/site.yaml" << 'SITE'
host: {asset: SP-017, role: maintenance-laptop, label: mnt-03}
contracts:
  - {id: SPR-2026-014, authority: 札幌市, work: 保守, starts: 2020-04-01, ends: 2099-03-31, framework: sapporo-7-2, time_zone: Asia/Tokyo}
data_paths: [{path: /, dataset: test}]
workers: none
assets: none
tls_endpoints: none
SITE
chmod 644 "$work/site.yaml"
record() {
    got=0
    "$tenken" scan --site "$work/site.yaml" --state "$work/host" --record --quiet > "$work/scan.log" 2>&1 || got=$?
    case $got in 0 | 2 | 3) ;; *) fail "recording: exit $got: $(cat "$work/scan.log")" ;; esac
}
record
record
record

# --- the server ---
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" \
    -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 2> /dev/null
serve() {
    : > "$work/serve.log" # the server that starts in the background must not be mistaken for the one before
    "$collector" serve --store "$work/store" --listen 127.0.0.1:0 --cert "$work/cert.pem" --key "$work/key.pem" "$@" \
        > "$work/serve.log" 2>&1 &
    server=$!
    until_true "the server starts" grep -q '^listening on ' "$work/serve.log"
    url=$(sed -n 's/^listening on //p' "$work/serve.log")
}
code 64 "not a certificate" "$collector" serve --store "$work/store" --listen 127.0.0.1:0 --cert "$work/key.pem" --key "$work/site.yaml"
code 64 "not an address" "$collector" serve --store "$work/store" --listen nowhere --cert "$work/cert.pem" --key "$work/key.pem"
serve
code 1 "a second server on the same store" "$collector" serve --store "$work/store" --listen 127.0.0.1:0 --cert "$work/cert.pem" --key "$work/key.pem"
has "a second server" "$(cat "$work/out")" "another collector serves"
same "modes" "$(stat -c %a "$work/store" "$work/store/collector.key" "$work/store/evidence.db" | tr '\n' ' ')" "700 600 600 "
keyid=$(openssl pkey -pubin -in "$work/store/collector.pub.pem" -outform DER | sha256sum | cut -d' ' -f1)

# ask STATUS WHY PATH [CURL OPTIONS]: body in $work/body
ask() {
    wanted=$1 why=$2 path=$3
    shift 3
    got=$(curl -sS --noproxy '*' --cacert "$work/cert.pem" -o "$work/body" -w '%{http_code}' "$@" "$url$path") || fail "$why: curl"
    [ "$got" = "$wanted" ] || fail "$why: $got, wanted $wanted: $(cat "$work/body")"
}
ask 200 "healthz" /healthz
if curl -sS --noproxy '*' --cacert "$work/cert.pem" --tls-max 1.1 --ciphers 'ALL@SECLEVEL=0' "$url/healthz" > /dev/null 2>&1; then
    fail "TLS 1.1 was taken"
fi

token=$("$collector" token --store "$work/store" --contract SPR-2026-014)
has "the token pins the collector" "$token" ".$keyid"
reader=$("$collector" token --store "$work/store" --contract SPR-2026-014 --role auditor)
jq -n --arg t "$token" --rawfile k "$work/host/host.pub.pem" \
    '{token: $t, public_key: $k, hostname: "secret-hostname", machine_id: ""}' > "$work/enroll.json"
first=$(ls "$work"/host/spool/*/1-*.json)
second=$(ls "$work"/host/spool/*/2-*.json)
third=$(ls "$work"/host/spool/*/3-*.json)
ask 401 "not enrolled" /v1/evidence --data-binary @"$first"
ask 201 "enrolment" /v1/enroll --data-binary @"$work/enroll.json"
same "collector key" "$(jq -r .collector_key "$work/body")" "$(cat "$work/store/collector.pub.pem")"
ask 401 "token used" /v1/enroll --data-binary @"$work/enroll.json"
ask 200 "evidence" /v1/evidence --data-binary @"$first"
cp "$work/body" "$work/receipt"
ask 200 "again" /v1/evidence --data-binary @"$first"
cmp -s "$work/receipt" "$work/body" || fail "two receipts for one digest"
same "receipt" "$(jq -r '.payload | @base64d | fromjson | .digest' "$work/receipt")" "$(basename "$first" .json | cut -d- -f2)"
{ cat "$second" && echo && cat "$third" && echo; } | gzip > "$work/two.gz"
ask 200 "gzip, two lines" /v1/evidence -H 'Content-Encoding: gzip' --data-binary @"$work/two.gz"
same "two answers" "$(wc -l < "$work/body")" 2
sed 's/"sig":"./"sig":"!/' "$first" > "$work/bad"
ask 400 "an altered envelope" /v1/evidence --data-binary @"$work/bad"

# --- redone by the worker, shown ---
redone() {
    ask 200 "metrics" /metrics
    grep -q '^tenken_collector_redo_pending 0$' "$work/body"
}
until_true "verdicts are redone" redone
grep -q '^tenken_collector_redo_differs 0$' "$work/body" || fail "redone verdicts differ: $(cat "$work/body")"
ask 401 "no token" /v1/hosts
ask 200 "hosts" /v1/hosts -H "Authorization: Bearer $reader"
same "hosts" "$(jq -r '.[0].asset + " " + (.[0].flags | tostring)' "$work/body")" "SP-017 []"
digest=$(jq -r '.[0].last_evidence' "$work/body")
ask 200 "evidence" "/v1/evidence/$digest" -H "Authorization: Bearer $reader"
same "redo" "$(jq -r .record.redo "$work/body")" same
cp "$work/body" "$work/evidence.json"
code 3 "tenken verify takes it as it is" "$tenken" verify --key "$work/host/host.pub.pem" "$work/evidence.json"
day=$(jq -r .record.local_date "$work/evidence.json")
ask 200 "month" "/v1/contracts/SPR-2026-014/months/${day%-*}" -H "Authorization: Bearer $reader"
# (the test may run over midnight: what is wanted is counted from what was recorded)
days=$(jq -r '.payload | @base64d | fromjson | .predicate.scan.local_date' "$work"/host/spool/*/[123]-*.json | grep "^${day%-*}")
same "month" "$(jq -c '[.format, .framework, .coverage.inspected, .coverage.missing, .evidence.count]' "$work/body")" \
    "[\"tenken-month/1\",\"sapporo-7-2\",$(echo "$days" | sort -u | wc -l),0,$(echo "$days" | wc -l)]"

# --- the commands beside the running server ---
code 0 "month" "$collector" month --store "$work/store" --contract SPR-2026-014 --month "${day%-*}" --lang ja --output "$work/month.html"
has "the annex" "$(cat "$work/month.html")" "保存データの秘匿"
if grep -q -e secret-hostname -e "$(uname -n)<" "$work/month.html"; then
    fail "a host name is in the annex"
fi
code 0 "month as JSON" "$collector" month --store "$work/store" --contract SPR-2026-014 --month "${day%-*}" --format json
cmp -s "$work/out" "$work/body" || fail "command and API differ"
code 1 "no such contract" "$collector" month --store "$work/store" --contract NONE --month 2026-11
code 64 "no such month" "$collector" month --store "$work/store" --contract SPR-2026-014 --month 2026-13
code 0 "doctor" "$collector" doctor --store "$work/store"
code 0 "prune" "$collector" prune --store "$work/store" --erase
has "prune" "$(cat "$work/out")" "kept until 2100-03-31"

# --- killed while it receives: what was acknowledged is there, what is sent again is there once ---
n=0
while [ $n -lt 5 ]; do
    n=$((n + 1))
    record
    new=$(ls "$work"/host/spool/*/$((n + 3))-*.json)
    ask 200 "before the kill" /v1/evidence --data-binary @"$new"
    (curl -sS --noproxy '*' --cacert "$work/cert.pem" -o /dev/null --data-binary @"$new" "$url/v1/evidence" 2> /dev/null || true) &
    noise=$!
    kill -9 "$server"
    wait "$server" 2> /dev/null || true
    server=
    wait "$noise"
    serve
    ask 200 "acknowledged before the kill" "/v1/evidence/$(basename "$new" .json | cut -d- -f2)" -H "Authorization: Bearer $reader"
    ask 200 "sent again" /v1/evidence --data-binary @"$new"
done
ask 200 "hosts" "/v1/hosts" -H "Authorization: Bearer $reader"
same "no gap, nothing twice" "$(jq -c '.[0].flags' "$work/body")" '[]'
until_true "verdicts are redone" redone
same "count" "$(sed -n 's/^tenken_collector_evidence //p' "$work/body")" 8

# --- stopping ---
kill -TERM "$server"
got=0
wait "$server" || got=$?
server=
same "SIGTERM" "$got" 0
[ ! -e "$work/store/evidence.db-wal" ] || fail "the write-ahead log was left behind"

# --- without a network ---
code 0 "export" "$tenken" export --state "$work/host" --output "$work/mnt-03.intoto.jsonl"
code 2 "import without enrolment" "$collector" import --store "$work/other" "$work/mnt-03.intoto.jsonl"
has "the reason" "$(cat "$work/out")" "refused (keyid)"
code 64 "half of it" "$collector" import --store "$work/other" --enroll "$work/host/host.pub.pem"
code 0 "import" "$collector" import --store "$work/other" --enroll "$work/host/host.pub.pem" --contract SPR-2026-014 "$work/mnt-03.intoto.jsonl"
same "receipts" "$(wc -l < "$work/mnt-03.receipts.jsonl")" 8
code 0 "import again" "$collector" import --store "$work/other" "$work/mnt-03.intoto.jsonl"
has "known already" "$(cat "$work/out")" "0 stored, 8 known already"
code 0 "month" "$collector" month --store "$work/other" --contract SPR-2026-014 --month "${day%-*}" --format json
same "redone at once" "$(jq -c '[.evidence.count > 0, .evidence.redo_pending, .evidence.redo_differs]' "$work/out")" '[true,0,0]'
echo junk >> "$work/mnt-03.intoto.jsonl"
code 2 "import with junk" "$collector" import --store "$work/other" "$work/mnt-03.intoto.jsonl"
code 1 "no file" "$collector" import --store "$work/other" "$work/none.jsonl"
echo "collector: enrolment, evidence, redo, month, kill, import"
