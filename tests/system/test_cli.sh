#!/bin/sh
# The command line as its users meet it: names, flags, exit codes, JSON keys (formats.md, design.md 5). Covers agent/commands/
# app.c table.c scan.c session.c query.c tables.c explain.c policy_cmd.c policy_test.c verify.c init.c transfer.c doctor.c record.c
# agent/commands/app.c agent/commands/table.c agent/commands/scan.c agent/commands/session.c agent/commands/query.c
# agent/commands/tables.c agent/commands/explain.c agent/commands/policy_cmd.c agent/commands/policy_test.c
# agent/commands/verify.c agent/commands/init.c agent/commands/transfer.c agent/commands/doctor.c agent/commands/record.c
# agent/commands/render_text.c agent/commands/render_json.c
set -u
tenken=$TENKEN_BUILD/agent/tenken
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export LANG=C NO_COLOR=1 TENKEN_STATE_DIR="$work/none"
# The checkout may belong to another user than the one that runs the tests: rules that others can change are refused (and tested below).
cp -r "$TENKEN_SOURCE/policies" "$work/policies" && chmod -R go-w "$work/policies"
export TENKEN_POLICY_DIR="$work/policies"
hosts=$work/hosts
cp -r "$TENKEN_SOURCE/tests/hosts" "$hosts" && chmod -R go-w "$hosts"
bad=0

# want CODE WHAT COMMAND…: output in $work/out and $work/err
want() {
    code=$1
    what=$2
    shift 2
    "$@" >"$work/out" 2>"$work/err"
    got=$?
    if [ "$got" -ne "$code" ]; then
        echo "FAIL $what: exit $got, wanted $code: $*"
        head -n 5 "$work/out" "$work/err"
        bad=1
    fi
}
has() {
    if ! grep -qF -- "$2" "$work/$1"; then
        echo "FAIL: $1 lacks: $2"
        head -n 20 "$work/$1"
        bad=1
    fi
}

want 64 "no command" "$tenken"
want 0 "help" "$tenken" --help
want 0 "version" "$tenken" --version
want 64 "unknown command" "$tenken" scna
has err "did you mean scan"
for c in scan query tables explain policy verify diff init export import doctor; do
    want 0 "$c --help" "$tenken" "$c" --help
    has out "usage: tenken $c"
    want 0 "$c --help in Japanese" "$tenken" "$c" --lang ja --help
    has out "使い方: tenken $c"
done

# --- a rule that names what does not exist stops the scan, cited or not ---
mkdir -p "$work/uncited/checks"
cat >"$work/uncited/checks/x.yaml" <<'Y'
checks:
  - id: nobody-cites-this
    title: {ja: x, en: x}
    severity: low
    query: SELECT mountt FROM mount_encryption
    code: x
    finding: {ja: x, en: x}
    fix: {any: {ja: x, en: x}}
Y
want 64 "unknown column in an uncited check" "$tenken" scan --root "$hosts/fully-encrypted" --framework sapporo-7-2 --site "$hosts/fully-encrypted/site.yaml" --policy "$work/uncited"
has err "x.yaml:2:5: check nobody-cites-this: query: no such column: mountt, did you mean mount?"

# --- a program brought without its rules: facts need none ---
mkdir "$work/alone" && cp "$tenken" "$work/alone/tenken"
want 0 "query without rules" env -u TENKEN_POLICY_DIR "$work/alone/tenken" query --root "$hosts/fully-encrypted" "SELECT id FROM scan"
want 0 "tables without rules" env -u TENKEN_POLICY_DIR "$work/alone/tenken" tables mount_encryption

# --- scan ---
cat >"$work/site.yaml" <<'Y'
contracts:
  - {id: SPR-TEST-001, authority: 札幌市, work: 試験, starts: 2026-04-01, ends: 2027-03-31, framework: sapporo-7-2}
data_paths: [{path: /srv/city, dataset: test}]
Y
printf 'contracts:\n  - {id: C-1, autority: x}\n' >"$work/badkey.yaml"
printf 'organisation: {name: x}\n' >"$work/nocontract.yaml"
want 64 "misspelt key" "$tenken" scan --site "$work/badkey.yaml"
has err "badkey.yaml:2:"
has err 'did you mean "authority"'
want 64 "no contract" "$tenken" scan --site "$work/nocontract.yaml"
grep -qx 'contracts:' "$work/err" || { echo "FAIL: the lines to add are no lines"; bad=1; }
has err "contracts:"
want 64 "site file missing" "$tenken" scan --site "$work/none.yaml"
want 64 "--record with --root, whatever it is" "$tenken" scan --record --root / --site "$work/site.yaml"
want 64 "--record with --root" "$tenken" scan --record --root "$hosts/fully-encrypted" --site "$work/site.yaml"
want 64 "unknown framework" "$tenken" scan --framework saporo-7-2 --site "$work/site.yaml"
has err "did you mean sapporo-7-2"
want 64 "unknown check" "$tenken" scan --check disk-data-path-encrypted --site "$work/site.yaml"
has err "did you mean"
want 1 "root missing" "$tenken" scan --root "$work/nowhere" --site "$work/site.yaml"
want 64 "root is a file" "$tenken" scan --root "$work/site.yaml" --site "$work/site.yaml"
chmod go+w "$work/site.yaml"
want 64 "site writable by others" "$tenken" scan --site "$work/site.yaml"
has err "chmod"
chmod go-w "$work/site.yaml"
mkdir -p "$work/loose/checks" && chmod 0777 "$work/loose/checks"
want 64 "policy writable by others" "$tenken" scan --policy "$work/loose" --site "$work/site.yaml"

