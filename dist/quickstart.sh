#!/bin/sh
# From a checkout to a judged, signed, uploaded and verified inspection of this machine, in one command.
# Installs what is missing, builds, installs programs and rules owned by root below /usr/local, makes the users that the parts run
# as, starts a collector on loopback over TLS, enrols, inspects, uploads, and shows what is kept where. The collector it starts ends
# with it; nothing listens afterwards. Everything of this trial lies in /var/lib/tenken-quickstart and can be removed:
#   dist/quickstart.sh --remove
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
home=${TENKEN_QUICKSTART_DIR:-/var/lib/tenken-quickstart}
prefix=${TENKEN_PREFIX:-/usr/local}
build=$home/build
site=$home/site.yaml
state=$home/agent
store=$home/collector
collector_pid=

say() { printf '\n==> %s\n' "$*"; }
die() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}

if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || die "run me as root (no sudo here)"
    exec sudo -- "$0" "$@"
fi

case ${1:-} in
--remove)
    if [ -f "$build/install_manifest.txt" ]; then
        while IFS= read -r f || [ -n "$f" ]; do rm -f "$f"; done <"$build/install_manifest.txt" # units, man pages ...
    fi
    for f in bin/tenken bin/tenken-collector libexec/tenken share/tenken; do
        rm -rf "${prefix:?}/$f"
    done
    rm -rf "${home:?}"
    echo "removed: $home, and tenken below $prefix (users tenken, tenken-upload, tenken-collector stay)"
    exit 0
    ;;
"") ;;
*) die "usage: dist/quickstart.sh [--remove]" ;;
esac

stop_collector() {
    if [ -n "$collector_pid" ]; then
        kill "$collector_pid" 2>/dev/null || true
        wait "$collector_pid" 2>/dev/null || true
        collector_pid=
    fi
}
trap stop_collector EXIT
trap 'exit 1' INT TERM HUP

say "1/7 packages for building and running (dist/deps.sh)"
"$top/dist/deps.sh" build run

say "2/7 build and install below $prefix"
mkdir -p "$home"
chmod 0755 "$home"
if ! { grep -qsxF "CMAKE_HOME_DIRECTORY:INTERNAL=$top" "$build/CMakeCache.txt" && [ -f "$build/build.ninja" ]; }; then
    rm -rf "$build" # nothing yet, or of another checkout
fi
cmake -S "$top" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" -DBUILD_TESTING=OFF >"$home/build.log" 2>&1 ||
    die "configuring failed: see $home/build.log"
cmake --build "$build" --parallel "$(nproc)" >>"$home/build.log" 2>&1 || die "building failed: see $home/build.log"
cmake --install "$build" >>"$home/build.log" 2>&1 || die "installing failed: see $home/build.log"
PATH=$prefix/bin:$PATH
tenken --version

say "3/7 users that the parts run as"
for user in tenken tenken-upload tenken-collector; do
    if ! grep -q "^$user:" /etc/passwd; then
        useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user" ||
            die "cannot make the user $user"
        echo "made $user"
    fi
done

