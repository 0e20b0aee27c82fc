#!/bin/sh
# Runs tests/style/check-src.sh over the tree, and shows on small bad trees that each of its checks
# can fail: a check that never fires would look like good code.
set -eu
source=${TENKEN_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
check=$source/tests/style/check-src.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

complain() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# A tree in which all is well.
fresh() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/agent/base" "$work/tree/agent/upload" "$work/tree/probes" \
        "$work/tree/server-stub" "$work/tree/tests/agent/base" "$work/tree/tests/probes"
    cd "$work/tree"
    echo 'Apache License' >LICENSE
    cp "$source/.clang-format" .
    printf '/* Does nothing. */\nint good(void);\n' >agent/base/good.h
    printf '#include "agent/base/good.h"\n\nint good(void)\n{\n    return 0;\n}\n' >agent/base/good.c
    printf '/* agent/base/good.c */\nint main(void)\n{\n    return 0;\n}\n' >tests/agent/base/test_good.c
}

# expect TEXT: the check over the tree fails and says TEXT
expect() {
    if output=$("$check" --allow "$work/allow" "$@" "$work/tree" 2>&1); then
        complain "nothing was found: $wanted"
    elif ! echo "$output" | grep -qF -- "$wanted"; then
        complain "not found: $wanted"
        echo "$output"
    fi
}

: >"$work/allow"
fresh
"$check" --allow "$work/allow" "$work/tree" || complain "a good tree is not accepted"

# text and comments are no code
fresh
printf '/* strcpy(a, b) */\nstatic const char *const s = "system(x)"; // gets(\nint good(void)\n{\n    return s == 0 ? 1 : 0; /* atoi( */\n}\n' >agent/base/good.c
"$check" --allow "$work/allow" "$work/tree" >/dev/null || complain "comments and texts are taken for code"

# bad FILE LINE-OF-CODE TEXT: one line in a file, and what must be said about it
bad() {
    fresh
    mkdir -p "$(dirname "$1")"
    printf '%s\n' "$2" >>"$1"
    case $1 in
    *.c) mkdir -p "tests/$(dirname "$1")" && echo "/* $1 */" >"tests/agent/base/test_extra.c" ;;
    esac
    wanted=$3
    expect
}

for name in strcpy strcat sprintf vsprintf gets strtok atoi alloca system popen setlocale vfork; do
    bad agent/base/bad.c "    $name(a, b);" "agent/base/bad.c:1: banned: $name()"
done
bad agent/base/bad.c 'getaddrinfo(a);' 'banned: getaddrinfo() outside'
bad probes/bad.c 'getpwnam(a);' 'banned: getpwnam() asks NSS'
bad probes/bad.c 'execve(a);' 'the scan path starts no program'
for name in open openat fopen stat lstat readlink opendir access realpath; do
    bad probes/bad.c "    $name(path);" "probes/bad.c:1: direct-io: $name()"
done
bad agent/base/bad.c '#include "probes/probe.h"' 'agent/base may not know probes'
bad probes/bad.c '#include "agent/scan/scan.h"' 'probes may not know agent/scan'
bad agent/policy/bad.c '#include "agent/scan/scan.h"' 'agent/policy may not know agent/scan'
bad agent/policy/bad.c '#include "agent/evidence/x.h"' 'agent/policy may not know agent/evidence'
bad agent/evidence/bad.c '#include "probes/probe.h"' 'agent/evidence may not know probes'
bad agent/upload/bad.c '#include "agent/scan/scan.h"' 'agent/upload may not know agent/scan'
bad server-stub/bad.c '#include "probes/probe.h"' 'server-stub may not know probes'
bad server-stub/bad.c '#include "agent/commands/app.h"' 'server-stub may not know agent/commands'
bad agent/base/bad.c '#include "good.h"' 'write the path from the top'
bad agent/base/bad.h 'int silent(int a);' 'undocumented: silent() has no contract'
bad agent/base/bad.c '/* TODO: later */' 'leftover: unfinished'
bad dist/bad.sh '# FIXME' 'leftover: unfinished'
bad dist/bad.sh 'cd /tmp/build-x' 'foreign-path: names'

fresh
printf 'int unseen(void)\n{\n    return 0;\n}\n' >probes/unseen.c
wanted='probes/unseen.c:1: unmirrored: no tests/probes/test_unseen.c'
expect
printf '/* also of probes/unseen.c */\n' >tests/probes/test_other.c
"$check" --allow "$work/allow" "$work/tree" >/dev/null || complain "a test that names its source is not accepted"

fresh
yes '/* a line */' | head -n 901 >>agent/base/good.c
wanted='agent/base/good.c:900: size: 907 lines'
expect
fresh
{
    printf '\nint lengthy(int a)\n{\n'
    yes '    a++;' | head -n 81
    printf '}\n'
} >>agent/base/good.c
wanted='size: lengthy() has 81 lines'
expect

fresh
rm LICENSE
wanted='LICENSE:1: licence'
expect

if (clang-format-14 --version || clang-format --version) 2>/dev/null | grep -q 'version 14'; then
    fresh
    printf 'int   odd( void );\n' >>agent/base/good.c
    wanted='agent/base/good.c:7: format: run'
    expect
fi

# mutable state, in real objects; what is const is none, addresses in it or not
fresh
printf 'extern int x;\nstatic int hidden;\nint x = 5;\nint next(void);\nint next(void)\n{\n    static int seen;\n    return hidden++ + seen++;\n}\n' >"$work/state.c"
printf 'const char *const words[] = {"a", "b"};\nstatic const int n = 3;\nint three(void);\nint three(void)\n{\n    return n + words[0][0];\n}\n' >"$work/const.c"
objects=$work/build/CMakeFiles/tenken-x.dir
for name in state const; do
    rm -rf "$work/build"
    mkdir -p "$objects"
    cc -fPIE -c "$work/$name.c" -o "$objects/$name.c.o"
    if [ $name = const ]; then
        "$check" --allow "$work/allow" --build "$work/build" "$work/tree" ||
            complain "constants are taken for mutable state"
        continue
    fi
    for symbol in hidden x seen; do
        wanted="state: $symbol is mutable"
        expect --build "$work/build"
    done
done

# exceptions: they work, need a reason, and go when they are no longer needed
fresh
printf 'int unseen(void)\n{\n    return 0;\n}\n' >probes/unseen.c
echo 'unmirrored probes/unseen.c because of this' >"$work/allow"
"$check" --allow "$work/allow" "$work/tree" || complain "an exception has no effect"
echo 'unmirrored probes/unseen.c' >"$work/allow"
wanted='allow: an exception needs a reason'
expect
printf '%s\n' 'unmirrored probes/unseen.c reason' 'banned agent/base/good.c:strcpy old' >"$work/allow"
wanted='excuses nothing any more: banned agent/base/good.c:strcpy'
expect

[ $failures = 0 ] || exit 1
echo "each check can fail"

# --- the tree itself ---
cd "$source"
build=
cache=${TENKEN_BUILD:+$TENKEN_BUILD/CMakeCache.txt}
# Sanitizers, coverage and libFuzzer keep state of their own in the objects.
if [ -n "$cache" ] && [ -e "$cache" ] &&
    ! grep -qE '^TENKEN_(SANITIZE|COVERAGE|FUZZ):BOOL=ON' "$cache"; then
    build=$TENKEN_BUILD
fi
exec "$check" ${build:+--build "$build"} "$source"