# What the last command printed, held against the published schema.
valid() {
    "$TENKEN_BUILD/tests/validate" "$TENKEN_SOURCE/dist/schemas/$1.schema.json" <"$work/out" 2>"$work/why" || {
        echo "FAIL: $1: $(cat "$work/why")"
        bad=1
    }
}
for schema in scan tables query; do
    if echo '{"format":"other"}' | "$TENKEN_BUILD/tests/validate" "$TENKEN_SOURCE/dist/schemas/$schema.schema.json" 2>/dev/null; then
        echo "FAIL: the schema $schema takes anything"
        bad=1
    fi
done
want 2 "plain text on a captured host fails" "$tenken" scan --root "$hosts/two-pv-one-plain" --site "$hosts/two-pv-one-plain/site.yaml" --format json
want_json() {
    if ! jq -e "$1" "$work/out" >/dev/null 2>"$work/jq"; then
        echo "FAIL: JSON: $1"
        bad=1
    fi
}
valid scan
want_json '.format == "tenken-scan/1"'
want_json '.agent.rules | has("version") and has("unmodified") and has("differences")'
want_json '.scan.live == false'
want_json '[.probes[] | select(.table == "mount_encryption" and .probe == "disk" and .state == "complete")] | length == 1'
want_json '.contracts[0].controls | map(select(.id == "5.6a"))[0].verdict == "fail"'
want_json '.contracts[0].summary.fail == 1'
want_json '.contracts[0].checks | map(select(.verdict == "fail"))[0].findings[0] | has("code") and has("text") and has("row")'
want_json '.contracts[0] | has("evidence") | not'
want 3 "a container is unknown, never green" "$tenken" scan --root "$hosts/container" --site "$hosts/container/site.yaml" --format json
want_json '[.contracts[0].checks[] | select(.verdict == "pass")] | length == 0'
valid scan
want 3 "no data path declared is unknown" "$tenken" scan --root "$hosts/fully-encrypted" --framework sapporo-7-2 --site "$work/nocontract.yaml" --format json
want_json '.contracts[0].id == "none"'
want_json '.contracts[0].checks | map(select(.id == "disk-data-paths-encrypted"))[0] | .verdict == "unknown" and (.reason | startswith("undeclared"))'
want 2 "text, Japanese" "$tenken" scan --root "$hosts/two-pv-one-plain" --site "$hosts/two-pv-one-plain/site.yaml" --lang ja
has out "不適合"
has out "直し方"
awk 'length($0) > 400 { exit 1 }' "$work/out" || { echo "FAIL: a line of the page is not wrapped"; bad=1; }

# --- query ---
want 0 "query" "$tenken" query --root "$hosts/lvm-on-luks" "SELECT mount, encrypted FROM mount_encryption WHERE role = 'root'" --format json
want_json '.[0].mount == "/" and .[0].encrypted == 1'
valid query
want 0 "query csv" "$tenken" query --root "$hosts/lvm-on-luks" "SELECT mount, encrypted FROM mount_encryption WHERE role = 'root'" --format csv
has out "mount,encrypted"
want 3 "incomplete table" "$tenken" query --root "$hosts/container" "SELECT mount FROM mount_encryption"
has err "mount_encryption: denied"
want 64 "bad SQL" "$tenken" query "SELEC 1"
want 64 "unknown table" "$tenken" query "SELECT * FROM mount_encrypton"
want 64 "a write" "$tenken" query "DELETE FROM users"
want 64 "two statements" "$tenken" query "SELECT 1; SELECT 2"
want 64 "pragma" "$tenken" query "PRAGMA user_version"

# --- tables, explain, policy, init, doctor ---
want 0 "tables json" "$tenken" tables --format json
want_json 'map(select(.name == "mount_encryption"))[0] | .kind == "table" and (.columns | map(.name) | index("encrypted") != null)'
want_json 'all(.[]; has("name") and has("kind") and has("doc") and has("source") and has("columns"))'
valid tables
want 64 "unknown table" "$tenken" tables mount_encrypted
has err "did you mean mount_encryption"
want 0 "explain check" "$tenken" explain disk-data-paths-encrypted --root "$hosts/two-pv-one-plain" --site "$hosts/two-pv-one-plain/site.yaml"
has out "mount_encryption"
has out "side effects"
want 0 "explain clause by its number" "$tenken" explain 5.6 --root "$hosts/two-pv-one-plain" --site "$hosts/two-pv-one-plain/site.yaml"
has out "5.6a"
has out "5.6d"
mkdir -m 0700 "$work/state"
$tenken scan --record --site "$work/site.yaml" --state "$work/state" --format json >"$work/out" 2>"$work/err"
valid scan
want_json '.contracts[0].evidence.sequence == 1 and (.host.id | length) == 64'
want 64 "explain nothing known" "$tenken" explain 55.6
want 0 "lint" "$tenken" policy lint
want 0 "policy test" "$tenken" policy test --hosts "$hosts"
has out " passed, 0 failed"
want 0 "coverage" "$tenken" policy coverage --format json
want 0 "init" "$tenken" init --root "$hosts/fully-encrypted" --output "$work/proposed.yaml"
want 64 "what init proposes loads, and declares no contract by itself" "$tenken" scan --site "$work/proposed.yaml" --root "$hosts/fully-encrypted"
has err "contract"
want 0 "doctor --sandbox" "$tenken" doctor --sandbox --format json
jq -e . "$work/out" >/dev/null || { echo "FAIL: doctor --sandbox prints no JSON"; bad=1; }

# --- an own check, as the README writes it ---
mkdir -p "$work/my/checks"
sed -n '/^```yaml$/,/^```$/p' "$TENKEN_SOURCE/README.md" | sed '1d;$d' >"$work/my/checks/scratch.yaml"
want 0 "the README's check passes lint" "$tenken" policy lint --policy "$work/my"

exit $bad
