#!/bin/sh
# The uploader against a real collector over TLS on loopback. Covers agent/upload/enroll.c, agent/upload/drop.c
set -u
tenken=$TENKEN_BUILD/agent/tenken
collector=$TENKEN_BUILD/server-stub/tenken-collector
export TENKEN_UPLOADER=$TENKEN_BUILD/agent/upload/tenken-upload
work=$(mktemp -d) || exit 1
chmod 0755 "$work"
pid=
stop() {
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
        pid=
    fi
}
trap 'stop; rm -rf "$work"' EXIT
export LANG=C https_proxy=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 ALL_PROXY=http://127.0.0.1:9
cp -r "$TENKEN_SOURCE/policies" "$work/policies" && chmod -R go-w "$work/policies"
export TENKEN_POLICY_DIR="$work/policies"
bad=0
# Not root: the uploader stays who it is. Root: it becomes tenken-upload; where that user is missing it must refuse (tested), so the rest
# of this test then runs as nobody.
run=
if [ "$(id -u)" -eq 0 ]; then
    if ! grep -q '^tenken-upload:' /etc/passwd; then
        mkdir -p "$work/rootstate"
        if "$TENKEN_UPLOADER" upload --site /nonexistent --state "$work/rootstate" >"$work/out" 2>&1; then
            echo "FAIL: root uploads without a user to become"
            bad=1
        fi
    fi
    chown -R nobody "$work" 2>/dev/null
    run="setpriv --reuid=65534 --regid=65534 --clear-groups"
fi
want() {
    code=$1
    what=$2
    shift 2
    $run "$@" >"$work/out" 2>"$work/err"
    got=$?
    if [ "$got" -ne "$code" ]; then
        echo "FAIL $what: exit $got, wanted $code"
        head -n 5 "$work/out" "$work/err"
        bad=1
    fi
}
has() {
    grep -qF -- "$2" "$work/$1" || {
        echo "FAIL: $1 lacks: $2"
        head -n 10 "$work/$1"
        bad=1
    }
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$work/tls.key" -out "$work/tls.crt" 2>/dev/null || exit 1
chmod 0644 "$work/tls.key"
start() {
    : >"$work/log"
    $run "$collector" serve --store "$work/store" --listen "127.0.0.1:${1:-0}" --cert "$work/tls.crt" --key "$work/tls.key" >"$work/log" 2>&1 &
    pid=$!
    port=
    n=0
    while [ -z "$port" ]; do
        port=$(sed -n 's/.*127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' "$work/log" | head -n 1)
        n=$((n + 1))
        if [ "$n" -gt 600 ]; then
            echo "FAIL: the collector does not start"
            cat "$work/log"
            exit 1
        fi
        [ -n "$port" ] || sleep 0.1
    done
}
$run mkdir -p "$work/store"
start
url=https://127.0.0.1:$port
write_site() { # $1: peers, $2: settings
    rm -f "$work/site.yaml"
    cat >"$work/site.yaml" <<Y
contracts:
  - {id: UP-1, authority: 札幌市, work: test, starts: 2026-04-01, ends: 2036-03-31, framework: sapporo-7-2}
data_paths: [{path: /srv, dataset: test}]
$1
$2
Y
    [ -z "$run" ] || chown 65534:65534 "$work/site.yaml"
}
settings="settings: {upload: {url: \"$url\", ca_file: $work/tls.crt}}"
peer="peers: [{prefix: 127.0.0.1/32, port: $port, protocol: tcp, purpose: test, approval: test}]"
s="--site $work/site.yaml --state $work/state"
token=$($run "$collector" token --store "$work/store" --contract UP-1)

write_site "$peer" "$settings"
want 1 "not enrolled" "$tenken" upload $s
want 64 "token without a pin" "$tenken" enroll "$url" --token abc $s
write_site "" "$settings"
want 1 "isolated, and the collector no peer: enrol" "$tenken" enroll "$url" --token "$token" $s
has err "no approved peer"
write_site "peers: [{prefix: 10.0.0.0/8, port: $port, protocol: tcp, purpose: test, approval: test}]" "$settings"
want 1 "another network is no approval" "$tenken" enroll "$url" --token "$token" $s
write_site "$peer" "$settings"
other=$(printf '%064d' 0)
want 1 "a pin that the collector did not give" "$tenken" enroll "$url" --token "$($run "$collector" token --store "$work/store" --contract UP-1 | sed "s/\.[0-9a-f]*\$/.$other/")" --ca "$work/tls.crt" $s
want 1 "unknown CA" "$tenken" enroll "$url" --token "$token" --ca "$TENKEN_SOURCE/README.md" $s
want 0 "enrol" "$tenken" enroll "$url" --token "$token" --ca "$work/tls.crt" $s
has out "UP-1"
want 1 "a token works once" "$tenken" enroll "$url" --token "$token" --ca "$work/tls.crt" $s

for i in 1 2 3; do
    $run "$tenken" scan --record $s >"$work/out" 2>"$work/err"
    case $? in 0 | 2 | 3) ;; *) echo "FAIL: recording $i"; cat "$work/err"; bad=1 ;; esac
done
write_site "" "$settings"
want 1 "isolated, and the collector no peer: upload" "$tenken" upload $s
has err "tenken export"
write_site "$peer" "settings: {language: en}"
want 64 "no collector set: sending is off" "$tenken" upload $s
write_site "$peer" "$settings"
stop
want 1 "collector down" "$tenken" upload $s --attempts 1
start "$port"
want 0 "three at once, after the collector came back" "$tenken" upload $s
has out "3 sent"
want 0 "nothing left" "$tenken" upload $s
has out "0 sent"
before=$(find "$work/state/spool" -name '*-*.json' | wc -l)
$run "$tenken" scan --record $s >"$work/out" 2>&1
after=$(find "$work/state/spool" -name '*-*.json' | wc -l)
[ "$before" -eq 3 ] || { echo "FAIL: the uploader touched the spool: $before"; bad=1; }
# The recording scan prunes the acknowledged ones; the third stays until the fourth is the head, then one more scan takes it.
[ "$after" -eq 1 ] || { echo "FAIL: pruned to $after, wanted the head alone"; find "$work/state/spool"; bad=1; }
$run mkdir "$work/carried"
want 0 "export of what is not acknowledged" "$tenken" export --state "$work/state" --output "$work/carried/out.intoto.jsonl"
[ "$(wc -l <"$work/carried/out.intoto.jsonl")" -eq 1 ] || { echo "FAIL: export holds more than the one"; bad=1; }
case $($run "$tenken" verify --lang en --policy "$work/carried/policies" "$work/carried/out.intoto.jsonl" 2>&1) in
*"verdicts redone the same"*) ;;
*) echo "FAIL: verify does not take the rules as the export lays them down" && bad=1 ;;
esac
want 0 "import at the collector" "$collector" import --store "$work/store" "$work/carried/out.intoto.jsonl"
want 0 "receipts back" "$tenken" import --state "$work/state" "$work/carried/out.receipts.jsonl"
want 0 "and nothing is sent again" "$tenken" upload $s
has out "0 sent"
want 0 "the month" "$collector" month --store "$work/store" --contract UP-1 --month "$(TZ=JST-9 date +%Y-%m)" --format json
jq -e '.coverage.inspected == 1 and (.controls | length) > 20' "$work/out" >/dev/null || { echo "FAIL: month"; cat "$work/out"; bad=1; }
exit $bad
