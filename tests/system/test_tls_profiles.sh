#!/bin/sh
# The checks of policies/checks/tls.yaml hold the suites of the profiles as SQL: the two must agree.
set -eu
source=${TENKEN_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed -n 's/^  - \(TLS_[A-Z0-9_]*\)$/\1/p' "$source/policies/tls-profiles/mozilla-intermediate.yaml" |
    sort >"$work/profile"
sed -n '/id: tls-suites-mozilla-intermediate/,/unknown:/p' "$source/policies/checks/tls.yaml" |
    grep -o "'TLS_[A-Z0-9_]*'" | tr -d "'" | sort >"$work/check"
[ "$(wc -l <"$work/profile")" -eq 9 ] || { echo "the profile's list is not understood" >&2; exit 1; }
diff "$work/profile" "$work/check"
# Names that the probe never prints would make a list that nothing can satisfy.
for profile in "$source"/policies/tls-profiles/*.yaml; do
    sed -n 's/^  - \(TLS_[A-Z0-9_]*\)$/\1/p' "$profile" | while read -r suite; do
        grep -qF "\"$suite\"" "$source/probes/tls/suites.def" || { echo "$profile: $suite" >&2; exit 1; }
    done
done
echo "profiles and checks agree"
