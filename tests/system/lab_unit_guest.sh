#!/bin/bash
# Runs in the lab machine, for lab_unit.sh: in the current folder tenken.deb, out to /lab/out.
set -u
out=/lab/out
bad=0
say() { printf '== %s\n' "$*"; }
fail() {
    printf 'FAIL: %s\n' "$*"
    bad=1
}
spool() { find /var/lib/tenken/spool -name '*-*.json' 2>/dev/null | sort; }

# all-tables DIR [TABLE...]: tables of the machine, one file each, rows sorted, and what stderr said of
# them. Left out are clocks, counters and what is free: they differ by themselves from one second to the next.
cat >/usr/local/sbin/all-tables <<'S'
#!/bin/sh
dir=$1
shift
mkdir -p "$dir"
[ $# -gt 0 ] || set -- $(tenken tables --format json |
    jq -r '.[] | select(.kind == "table" and (.name | startswith("site_") or IN("scan", "uptime", "time") | not)) | .name')
for table in "$@"; do
    columns=$(tenken tables "$table" --format json | jq -r '[(if type == "array" then .[0] else . end).columns[].name] | join(", ")')
    tenken query --format json "SELECT $columns FROM $table" 2>"$dir/$table.err" |
        jq -c '.[] | del(.blocks_free, .blocks_available, .inodes_free, .used_by) | select(.name // "" | tostring |
            test("^(fs\\.(dentry-state|file-nr|inode-(nr|state)|aio-nr)|kernel\\.(ns_last_pid|random\\.|pty\\.nr))") | not)' |
        sort >"$dir/$table.rows"
done
S
chmod 0755 /usr/local/sbin/all-tables

say "dpkg installs the package"
dpkg -i tenken.deb >/tmp/dpkg.log 2>&1 || {
    cat /tmp/dpkg.log
    exit 1
}
[ "$(systemctl is-enabled tenken-scan.timer)" = enabled ] || fail "the timer is not enabled"
[ "$(systemctl is-active tenken-scan.timer)" = active ] || fail "the timer does not run"
[ "$(systemctl is-enabled tenken-upload.timer)" = disabled ] || fail "the uploader's timer is not disabled"
systemd-analyze --man=no verify tenken-scan.service tenken-scan.timer tenken-upload.service tenken-upload.timer 2>&1 | grep tenken &&
    fail "systemd-analyze has something to say"
for set in RestrictNamespaces NoNewPrivileges; do
    [ "$(systemctl show -P $set tenken-scan.service)" != no ] || fail "$set is not in force"
done
for namespace in PrivateTmp PrivateDevices PrivateNetwork PrivateUsers PrivateMounts PrivateIPC ProtectHostname ProtectKernelTunables \
    ProtectKernelModules ProtectKernelLogs ProtectControlGroups; do
    [ "$(systemctl show -P $namespace tenken-scan.service)" = no ] || fail "$namespace would show the unit's own world"
done
for namespace in ProtectSystem ProtectHome; do
    [ "$(systemctl show -P $namespace tenken-scan.service)" = no ] || fail "$namespace would show the unit's own world"
done

say "without a site file the service does nothing"
systemctl start tenken-scan.service || fail "start without a site file"
[ -z "$(spool)" ] || fail "it recorded something"

today=$(TZ=JST-9 date +%Y-%m-%d)
printf %s "${today%-*}" >$out/month
mkdir -p /srv/city
cat >/etc/tenken/site.yaml <<Y
host: {asset: SP-017, role: test, label: lab}
contracts:
  - {id: LAB-1, authority: 札幌市, work: 試験, starts: $today, ends: $today, framework: sapporo-7-2}
data_paths: [{path: /srv/city, dataset: test}]
assets: [{id: SP-017, role: test, site: lab}]
workers: none
settings: {language: en}
Y

