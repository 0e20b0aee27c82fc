#!/bin/sh
# Installs what is missing, builds with sanitizers and without, runs every test in both.
#   tests/run.sh [arguments for ctest]
# TENKEN_BUILD_ROOT: where to build (default: build/ in the source tree).
set -eu

source=$(cd "$(dirname "$0")/.." && pwd)
root=${TENKEN_BUILD_ROOT:-$source/build}

if ! "$source/dist/deps.sh" --check build test >/dev/null; then
    if [ "$(id -u)" = 0 ]; then
        "$source/dist/deps.sh" build test
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$source/dist/deps.sh" build test
    else
        "$source/dist/deps.sh" build test # says what is missing and fails
    fi
fi

# build NAME CMAKE-ARGUMENTS...
build() {
    dir=$root/$1
    shift
    cmake -S "$source" -B "$dir" -G Ninja -DCMAKE_C_COMPILER=gcc -DTENKEN_WERROR=ON "$@" >"$root/configure.log" 2>&1 || {
        cat "$root/configure.log" >&2
        return 1
    }
    ninja -C "$dir" -j2 --quiet
}

mkdir -p "$root"
build test-asan -DCMAKE_BUILD_TYPE=Debug -DTENKEN_SANITIZE=ON
build test-release -DCMAKE_BUILD_TYPE=Release -DTENKEN_SANITIZE=OFF

status=0
for name in test-asan test-release; do
    echo "== $name"
    ctest --test-dir "$root/$name" -j2 --output-on-failure "$@" || status=1
done
exit $status
