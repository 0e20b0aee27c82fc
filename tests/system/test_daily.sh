#!/bin/sh
# What runs every day, as far as it can be seen without installing it: units that make no namespace and
# leave the probes the capabilities that they declare, a cron job that inspects once a day and speaks only
# of change, doctor's words about both, completion, man pages, scripts. Covers agent/commands/doctor_daily.c
# The installed thing: package_chroot.sh, lab_unit.sh.
set -u
tenken=$TENKEN_BUILD/agent/tenken
dist=$TENKEN_SOURCE/dist
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export LANG=C NO_COLOR=1 TENKEN_STATE_DIR="$work/state"
cp -r "$TENKEN_SOURCE/policies" "$work/policies" && chmod -R go-w "$work/policies"
export TENKEN_POLICY_DIR="$work/policies"
bad=0
fail() {
    printf 'FAIL: %s\n' "$*"
    bad=1
}

# --- units ---
unit=$dist/systemd/tenken-scan.service.in
# Every setting of systemd.exec(5) that gives a unit a world of its own: facts would be that world's.
if grep -E '^(Private[A-Za-z]*|Protect[A-Za-z]*|ReadWritePaths|ReadOnlyPaths|InaccessiblePaths|ExecPaths|NoExecPaths|TemporaryFileSystem|Bind[A-Za-z]*|MountImages|RootDirectory|RootImage|DynamicUser|NetworkNamespacePath|IPCNamespacePath|MountFlags|MountAPIVFS|DevicePolicy|DeviceAllow|RestrictSUIDSGID|LogNamespace|ExtensionImages|StateDirectory|RuntimeDirectory|Load?Credential.*)=' "$unit"; then
    fail "tenken-scan.service would see its own world instead of the host"
fi
[ "$(sed -n 's/^CapabilityBoundingSet=//p' "$unit" | tr ' ' '\n' | grep -c CAP_)" -ge 8 ] || fail "no capability set in the unit"
allowed=$(sed -n 's/^CapabilityBoundingSet=//p' "$unit" | tr 'A-Z\n' 'a-z ')
needed=$("$tenken" doctor --sandbox | sed -n 's/^  capabilities  //p' | tr ' ' '\n' | grep '^cap_' | sort -u)
[ -n "$needed" ] || fail "no probe declares a capability: the comparison is empty"
for capability in $needed; do
    case " $allowed " in
    *" $capability "*) ;;
    *) fail "a probe needs $capability, the unit takes it away: what it sees would be unknown every day" ;;
    esac
done
for key in RandomizedDelaySec Persistent OnCalendar; do
    grep -q "^$key=" "$dist/systemd/tenken-scan.timer" || fail "tenken-scan.timer lacks $key"
done
grep -q '^User=tenken-upload$' "$dist/systemd/tenken-upload.service.in" || fail "the uploader's unit lacks its own user"