say "the timer starts what was missed while the machine was off"
mkdir -p /run/systemd/system/tenken-scan.timer.d
printf '[Timer]\nRandomizedDelaySec=1s\nAccuracySec=1s\n' >/run/systemd/system/tenken-scan.timer.d/now.conf
systemctl daemon-reload
systemctl stop tenken-scan.timer
touch -d '2 days ago' /var/lib/systemd/timers/stamp-tenken-scan.timer
systemctl start tenken-scan.timer
for _ in $(seq 60); do
    [ -n "$(spool)" ] && [ "$(systemctl is-active tenken-scan.service)" = inactive ] && break
    sleep 1
done
[ "$(spool | wc -l)" = 1 ] || fail "the timer left $(spool | wc -l) evidences"
[ "$(systemctl show -P Result tenken-scan.service)" = success ] || fail "the service: $(systemctl show -P Result tenken-scan.service)"
systemctl show -P CPUUsageNSec -P MemoryPeak tenken-scan.service
journalctl -q -o cat -u tenken-scan.service | sed 's/^/    /'
journalctl -q -o cat -u tenken-scan.service | LC_ALL=C grep '[^ -~]' && fail "marks in the journal are not ASCII"

say "doctor says so"
tenken doctor >/tmp/doctor
sed 's/^/    /' /tmp/doctor
grep -q '^+ daily run: the timer tenken-scan.timer is enabled' /tmp/doctor || fail "doctor: timer"
grep -q '^+ last record: LAB-1 (sapporo-7-2): 0 hours ago' /tmp/doctor || fail "doctor: last record"
systemctl disable --now tenken-scan.timer 2>/dev/null
tenken doctor >/tmp/doctor
grep -q '^- daily run: the timer is disabled' /tmp/doctor || fail "doctor: disabled timer: $(grep 'daily run' /tmp/doctor)"
systemctl enable --now tenken-scan.timer 2>/dev/null

say "the same by hand: the same facts, verdicts and layers"
tenken scan --record --quiet --changes
case $? in 0 | 2 | 3) ;; *) fail "scan by hand" ;; esac
tenken verify --key /var/lib/tenken/host.pub.pem $(spool) || fail "verify: exit $?"
set -- $(spool)
payload() { jq -r .payload "$1" | base64 -d | jq -S "$2"; }
# Processes come and go (this script's own among them): all other facts must be the same, and all states.
for part in '.predicate.facts | with_entries(select(.key | test("process|^scan$|^probe_status$") | not))' \
    '[.predicate.probes[] | {probe, table, state, reason}]' \
    '[.predicate.checks[] | {id, verdict, findings, unknown}]' '[.predicate.controls[] | {id, verdict}]'; do
    [ "$(payload "$1" "$part" | wc -l)" -gt 10 ] || fail "nothing to compare: $part"
    [ "$(payload "$1" "$part")" = "$(payload "$2" "$part")" ] || {
        fail "the unit's evidence differs from the one made by hand: $part"
        tenken diff "$1" "$2"
    }
done
[ "$(payload "$1" .predicate.layers)" = "$(payload "$2" .predicate.layers)" ] || fail "layers differ"