say "4/7 a collector on loopback, over TLS"
mkdir -p "$store" "$home/tls"
chown tenken-collector: "$store"
chmod 0700 "$store"
if [ ! -f "$home/tls/server.crt" ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=tenken-quickstart-ca \
        -keyout "$home/tls/ca.key" -out "$home/tls/ca.crt" 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
        -keyout "$home/tls/server.key" -out "$home/tls/server.csr" 2>/dev/null
    printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\n' >"$home/tls/server.ext"
    openssl x509 -req -in "$home/tls/server.csr" -CA "$home/tls/ca.crt" -CAkey "$home/tls/ca.key" -CAcreateserial -days 30 \
        -extfile "$home/tls/server.ext" -out "$home/tls/server.crt" 2>/dev/null
    rm -f "$home/tls/ca.key" "$home/tls/server.csr" "$home/tls/server.ext" # nobody signs with this CA again
fi
chmod 0644 "$home/tls/ca.crt" "$home/tls/server.crt"
chmod 0640 "$home/tls/server.key"
chown root:tenken-collector "$home/tls/server.key"

as_collector() { setpriv --reuid=tenken-collector --regid=tenken-collector --init-groups --no-new-privs "$@"; }
: >"$home/collector.log"
# exec: the process that ends with this script must be the collector itself, not a shell around it
(exec setpriv --reuid=tenken-collector --regid=tenken-collector --init-groups --no-new-privs \
    "$prefix/bin/tenken-collector" serve --store "$store" --listen 127.0.0.1:0 --cert "$home/tls/server.crt" \
    --key "$home/tls/server.key" >"$home/collector.log" 2>&1) &
collector_pid=$!
port=
tries=0
while [ -z "$port" ]; do
    port=$(sed -n 's/.*127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' "$home/collector.log" | head -n 1)
    kill -0 "$collector_pid" 2>/dev/null || die "the collector ended: $(cat "$home/collector.log")"
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || die "the collector does not say where it listens: $(cat "$home/collector.log")"
    [ -n "$port" ] || sleep 0.1
done
url=https://127.0.0.1:$port
echo "listening on $url"

say "5/7 the site file of this trial: $site"
today=$(TZ=JST-9 date +%Y-%m-%d)
cat >"$site" <<EOF
# Made by dist/quickstart.sh for a trial on this machine. A real one: tenken init > /etc/tenken/site.yaml
organisation: {name: Quick start}
host: {asset: QS-001, role: trial, label: $(uname -n)}
contracts:
  - {id: QUICKSTART-1, authority: 札幌市, work: trial, starts: $today, ends: $today, framework: sapporo-7-2}
# In a trial /srv stands for the place where a city's data would lie.
data_paths:
  - {path: /srv, dataset: trial}
# The standard allows only approved peers; the collector on this machine itself is the one of this trial.
peers:
  - {prefix: 127.0.0.1/32, port: $port, protocol: tcp, purpose: quick start collector, approval: none needed (this machine)}
settings: {upload: {url: "$url", ca_file: $home/tls/ca.crt}}
EOF
chmod 0644 "$site"
sed 's/^/    /' "$site"
case ${LANG:-} in ja*) lang=ja ;; *) lang=en ;; esac

say "6/7 enrol, inspect this machine, sign, upload"
token=$(as_collector "$prefix/bin/tenken-collector" token --store "$store" --contract QUICKSTART-1)
tenken enroll "$url" --token "$token" --ca "$home/tls/ca.crt" --site "$site" --state "$state"
code=0
tenken scan --record --site "$site" --state "$state" --lang "$lang" || code=$?
case $code in
0 | 2 | 3) printf '(exit %s: %s)\n' "$code" "$(case $code in 0) echo good ;; 2) echo "something fails" ;; 3) echo "something is unknown" ;; esac)" ;;
*) die "the scan could not be done (exit $code)" ;;
esac
tenken upload --site "$site" --state "$state"

say "7/7 what the collector holds: the record, its verdicts redone, the month's annex"
reader=$(as_collector "$prefix/bin/tenken-collector" token --store "$store" --contract QUICKSTART-1 --role auditor)
month=$(TZ=JST-9 date +%Y-%m)
record=$(find "$state/spool" -name '*-*.json' | LC_ALL=C sort | tail -n 1)
digest=$(basename "$record" .json)
digest=${digest#*-}
get() { printf 'header = "Authorization: Bearer %s"\n' "$reader" | curl -sS --fail --noproxy '*' --cacert "$home/tls/ca.crt" --config - "$url$1"; }
get "/v1/hosts"
echo
tries=0
while get "/v1/evidence/$digest" >"$home/record.json" && grep -q '"redo":"pending"' "$home/record.json"; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || die "the collector has not redone the verdicts within 20 seconds"
    sleep 0.2
done
printf 'stored record: %s (in %s); verdicts redone by the collector: %s\n' "$digest" "$home/record.json" \
    "$(sed -n 's/.*"redo":"\([a-z-]*\)".*/\1/p' "$home/record.json")"
code=0
tenken verify --key "$state/host.pub.pem" --lang "$lang" "$record" || code=$?
[ "$code" -eq 0 ] || [ "$code" -eq 3 ] || die "the evidence does not verify (exit $code)"
as_collector "$prefix/bin/tenken-collector" month --store "$store" --contract QUICKSTART-1 --month "$month" --format html --lang "$lang" >"$home/month.html"

cat <<EOF

Where to look
  the month's annex      $home/month.html   (open it in a browser)
  the signed evidence    $record
  verify it by hand      README.md, "Verify evidence with openssl alone"
  the site file          $site
  this machine's facts   tenken query "SELECT mount, role, encrypted, method, leaves, reason FROM mount_encryption"
  why, and the cure      tenken explain 5.6 --site $site
  first real use         README.md, "First real use"
  take it all away       dist/quickstart.sh --remove
EOF
