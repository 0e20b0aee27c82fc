#!/bin/sh
# Proves the Debian packages where nothing else is installed: in a fresh bookworm tree without systemd
# they are installed by apt with their dependencies, the cron line runs, the bundle that it leaves goes
# into a collector, and removal and purge leave what they must. Needs root, debootstrap, lintian
# (dist/deps.sh package) and a mirror; not part of the ordinary tests.
#   tests/system/package_chroot.sh PACKAGE-DIR [MIRROR]
# PACKAGE-DIR holds tenken_*.deb and tenken-collector_*.deb of `cmake --workflow --preset package`.
set -eu
packages=$(cd "${1:?folder with the packages}" && pwd)
# Default: where this machine's own apt gets its packages.
mirror=${2:-$(apt-get indextargets --format '$(REPO_URI)' | sed '/security/d' | head -n 1)}
agent=$(find "$packages" -maxdepth 1 -name 'tenken_*.deb' | head -n 1)
collector=$(find "$packages" -maxdepth 1 -name 'tenken-collector_*.deb' | head -n 1)
[ -n "$agent" ] && [ -n "$collector" ] || { echo "no packages in $packages" >&2; exit 1; }

work=$(mktemp -d)
tree=$work/bookworm
finish() {
    umount "$tree/proc" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
say() { printf '== %s\n' "$*"; }
die() { printf 'FAIL: %s\n' "$*" >&2; exit 1; }
inside() { chroot "$tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }

say "lintian"
lintian --fail-on error "$agent" "$collector" 2>&1 || die "lintian found errors"

say "a bare bookworm"
debootstrap --variant=minbase bookworm "$tree" "$mirror" >"$work/debootstrap.log" 2>&1 || {
    tail "$work/debootstrap.log" >&2
    die "debootstrap"
}
mount -t proc proc "$tree/proc"
printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d" && chmod 0755 "$tree/usr/sbin/policy-rc.d"
cp "$agent" "$collector" "$tree/root/"

say "apt installs the agent with what it needs"
inside sh -c 'DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install /root/tenken_*.deb' \
    >"$work/apt.log" 2>&1 || { tail -n 30 "$work/apt.log" >&2; die "apt install"; }
inside getent passwd tenken tenken-upload >/dev/null || die "the users are not there"
inside tenken --version
[ ! -e "$tree/run/systemd/system" ] || die "this tree is not one without systemd"

say "no site file yet: the cron line does nothing"
# The command of the line in /etc/cron.d/tenken, as cron would run it.
line=$(sed -n 's/^[0-9][0-9]* \* \* \* \* root //p' "$tree/etc/cron.d/tenken")
[ -n "$line" ] || die "no line in /etc/cron.d/tenken"
cron() { inside LOGNAME=root SHELL=/bin/sh sh -c "$line"; }
cron >"$work/out" 2>&1 || die "cron without a site file"
[ ! -s "$work/out" ] || die "it spoke: $(cat "$work/out")"
inside find /var/lib/tenken -mindepth 1 | grep . && die "something was written"

say "the cron line, with a site file"
today=$(TZ=JST-9 date +%Y-%m-%d)
mkdir -p "$tree/srv/city"
cat >"$tree/etc/tenken/site.yaml" <<Y
host: {asset: SP-017, role: test, label: chroot}
contracts:
  - {id: CHROOT-1, authority: 札幌市, work: 試験, starts: $today, ends: $today, framework: sapporo-7-2}
data_paths: [{path: /srv/city, dataset: test}]
assets: [{id: SP-017, role: test, site: here}]
workers: none
settings: {language: en}
Y
echo 'TENKEN_CRON_DELAY=0' >>"$tree/etc/default/tenken"
cron >"$work/out" 2>&1 || { cat "$work/out" >&2; die "cron"; }
[ -s "$work/out" ] || die "the first inspection says what is not good, nothing was printed"
LC_ALL=C grep -q '[^ -~]' "$work/out" && ! grep -q 札 "$work/out" && die "marks of mail are not ASCII"
sed 's/^/    /' "$work/out"
[ "$(find "$tree/var/lib/tenken/spool" -name '*-*.json' | wc -l)" = 1 ] || die "not one evidence"

say "again on the same day: nothing, and no second evidence"
cron >"$work/out" 2>&1 || die "cron, second time"
[ ! -s "$work/out" ] || die "it spoke: $(cat "$work/out")"
say "the next day, nothing changed: evidence, but no mail"
echo 2000-01-01 >"$tree/var/lib/tenken/cron.day"
cron >"$work/out" 2>&1 || die "cron, next day"
[ ! -s "$work/out" ] || die "it spoke: $(cat "$work/out")"
[ "$(find "$tree/var/lib/tenken/spool" -name '*-*.json' | wc -l)" = 2 ] || die "not two evidences"

say "where systemd runs, the cron line leaves it to the timer"
mkdir -p "$tree/run/systemd/system"
echo 2000-01-01 >"$tree/var/lib/tenken/cron.day"
cron >"$work/out" 2>&1 || die "cron beside systemd"
[ "$(find "$tree/var/lib/tenken/spool" -name '*-*.json' | wc -l)" = 2 ] || die "cron inspected beside systemd"
rm -r "$tree/run/systemd"

say "the bundle goes into a collector"
inside sh -c 'DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install /root/tenken-collector_*.deb' \
    >"$work/apt.log" 2>&1 || { tail -n 30 "$work/apt.log" >&2; die "apt install collector"; }
inside tenken export --output /root/chroot.intoto.jsonl
inside tenken verify --key /var/lib/tenken/host.pub.pem /root/chroot.intoto.jsonl || die "verify: exit $?"
inside tenken-collector import --store /var/lib/tenken-collector --enroll /var/lib/tenken/host.pub.pem \
    --contract CHROOT-1 /root/chroot.intoto.jsonl || die "import: exit $?"
inside tenken import --collector /var/lib/tenken-collector/collector.pub.pem /root/chroot.receipts.jsonl ||
    die "taking the receipts back: exit $?"
inside tenken-collector month --store /var/lib/tenken-collector --contract CHROOT-1 --month "${today%-*}" \
    --format json >"$work/month.json" || die "month"
grep -q '"inspected": *1' "$work/month.json" || { cat "$work/month.json"; die "the month does not count one day"; }

say "removal and purge leave evidence and key"
key=$(sha256sum <"$tree/var/lib/tenken/host.key")
inside apt-get -q -y remove tenken >"$work/apt.log" 2>&1 || { cat "$work/apt.log" >&2; die "remove"; }
[ ! -e "$tree/usr/bin/tenken" ] || die "the program is still there"
cron >"$work/out" 2>&1 || die "cron after removal"
[ ! -s "$work/out" ] || die "cron after removal spoke: $(cat "$work/out")"
inside apt-get -q -y purge tenken >"$work/apt.log" 2>&1 || { cat "$work/apt.log" >&2; die "purge"; }
[ "$key" = "$(sha256sum <"$tree/var/lib/tenken/host.key")" ] || die "purge took the key"
[ "$(find "$tree/var/lib/tenken/spool" -name '*-*.json' | wc -l)" -ge 1 ] || die "purge took the evidence"
[ -f "$tree/etc/tenken/site.yaml" ] || die "purge took the site file"
[ ! -e "$tree/etc/cron.d/tenken" ] || die "purge left the cron file"

say "purge with /etc/tenken/erase-evidence erases"
inside sh -c 'DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install /root/tenken_*.deb' >"$work/apt.log" 2>&1 ||
    die "installing again"
touch "$tree/etc/tenken/erase-evidence"
inside apt-get -q -y remove tenken >"$work/apt.log" 2>&1 || die "remove, second time"
[ -f "$tree/var/lib/tenken/host.key" ] || die "removal erased: only purge may"
inside apt-get -q -y purge tenken >"$work/apt.log" 2>&1 || die "purge, second time"
[ ! -e "$tree/var/lib/tenken" ] || die "purge did not erase"
say "good"