# compare DROP-IN [TABLE...]: tables as the unit sees them, with the lines of DROP-IN, against what a
# shell sees. Of processes only the state is compared: they come and go.
compare() {
    rm -rf /root/unit-facts /root/shell-facts
    mkdir -p /run/systemd/system/tenken-scan.service.d
    printf '[Service]\nExecStart=\nExecStart=/usr/local/sbin/all-tables /root/unit-facts %s\n%s\n' "${*:2}" "$1" \
        >/run/systemd/system/tenken-scan.service.d/facts.conf
    systemctl daemon-reload
    systemctl start tenken-scan.service || fail "all-tables in the unit"
    /usr/local/sbin/all-tables /root/shell-facts "${@:2}"
    differing=
    for file in /root/shell-facts/*; do
        name=$(basename "$file")
        case $name in process*.rows) continue ;; esac
        cmp -s "$file" "/root/unit-facts/$name" || differing="$differing $name"
    done
}

say "every table, in the unit and in a shell"
compare ""
printf '%s tables, %s rows\n' "$(ls /root/shell-facts/*.rows | wc -l)" "$(cat /root/shell-facts/*.rows | wc -l)"
if [ -n "$differing" ]; then
    fail "the unit sees other facts:$differing"
    for name in $differing; do
        diff "/root/shell-facts/$name" "/root/unit-facts/$name" | head -n 6
    done
fi

say "the comparison would notice: with namespaces the facts are others"
compare "PrivateTmp=yes
ProtectSystem=full
PrivateDevices=yes" mounts mount_encryption
[ -s /root/unit-facts/mounts.err ] || [ -s /root/unit-facts/mounts.rows ] || fail "the unit with namespaces wrote nothing"
[ -n "$differing" ] || fail "no difference seen with namespaces"
echo "differing:$differing"
head -n 2 /root/unit-facts/mount_encryption.err
rm -rf /run/systemd/system/tenken-scan.service.d
systemctl daemon-reload

say "the uploader's unit: off, with its own user, and nothing to do before enrolment"
systemctl start tenken-upload.service || fail "start of the uploader before enrolment"
[ "$(systemctl show -P ConditionResult tenken-upload.service)" = no ] || fail "it ran before enrolment"

tenken export --output $out/lab.intoto.jsonl || fail export

say "the uploader's unit, shut in as it is, gets as far as the network"
# No collector can be reached from this machine: a key in its place, and a port on which nobody listens.
cat >/etc/tenken/site.yaml.new <<Y
peers: [{prefix: 127.0.0.1/32, port: 1, protocol: tcp, purpose: collector, approval: none}]
Y
sed 's|^settings:.*|settings: {language: en, upload: {url: "https://127.0.0.1:1", enabled: true}}|' /etc/tenken/site.yaml >>/etc/tenken/site.yaml.new
mv /etc/tenken/site.yaml.new /etc/tenken/site.yaml
chgrp tenken-upload /etc/tenken/site.yaml
chmod 0640 /etc/tenken/site.yaml
cp /var/lib/tenken/host.pub.pem /var/lib/tenken/collector.pub.pem
mkdir -p /run/systemd/system/tenken-upload.service.d
printf '[Service]\nExecStart=\nExecStart=/usr/libexec/tenken/tenken-upload upload --attempts 1\n' >/run/systemd/system/tenken-upload.service.d/once.conf
systemctl daemon-reload
systemctl start tenken-upload.service 2>/dev/null && fail "it sent to nobody"
journalctl -q -o cat -u tenken-upload.service | sed 's/^/    /'
[ "$(systemctl show -P ExecMainStatus tenken-upload.service)" = 1 ] || fail "the uploader ended with $(systemctl show -P ExecMainStatus tenken-upload.service)"
journalctl -q -o cat -u tenken-upload.service | grep -qi 'connect' || fail "it did not get to the network"
rm /var/lib/tenken/collector.pub.pem

cp /var/lib/tenken/host.pub.pem $out/

say "removal and purge leave evidence and key"
apt-get -q -y remove tenken >/tmp/apt.log 2>&1 || dpkg -r tenken >/tmp/apt.log 2>&1 || fail "remove"
systemctl is-active --quiet tenken-scan.timer && fail "the timer still runs after removal"
dpkg -P tenken >/tmp/apt.log 2>&1 || fail "purge: $(cat /tmp/apt.log)"
[ -f /var/lib/tenken/host.key ] && [ -n "$(spool)" ] || fail "purge took evidence or key"
[ "$(systemctl list-unit-files 'tenken*' --no-legend | wc -l)" = 0 ] || fail "units are left: $(systemctl list-unit-files 'tenken*' --no-legend)"
exit $bad
