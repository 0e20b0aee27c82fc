#!/bin/sh
# A real clamd with definitions made here, asked by the whole program: running, EICAR found, stale,
# reloaded, stopped, killed, impersonated. No network.
# Covers probes/antivirus/clamd.c.
set -eu
tenken=$TENKEN_BUILD/agent/tenken
export LANG=C NO_COLOR=1

skip() { echo "skipped: $1"; exit 0; }
[ "$(id -u)" = 0 ] || skip "needs root"
[ -x /usr/sbin/clamd ] || skip "no /usr/sbin/clamd (Debian package clamav-daemon)"
command -v python3 >/dev/null || skip "no python3"

# Below /run: the probe's sandbox reads settings and definitions there.
dir=$(mktemp -d /run/tenken-av-XXXXXX)
pids=
clean() {
    for p in $pids; do kill -CONT "$p" 2>/dev/null || :; kill -KILL "$p" 2>/dev/null || :; done
    rm -rf "$dir"
}
trap clean EXIT
trap 'exit 1' INT TERM
export TENKEN_STATE_DIR="$dir/none" TENKEN_POLICY_DIR="$dir/policies"
cp -r "$TENKEN_SOURCE/policies" "$dir/policies" && chown -R 0:0 "$dir/policies" && chmod -R go-w "$dir/policies"
mkdir -p "$dir/db" "$dir/policy/products" "$dir/policy/checks"
cat >"$dir/policy/products/antivirus.yaml" <<END
products:
  - product: clamav
    vendor: test
    dialect: clamd
    daemon: [/usr/sbin/clamd]
    config: [$dir/clamd.conf]
    definitions: [$dir/db]
END
printf 'LocalSocket %s\nDatabaseDirectory %s\nForeground yes\nUser root\n' "$dir/clamd.ctl" "$dir/db" >"$dir/clamd.conf"

cat >"$dir/make.py" <<'END'
# make.py DB VERSION AGE_DAYS: daily.cud with one mark in it, and EICAR in a text database.
import hashlib, io, sys, tarfile, time
db, version, age = sys.argv[1], sys.argv[2], float(sys.argv[3])
built = int(time.time() - age * 86400)
head = "ClamAV-VDB:%s:%s:1:90:X:X:test:%d" % (time.strftime("%d %b %Y %H-%M +0000", time.gmtime(built)), version, built)
mark = b"Mark:0:0:" + b"tenken mark of the test".hex().encode() + b"\n"
info = head.encode() + b"\ndaily.ndb:%d:%s\n" % (len(mark), hashlib.sha256(mark).hexdigest().encode())
out = io.BytesIO()
with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.USTAR_FORMAT) as tar:
    for name, data in (("daily.info", info), ("daily.ndb", mark)):
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
open(db + "/daily.cud", "wb").write(head.ljust(512).encode() + out.getvalue())
eicar = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
open(db + "/test.ndb", "w").write("Test.Eicar:0:0:" + eicar.hex() + "\n")
END
cat >"$dir/say.py" <<'END'
# say.py SOCKET COMMAND [EICAR]: one command to clamd, its answer.
import socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"z" + sys.argv[2].encode() + b"\0")
if sys.argv[2] == "INSTREAM":
    data = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    s.sendall(struct.pack(">I", len(data)) + data + struct.pack(">I", 0))
print(s.makefile("rb").read().decode().strip("\0"))
END
cat >"$dir/fake.py" <<'END'
# A server that says what clamd would say.
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
s.listen(8)
answers = {b"zPING\0": b"PONG\0", b"zSTATS\0": b"POOLS: 1\n\nSTATE: VALID PRIMARY\nEND\0",
           b"zVERSION\0": b"ClamAV 1.4.3/99999/Fri Jan  1 00:00:00 2100\0"}
while True:
    c, _ = s.accept()
    c.sendall(answers.get(c.recv(99), b"?"))
    c.close()
END

wait_for() { # COMMAND...: until it holds
    n=0
    until "$@" >/dev/null 2>&1; do
        n=$((n + 1))
        [ $n -lt 300 ] || { echo "never true: $*"; exit 1; }
        sleep 0.1
    done
}
ask() { "$tenken" query --policy "$dir/policy" --format csv "$1" | tail -n +2 | tr -d '\r"'; }
want() { # WHY WANTED SQL
    got=$(ask "$3")
    [ "$got" = "$2" ] || { echo "$1: wanted \"$2\", got \"$got\""; exit 1; }
    echo "ok: $1"
}
state="SELECT running, coalesce(responding, 'unknown') AS r, reason FROM av_products WHERE product = 'clamav'"
age="SELECT version, CAST(age_days AS INTEGER) AS a FROM av_definitions WHERE file = 'loaded'"

want "nobody listens" "0,0,no-socket" "$state"
python3 "$dir/make.py" "$dir/db" 7 1.5
/usr/sbin/clamd -c "$dir/clamd.conf" >"$dir/out" 2>&1 &
clamd=$!
pids="$pids $clamd"
wait_for python3 "$dir/say.py" "$dir/clamd.ctl" PING
want "clamd answers" "1,1," "$state"
want "by that very process" "$clamd" "SELECT peer_pid FROM av_engines WHERE product = 'clamav'"
want "its definitions are dated by what is inside" "7,1" "$age"
python3 "$dir/say.py" "$dir/clamd.ctl" INSTREAM | grep -q FOUND || { echo "EICAR is not found"; exit 1; }

python3 "$dir/make.py" "$dir/db" 6 40.5
touch "$dir/db/daily.cud"
want "what lies on the disk is not what is loaded" "7" "SELECT version FROM av_definitions WHERE file = 'loaded'"
python3 "$dir/say.py" "$dir/clamd.ctl" RELOAD >/dev/null
loaded_6() { python3 "$dir/say.py" "$dir/clamd.ctl" VERSION | grep -q /6/; }
wait_for loaded_6
want "stale, however new the file's time is" "6,40" "$age"

kill -STOP "$clamd"
want "a stopped daemon is no answer, and no refusal" "1,unknown,timeout" "$state"
kill -CONT "$clamd"
kill -KILL "$clamd"
wait "$clamd" 2>/dev/null || :
want "killed: its socket stays, nobody listens" "0,0,refused" "$state"

rm -f "$dir/clamd.ctl"
cp /bin/sleep "$dir/clamd"
"$dir/clamd" 300 &
pids="$pids $!"
want "a sleep that is called clamd does not run as clamd" "0,0,no-socket" "$state"
python3 "$dir/fake.py" "$dir/clamd.ctl" &
pids="$pids $!"
wait_for python3 "$dir/say.py" "$dir/clamd.ctl" PING
want "who speaks like clamd but is not is told" "0,0,impersonated" "$state"
