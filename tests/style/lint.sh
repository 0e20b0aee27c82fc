#!/bin/sh
# clang-tidy and cppcheck over what a build compiled. Not part of ctest: minutes, and other versions
# find other things.
#   tests/style/lint.sh BUILD-DIRECTORY [FOLDER...]     (default: agent probes server-stub)
set -eu
build=${1:?usage: tests/style/lint.sh BUILD-DIRECTORY [FOLDER...]}
shift
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- agent probes server-stub
[ -e "$build/compile_commands.json" ] || {
    echo "lint.sh: $build has no compile_commands.json: configure it first" >&2
    exit 64
}
tidy=$(command -v clang-tidy-14 || command -v clang-tidy || true)
cppcheck=$(command -v cppcheck || true)
if [ -z "$tidy" ] || [ -z "$cppcheck" ]; then
    echo "lint.sh: clang-tidy or cppcheck is missing: dist/deps.sh lint" >&2
    exit 1
fi

status=0
# clang does not know some of gcc's options in the commands; that is no finding.
find "$@" -name '*.c' | sort |
    xargs -P 2 -n 4 "$tidy" -p "$build" --quiet --warnings-as-errors='*' \
        --extra-arg=-Wno-unknown-warning-option 2>/dev/null || status=1

# cppcheck does not know __attribute__((cleanup)), so it takes what that frees for a leak; the tests
# run under LeakSanitizer.
"$cppcheck" --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
    --inline-suppr --suppress=missingIncludeSystem --suppress=memleak --suppress=resourceLeak \
    --library=posix --library=gnu -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -j 2 \
    --template='{file}:{line}: {severity}: {message} [{id}]' "$@" || status=1
exit $status