# --- scripts ---
for script in "$dist"/debian/*/postinst "$dist"/debian/*/postrm "$dist"/debian/*/prerm "$dist"/cron/tenken-cron.in; do
    [ -f "$script" ] || continue
    sh -n "$script" || fail "$script"
done

# --- the cron job: once a day, quiet unless there is something to say ---
mkdir -p "$work/bin" "$work/etc"
cat >"$work/bin/tenken" <<S
#!/bin/sh
echo "\$*" >>"$work/calls"
cat "$work/says"
exit \$(cat "$work/exit")
S
chmod 0755 "$work/bin/tenken"
sed -e "s|@TENKEN_BINDIR@|$work/bin|" -e "s|/etc/|$work/etc/|g" -e "s|/run/systemd|$work/run/systemd|" "$dist/cron/tenken-cron.in" >"$work/cron"
mkdir -p "$work/etc/default" "$work/etc/tenken" "$TENKEN_STATE_DIR"
echo 'TENKEN_CRON_DELAY=0' >"$work/etc/default/tenken"
: >"$work/says"
echo 0 >"$work/exit"
calls() { [ ! -f "$work/calls" ] || wc -l <"$work/calls"; }
job() {
    sh "$work/cron" >"$work/out" 2>&1
    code=$?
}
job
[ "$code" = 0 ] && [ -z "$(calls)" ] || fail "cron without a site file: exit $code"
: >"$work/etc/tenken/site.yaml"
job
[ "$code" = 0 ] && [ "$(calls)" = 1 ] && [ ! -s "$work/out" ] || fail "cron, first time: exit $code, $(calls) calls"
grep -qx 'scan --record --quiet --changes' "$work/calls" || fail "called as: $(cat "$work/calls")"
job
[ "$(calls)" = 1 ] || fail "cron inspected twice on a day"
for exit_code in 2 3; do
    echo 2000-01-01 >"$TENKEN_STATE_DIR/cron.day"
    echo $exit_code >"$work/exit"
    echo changed >"$work/says"
    job
    [ "$code" = 0 ] && [ "$(cat "$work/out")" = changed ] || fail "cron after a verdict ($exit_code): exit $code"
done
echo 2000-01-01 >"$TENKEN_STATE_DIR/cron.day"
echo 1 >"$work/exit"
job
[ "$code" = 1 ] || fail "cron hides that the inspection could not be done: exit $code"
echo "TENKEN_SCAN_OPTIONS='--metrics /x y.prom'" >>"$work/etc/default/tenken"
echo 2000-01-01 >"$TENKEN_STATE_DIR/cron.day"
job
tail -n 1 "$work/calls" | grep -qx 'scan --record --quiet --changes --metrics /x y.prom' || fail "options of /etc/default/tenken"
n=$(calls)
mkdir -p "$work/run/systemd/system"
echo 2000-01-01 >"$TENKEN_STATE_DIR/cron.day"
job
[ "$code" = 0 ] && [ "$(calls)" = "$n" ] || fail "cron inspects beside systemd"
rm -rf "$TENKEN_STATE_DIR"

# --- scan --quiet --changes, --metrics, ASCII ---
today=$(TZ=JST-9 date +%Y-%m-%d)
site() {
    cat >"$work/site.yaml" <<Y
contracts:
  - {id: DAILY-1, authority: 札幌市, work: 試験, starts: $today, ends: $today, framework: sapporo-7-2}
data_paths: [{path: $work/data, dataset: test}]
settings: {language: $1}
Y
    chmod 0644 "$work/site.yaml"
}
mkdir "$work/data"
site ja
scan() {
    "$tenken" scan --record --quiet --changes --site "$work/site.yaml" "$@" >"$work/out" 2>"$work/err"
    code=$?
    case $code in 0 | 2 | 3) ;; *) fail "scan $*: exit $code: $(cat "$work/err")" ;; esac
}
scan --metrics "$work/t.prom"
[ -s "$work/out" ] || fail "the first inspection says nothing"
grep -q '点検' "$work/out" || fail "the language is not the site file's"
for mark in '✗' '△' '○' '→' '^ *・ ' '^ *？ '; do
    ! grep -q "$mark" "$work/out" || fail "mark $mark where no terminal shows it"
done
[ "$(stat -c %a "$work/t.prom")" = 644 ] || fail "the exporter cannot read the metrics"
grep -q '^tenken_evidence_sequence{contract="DAILY-1",framework="sapporo-7-2"} 1$' "$work/t.prom" || fail "metrics: sequence"
grep -q '^tenken_spool_unacknowledged 1$' "$work/t.prom" || fail "metrics: spool"
scan --metrics "$work/t.prom"
[ ! -s "$work/out" ] || fail "nothing changed, but: $(cat "$work/out")"
grep -q '^tenken_evidence_sequence{contract="DAILY-1",framework="sapporo-7-2"} 2$' "$work/t.prom" || fail "metrics: not replaced"
site en
"$tenken" scan --site "$work/site.yaml" >"$work/out" 2>&1
LC_ALL=C grep -n '[^ -~]' "$work/out" && fail "English on no terminal is not ASCII"
"$tenken" scan --metrics "$work/x.prom" --root "$TENKEN_SOURCE/tests/hosts/fully-encrypted" --site "$work/site.yaml" >/dev/null 2>&1
[ $? = 64 ] && [ ! -e "$work/x.prom" ] || fail "--metrics with --root"
"$tenken" scan --metrics /nonexistent/x.prom --site "$work/site.yaml" >/dev/null 2>"$work/err"
[ $? = 1 ] && grep -q nonexistent "$work/err" || fail "metrics that cannot be written"

# --- doctor ---
"$tenken" doctor --site "$work/site.yaml" >"$work/out" 2>&1
code=$?
[ $code = 0 ] || [ $code = 2 ] || fail "doctor: exit $code"
grep -q '^+ last record: DAILY-1 (sapporo-7-2): 0 hours ago$' "$work/out" || fail "doctor: last record: $(cat "$work/out")"
grep -q 'daily run: ' "$work/out" || fail "doctor: daily run"
grep -q '^- sending: off ' "$work/out" || fail "doctor: sending"
TENKEN_STATE_DIR=$work/none "$tenken" doctor --site "$work/site.yaml" >"$work/out" 2>&1
[ $? = 2 ] || fail "doctor without evidence: exit $?"
grep -q '^x last record: DAILY-1 (sapporo-7-2): none yet' "$work/out" || fail "doctor without evidence: $(cat "$work/out")"

# --- completion, man pages ---
if command -v bash >/dev/null 2>&1; then
    complete() {
        PATH=$TENKEN_BUILD/agent:$TENKEN_BUILD/server-stub:$PATH bash -c '
            . "$1"; COMP_WORDS=("${@:3}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); "$2"; printf "%s\n" "${COMPREPLY[@]}"' \
            complete "$@"
    }
    complete "$dist/completion/tenken" _tenken tenken sc | grep -qx scan || fail "completion of commands"
    complete "$dist/completion/tenken" _tenken tenken scan --met | grep -qx -e --metrics || fail "completion of options"
    complete "$dist/completion/tenken" _tenken tenken scan --format '' | grep -qx json || fail "completion of words"
    complete "$dist/completion/tenken" _tenken tenken tables mount_e | grep -qx mount_encryption || fail "completion of tables"
    complete "$dist/completion/tenken-collector" _tenken_collector tenken-collector imp | grep -qx import || fail "collector's completion"
fi
# Every command and every option of scan stands in the man page.
tr -d '\\' <"$dist/man/tenken.1" >"$work/man"
for command in $("$tenken" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    grep -q "Cm $command" "$work/man" || fail "tenken(1) lacks the command $command"
done
for option in $("$tenken" scan --help | sed -n 's/^  --\([a-z-]*\).*/\1/p'); do
    grep -q "Fl -$option" "$work/man" || fail "tenken(1) lacks scan --$option"
done
if command -v man >/dev/null 2>&1 && command -v groff >/dev/null 2>&1; then
    for page in "$dist"/man/*; do
        case $page in *.ja.*) continue ;; esac # groff breaks no lines of Japanese and says so
        man --warnings -l -Tutf8 "$page" 2>&1 >/dev/null | grep . && fail "$page"
    done
fi
[ $bad = 0 ] && echo "daily run: good"
exit $bad
